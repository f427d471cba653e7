//! Generalised Pareto tail by probability-weighted moments (Hosking and Wallis, 1987), for peaks over threshold.

use std::ops::RangeInclusive;

/// Shape ξ and scale σ, both finite, σ above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FittedTail {
    pub shape: f64,
    pub scale: f64,
}

/// Fits the excesses over a threshold (0 or more, in any order). A shape outside of `shapes`, which is within 0..1, is taken
/// for sampling error; fewer than two distinct excesses have the smallest one.
pub fn fit(excesses: &[f64], shapes: RangeInclusive<f64>) -> FittedTail {
    let (shape_min, shape_max) = shapes.into_inner();
    let mut sorted = excesses.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / count.max(1.0);
    if sorted.len() < 2 || mean <= 0.0 {
        return FittedTail { shape: shape_min, scale: mean.max(1e-3) };
    }
    // a1 = E[X (1 − F(X))], by plotting positions (i − 0.35) / n.
    let weighted =
        sorted.iter().enumerate().map(|(index, excess)| excess * (1.0 - (index as f64 + 0.65) / count)).sum::<f64>()
            / count;
    let denominator = mean - 2.0 * weighted;
    if denominator <= 0.0 {
        return FittedTail { shape: shape_max, scale: mean * (1.0 - shape_max) };
    }
    let shape = (2.0 - mean / denominator).clamp(shape_min, shape_max);
    // With the shape held, the scale follows from the mean: E[X] = σ / (1 − ξ).
    FittedTail { shape, scale: (mean * (1.0 - shape)).max(1e-3) }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    fn sample(shape: f64, scale: f64, count: usize) -> Vec<f64> {
        let mut generator = ChaCha8Rng::seed_from_u64(7);
        (0..count)
            .map(|_| {
                let survival: f64 = generator.random_range(1e-9..1.0);
                if shape == 0.0 { -scale * survival.ln() } else { scale / shape * (survival.powf(-shape) - 1.0) }
            })
            .collect()
    }

    #[test]
    fn recovers_shape_and_scale() {
        for (shape, scale) in [(0.0, 1.0), (0.2, 0.5), (0.4, 2.0)] {
            let fitted = fit(&sample(shape, scale, 20_000), 0.0..=0.5);
            assert!((fitted.shape - shape).abs() < 0.06, "{shape}: {fitted:?}");
            assert!((fitted.scale / scale - 1.0).abs() < 0.1, "{scale}: {fitted:?}");
        }
    }

    #[test]
    fn few_or_equal_excesses_still_give_a_tail() {
        for excesses in [vec![], vec![0.0], vec![0.0, 0.0], vec![1.0, 1.0, 1.0]] {
            let fitted = fit(&excesses, 0.1..=0.5);
            assert!(fitted.scale > 0.0 && (0.1..=0.5).contains(&fitted.shape), "{excesses:?}");
        }
    }
}
