//! From counts to findings.

use crate::exchange::Phase;
use crate::hashing::stable_hash;
use crate::session::{Activity, CallSymbol, Horizon, Measure};
use crate::verdict::{Finding, FindingKind};

use super::{SessionSubject, VolumeCalibration};

/// One subject as it stands after a call.
#[derive(Debug, Clone, Copy)]
pub struct SubjectActivity<'s> {
    pub subject: SessionSubject,
    /// Keyed hash.
    pub hash: u64,
    pub activity: &'s Activity,
}

/// What volume says of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct VolumeJudgement {
    /// 0..1; `None` where the detector is not armed.
    pub score: Option<f32>,
    pub findings: Vec<Finding>,
}

impl VolumeCalibration {
    /// Judges a subject after a call of the endpoint, which has that label.
    pub fn judge(
        &self,
        state: SubjectActivity<'_>,
        endpoint: CallSymbol,
        label: &str,
        phase: Phase,
    ) -> VolumeJudgement {
        if !self.is_armed() {
            return VolumeJudgement::default();
        }
        let mut judgement = VolumeJudgement { score: Some(0.0), findings: Vec::new() };
        for measure in Measure::ALL {
            // A flurry shows in both horizons; one finding says it.
            let mut strongest: Option<Finding> = None;
            for horizon in Horizon::ALL {
                let count = state.activity.measure(measure, endpoint, horizon);
                let (usual, alarm) = self.bounds(state.subject, state.hash, measure, horizon, endpoint);
                let p_value = self.p_value(count.ln_1p(), usual, alarm);
                let score = 1.0 - p_value;
                judgement.score = judgement.score.map(|highest| highest.max(score));
                let is_stronger = strongest.as_ref().is_none_or(|known| score > known.score);
                if count.ln_1p() > alarm && is_stronger {
                    let reason = reason(state.subject, measure, horizon, count, alarm.exp_m1(), label);
                    strongest = Some(finding(state.subject, measure, endpoint, phase, score, reason));
                }
            }
            judgement.findings.extend(strongest);
        }
        judgement
    }
}

fn finding(
    subject: SessionSubject,
    measure: Measure,
    endpoint: CallSymbol,
    phase: Phase,
    score: f32,
    reason: String,
) -> Finding {
    let endpoint = if measure.is_by_endpoint() { endpoint } else { CallSymbol::UNKNOWN };
    let parts: [&[u8]; 4] = [b"volume", &[subject as u8], &[measure as u8], &endpoint.0.to_le_bytes()];
    Finding { key: stable_hash(&parts), kind: kind(measure), phase, score, alarm: true, reason, attack_class: None }
}

fn kind(measure: Measure) -> FindingKind {
    match measure {
        Measure::Calls | Measure::EndpointCalls => FindingKind::CallRate,
        Measure::Failures => FindingKind::FailureRate,
        Measure::ResponseBytes => FindingKind::ResponseVolume,
        Measure::Others => FindingKind::CallersAndAddresses,
        Measure::Logins => FindingKind::LoginIdentifiers,
        Measure::EndpointObjects => FindingKind::ObjectCount,
    }
}

fn reason(subject: SessionSubject, measure: Measure, horizon: Horizon, count: f32, alarm: f32, label: &str) -> String {
    let who = if subject == SessionSubject::Endpoint { label } else { subject.noun() };
    let about = |count: f32| if count < 10_000.0 { format!("{count:.0}") } else { format!("{:.0} k", count / 1000.0) };
    let what = match (measure, subject) {
        (Measure::Calls, _) => format!("{} calls", about(count)),
        (Measure::EndpointCalls, _) => format!("{} calls of {label}", about(count)),
        (Measure::Failures, _) => format!("{} refused calls", about(count)),
        (Measure::ResponseBytes, _) => format!("{} bytes received", about(count)),
        (Measure::Others, SessionSubject::Caller) => format!("{} addresses", about(count)),
        (Measure::Others, _) => format!("{} callers", about(count)),
        (Measure::Logins, _) => format!("{} login identifiers", about(count)),
        (Measure::EndpointObjects, _) => format!("{} different objects of {label}", about(count)),
    };
    format!("{who} with about {what} within the {}, at most {} are usual", horizon.noun(), about(alarm))
}
