//! How well a model tells attacks from normals, measured on labelled traffic.

mod novelty;
mod proportion;
mod ranking;
mod report;
mod sessions;
mod table;

use apiward_detector::verdict::{DetectorKind, DetectorScores, FindingKind, Verdict};

pub use novelty::KnownRequests;
pub use proportion::Proportion;
pub use ranking::Ranking;
pub use report::{
    AttackReport, Confusion, DetectorReport, EvaluationReport, FalseAlarmReason, NetworkComparison, NovelNormals,
    RecallAtFalseAlarms,
};

pub use sessions::{SessionAttackReport, SessionOutcomes, SessionReport};

/// The label of an exchange that is no attack; a missing label means the same.
pub const NORMAL_LABEL: &str = "normal";

/// One judged exchange with what it truly was.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The attack's name; `None` for a normal exchange.
    pub attack: Option<String>,
    /// Whether the request occurs word for word in the training files; `None` when these were not given.
    pub seen_in_training: Option<bool>,
    pub anomalous: bool,
    /// 0..1.
    pub score: f32,
    pub detectors: DetectorScores,
    /// Kinds of the findings that alarmed, each once.
    pub alarms: Vec<FindingKind>,
    pub network: Option<NetworkScores>,
}

/// The two ways to say how unlike its endpoint an exchange is as a whole; 0..1, higher is more unlike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetworkScores {
    /// By the autoencoder's reconstruction error.
    pub autoencoder: f32,
    /// By ECOD over the same features, the baseline that the network must beat.
    pub ecod: f32,
}

impl Outcome {
    pub fn new(
        label: Option<&str>,
        seen_in_training: Option<bool>,
        verdict: &Verdict,
        network: Option<NetworkScores>,
    ) -> Self {
        let mut alarms: Vec<FindingKind> =
            verdict.findings.iter().filter(|finding| finding.alarm).map(|finding| finding.kind).collect();
        alarms.sort_unstable();
        alarms.dedup();
        Self {
            attack: attack_of(label),
            seen_in_training,
            anomalous: verdict.anomalous,
            score: verdict.score,
            detectors: verdict.detectors,
            alarms,
            network,
        }
    }

    fn alarm_of(&self, detector: DetectorKind) -> bool {
        self.alarms.iter().any(|kind| kind.detector() == detector)
    }
}

/// The attack that a label names; `None` for a missing label and for [`NORMAL_LABEL`] in any case.
pub fn attack_of(label: Option<&str>) -> Option<String> {
    label.filter(|label| !label.eq_ignore_ascii_case(NORMAL_LABEL)).map(str::to_owned)
}
