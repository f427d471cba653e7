//! Learning the order of calls: from sessions to the model that [`apiward_detector::sequence`] judges by.
//!
//! Callers are divided into three parts. On the first, transitions are counted; on the second, what cannot be counted is chosen:
//! discounts, the factors of visited endpoints, whether a network says more, how surprise is accumulated; on the third, which the model has not seen, the
//! highest sums of normal sessions give the alarm. What ships is counted on all of them.

mod calibration;
mod counts;
mod faults;
mod network;
mod required;
mod sessions;
mod smoothing;
mod surprise;
#[cfg(test)]
mod tests;
mod visited;

use std::ops::ControlFlow;

use apiward_detector::bundle::BundleError;
use apiward_detector::sequence::{SequenceCalibration, SequenceDetector, SequenceModel};
use apiward_detector::session::Call;
use apiward_models::GraphError;
use serde::Serialize;
use thiserror::Error;

use crate::fit::{Epoch, FitError};

use counts::Counts;
use sessions::Parts;

pub use network::NetworkReport;
pub use sessions::{Session, replay};

/// Fewest sessions and callers from which anything is learned.
const SESSIONS_MIN: usize = 60;
const CALLERS_MIN: usize = 10;

/// The calls of one session, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSequence {
    /// Whom the session counts for: those that may be one person have one number.
    pub caller: u64,
    pub calls: Vec<Call>,
}

/// What the operator decides about learning sequences.
#[derive(Debug, Clone, PartialEq)]
pub struct SequenceSettings {
    /// Accepted share of normal sessions that are flagged, 0..1.
    pub budget: f64,
    /// Largest share of what is learned from that one caller may have, 0..1.
    pub caller_share_max: f64,
    /// Callers that must have done something before it is known.
    pub callers_min: usize,
    /// Whether a network is trained beside the counts, which takes ONNX Runtime. Off by default: what it gains was not measured.
    pub network: bool,
}

impl Default for SequenceSettings {
    fn default() -> Self {
        Self { budget: 1e-3, caller_share_max: 0.05, callers_min: 2, network: false }
    }
}

/// What came of learning.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedSequence {
    /// `None` where there was too little to learn from.
    pub model: Option<SequenceModel>,
    pub report: SequenceReport,
}

/// What the training run tells of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SequenceReport {
    pub sessions: usize,
    pub callers: usize,
    pub calls: usize,
    pub endpoints: usize,
    pub contexts: usize,
    pub transitions: usize,
    /// Required predecessors that were found.
    pub required: usize,
    /// Sessions that were held out for calibration.
    pub held_out_sessions: usize,
    /// Mean −ln p of their calls.
    pub held_out_nats: f64,
    /// Share of their calls that were the most probable one, and among the ten most probable ones.
    pub held_out_top1: f64,
    pub held_out_top10: f64,
    /// Held-out sessions that would have alarmed.
    pub held_out_alarms: usize,
    /// `None` where none was trained.
    pub network: Option<NetworkReport>,
}

/// Why nothing was learned.
#[derive(Debug, Error)]
pub enum SequenceError {
    /// The operator's settings are out of their range.
    #[error("option {name} is {value}, it must be {range}")]
    Option { name: &'static str, value: String, range: &'static str },
    /// What was learned is not what the detector accepts.
    #[error("the learned sequence model is refused: {0}")]
    Refused(#[from] BundleError),
    /// The network could not be trained.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// The network could not be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// The network does not do in the filter what it was trained to.
    #[error("the sequence network's loss is {by_trainer} in onnx runtime and {by_filter} in the filter's engine")]
    Disagreement { by_trainer: f64, by_filter: f64 },
}

/// Learns from the sessions of admitted traffic; the same sessions, settings and seed give the same model. `progress` is called
/// after every epoch of a network's training and cancels by returning [`ControlFlow::Break`].
///
/// # Errors
/// When a setting is out of its range, or training fails or is cancelled.
pub fn learn_sequence(
    sequences: &[CallSequence],
    settings: &SequenceSettings,
    seed: u64,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<LearnedSequence, SequenceError> {
    settings.require_valid()?;
    let sessions = sessions::prepare(sequences, settings);
    let mut report = SequenceReport {
        sessions: sessions.len(),
        callers: sessions::callers(&sessions),
        calls: sessions.iter().map(|session| session.calls.len()).sum(),
        ..SequenceReport::default()
    };
    let symbols = sessions::symbols(&sessions, settings);
    report.endpoints = symbols.len();
    if sessions.len() < SESSIONS_MIN || report.callers < CALLERS_MIN || symbols.len() < 2 {
        return Ok(LearnedSequence { model: None, report });
    }
    let Parts { fit, tune, calibrate } = sessions::divide(&sessions, seed);
    let [tune, calibrate] = [tune, calibrate].map(|part| sessions::within_share(&part, settings));

    let counts = Counts::of(&fit, &symbols, settings);
    let mut model = SequenceModel {
        other: sessions::other_endpoints(&tune, &symbols),
        smoothing: smoothing::fitted(&counts, &tune, &symbols),
        symbols,
        calibration: SequenceCalibration {
            variance_floor: 1.0,
            surprise_max: 8.0,
            missing_rate: 1.0,
            ..SequenceCalibration::default()
        },
        ..SequenceModel::default()
    };
    model.contexts = counts.contexts();
    model.visited.all = [1.0; 3];
    model.visited = visited::fitted(&SequenceDetector::load(model.clone())?, &tune);
    if settings.network {
        let (network, figures) = network::learn(&model, &fit, &tune, seed, progress)?;
        model.network = network;
        report.network = Some(figures);
    }
    model.calibration = surprise::fitted(&SequenceDetector::load(model.clone())?, &tune, seed);

    let learned_from: Vec<&Session> = fit.iter().chain(&tune).copied().collect();
    let (rules, missing) = required::learn(&fit, &tune, &calibrate, &model.symbols, settings);
    model.required = rules;
    model.calibration.missing_rate = missing.rate;
    model.calibration.missing_alarms = missing.is_within_budget;
    model.contexts = Counts::of(&learned_from, &model.symbols, settings).contexts();
    let detector = SequenceDetector::load(model.clone())?;
    let held_out = calibration::HeldOut::of(&detector, &calibrate);
    model.calibration.highest_sum = held_out.tail(if missing.is_within_budget { 0.5 } else { 1.0 }, settings);
    report.held_out_sessions = calibrate.len();
    report.held_out_nats = held_out.nats;
    report.held_out_top1 = held_out.top1;
    report.held_out_top10 = held_out.top10;
    report.held_out_alarms = held_out.alarms(&model.calibration);

    let all: Vec<&Session> = sessions.iter().collect();
    model.contexts = Counts::of(&all, &model.symbols, settings).contexts();
    report.contexts = model.contexts.len();
    report.transitions = model.contexts.iter().map(|context| context.followers.len()).sum();
    report.required = model.required.len();
    let detector = SequenceDetector::load(model.clone())?;
    if let Some(alarm) = &mut model.calibration.highest_sum.alarm {
        *alarm = alarm.max(calibration::reached_by_several(&detector, &sessions, settings.callers_min));
    }
    Ok(LearnedSequence { model: Some(model), report })
}

impl SequenceSettings {
    fn require_valid(&self) -> Result<(), SequenceError> {
        let share = |name, value: f64| {
            let fits = value > 0.0 && value < 1.0;
            let error = || SequenceError::Option { name, value: value.to_string(), range: "between 0 and 1" };
            fits.then_some(()).ok_or_else(error)
        };
        share("budget", self.budget)?;
        share("caller_share_max", self.caller_share_max)
    }
}
