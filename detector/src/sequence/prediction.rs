//! What is expected next.

use super::model::OtherEndpoints;

/// Least probability that a call is given: less is not told apart.
const PROBABILITY_MIN: f32 = 1e-9;

/// Probabilities of the next endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prediction {
    /// One per symbol of the model.
    probabilities: Vec<f32>,
    other: OtherEndpoints,
}

/// Where an endpoint is in the model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The symbol of this number.
    Symbol(usize),
    /// The route table knows it, but too few callers used it.
    Rare,
    /// The route table does not know it.
    Unknown,
}

/// How probable one call was, beside what calls at this place usually are.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Improbability {
    /// −ln p of the call.
    pub nats: f32,
    /// Mean of −ln p over what may come: the entropy.
    pub mean: f32,
    /// Variance of −ln p over what may come, nats².
    pub variance: f32,
}

impl Prediction {
    /// `probabilities` sum to 1; what other endpoints have is taken off all of them.
    pub(super) fn new(mut probabilities: Vec<f32>, other: OtherEndpoints) -> Self {
        let left = 1.0 - other.unknown_rate - other.rare_rate;
        probabilities.iter_mut().for_each(|probability| *probability *= left);
        Self { probabilities, other }
    }

    pub fn probability(&self, place: Place) -> f32 {
        match place {
            Place::Symbol(symbol) => self.probabilities.get(symbol).copied().unwrap_or(0.0),
            Place::Rare => self.other.rare_rate / self.other.rare_endpoints.max(1) as f32,
            Place::Unknown => self.other.unknown_rate,
        }
    }

    /// One per symbol of the model; with the other endpoints they sum to 1.
    pub fn probabilities(&self) -> &[f32] {
        &self.probabilities
    }

    /// The most probable symbols with their probabilities, at most `count`.
    pub fn most_probable(&self, count: usize) -> Vec<(usize, f32)> {
        let mut all: Vec<(usize, f32)> = self.probabilities.iter().copied().enumerate().collect();
        let descending = |one: &(usize, f32), other: &(usize, f32)| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0));
        if count < all.len() && count > 0 {
            all.select_nth_unstable_by(count - 1, descending);
        }
        all.truncate(count);
        all.sort_by(descending);
        all
    }

    pub fn improbability(&self, place: Place) -> Improbability {
        let (mut mean, mut square) = (0.0, 0.0);
        let mut add = |share: f32, probability: f32| {
            let nats = -probability.ln();
            mean += share * nats;
            square += share * nats * nats;
        };
        self.probabilities.iter().filter(|probability| **probability > 0.0).for_each(|probability| {
            add(*probability, *probability);
        });
        add(self.other.unknown_rate, self.probability(Place::Unknown));
        add(self.other.rare_rate, self.probability(Place::Rare));
        let nats = -self.probability(place).max(PROBABILITY_MIN).ln();
        Improbability { nats, mean, variance: (square - mean * mean).max(0.0) }
    }
}

impl Improbability {
    /// How many standard deviations it is off, with a floor to the variance; at most `most` to either side.
    pub fn standardised(&self, variance_floor: f32, most: f32) -> f32 {
        let surprise = (self.nats - self.mean) / (self.variance + variance_floor).max(f32::MIN_POSITIVE).sqrt();
        if surprise.is_nan() { 0.0 } else { surprise.clamp(-most, most) }
    }
}
