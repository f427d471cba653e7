//! The network beside the counts: a classifier of the next endpoint from the whole window.
//!
//! It sees what counting cannot: calls further back than a context, how often each endpoint was called of late, where the session
//! has been, how the last call was answered. It knows the endpoints that are called most and the rest as one; the mixture with
//! the counts says more than either.

use serde::{Deserialize, Serialize};

use crate::bundle::BundleError;
use crate::limits;
use crate::network::Classifier;
use crate::session::{CallGap, CallOutcome, CallSymbol, CallWindow};

use super::history::{CONTEXT_CALLS_MAX, History};
use super::model::refused;
use super::visited::Visits;

/// Symbols that a network can have as classes; one more class is all others.
pub const NETWORK_SYMBOLS_MAX: usize = 255;
/// What a call counts for how often its endpoint was called of late, against the call after it.
const FADING: f32 = 0.8;

/// A network as a bundle carries it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct SequenceNetwork {
    /// Symbols that are classes of their own, ascending, at most [`NETWORK_SYMBOLS_MAX`]; the class after them is any other.
    pub symbols: Vec<u32>,
    /// Share of the network in the mixture with the counts, 0..1.
    pub share: f32,
    /// Input `features` f32 `[1, F]` by [`SequenceFeatures`], output `logits` f32 `[1, C]`.
    pub onnx: Vec<u8>,
}

/// The places of what a network is told of a window, for one list of symbols.
#[derive(Debug, Clone, Default)]
pub struct SequenceFeatures {
    /// The endpoints of the classes, ascending.
    endpoints: Vec<CallSymbol>,
}

impl SequenceFeatures {
    /// `symbols` are places in the model's `endpoints`.
    pub fn new(symbols: &[u32], endpoints: &[CallSymbol]) -> Self {
        Self { endpoints: symbols.iter().filter_map(|symbol| endpoints.get(*symbol as usize)).copied().collect() }
    }

    /// Number of features.
    pub fn count(&self) -> usize {
        // Per recent call one of the classes, another endpoint, or the beginning.
        let of_calls = CONTEXT_CALLS_MAX * (self.endpoints.len() + 2);
        of_calls + 2 * self.endpoints.len() + CallGap::COUNT + CallOutcome::COUNT + 1
    }

    /// Number of classes: the symbols, and any other.
    pub fn classes(&self) -> usize {
        self.endpoints.len() + 1
    }

    /// The class of an endpoint.
    pub fn class(&self, endpoint: CallSymbol) -> usize {
        self.endpoints.binary_search(&endpoint).unwrap_or(self.endpoints.len())
    }

    /// The features that are not 0, each once, with their values.
    pub fn of(&self, window: &CallWindow) -> Vec<(usize, f32)> {
        let symbols = self.endpoints.len();
        let from_start = window.count() as usize <= window.calls().len();
        let history = History::of(window.calls(), from_start, &self.endpoints);
        let mut features = Vec::new();
        // Numbers of histories are 0 for the beginning, 1 for other endpoints, and then the symbols.
        for (place, number) in history.numbers().iter().enumerate() {
            features.push((place * (symbols + 2) + *number as usize, 1.0));
        }
        let first = CONTEXT_CALLS_MAX * (symbols + 2);
        let mut recency = vec![0.0; symbols];
        let mut weight = 1.0;
        for call in window.calls().iter().rev() {
            if let Some(recency) = recency.get_mut(self.class(call.endpoint)) {
                *recency += weight;
            }
            weight *= FADING;
        }
        let called = recency.into_iter().enumerate().filter(|(_, recency)| *recency > 0.0);
        features.extend(called.map(|(symbol, recency)| (first + symbol, recency)));
        let first = first + symbols;
        let visits = Visits::of(window);
        let visited = self.endpoints.iter().enumerate().filter(|(_, endpoint)| visits.state(**endpoint).is_some());
        features.extend(visited.map(|(symbol, _)| (first + symbol, 1.0)));
        let first = first + symbols;
        if let Some(last) = window.calls().last() {
            features.push((first + last.gap as usize, 1.0));
            features.push((first + CallGap::COUNT + last.outcome as usize, 1.0));
        }
        features.push((first + CallGap::COUNT + CallOutcome::COUNT, (window.count() as f32).ln_1p() / 4.0));
        features
    }
}

/// A checked network, ready to predict.
#[derive(Debug)]
pub(super) struct LoadedNetwork {
    features: SequenceFeatures,
    symbols: Vec<u32>,
    share: f32,
    classifier: Classifier,
}

impl LoadedNetwork {
    pub fn load(network: &SequenceNetwork, endpoints: &[CallSymbol]) -> Result<Self, BundleError> {
        if network.onnx.len() > limits::NETWORK_BYTES_MAX {
            return Err(BundleError::Limit { limit: "bytes of a network" });
        }
        let ascending = network.symbols.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
        let exist = network.symbols.iter().all(|symbol| (*symbol as usize) < endpoints.len());
        if network.symbols.is_empty() || network.symbols.len() > NETWORK_SYMBOLS_MAX || !ascending || !exist {
            refused("the network's symbols are not ascending, too many, or not there")?;
        }
        if !(0.0..=1.0).contains(&network.share) {
            refused("the network's share is out of its range")?;
        }
        let features = SequenceFeatures::new(&network.symbols, endpoints);
        let classifier = Classifier::load(&network.onnx, "sequence", features.count(), features.classes(), &[1])?;
        Ok(Self { features, symbols: network.symbols.clone(), share: network.share, classifier })
    }

    /// Probabilities of the classes; `None` where the network gives none.
    pub fn class_probabilities(&self, window: &CallWindow) -> Option<Vec<f32>> {
        let mut row = vec![0.0; self.features.count()];
        for (place, value) in self.features.of(window) {
            if let Some(feature) = row.get_mut(place) {
                *feature += value;
            }
        }
        let mut shares = self.classifier.logits(&mut row).ok()?;
        let largest = shares.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        shares.iter_mut().for_each(|logit| *logit = (*logit - largest).exp());
        let total: f32 = shares.iter().sum();
        shares.iter_mut().for_each(|share| *share /= total);
        Some(shares)
    }

    fn is_class(&self, symbol: usize) -> bool {
        u32::try_from(symbol).is_ok_and(|symbol| self.symbols.binary_search(&symbol).is_ok())
    }

    /// Mixes the network's probabilities into those of the counts, which sum to 1. Among the symbols that are one class to the
    /// network, the counts decide.
    pub fn mix(&self, window: &CallWindow, probabilities: &mut [f32]) {
        let Some(classes) = self.class_probabilities(window) else { return };
        // Summed, since what a sum of nearly 1 leaves of 1 is no number to divide by.
        let others = probabilities.iter().enumerate().filter(|(symbol, _)| !self.is_class(*symbol));
        let of_others: f32 = others.map(|(_, probability)| probability).sum();
        let others = classes.last().copied().unwrap_or(0.0);
        // What the network gives to other symbols where the counts know none goes to all.
        let scale = if of_others > 1e-6 { others / of_others } else { 1.0 };
        let mut mixed: Vec<f32> =
            probabilities.iter().map(|counted| counted * (1.0 - self.share + self.share * scale)).collect();
        for (symbol, class) in self.symbols.iter().zip(&classes) {
            if let Some((mixed, counted)) = mixed.get_mut(*symbol as usize).zip(probabilities.get(*symbol as usize)) {
                *mixed = counted * (1.0 - self.share) + class * self.share;
            }
        }
        let total: f32 = mixed.iter().sum();
        if total > 0.0 && total.is_finite() {
            for (probability, mixed) in probabilities.iter_mut().zip(mixed) {
                *probability = mixed / total;
            }
        }
    }
}
