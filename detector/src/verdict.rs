//! What the engine says of an exchange, and why.

use serde::{Deserialize, Serialize};

use crate::exchange::Phase;
use crate::payload::PayloadClass;

/// The five detectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DetectorKind {
    Route,
    Profile,
    Sequence,
    Volume,
    Payload,
}

impl DetectorKind {
    pub fn name(self) -> &'static str {
        match self {
            DetectorKind::Route => "route",
            DetectorKind::Profile => "profile",
            DetectorKind::Sequence => "sequence",
            DetectorKind::Volume => "volume",
            DetectorKind::Payload => "payload",
        }
    }
}

/// What a finding is about. The order is part of the bundle and telemetry formats: add at the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    UnknownHost,
    UnknownEndpoint,
    UnknownMethod,
    UnknownField,
    MissingField,
    ValueType,
    Characters,
    PunctuationCount,
    Length,
    Pattern,
    Range,
    Enumeration,
    RepeatedField,
    Malformed,
    PathOddity,
    /// The exchange as a whole: the autoencoder's reconstruction error, or a feature far out.
    ReconstructionError,
    /// The response's status is one that this endpoint never gave.
    Status,
    /// An operation of a GraphQL or JSON-RPC endpoint that was never seen.
    UnknownOperation,
    /// A caller of a kind that never uses this endpoint.
    CallerKind,
    /// A number, boolean, object, … where the field never had that JSON type.
    JsonType,
    /// A value looks like an attack.
    Payload,
    /// More calls than usual.
    CallRate,
    /// More refused calls than usual.
    FailureRate,
    /// More bytes received than usual.
    ResponseVolume,
    /// More addresses of a caller, or callers of an address, than usual.
    CallersAndAddresses,
    /// More login identifiers tried than usual.
    LoginIdentifiers,
    /// More different objects asked for than usual.
    ObjectCount,
    /// A caller or address that the trainer put on the watchlist.
    Watchlist,
    /// A call that is unlikely after the caller's last ones.
    CallOrder,
    /// A call without one that always came before it.
    MissingStep,
}

impl FindingKind {
    pub const ALL: [FindingKind; 30] = [
        FindingKind::UnknownHost,
        FindingKind::UnknownEndpoint,
        FindingKind::UnknownMethod,
        FindingKind::UnknownField,
        FindingKind::MissingField,
        FindingKind::ValueType,
        FindingKind::Characters,
        FindingKind::PunctuationCount,
        FindingKind::Length,
        FindingKind::Pattern,
        FindingKind::Range,
        FindingKind::Enumeration,
        FindingKind::RepeatedField,
        FindingKind::Malformed,
        FindingKind::PathOddity,
        FindingKind::ReconstructionError,
        FindingKind::Status,
        FindingKind::UnknownOperation,
        FindingKind::CallerKind,
        FindingKind::JsonType,
        FindingKind::Payload,
        FindingKind::CallRate,
        FindingKind::FailureRate,
        FindingKind::ResponseVolume,
        FindingKind::CallersAndAddresses,
        FindingKind::LoginIdentifiers,
        FindingKind::ObjectCount,
        FindingKind::Watchlist,
        FindingKind::CallOrder,
        FindingKind::MissingStep,
    ];

    /// The detector that reports this kind.
    pub fn detector(self) -> DetectorKind {
        match self {
            FindingKind::UnknownHost
            | FindingKind::UnknownEndpoint
            | FindingKind::UnknownMethod
            | FindingKind::UnknownOperation
            | FindingKind::CallerKind
            | FindingKind::UnknownField => DetectorKind::Route,
            FindingKind::Payload => DetectorKind::Payload,
            FindingKind::CallRate
            | FindingKind::FailureRate
            | FindingKind::ResponseVolume
            | FindingKind::CallersAndAddresses
            | FindingKind::LoginIdentifiers
            | FindingKind::ObjectCount
            | FindingKind::Watchlist => DetectorKind::Volume,
            FindingKind::CallOrder | FindingKind::MissingStep => DetectorKind::Sequence,
            _ => DetectorKind::Profile,
        }
    }
}

/// One thing that is unusual about an exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The same for the same oddity of the same endpoint, whoever shows it; groups detections and counts its support.
    pub key: u64,
    pub kind: FindingKind,
    pub phase: Phase,
    /// 1 − estimated rate of such a finding among normal exchanges; 0..1.
    pub score: f32,
    /// Whether the detector's statistic for this phase is over its threshold.
    pub alarm: bool,
    /// `body field "role" never seen on POST /users`
    pub reason: String,
    /// What attack it looks like, of a payload finding.
    #[serde(default)]
    pub attack_class: Option<PayloadClass>,
}

/// Calibrated score of each detector, 0..1; `None` where it has nothing to judge by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct DetectorScores {
    pub route: Option<f32>,
    pub profile: Option<f32>,
    pub sequence: Option<f32>,
    pub volume: Option<f32>,
    pub payload: Option<f32>,
}

impl DetectorScores {
    /// The highest score.
    pub fn max(&self) -> f32 {
        [self.route, self.profile, self.sequence, self.volume, self.payload].into_iter().flatten().fold(0.0, f32::max)
    }
}

/// The judgement on an exchange as far as it has come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// The latest phase that was judged.
    pub phase: Phase,
    /// Stable id of the endpoint; `None` for an unknown one.
    pub endpoint_id: Option<u64>,
    /// `POST /api/cart/{id}`; for an unknown endpoint the method and the path by types.
    pub endpoint: String,
    pub anomalous: bool,
    /// The first phase in which it was anomalous.
    pub anomalous_in: Option<Phase>,
    /// Highest calibrated score of all detectors, 0..1.
    pub score: f32,
    pub detectors: DetectorScores,
    /// The strongest first, at most [`crate::limits::FINDINGS_MAX`].
    pub findings: Vec<Finding>,
}

/// The higher of two scores, as far as there are any.
pub(crate) fn higher(one: Option<f32>, other: Option<f32>) -> Option<f32> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.max(other)),
        (one, other) => one.or(other),
    }
}

/// Adds findings to those that are there: of the same oddity the stronger stays, and an alarm stays an alarm. The strongest come
/// first, at most [`crate::limits::FINDINGS_MAX`].
pub(crate) fn insert_findings(findings: &mut Vec<Finding>, others: Vec<Finding>) {
    for other in others {
        match findings.iter_mut().find(|known| known.key == other.key) {
            Some(known) => {
                known.alarm |= other.alarm;
                known.score = known.score.max(other.score);
            }
            None => findings.push(other),
        }
    }
    findings.sort_by(|one, other| other.alarm.cmp(&one.alarm).then(other.score.total_cmp(&one.score)));
    findings.truncate(crate::limits::FINDINGS_MAX);
}

impl Verdict {
    /// What attack the strongest payload alarm looks like.
    pub fn attack_class(&self) -> Option<PayloadClass> {
        let alarms = self.findings.iter().filter(|finding| finding.alarm && finding.attack_class.is_some());
        alarms.max_by(|one, other| one.score.total_cmp(&other.score)).and_then(|finding| finding.attack_class)
    }

    /// The reasons of the findings that alarmed, or of the strongest finding where none did.
    pub fn reasons(&self) -> Vec<&str> {
        let alarms: Vec<&str> =
            self.findings.iter().filter(|finding| finding.alarm).map(|finding| finding.reason.as_str()).collect();
        if alarms.is_empty() {
            return self.findings.first().map(|finding| finding.reason.as_str()).into_iter().collect();
        }
        alarms
    }
}
