//! How much is usual, learned per endpoint, and how much is too much.

use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::ResponseMeasures;
use crate::session::{CallAnswered, CallOutcome, CallSymbol, Horizon, Measure};

use super::LoginField;

/// Whose activity it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionSubject {
    /// A caller by its identity; by its address where it has none.
    Caller,
    /// An address, whoever calls from it.
    Address,
    /// An endpoint that takes logins, whoever calls it: stolen passwords tried from many addresses, a few from each.
    Endpoint,
}

impl SessionSubject {
    /// `caller`, `address` or `endpoint`.
    pub fn noun(self) -> &'static str {
        match self {
            SessionSubject::Caller => "caller",
            SessionSubject::Address => "address",
            SessionSubject::Endpoint => "endpoint",
        }
    }
}

/// What is usual of one measure at one endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct VolumeThreshold {
    pub subject: SessionSubject,
    pub measure: Measure,
    pub horizon: Horizon,
    /// [`CallSymbol::UNKNOWN`] for measures that are not kept by endpoint, and for calls of unknown endpoints.
    pub endpoint: CallSymbol,
    /// ln(1 + count) that half of the normal subjects reach at their busiest.
    pub usual: f32,
    /// ln(1 + count) above which it alarms.
    pub alarm: f32,
}

/// A caller or address that was always busier than others, such as a nightly job, a crawler or an office.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BusySubject {
    pub subject: SessionSubject,
    /// Keyed hash.
    pub hash: u64,
    pub measure: Measure,
    pub horizon: Horizon,
    pub endpoint: CallSymbol,
    /// ln(1 + count) above which it alarms, in place of the threshold for everybody.
    pub alarm: f32,
}

/// Everything by which volume is judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VolumeCalibration {
    /// Share of normal subjects that exceed one alarm, 0..1; 0 where the detector is not armed.
    pub rate: f32,
    /// Sorted by subject, measure, horizon and endpoint.
    pub thresholds: Vec<VolumeThreshold>,
    /// Sorted by subject and hash.
    pub busy: Vec<BusySubject>,
    /// Sorted by endpoint.
    pub logins: Vec<LoginField>,
}

/// Share of normal subjects below what is usual.
const USUAL_SHARE: f32 = 0.5;
/// How much more than the smallest alarm it takes where nothing was learned, in ln(1 + count).
const UNLEARNED_MARGIN: f32 = 0.7;

impl VolumeCalibration {
    /// The field that names who wants in, where the endpoint takes logins.
    pub fn login_field(&self, endpoint_id: u64) -> Option<&LoginField> {
        let place = self.logins.binary_search_by_key(&endpoint_id, |login| login.endpoint_id).ok()?;
        self.logins.get(place)
    }

    /// How the endpoint answered: to a login, as it is known to answer those who do not get in.
    pub fn answered(
        &self,
        endpoint: CallSymbol,
        is_login: bool,
        response: &ResponseMeasures,
        weight: f32,
    ) -> CallAnswered {
        let login = || self.logins.iter().find(|login| CallSymbol::of(login.endpoint_id) == endpoint);
        CallAnswered {
            outcome: CallOutcome::of(response),
            login_refused: is_login && login().is_some_and(|login| login.refuses(response)),
            bytes: response.bytes.unwrap_or(0),
            weight,
        }
    }

    pub fn is_armed(&self) -> bool {
        self.rate > 0.0
    }

    /// The session of an endpoint that takes logins, which is kept among those of addresses.
    pub fn endpoint_hash(endpoint: CallSymbol) -> u64 {
        stable_hash(&[b"endpoint session", &endpoint.0.to_le_bytes()])
    }

    /// Counts below this are never too much, however quiet everybody was.
    pub fn floor(measure: Measure) -> f32 {
        let count: f32 = match measure {
            Measure::Calls => 60.0,
            Measure::Failures => 8.0,
            Measure::ResponseBytes => 1_000_000.0,
            Measure::Others => 5.0,
            Measure::Logins => 4.0,
            Measure::EndpointCalls => 10.0,
            Measure::EndpointObjects => 12.0,
        };
        count.ln_1p()
    }

    /// What is usual and what is too much, both as ln(1 + count), for one subject.
    pub fn bounds(
        &self,
        subject: SessionSubject,
        hash: u64,
        measure: Measure,
        horizon: Horizon,
        endpoint: CallSymbol,
    ) -> (f32, f32) {
        let endpoint = if measure.is_by_endpoint() { endpoint } else { CallSymbol::UNKNOWN };
        let wanted = (subject, measure, horizon, endpoint);
        let key = |known: &VolumeThreshold| (known.subject, known.measure, known.horizon, known.endpoint);
        let learned = self.thresholds.binary_search_by_key(&wanted, key).ok();
        let (usual, alarm) = match learned.and_then(|place| self.thresholds.get(place)) {
            Some(known) => (known.usual, known.alarm),
            None => (0.0, Self::floor(measure) + UNLEARNED_MARGIN),
        };
        let first = self.busy.partition_point(|busy| (busy.subject, busy.hash) < (subject, hash));
        let own = self.busy.iter().skip(first).take_while(|busy| (busy.subject, busy.hash) == (subject, hash));
        let allowed = own
            .filter(|busy| (busy.measure, busy.horizon, busy.endpoint) == (measure, horizon, endpoint))
            .map(|busy| busy.alarm);
        (usual, allowed.fold(alarm, f32::max))
    }

    /// Whether it has always been busier than the others: a job, a crawler.
    pub fn is_busy(&self, subject: SessionSubject, hash: u64) -> bool {
        self.busy.binary_search_by_key(&(subject, hash), |busy| (busy.subject, busy.hash)).is_ok()
    }

    /// Estimated share of normal subjects that ever reach a count, 0..1: log-linear through the two points that are known.
    pub fn p_value(&self, count: f32, usual: f32, alarm: f32) -> f32 {
        if count <= usual || !self.is_armed() {
            return 1.0;
        }
        let steepness = (USUAL_SHARE / self.rate).ln() / (alarm - usual).max(0.1);
        (USUAL_SHARE * (-steepness * (count - usual)).exp()).clamp(1e-9, 1.0)
    }
}
