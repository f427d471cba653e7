//! Fields whose normal traffic looks like attacks: a content editor, a search box, the address of a webhook.
//!
//! Such a field gets a threshold of its own for the class it looks like; it does not alarm for being itself, and still alarms
//! for what is foreign to it. It takes what any other novelty takes to become normal, and more: established callers over
//! several windows, successful answers, and a real share of the place's traffic, which a single attack never has.

use std::collections::{BTreeMap, HashMap, HashSet};

use apiward_detector::bundle::Bundle;
use apiward_detector::observation::{Location, Observation};
use apiward_detector::payload::{FieldPayloads, ObservedPayload, PayloadCalibration, PayloadClass, PayloadException};
use apiward_detector::route::{RouteMatch, RouteTable, canonical_path};
use apiward_detector::telemetry::ExchangeRecord;

use super::admission::{SupportCounter, SupportNeeded, succeeded};
use super::routes::Located;

/// Share of the exchanges of a place, and of its callers, that must look alike.
const SHARE_MIN: f64 = 0.05;
/// Fewest exchanges that do.
const EXCHANGES_MIN: usize = 10;
/// Callers counted per place.
const CALLERS_COUNTED_MAX: usize = 1024;
/// Nats above the most attack-like value that a field usually carries.
const MARGIN: f32 = 1.0;

/// Where an exchange goes, before there are routes: path components as words or types.
type Place = (String, String, String);
type FieldClass = (Location, String, PayloadClass);

/// Which fields look like attacks in normal use.
#[derive(Debug, Default)]
pub struct OwnPayloads {
    /// Nats; `None` where there is no payload network.
    threshold: Option<f32>,
    own: HashMap<Place, HashSet<FieldClass>>,
    /// What people decided, in the order in which they did.
    exceptions: Vec<PayloadException>,
    /// The endpoints that exceptions name.
    routes: Option<RouteTable>,
}

#[derive(Default)]
struct PlaceTraffic {
    exchanges: usize,
    callers: HashSet<u64>,
    like_attacks: HashMap<FieldClass, (SupportCounter, usize, HashSet<u64>)>,
}

impl OwnPayloads {
    /// Looks at all records, flagged ones included.
    pub fn of(records: &[ExchangeRecord], threshold: Option<f32>, needed: &SupportNeeded) -> Self {
        let Some(nats) = threshold else { return Self::default() };
        let mut places: HashMap<Place, PlaceTraffic> = HashMap::new();
        for record in records.iter().filter(|record| succeeded(record)) {
            let place = places.entry(place_of(&record.observation)).or_default();
            place.exchanges += 1;
            let caller = record.caller.distinct_by();
            if place.callers.len() < CALLERS_COUNTED_MAX {
                place.callers.extend(caller);
            }
            for payload in record.observation.payloads.iter().filter(|payload| payload.attack > nats) {
                let (support, exchanges, callers) = place.like_attacks.entry(field_class(payload)).or_default();
                support.count(record, needed.window_ms);
                *exchanges += 1;
                if callers.len() < CALLERS_COUNTED_MAX {
                    callers.extend(caller);
                }
            }
        }
        let own = places.into_iter().filter_map(|(place, traffic)| {
            let enough = |part: usize, of: usize| part as f64 >= SHARE_MIN * of as f64;
            let own: HashSet<FieldClass> = traffic
                .like_attacks
                .into_iter()
                .filter(|(_, (support, exchanges, callers))| {
                    support.suffices(needed)
                        && *exchanges >= EXCHANGES_MIN
                        && enough(*exchanges, traffic.exchanges)
                        && enough(callers.len(), traffic.callers.len())
                })
                .map(|(field, _)| field)
                .collect();
            (!own.is_empty()).then_some((place, own))
        });
        Self { threshold, own: own.collect(), exceptions: Vec::new(), routes: None }
    }

    /// What people decided goes before what the traffic shows. `routes` has the endpoints that they named.
    pub fn with_exceptions(mut self, exceptions: &[PayloadException], routes: Option<&RouteTable>) -> Self {
        self.exceptions = exceptions.to_vec();
        self.routes = routes.filter(|_| exceptions.iter().any(|one| one.endpoint_id.is_some())).cloned();
        self
    }

    /// Whether a value of the exchange looks like an attack and is not usual where it is.
    pub fn shows_attack(&self, observation: &Observation) -> bool {
        let Some(threshold) = self.threshold else { return false };
        if observation.payloads.is_empty() {
            return false;
        }
        let own = self.own.get(&place_of(observation));
        let endpoint_id = self.endpoint_of(observation);
        observation.payloads.iter().any(|payload| {
            match self.exceptions.iter().rev().find(|one| one.covers(endpoint_id, payload)) {
                Some(exception) => exception.threshold.is_some_and(|decided| payload.attack > decided),
                None => payload.attack > threshold && own.is_none_or(|own| !own.contains(&field_class(payload))),
            }
        })
    }

    fn endpoint_of(&self, observation: &Observation) -> Option<u64> {
        let routes = self.routes.as_ref()?;
        match routes.find(observation) {
            RouteMatch::Endpoint { index, .. } => routes.endpoints.get(index).map(|endpoint| endpoint.id),
            _ => None,
        }
    }

    /// The thresholds of the fields of known endpoints. What the parent model has of fields that were not seen again stays.
    pub fn calibration(
        &self,
        routes: &RouteTable,
        located: &[Located<'_>],
        parent: Option<&Bundle>,
    ) -> PayloadCalibration {
        let mut highest: BTreeMap<(u64, Location, String, PayloadClass), f32> = BTreeMap::new();
        for place in located {
            let observation = &place.record.observation;
            let Some(own) = self.own.get(&place_of(observation)) else { continue };
            let id = routes.endpoints[place.endpoint].id;
            for payload in observation.payloads.iter().filter(|payload| own.contains(&field_class(payload))) {
                let nats =
                    highest.entry((id, payload.location, payload.name.clone(), payload.class)).or_insert(f32::MIN);
                *nats = nats.max(payload.attack + MARGIN);
            }
        }
        let known: HashSet<u64> = routes.endpoints.iter().map(|endpoint| endpoint.id).collect();
        let before = parent.into_iter().flat_map(|parent| &parent.calibration.payload.fields);
        for field in before.filter(|field| known.contains(&field.endpoint_id)) {
            let key = (field.endpoint_id, field.location, field.name.clone(), field.class);
            highest.entry(key).or_insert(field.threshold);
        }
        let fields = highest
            .into_iter()
            .map(|((endpoint_id, location, name, class), threshold)| FieldPayloads {
                endpoint_id,
                location,
                name,
                class,
                threshold,
            })
            .collect();
        PayloadCalibration { threshold: self.threshold, fields }
    }
}

fn place_of(observation: &Observation) -> Place {
    (observation.host.clone(), observation.method.clone(), canonical_path(&observation.components))
}

fn field_class(payload: &ObservedPayload) -> FieldClass {
    (payload.location, payload.name.clone(), payload.class)
}

#[cfg(test)]
mod tests {
    use apiward_detector::exchange::{Caller, Exchange, Request, Response};
    use apiward_detector::hashing::KeyedHasher;
    use apiward_detector::observation::Observer;
    use apiward_detector::telemetry::CallerRecord;

    use super::*;

    const NEEDED: SupportNeeded = SupportNeeded { callers: 3, callerless: 3, windows: 2, window_ms: 1000 };
    const THRESHOLD: f32 = 2.0;

    /// An exchange of a page editor whose body looks like `class` as much as that.
    fn record(number: i64, caller: i64, class: Option<PayloadClass>) -> ExchangeRecord {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let exchange = Exchange {
            at_ms: Some(number * 100),
            caller: Caller { address: Some(format!("10.0.{caller}.1")), ..Caller::default() },
            request: Request {
                method: "PUT".into(),
                host: "h".into(),
                target: "/pages/7".into(),
                ..Request::default()
            },
            response: Some(Response { status: Some(200), ..Response::default() }),
        };
        let mut observation = Observer::observe(&exchange, &hasher);
        observation.payloads.extend(class.map(|class| ObservedPayload {
            location: Location::Body,
            name: "html".into(),
            class,
            attack: 4.0,
            evidence: String::new(),
        }));
        ExchangeRecord {
            at_ms: exchange.at_ms,
            caller: CallerRecord::of(&exchange.caller, &hasher),
            observation,
            weight: 1.0,
            verdict: None,
            request_id: None,
        }
    }

    #[test]
    fn what_many_callers_send_is_usual_and_nothing_else_in_the_same_field_is() {
        let records: Vec<_> =
            (0..60).map(|number| record(number, number % 6, (number % 2 == 0).then_some(PayloadClass::Xss))).collect();
        let own = OwnPayloads::of(&records, Some(THRESHOLD), &NEEDED);
        assert!(!own.shows_attack(&records[0].observation));
        assert!(own.shows_attack(&record(1, 1, Some(PayloadClass::Sqli)).observation));
    }

    #[test]
    fn what_people_excused_is_no_attack_to_learning_either() {
        let records = [record(1, 1, Some(PayloadClass::Xss))];
        let own = |exceptions: &[PayloadException]| {
            OwnPayloads::of(&records, Some(THRESHOLD), &NEEDED).with_exceptions(exceptions, None)
        };
        let exception = |class, threshold| PayloadException {
            endpoint_id: None,
            location: Some(Location::Body),
            name: Some("html".into()),
            class: Some(class),
            threshold,
        };
        let shows = |exceptions: &[PayloadException]| own(exceptions).shows_attack(&records[0].observation);
        assert!(shows(&[]) && shows(&[exception(PayloadClass::Sqli, None)]));
        assert!(!shows(&[exception(PayloadClass::Xss, None)]));
        assert!(!shows(&[exception(PayloadClass::Xss, Some(4.5))]));
        assert!(
            shows(&[exception(PayloadClass::Xss, None), exception(PayloadClass::Xss, Some(3.5))]),
            "the last counts"
        );
        let elsewhere = PayloadException { endpoint_id: Some(7), ..exception(PayloadClass::Xss, None) };
        assert!(shows(&[elsewhere]), "an endpoint that is not known");
    }

    #[test]
    fn what_one_caller_or_few_exchanges_show_stays_an_attack() {
        let busy: Vec<_> = (0..60)
            .map(|number| {
                record(number, 1 + (number % 2) * (number % 5), (number % 2 == 0).then_some(PayloadClass::Xss))
            })
            .collect();
        assert!(OwnPayloads::of(&busy, Some(THRESHOLD), &NEEDED).shows_attack(&busy[0].observation));
        let seldom: Vec<_> = (0..400)
            .map(|number| record(number, number % 6, (number % 30 == 0).then_some(PayloadClass::Xss)))
            .collect();
        assert!(OwnPayloads::of(&seldom, Some(THRESHOLD), &NEEDED).shows_attack(&seldom[0].observation));
        assert!(
            !OwnPayloads::of(&busy, None, &NEEDED).shows_attack(&busy[0].observation),
            "without a network nothing is known"
        );
    }
}
