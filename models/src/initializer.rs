//! Seeded starting values of parameters.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::shape::element_count;

/// How a parameter's starting values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Initializer {
    /// All zero; for biases.
    Zeros,
    /// Uniform within ±√(6 / (inputs + outputs)); for layers without a rectifier (Glorot & Bengio 2010).
    Glorot,
    /// Uniform within ±√(6 / inputs); for layers followed by a rectifier (He et al. 2015).
    He,
}

impl Initializer {
    /// Values for a parameter of this shape, `[inputs, outputs]` for a matrix. Every `stream` of a seed is
    /// independent of the others: a network that gains a parameter keeps the values of the ones it had.
    pub(crate) fn values(self, shape: &[usize], seed: u64, stream: u64) -> Vec<f32> {
        let count = element_count(shape);
        let inputs = shape.first().copied().unwrap_or(1) as f64;
        let outputs = shape.last().copied().unwrap_or(1) as f64;
        let limit = match self {
            Self::Zeros => return vec![0.0; count],
            Self::Glorot => (6.0 / (inputs + outputs)).sqrt() as f32,
            Self::He => (6.0 / inputs).sqrt() as f32,
        };
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        (0..count).map(|_| (2.0 * generator.random::<f32>() - 1.0) * limit).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_repeat_for_the_same_seed_and_differ_between_streams() {
        let first = Initializer::He.values(&[8, 4], 7, 0);
        assert_eq!(first, Initializer::He.values(&[8, 4], 7, 0));
        assert_ne!(first, Initializer::He.values(&[8, 4], 7, 1));
        assert_ne!(first, Initializer::He.values(&[8, 4], 8, 0));
    }

    #[test]
    fn values_fill_the_range_of_their_initializer() {
        let limit = (6.0f32 / (40.0 + 60.0)).sqrt();
        let values = Initializer::Glorot.values(&[40, 60], 1, 0);
        let largest = values.iter().fold(0.0f32, |most, value| most.max(value.abs()));
        let mean = values.iter().sum::<f32>() / values.len() as f32;
        assert!(largest <= limit && largest > 0.98 * limit, "{largest} against {limit}");
        assert!(mean.abs() < 0.02 * limit, "{mean}");
    }
}
