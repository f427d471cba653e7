//! What is expected next.

/// Least probability that a call is given: less is not told apart.
const PROBABILITY_MIN: f32 = 1e-9;

/// Probabilities of the next endpoint.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prediction {
    /// One per symbol of the model.
    probabilities: Vec<f32>,
    /// Of any other endpoint.
    unknown: f32,
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
    /// `probabilities` sum to 1; `unknown` is taken off all of them.
    pub(super) fn new(mut probabilities: Vec<f32>, unknown: f32) -> Self {
        probabilities.iter_mut().for_each(|probability| *probability *= 1.0 - unknown);
        Self { probabilities, unknown }
    }

    /// Of a symbol by its place in the model, or of any other endpoint.
    pub fn probability(&self, symbol: Option<usize>) -> f32 {
        symbol.map_or(self.unknown, |symbol| self.probabilities.get(symbol).copied().unwrap_or(0.0))
    }

    /// One per symbol of the model; with the unknown endpoints they sum to 1.
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

    pub fn improbability(&self, symbol: Option<usize>) -> Improbability {
        let (mut mean, mut square) = (0.0, 0.0);
        for probability in self.probabilities.iter().chain([&self.unknown]).filter(|probability| **probability > 0.0) {
            let nats = -probability.ln();
            mean += probability * nats;
            square += probability * nats * nats;
        }
        let nats = -self.probability(symbol).max(PROBABILITY_MIN).ln();
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
