//! From log-odds to findings: the threshold of the scope, and the ones that fields and people have of their own.

use serde::{Deserialize, Serialize};

use crate::exchange::Phase;
use crate::hashing::stable_hash;
use crate::observation::{Location, Observation};
use crate::verdict::{Finding, FindingKind};

use super::{ObservedPayload, PayloadClass};

/// From which log-odds on a value is taken for an attack.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PayloadCalibration {
    /// Nats; `None` where there is no payload network.
    pub threshold: Option<f32>,
    /// Fields whose normal traffic looks like attacks of a class.
    pub fields: Vec<FieldPayloads>,
}

/// A field's own threshold for one class, learned from what it usually carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldPayloads {
    pub endpoint_id: u64,
    pub location: Location,
    pub name: String,
    pub class: PayloadClass,
    /// Nats.
    pub threshold: f32,
}

/// What the operator decided. What is `None` stands for all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PayloadException {
    pub endpoint_id: Option<u64>,
    pub location: Option<Location>,
    pub name: Option<String>,
    pub class: Option<PayloadClass>,
    /// Nats; `None` where it never is an attack.
    pub threshold: Option<f32>,
}

impl PayloadException {
    /// Whether it says something of such a value there.
    pub fn covers(&self, endpoint_id: Option<u64>, payload: &ObservedPayload) -> bool {
        self.endpoint_id.is_none_or(|id| Some(id) == endpoint_id)
            && self.location.is_none_or(|location| location == payload.location)
            && self.name.as_ref().is_none_or(|name| *name == payload.name)
            && self.class.is_none_or(|class| class == payload.class)
    }
}

/// The payload detector's part of a verdict.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PayloadJudgement {
    /// 0..1, 1 − the accepted share at the threshold; `None` where there is no network.
    pub score: Option<f32>,
    pub findings: Vec<Finding>,
}

impl PayloadCalibration {
    /// Judges what an observation shows so far. `label` names the endpoint in reasons.
    pub fn judge(
        &self,
        exceptions: &[PayloadException],
        endpoint_id: Option<u64>,
        label: &str,
        false_alarm_budget: f64,
        observation: &Observation,
    ) -> PayloadJudgement {
        let Some(general) = self.threshold else {
            return PayloadJudgement::default();
        };
        let mut judgement = PayloadJudgement { score: Some(0.0), findings: Vec::new() };
        // What people decided goes before what was learned; of several decisions the last counts.
        let threshold =
            |payload: &ObservedPayload| match exceptions.iter().rev().find(|one| one.covers(endpoint_id, payload)) {
                Some(exception) => exception.threshold,
                None => Some(self.own_threshold(endpoint_id, payload).map_or(general, |own| own.max(general))),
            };
        for payload in &observation.payloads {
            let Some(threshold) = threshold(payload) else { continue };
            let score = score_of(payload.attack - threshold, false_alarm_budget);
            judgement.score = judgement.score.map(|highest| highest.max(score));
            if payload.attack > threshold {
                judgement.findings.push(finding(endpoint_id, label, payload, score));
            }
        }
        if observation.payloads_unscored {
            let score = score_of(0.0, false_alarm_budget);
            judgement.score = judgement.score.map(|highest| highest.max(score));
            judgement.findings.push(unscored(endpoint_id, label, observation.phase, score));
        }
        judgement
    }

    fn own_threshold(&self, endpoint_id: Option<u64>, payload: &ObservedPayload) -> Option<f32> {
        let is_of = |field: &&FieldPayloads| {
            Some(field.endpoint_id) == endpoint_id
                && field.location == payload.location
                && field.name == payload.name
                && field.class == payload.class
        };
        self.fields.iter().find(is_of).map(|field| field.threshold)
    }
}

/// Logistic in the log-odds, such that the threshold is at 1 − the accepted share of false alarms.
fn score_of(above_threshold: f32, false_alarm_budget: f64) -> f32 {
    let at_threshold = (1.0 / false_alarm_budget.clamp(1e-6, 0.5) - 1.0).ln() as f32;
    1.0 / (1.0 + (-(above_threshold + at_threshold)).exp())
}

/// Nobody needs that many values that look like code in one request, unless to hide one among them.
fn unscored(endpoint_id: Option<u64>, label: &str, phase: Phase, score: f32) -> Finding {
    Finding {
        key: stable_hash(&[b"payloads unscored", &endpoint_id.unwrap_or_default().to_le_bytes()]),
        kind: FindingKind::Payload,
        phase: phase.min(Phase::Body),
        score,
        alarm: true,
        reason: format!("{label} was sent more text that may be an attack than is looked at in one request"),
        attack_class: None,
    }
}

fn finding(endpoint_id: Option<u64>, label: &str, payload: &ObservedPayload, score: f32) -> Finding {
    let noun = payload.location.noun();
    let place = match (payload.location, payload.name.as_str()) {
        (Location::Path, _) => "path".to_owned(),
        (Location::Text, _) | (_, "") => noun.to_owned(),
        (_, name) => format!("{noun} {name:?}"),
    };
    let evidence = if payload.evidence.is_empty() { String::new() } else { format!(": {}", payload.evidence) };
    Finding {
        key: stable_hash(&[
            b"payload",
            &endpoint_id.unwrap_or_default().to_le_bytes(),
            noun.as_bytes(),
            payload.name.as_bytes(),
            payload.class.name().as_bytes(),
        ]),
        kind: FindingKind::Payload,
        phase: payload.location.phase(),
        score,
        alarm: true,
        reason: format!("{place} on {label} looks like {}{evidence}", payload.class.noun()),
        attack_class: Some(payload.class),
    }
}
