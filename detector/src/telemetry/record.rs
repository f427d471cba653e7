use serde::{Deserialize, Serialize};

use crate::exchange::{Caller, Phase};
use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::observation::Observation;
use crate::verdict::{DetectorScores, Finding, Verdict};

/// One exchange as the store keeps it: shapes and keyed hashes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExchangeRecord {
    /// Start of the request, milliseconds since the Unix epoch; `None` for files without times.
    pub at_ms: Option<i64>,
    pub caller: CallerRecord,
    pub observation: Observation,
    /// How many exchanges this one stands for, 1 or more (normal ones are sampled under pressure).
    pub weight: f32,
    /// What the filter said; `None` while it had no model.
    pub verdict: Option<VerdictRecord>,
    pub request_id: Option<String>,
}

/// Who sent the request, as keyed hashes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CallerRecord {
    pub identity: Option<u64>,
    /// The identity was verified by the proxy, so that it cannot be had for free.
    pub verified: bool,
    pub address: Option<u64>,
    /// The address's /24 or /56.
    pub network: Option<u64>,
    /// The login identifier of a login attempt.
    pub login: Option<u64>,
}

impl CallerRecord {
    pub fn of(caller: &Caller, hasher: &KeyedHasher) -> Self {
        Self {
            identity: caller.identity.as_deref().map(|identity| hasher.hash(Purpose::Caller, identity.as_bytes())),
            verified: caller.verified,
            address: caller.address.as_deref().map(|address| hasher.hash(Purpose::Address, address.as_bytes())),
            network: caller.address.as_deref().map(|address| hasher.network(address)),
            login: None,
        }
    }

    /// What counts as one caller when distinct callers are asked for: a verified identity, else the network (cookies and
    /// claimed names are free), else the claimed identity where nothing else is known.
    pub fn distinct_by(&self) -> Option<u64> {
        if self.verified && self.identity.is_some() {
            return self.identity;
        }
        self.network.or(self.identity)
    }

    /// Whom a detection names: the identity, else the address.
    pub fn named_by(&self) -> Option<u64> {
        self.identity.or(self.address)
    }
}

/// A verdict with the bundle that gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct VerdictRecord {
    pub bundle_serial: u64,
    pub endpoint_id: Option<u64>,
    pub endpoint: String,
    pub phase: Phase,
    pub anomalous: bool,
    pub blocked: bool,
    pub score: f32,
    pub detectors: DetectorScores,
    pub findings: Vec<Finding>,
}

impl VerdictRecord {
    pub fn of(verdict: &Verdict, bundle_serial: u64, blocked: bool) -> Self {
        Self {
            bundle_serial,
            endpoint_id: verdict.endpoint_id,
            endpoint: verdict.endpoint.clone(),
            phase: verdict.phase,
            anomalous: verdict.anomalous,
            blocked,
            score: verdict.score,
            detectors: verdict.detectors,
            findings: verdict.findings.iter().filter(|finding| finding.alarm).cloned().collect(),
        }
    }
}

/// A request id as it may travel: printable ASCII, cut at [`limits::REQUEST_ID_BYTES_MAX`].
pub fn bounded_request_id(request_id: &str) -> String {
    request_id.chars().filter(char::is_ascii_graphic).take(limits::REQUEST_ID_BYTES_MAX).collect()
}
