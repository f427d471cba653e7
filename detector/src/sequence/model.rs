//! What is learned of sequences, as a bundle carries it.

use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::calibration::ErrorTail;
use crate::limits;
use crate::session::CallSymbol;

use super::history::{CONTEXT_CALLS_MAX, History};
use super::network::SequenceNetwork;

/// Everything by which sequences are judged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SequenceModel {
    /// The endpoints that can be predicted: ascending, without [`CallSymbol::UNKNOWN`]. Their places are the numbers by which
    /// the rest of the model names them.
    pub symbols: Vec<CallSymbol>,
    /// What followed what: ascending by length and calls, the empty context first.
    pub contexts: Vec<SequenceContext>,
    /// By the number of calls of a context, 0 to [`CONTEXT_CALLS_MAX`].
    pub smoothing: [Smoothing; CONTEXT_CALLS_MAX + 1],
    pub other: OtherEndpoints,
    pub visited: VisitedFactors,
    /// Ascending by endpoint; of one endpoint, what should be named first comes first.
    pub required: Vec<RequiredPredecessor>,
    /// Where it says more than the counts alone.
    pub network: Option<SequenceNetwork>,
    pub calibration: SequenceCalibration,
}

/// Calls of endpoints that are not among the symbols; they have the same probability after any history.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct OtherEndpoints {
    /// Share of calls that go to endpoints which the route table does not know, all of them together; above 0.
    pub unknown_rate: f32,
    /// Share of calls that go to endpoints which it knows and too few callers used; above 0.
    pub rare_rate: f32,
    /// How many of these there are, at least 1: each is as probable as the other.
    pub rare_endpoints: u32,
}

/// Calls in a row, and what came next.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SequenceContext {
    /// The numbers of [`History`], the latest call first.
    pub calls: Vec<u32>,
    /// Weight of all that followed; what too few callers did is in here and not among the followers.
    pub total: f32,
    /// Ascending by symbol.
    pub followers: Vec<ContextFollower>,
}

/// An endpoint that followed a context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ContextFollower {
    pub symbol: u32,
    /// How often it followed, above 0.
    pub weight: f32,
}

/// The discount d and the strength θ of a Pitman-Yor process (Teh, "A hierarchical Bayesian language model based on Pitman-Yor
/// processes", ACL 2006), with one table per follower: interpolated Kneser-Ney at θ = 0. Of a context with total n, a follower
/// with weight c has the share (c − d) / (n + θ), and what is left goes to the context that is a call shorter.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Smoothing {
    /// 0 or more.
    pub discount: f32,
    /// 0 or more; discount and strength are not both 0.
    pub strength: f32,
}

/// How many times more, or less, probable an endpoint is that the session has been to already, by
/// [`VisitedState`](super::VisitedState).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct VisitedFactors {
    /// For all endpoints that have none of their own; above 0.
    pub all: [f32; 3],
    pub endpoints: Vec<EndpointFactors>,
}

/// The factors of one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointFactors {
    pub symbol: u32,
    pub factors: [f32; 3],
}

/// An endpoint that was practically always preceded by another one, anywhere in the session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct RequiredPredecessor {
    pub symbol: u32,
    pub predecessor: u32,
    /// Sessions that called the endpoint.
    pub sessions: u32,
    /// Those of them that had not called the predecessor before.
    pub exceptions: u32,
}

/// From probabilities to alarms.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SequenceCalibration {
    /// Added to the variance of −ln p at a place, nats²; above 0. Where the next call is nearly certain, the variance says little.
    pub variance_floor: f32,
    /// Most that one call adds to the sum; above 0.
    pub surprise_max: f32,
    /// What every call takes off the sum; 0 or more.
    pub drift: f32,
    /// Of the highest sums of normal sessions, alarm included; without an alarm nothing is judged.
    pub highest_sum: ErrorTail,
    /// Share of normal sessions in which a required predecessor was missing, 0..1.
    pub missing_rate: f32,
    /// Whether that is seldom enough to alarm.
    pub missing_alarms: bool,
}

impl SequenceModel {
    /// # Errors
    /// When it breaks a limit, or parts of it do not fit together.
    pub(super) fn check(&self) -> Result<(), BundleError> {
        self.check_limits()?;
        let ascending = self.symbols.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
        if self.symbols.is_empty() || !ascending || self.symbols.first() == Some(&CallSymbol::UNKNOWN) {
            return refused("the symbols are not ascending");
        }
        if !self.contexts.windows(2).all(|pair| matches!(pair, [one, next] if one.order() < next.order())) {
            return refused("the contexts are not ascending");
        }
        if self.contexts.first().is_none_or(|context| !context.calls.is_empty()) {
            return refused("there is no empty context");
        }
        for context in &self.contexts {
            context.check(self.symbols.len())?;
        }
        let smoothing_fits = |smoothing: &Smoothing| {
            is_at_least(smoothing.discount, 0.0)
                && is_at_least(smoothing.strength, 0.0)
                && smoothing.discount + smoothing.strength > 1e-6
        };
        if !self.smoothing.iter().all(smoothing_fits) {
            return refused("a discount or a strength is out of its range");
        }
        let OtherEndpoints { unknown_rate, rare_rate, rare_endpoints } = self.other;
        let rates_fit = is_at_least(unknown_rate, 1e-9) && is_at_least(rare_rate, 1e-9);
        if !rates_fit || unknown_rate + rare_rate > 0.999 || rare_endpoints < 1 {
            return refused("a rate of other endpoints is out of its range");
        }
        let of_endpoints = self.visited.endpoints.iter().flat_map(|endpoint| endpoint.factors);
        if !self.visited.all.into_iter().chain(of_endpoints).all(|factor| is_within(factor, 1e-6, 1e6)) {
            return refused("a factor of visited endpoints is out of its range");
        }
        let symbols = self.visited.endpoints.iter().map(|endpoint| endpoint.symbol);
        let symbols = symbols.chain(self.required.iter().flat_map(|rule| [rule.symbol, rule.predecessor]));
        if symbols.into_iter().any(|symbol| symbol as usize >= self.symbols.len()) {
            return refused("a symbol is named that is not there");
        }
        if !self.required.is_sorted_by_key(|rule| rule.symbol) {
            return refused("the required predecessors are not ascending");
        }
        self.calibration.check()
    }

    fn check_limits(&self) -> Result<(), BundleError> {
        let limit = |limit| Err(BundleError::Limit { limit });
        if self.symbols.len() > limits::SEQUENCE_SYMBOLS_MAX {
            return limit("endpoints of the sequence model");
        }
        if self.contexts.len() > limits::SEQUENCE_CONTEXTS_MAX {
            return limit("contexts of the sequence model");
        }
        let transitions: usize = self.contexts.iter().map(|context| context.followers.len()).sum();
        if transitions > limits::SEQUENCE_TRANSITIONS_MAX {
            return limit("transitions of the sequence model");
        }
        if self.required.len() > limits::SEQUENCE_REQUIRED_MAX {
            return limit("required predecessors of the sequence model");
        }
        if self.visited.endpoints.len() > self.symbols.len() {
            return limit("factors of the sequence model");
        }
        Ok(())
    }
}

impl SequenceContext {
    /// What contexts are sorted by.
    pub fn order(&self) -> (usize, &[u32]) {
        (self.calls.len(), &self.calls)
    }

    fn check(&self, symbols: usize) -> Result<(), BundleError> {
        if self.calls.len() > CONTEXT_CALLS_MAX
            || self.calls.iter().any(|number| *number > History::number_max(symbols))
        {
            return refused("a context has calls that are not there");
        }
        if !self.followers.windows(2).all(|pair| matches!(pair, [one, next] if one.symbol < next.symbol))
            || self.followers.iter().any(|follower| follower.symbol as usize >= symbols)
        {
            return refused("what follows a context is not ascending");
        }
        let weights: f32 = self.followers.iter().map(|follower| follower.weight).sum();
        let each_fits = self.followers.iter().all(|follower| is_at_least(follower.weight, 0.0));
        if !each_fits || !is_at_least(self.total, weights * 0.999) {
            return refused("the weights of a context do not add up");
        }
        Ok(())
    }
}

impl SequenceCalibration {
    fn check(&self) -> Result<(), BundleError> {
        let tail = &self.highest_sum;
        let pareto = [tail.tail.peak, tail.tail.peak_rate, tail.tail.shape, tail.tail.scale];
        let survival_fits =
            tail.survival.len() <= 256 && tail.survival.iter().all(|(sum, rate)| sum.is_finite() && rate.is_finite());
        let fits = is_within(self.variance_floor, 1e-6, 1e6)
            && is_within(self.surprise_max, 1e-3, 1e6)
            && is_within(self.drift, 0.0, 1e6)
            && is_within(self.missing_rate, 0.0, 1.0)
            && tail.alarm.is_none_or(|alarm| is_within(alarm, 0.0, 1e9))
            && pareto.iter().all(|value| value.is_finite())
            && survival_fits;
        if fits { Ok(()) } else { refused("the calibration is out of its range") }
    }
}

fn is_at_least(value: f32, least: f32) -> bool {
    value.is_finite() && value >= least
}

fn is_within(value: f32, least: f32, most: f32) -> bool {
    is_at_least(value, least) && value <= most
}

pub(super) fn refused(reason: &str) -> Result<(), BundleError> {
    Err(BundleError::Payload(format!("sequence model: {reason}")))
}
