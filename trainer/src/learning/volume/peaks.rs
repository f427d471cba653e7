//! The busiest minute and hour of every caller and address, by replaying the records through sessions.

use std::collections::{BTreeMap, HashMap};

use apiward_detector::calls::CallSite;
use apiward_detector::route::RouteTable;
use apiward_detector::session::{
    Activity, CallMade, CallStep, CallSymbol, Horizon, Measure, MemorySessions, SessionStore,
};
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::{SessionSubject, VolumeCalibration, VolumeThreshold};

/// Sessions held while replaying.
const SESSIONS_MAX: usize = 1_000_000;

/// One thing that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Count {
    pub subject: SessionSubject,
    pub measure: Measure,
    pub horizon: Horizon,
    pub endpoint: CallSymbol,
}

impl Count {
    pub fn of(threshold: &VolumeThreshold) -> Self {
        let VolumeThreshold { subject, measure, horizon, endpoint, .. } = *threshold;
        Self { subject, measure, horizon, endpoint }
    }
}

/// The highest counts.
#[derive(Debug, Default)]
pub struct Peaks {
    /// ln(1 + count) of each at its busiest, by hash.
    by_subject: BTreeMap<Count, HashMap<u64, f32>>,
    /// The same, one value for those that count as one caller, ascending.
    distinct: BTreeMap<Count, Vec<f32>>,
    callers: usize,
    addresses: usize,
}

impl Peaks {
    /// `history` in order of time; all of it has a time and a caller.
    pub fn of(routes: &RouteTable, calibration: &VolumeCalibration, history: &[&ExchangeRecord]) -> Self {
        let mut peaks = Self::default();
        // Cookies are free: whoever has many of them is one of those whose normal behaviour is asked for.
        let mut one_as: HashMap<(SessionSubject, u64), u64> = HashMap::new();
        replay(routes, calibration, history, &mut |record, subject, hash, activity, endpoint| {
            let distinct = match subject {
                SessionSubject::Caller => record.caller.distinct_by(),
                SessionSubject::Address => record.caller.network,
                SessionSubject::Endpoint => None,
            };
            one_as.insert((subject, hash), distinct.unwrap_or(hash));
            each_count(subject, activity, endpoint, &mut |count, value| {
                let highest = peaks.by_subject.entry(count).or_default().entry(hash).or_insert(0.0);
                *highest = highest.max(value);
            });
        });
        for (count, of_subjects) in &peaks.by_subject {
            let mut of_distinct: HashMap<u64, f32> = HashMap::new();
            for (hash, highest) in of_subjects {
                let one = one_as.get(&(count.subject, *hash)).unwrap_or(hash);
                let known = of_distinct.entry(*one).or_insert(0.0);
                *known = known.max(*highest);
            }
            let mut sorted: Vec<f32> = of_distinct.into_values().collect();
            sorted.sort_by(f32::total_cmp);
            peaks.distinct.insert(*count, sorted);
        }
        peaks.callers = one_as.keys().filter(|(subject, _)| *subject == SessionSubject::Caller).count();
        peaks.addresses = one_as.keys().filter(|(subject, _)| *subject == SessionSubject::Address).count();
        peaks
    }

    /// Per count the highest value of each distinct subject, ascending.
    pub fn counts(&self) -> impl Iterator<Item = (&Count, &[f32])> {
        self.distinct.iter().map(|(count, sorted)| (count, sorted.as_slice()))
    }

    /// Subjects over the alarm for everybody, with the count and the value that they reached.
    pub fn beyond<'p>(&'p self, calibration: &'p VolumeCalibration) -> impl Iterator<Item = (Count, u64, f32)> + 'p {
        self.by_subject.iter().flat_map(move |(count, of_subjects)| {
            of_subjects.iter().filter_map(move |(hash, highest)| {
                let (_, alarm) = calibration.bounds(count.subject, *hash, count.measure, count.horizon, count.endpoint);
                (*highest > alarm).then_some((*count, *hash, *highest))
            })
        })
    }

    pub fn over_alarm(&self, calibration: &VolumeCalibration) -> usize {
        let mut over: Vec<(SessionSubject, u64)> =
            self.beyond(calibration).map(|(count, hash, _)| (count.subject, hash)).collect();
        over.sort_unstable();
        over.dedup();
        over.len()
    }

    pub fn callers(&self) -> usize {
        self.callers
    }

    pub fn addresses(&self) -> usize {
        self.addresses
    }
}

/// Every count of a subject after a call of the endpoint, as ln(1 + count).
pub fn each_count(
    subject: SessionSubject,
    activity: &Activity,
    endpoint: CallSymbol,
    with: &mut dyn FnMut(Count, f32),
) {
    for measure in Measure::ALL {
        let of = if measure.is_by_endpoint() { endpoint } else { CallSymbol::UNKNOWN };
        for horizon in Horizon::ALL {
            let value = activity.measure(measure, endpoint, horizon).ln_1p();
            with(Count { subject, measure, horizon, endpoint: of }, value);
        }
    }
}

/// Hands every subject's activity after every exchange to `after`, as the filter would have had it.
pub fn replay(
    routes: &RouteTable,
    calibration: &VolumeCalibration,
    history: &[&ExchangeRecord],
    after: &mut dyn FnMut(&ExchangeRecord, SessionSubject, u64, &Activity, CallSymbol),
) {
    let mut sessions = MemorySessions::new(SESSIONS_MAX);
    for record in history {
        let Some(site) = CallSite::of(routes, &record.observation) else { continue };
        let Some((at_ms, named)) = record.at_ms.zip(record.caller.named_by()) else { continue };
        let known = site.index.map(|index| &routes.endpoints[index]);
        let login = known.and_then(|endpoint| calibration.login_field(endpoint.id));
        let login = login.and_then(|field| field.find(&record.observation));
        let weight = record.weight.max(1.0);
        let made = |other| CallMade { at_ms, endpoint: site.endpoint, object: site.object, other, login, weight };
        let answered = |response| calibration.answered(site.endpoint, login.is_some(), response, weight);
        let answer = record.observation.response.as_ref().map(answered);
        sessions.change_caller(named, CallStep::Begin, &mut |session| {
            session.count(&made(record.caller.network));
            if let Some(answer) = &answer {
                session.activity.answer(answer);
            }
            after(record, SessionSubject::Caller, named, &session.activity, site.endpoint);
        });
        if let Some(address) = record.caller.address {
            sessions.change_address(address, CallStep::Begin, &mut |session| {
                session.count(&made(record.caller.identity));
                if let Some(answer) = &answer {
                    session.answer(answer);
                }
                after(record, SessionSubject::Address, address, &session.activity, site.endpoint);
            });
        }
        if login.is_some() {
            let endpoint = VolumeCalibration::endpoint_hash(site.endpoint);
            sessions.change_address(endpoint, CallStep::Begin, &mut |session| {
                session.count(&made(record.caller.network));
                if let Some(answer) = &answer {
                    session.answer(answer);
                }
                after(record, SessionSubject::Endpoint, endpoint, &session.activity, site.endpoint);
            });
        }
    }
}
