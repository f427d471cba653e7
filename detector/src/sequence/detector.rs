//! From a window and the next call to a judgement.

use crate::bundle::BundleError;
use crate::session::{Call, CallGap, CallOutcome, CallSymbol, CallWindow, WINDOW_CALLS_MAX};

use super::contexts::ContextTable;
use super::history::History;
use super::model::{RequiredPredecessor, SequenceModel};
use super::network::LoadedNetwork;
use super::prediction::{Improbability, Place, Prediction};
use super::visited::{FactorTable, VisitedState, Visits};

/// How far over the alarm the sum may get: from there a session that calms down comes back.
const SUM_OVER_ALARM_MAX: f32 = 2.0;

/// The call that is to be judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NextCall {
    pub endpoint: CallSymbol,
    pub gap: CallGap,
}

/// What the order of calls says of a call.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct SequenceJudgement {
    /// Standard deviations by which the call is less probable than calls at this place usually are; clipped.
    pub surprise: f32,
    /// The session's sum with this call, 0 or more: what the session keeps.
    pub sum: f32,
    /// 1 − estimated share of normal sessions that ever get so far, 0..1.
    pub score: f32,
    pub alarm: bool,
    /// The required predecessor that is missing, the one to be named first.
    pub missing: Option<MissingStep>,
}

/// A step that did not come before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MissingStep {
    pub predecessor: CallSymbol,
    /// Sessions from which it was learned that it comes before.
    pub sessions: u32,
    /// Those of them in which it did not.
    pub exceptions: u32,
}

/// A checked model, ready for judging.
#[derive(Debug)]
pub struct SequenceDetector {
    pub(super) model: SequenceModel,
    contexts: ContextTable,
    factors: FactorTable,
    network: Option<LoadedNetwork>,
}

impl SequenceDetector {
    /// # Errors
    /// When the model breaks a limit, parts of it do not fit together, or its network cannot be used.
    pub fn load(model: SequenceModel) -> Result<Self, BundleError> {
        model.check()?;
        let contexts = ContextTable::of(&model);
        let factors = FactorTable::of(&model.visited, model.symbols.len());
        let network = model.network.as_ref().map(|network| LoadedNetwork::load(network, &model.symbols)).transpose()?;
        Ok(Self { model, contexts, factors, network })
    }

    pub fn model(&self) -> &SequenceModel {
        &self.model
    }

    /// Whether sequences are judged at all.
    pub fn is_armed(&self) -> bool {
        self.model.calibration.highest_sum.alarm.is_some()
    }

    /// Judges a call before it is appended to the window. `sum` is what the session kept of the judgement on the call before, 0
    /// for its first one; any number is accepted. `None` where nothing was calibrated.
    pub fn judge_in_session(&self, window: &CallWindow, sum: f32, next: NextCall) -> Option<SequenceJudgement> {
        let calibration = &self.model.calibration;
        let alarm = calibration.highest_sum.alarm?;
        let surprise =
            self.improbability(window, next).standardised(calibration.variance_floor, calibration.surprise_max);
        let sum_max = SUM_OVER_ALARM_MAX * alarm + calibration.surprise_max;
        let before = if sum.is_nan() { 0.0 } else { sum.clamp(0.0, sum_max) };
        let sum = (before + surprise - calibration.drift).clamp(0.0, sum_max);
        let missing = self.missing_step(window, next.endpoint);
        let mut rate = calibration.highest_sum.p_value(sum);
        if missing.is_some() {
            rate = rate.min(calibration.missing_rate);
        }
        Some(SequenceJudgement {
            surprise,
            sum,
            score: (1.0 - rate).clamp(0.0, 1.0),
            alarm: calibration.highest_sum.alarms(sum) || (missing.is_some() && calibration.missing_alarms),
            missing,
        })
    }

    /// How improbable the next call is. A call that begins before others were answered is judged after them and before them;
    /// what is less improbable counts.
    pub fn improbability(&self, window: &CallWindow, next: NextCall) -> Improbability {
        let place = self.place(next.endpoint);
        let after_all = self.predict(window).improbability(place);
        if next.gap != CallGap::Concurrent {
            return after_all;
        }
        let before_unanswered = self.predict_after(window, answered(window.calls())).improbability(place);
        let excess = |improbability: &Improbability| improbability.nats - improbability.mean;
        if excess(&before_unanswered) < excess(&after_all) { before_unanswered } else { after_all }
    }

    /// What is expected after a window.
    pub fn predict(&self, window: &CallWindow) -> Prediction {
        self.predict_after(window, window.calls())
    }

    pub fn place(&self, endpoint: CallSymbol) -> Place {
        match self.model.symbols.binary_search(&endpoint) {
            Ok(symbol) => Place::Symbol(symbol),
            Err(_) if endpoint == CallSymbol::UNKNOWN => Place::Unknown,
            Err(_) => Place::Rare,
        }
    }

    /// How the session has visited an endpoint; `None` where it has not.
    pub fn visited(&self, window: &CallWindow, endpoint: CallSymbol) -> Option<VisitedState> {
        Visits::of(window).state(endpoint)
    }

    /// The network's probabilities of its classes; `None` without a network.
    pub fn network_probabilities(&self, window: &CallWindow) -> Option<Vec<f32>> {
        self.network.as_ref()?.class_probabilities(window)
    }

    /// The first required predecessor of an endpoint that the session has not been to.
    fn missing_step(&self, window: &CallWindow, endpoint: CallSymbol) -> Option<MissingStep> {
        let known = window.calls().len();
        if known < WINDOW_CALLS_MAX.min(window.count() as usize) {
            return None;
        }
        let Place::Symbol(symbol) = self.place(endpoint) else { return None };
        let visits = Visits::of(window);
        let is_missing = |rule: &&RequiredPredecessor| {
            let predecessor = self.model.symbols.get(rule.predecessor as usize);
            predecessor.is_some_and(|predecessor| visits.state(*predecessor).is_none())
        };
        let rule = self.rules(symbol as u32).find(is_missing)?;
        let predecessor = *self.model.symbols.get(rule.predecessor as usize)?;
        Some(MissingStep { predecessor, sessions: rule.sessions, exceptions: rule.exceptions })
    }

    fn rules(&self, symbol: u32) -> impl Iterator<Item = &RequiredPredecessor> {
        let first = self.model.required.partition_point(|rule| rule.symbol < symbol);
        self.model.required.iter().skip(first).take_while(move |rule| rule.symbol == symbol)
    }

    fn history_of(&self, window: &CallWindow, calls: &[Call]) -> History {
        let from_start = window.count() as usize <= window.calls().len();
        History::of(calls, from_start, &self.model.symbols)
    }

    /// What is expected after the first calls of a window, in a session that has been to all of it.
    fn predict_after(&self, window: &CallWindow, calls: &[Call]) -> Prediction {
        let mut probabilities = self.contexts.probabilities(&self.history_of(window, calls));
        self.factors.apply(Visits::of(window), &self.model.symbols, &mut probabilities);
        if let Some(network) = &self.network {
            network.mix(window, &mut probabilities);
        }
        Prediction::new(probabilities, self.model.other)
    }
}

/// The calls up to the last one that was answered.
fn answered(calls: &[Call]) -> &[Call] {
    let after_last = calls.iter().rposition(|call| call.outcome != CallOutcome::Open).map_or(0, |last| last + 1);
    calls.get(..after_last).unwrap_or_default()
}
