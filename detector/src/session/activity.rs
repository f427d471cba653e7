//! How much one caller, or one address, did lately.

use super::decay::{DecayedCount, Fading, Horizon};
use super::distinct::DistinctCount;
use super::window::{CallOutcome, CallSymbol};

/// One call as far as volume goes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallMade {
    /// Milliseconds since the Unix epoch.
    pub at_ms: i64,
    pub endpoint: CallSymbol,
    /// Hash of the path parameters, or of the query where the path has none; `None` where there is neither.
    pub object: Option<u64>,
    /// Whom the caller is met with: the address of a caller, the caller of an address.
    pub other: Option<u64>,
    /// Hash of the login identifier, where it is a login attempt.
    pub login: Option<u64>,
    /// How many exchanges it stands for.
    pub weight: f32,
}

/// How it was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct CallAnswered {
    pub outcome: CallOutcome,
    /// It was a login, and the answer is one by which the endpoint refuses them though its status does not say so.
    pub login_refused: bool,
    /// Body bytes of the response.
    pub bytes: u64,
    pub weight: f32,
}

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Calls,
    /// Calls that the service refused.
    Failures,
    ResponseBytes,
    /// Distinct addresses of a caller, distinct callers of an address.
    Others,
    /// Distinct login identifiers.
    Logins,
    /// Calls of one endpoint.
    EndpointCalls,
    /// Distinct objects of one endpoint.
    EndpointObjects,
}

impl CallAnswered {
    /// Whether the service refused the call: by 4xx, by the status of gRPC, or as it refuses logins.
    pub fn is_failure(&self) -> bool {
        self.login_refused || matches!(self.outcome, CallOutcome::Refused | CallOutcome::Missing | CallOutcome::Invalid)
    }
}

impl Measure {
    pub const ALL: [Measure; 7] = [
        Measure::Calls,
        Measure::Failures,
        Measure::ResponseBytes,
        Measure::Others,
        Measure::Logins,
        Measure::EndpointCalls,
        Measure::EndpointObjects,
    ];

    /// Whether each endpoint has its own count.
    pub fn is_by_endpoint(self) -> bool {
        matches!(self, Measure::EndpointCalls | Measure::EndpointObjects)
    }
}

/// What was done at one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct EndpointActivity {
    pub endpoint: CallSymbol,
    pub calls: DecayedCount,
    pub objects: DistinctCount,
}

/// Decayed counts of everything, and of the endpoints used most.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Activity {
    /// The time that the counts are of; 0 before the first call.
    pub at_ms: i64,
    pub calls: DecayedCount,
    pub failures: DecayedCount,
    pub response_bytes: DecayedCount,
    pub others: DistinctCount,
    pub logins: DistinctCount,
    pub endpoints: Vec<EndpointActivity>,
}

impl Activity {
    /// Counts a call. At most `endpoints_max` endpoints are counted by themselves: the one used least of late makes room.
    pub fn begin(&mut self, call: &CallMade, endpoints_max: usize) {
        self.fade_to(call.at_ms);
        let weight = call.weight.max(0.0);
        self.calls.add(weight);
        if let Some(other) = call.other {
            self.others.meet(other);
        }
        if let Some(login) = call.login {
            self.logins.meet(login);
        }
        if let Some(known) = self.slot(call.endpoint, endpoints_max) {
            known.calls.add(weight);
            if let Some(object) = call.object {
                known.objects.meet(object);
            }
        }
    }

    pub fn answer(&mut self, answer: &CallAnswered) {
        if answer.is_failure() {
            self.failures.add(answer.weight.max(0.0));
        }
        self.response_bytes.add(answer.bytes as f32 * answer.weight.max(0.0));
    }

    /// A count as it stands; 0 for an endpoint that is not counted by itself.
    pub fn measure(&self, measure: Measure, endpoint: CallSymbol, horizon: Horizon) -> f32 {
        let at_endpoint = || self.endpoints.iter().find(|known| known.endpoint == endpoint);
        let count = match measure {
            Measure::Calls => self.calls,
            Measure::Failures => self.failures,
            Measure::ResponseBytes => self.response_bytes,
            Measure::Others => self.others.count,
            Measure::Logins => self.logins.count,
            Measure::EndpointCalls => at_endpoint().map(|known| known.calls).unwrap_or_default(),
            Measure::EndpointObjects => at_endpoint().map(|known| known.objects.count).unwrap_or_default(),
        };
        count.at(horizon)
    }

    /// Lets time pass; a call that comes with an earlier time than the last one counts as of the last.
    fn fade_to(&mut self, at_ms: i64) {
        if self.at_ms == 0 {
            self.at_ms = at_ms;
            return;
        }
        if at_ms <= self.at_ms {
            return;
        }
        let fading = Fading::after(at_ms.saturating_sub(self.at_ms));
        self.at_ms = at_ms;
        for count in [&mut self.calls, &mut self.failures, &mut self.response_bytes] {
            count.fade(fading);
        }
        self.others.fade(fading);
        self.logins.fade(fading);
        for known in &mut self.endpoints {
            known.calls.fade(fading);
            known.objects.fade(fading);
        }
    }

    fn slot(&mut self, endpoint: CallSymbol, endpoints_max: usize) -> Option<&mut EndpointActivity> {
        let place = match self.endpoints.iter().position(|known| known.endpoint == endpoint) {
            Some(place) => place,
            None => {
                if self.endpoints.len() >= endpoints_max {
                    let places = self.endpoints.iter().enumerate();
                    let (least, _) =
                        places.min_by(|(_, one), (_, other)| one.calls.hour.total_cmp(&other.calls.hour))?;
                    self.endpoints.swap_remove(least);
                }
                self.endpoints.push(EndpointActivity { endpoint, ..EndpointActivity::default() });
                self.endpoints.len() - 1
            }
        };
        self.endpoints.get_mut(place)
    }
}
