//! Traffic of an API whose operations are known: exchanges in order of time, each with the operation it belongs to.

use std::collections::BTreeMap;

use percent_encoding::utf8_percent_encode;
use rand::{Rng, RngExt};
use time::{Duration, OffsetDateTime};

use super::behaviour::Behaviour;
use super::clients::{Callers, Client, probe};
use super::objects::{Object, Objects, Slot, Wanted};
use super::operations::Api;
use super::routing::RouteTable;
use super::seeds::Seed;
use super::template::ESCAPED;
use crate::traffic::{Exchange, START};

/// How uneven the use of operations is.
const USE_EXPONENT: f64 = 0.9;
/// A value that would lead to another operation is drawn anew so many times.
const DRAWS_MAX: usize = 30;
/// Requests per hour of the day, relative to each other.
const HOURLY_INTENSITY: [f64; 24] = [
    0.5, 0.4, 0.3, 0.3, 0.3, 0.4, 0.6, 1.0, 1.4, 1.6, 1.6, 1.5, 1.3, 1.5, 1.6, 1.6, 1.4, 1.2, 1.0, 0.9, 0.8, 0.8, 0.7,
    0.6,
];

/// How much traffic, of what composition.
#[derive(Clone, Debug)]
pub struct TrafficSettings {
    pub seed: u64,
    /// Requests per template on average.
    pub mean: u64,
    /// Requests that every template gets.
    pub minimum: u64,
    pub callers: usize,
    pub days: u64,
    /// Share of requests by scanners, from 0 to below 1.
    pub noise_share: f64,
}

impl Default for TrafficSettings {
    fn default() -> Self {
        Self { seed: 1, mean: 200, minimum: 20, callers: 400, days: 5, noise_share: 0.02 }
    }
}

/// An exchange and what is true about it.
#[derive(Clone, Debug)]
pub struct GeneratedExchange {
    pub exchange: Exchange,
    /// Position in the API's operations; `None` for noise.
    pub operation: Option<usize>,
}

/// A request that will be sent.
#[derive(Clone, Copy, Debug)]
struct Planned {
    offset_ms: u64,
    operation: Option<usize>,
    number: u64,
}

/// An API that can be asked.
#[derive(Debug)]
pub struct TrafficGenerator<'a> {
    api: &'a Api,
    settings: TrafficSettings,
    seed: Seed,
    objects: Objects,
    callers: Callers,
    slots: Vec<Vec<Slot>>,
    behaviours: Vec<Behaviour>,
    table: RouteTable,
    /// For each operation the one on the items below it, if there is one.
    items: Vec<Option<usize>>,
}

impl<'a> TrafficGenerator<'a> {
    pub fn new(api: &'a Api, settings: TrafficSettings) -> Self {
        let seed = Seed::new(settings.seed);
        let routes = api.operations.iter().map(|operation| (operation.method.as_str(), &operation.template));
        Self {
            api,
            seed,
            objects: Objects::of(api, seed),
            callers: Callers::new(settings.callers, seed),
            slots: api.operations.iter().map(|operation| Slot::of(&operation.template)).collect(),
            behaviours: api.operations.iter().map(|operation| Behaviour::of(operation, seed)).collect(),
            table: RouteTable::new(routes),
            items: items_below(api),
            settings,
        }
    }

    /// How many requests each operation gets: the minimum, and of the rest a share by rank. The ranks are a matter of chance.
    pub fn requests_per_operation(&self) -> Vec<u64> {
        let count = self.api.operations.len();
        let mut order: Vec<usize> = (0..count).collect();
        order.sort_by_key(|index| {
            let (method, template) = self.api.operations[*index].key();
            self.seed.with("rank").with(&method).with(&template).below(u64::MAX)
        });
        let weight = |rank: usize| 1.0 / (rank as f64 + 1.0).powf(USE_EXPONENT);
        let total: f64 = (0..count).map(weight).sum();
        let rest = self.settings.mean.saturating_sub(self.settings.minimum) as f64 * count as f64;
        let mut requests = vec![self.settings.minimum; count];
        for (rank, index) in order.into_iter().enumerate() {
            requests[index] += (rest * weight(rank) / total).round() as u64;
        }
        requests
    }

    /// All exchanges, made one by one.
    pub fn exchanges(&self) -> impl Iterator<Item = GeneratedExchange> {
        let planned = self.plan();
        let span_ms = (self.settings.days.max(1) * 86_400_000) as f64;
        planned.into_iter().map(move |request| {
            let mut rng = self.seed.with("request").with_number(request.number).rng();
            let progress = request.offset_ms as f64 / span_ms;
            let at = START + Duration::milliseconds(request.offset_ms as i64);
            match request.operation {
                Some(operation) => self.request(operation, progress, at, &mut rng),
                None => self.noise(progress, at, &mut rng),
            }
        })
    }

    fn plan(&self) -> Vec<Planned> {
        let mut operations: Vec<Option<usize>> = Vec::new();
        for (index, count) in self.requests_per_operation().into_iter().enumerate() {
            operations.extend((0..count).map(|_| Some(index)));
        }
        let share = self.settings.noise_share.clamp(0.0, 0.9);
        let noise = (operations.len() as f64 * share / (1.0 - share)).round() as usize;
        operations.extend(std::iter::repeat_n(None, noise));
        let mut rng = self.seed.with("times").rng();
        let numbered = operations.into_iter().zip(0..);
        let mut planned: Vec<Planned> = numbered
            .map(|(operation, number)| Planned { offset_ms: self.offset_ms(&mut rng), operation, number })
            .collect();
        planned.sort_by_key(|request| (request.offset_ms, request.number));
        planned
    }

    /// A time within the days, by rejection under the intensity of its hour.
    fn offset_ms(&self, rng: &mut impl Rng) -> u64 {
        loop {
            let offset_ms = rng.random_range(0..self.settings.days.max(1) * 86_400_000);
            let hour = (offset_ms as usize / 3_600_000 + usize::from(START.hour())) % 24;
            if rng.random_range(0.0..1.6) < HOURLY_INTENSITY[hour] {
                return offset_ms;
            }
        }
    }

    /// A path of the operation. Services reserve the names of their own paths, so values that lead elsewhere are avoided; where
    /// that is not possible, the operation that the path leads to is the true one.
    fn draw(&self, operation: usize, progress: f64, rng: &mut impl Rng) -> Drawn {
        let chosen = &self.api.operations[operation];
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (mut values, object) = self.objects.draw(&self.slots[operation], progress, rng);
            let path = chosen.template.filled(&values);
            let found = self.table.find(&chosen.method, &path).unwrap_or(operation);
            if found == operation || attempts == DRAWS_MAX {
                return Drawn { path, operation: found, object, id: values.pop() };
            }
        }
    }

    fn request(&self, operation: usize, progress: f64, at: OffsetDateTime, rng: &mut impl Rng) -> GeneratedExchange {
        let drawn = self.draw(operation, progress, rng);
        let behaviour = &self.behaviours[drawn.operation];
        let status = behaviour.status(rng);
        let wanted = if behaviour.creates() { Wanted::Newest { progress } } else { Wanted::Popular { progress } };
        let items: Vec<String> = match self.items[drawn.operation].and_then(|below| self.slots[below].last()) {
            Some(slot) if drawn.operation == operation => (0..behaviour.item_count(rng))
                .map(|_| self.objects.draw_below(drawn.object, slot, wanted, rng).0)
                .collect(),
            _ => Vec::new(),
        };
        let mut response_headers = BTreeMap::new();
        if let (true, [created, ..]) = (behaviour.creates() && status == 201, items.as_slice()) {
            let location = format!("{}/{}", drawn.path.trim_end_matches('/'), utf8_percent_encode(created, ESCAPED));
            response_headers.insert("location".to_owned(), location);
        }
        let sent = Sent {
            method: &self.api.operations[drawn.operation].method,
            target: format!("{}{}", drawn.path, behaviour.query(rng)),
            request_body: behaviour.request_body(rng),
            status,
            response_headers,
            response_body: behaviour.response_body(status, drawn.id.as_deref(), &items, rng),
            label: "normal",
        };
        let exchange = self.record(sent, self.callers.pick(rng), at, rng);
        GeneratedExchange { exchange, operation: Some(drawn.operation) }
    }

    fn noise(&self, progress: f64, at: OffsetDateTime, rng: &mut impl Rng) -> GeneratedExchange {
        let known = self.draw(rng.random_range(0..self.api.operations.len()), progress, rng);
        let probe = probe(&known.path, rng);
        let sent = Sent {
            method: probe.method,
            target: probe.target,
            request_body: None,
            status: probe.status,
            response_headers: BTreeMap::new(),
            response_body: None,
            label: "scanner",
        };
        let exchange = self.record(sent, &probe.client, at, rng);
        GeneratedExchange { exchange, operation: None }
    }

    fn record(&self, sent: Sent, client: &Client, at: OffsetDateTime, rng: &mut impl Rng) -> Exchange {
        let mut request_headers = BTreeMap::from([
            ("accept".to_owned(), "application/json".to_owned()),
            ("user-agent".to_owned(), client.program.to_owned()),
        ]);
        let json = || ("content-type".to_owned(), "application/json".to_owned());
        if sent.request_body.is_some() {
            request_headers.extend([json()]);
        }
        let mut response_headers = sent.response_headers;
        if sent.response_body.is_some() {
            response_headers.extend([json()]);
        }
        let told = sent.response_body.as_ref().map_or(0, String::len);
        Exchange {
            caller: client.identity.clone(),
            address: client.address.clone(),
            host: self.api.host.clone(),
            method: sent.method.to_owned(),
            path: sent.target,
            request_headers,
            request_body: sent.request_body,
            status: sent.status,
            response_headers,
            response_bytes: told,
            response_body: sent.response_body,
            duration_us: rng.random_range(800..60_000),
            label: sent.label,
            ..Exchange::at(at)
        }
    }
}

/// A path, and what it is about.
struct Drawn {
    path: String,
    operation: usize,
    object: Option<Object>,
    /// The last parameter's value.
    id: Option<String>,
}

/// What goes out and comes back, before client and time are added.
struct Sent<'r> {
    method: &'r str,
    target: String,
    request_body: Option<String>,
    status: u16,
    response_headers: BTreeMap<String, String>,
    response_body: Option<String>,
    label: &'static str,
}

/// For each operation one that has just a parameter more.
fn items_below(api: &Api) -> Vec<Option<usize>> {
    let mut below: BTreeMap<String, usize> = BTreeMap::new();
    for (index, operation) in api.operations.iter().enumerate() {
        if let Some(parent) = operation.template.anonymised().strip_suffix("/{}") {
            below.entry(parent.to_owned()).or_insert(index);
        }
    }
    api.operations.iter().map(|operation| below.get(&operation.template.anonymised()).copied()).collect()
}
