//! Generalised Pareto tail by probability-weighted moments (Hosking and Wallis, 1987), for peaks over threshold.

/// Shape ξ and scale σ, both finite, σ above 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ParetoTail {
    pub shape: f64,
    pub scale: f64,
}

/// Shapes outside of this are taken for sampling error: a bounded tail would promise more than few peaks can, one without
/// a mean would never alarm.
const SHAPE_RANGE: (f64, f64) = (0.0, 0.5);

/// Fits the excesses over a threshold (0 or more, in any order). Fewer than two distinct ones give an exponential tail.
pub fn fit(excesses: &[f64]) -> ParetoTail {
    let mut sorted = excesses.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let mean = sorted.iter().sum::<f64>() / count.max(1.0);
    if sorted.len() < 2 || mean <= 0.0 {
        return ParetoTail { shape: 0.0, scale: mean.max(1e-3) };
    }
    // a1 = E[X (1 − F(X))], by plotting positions (i − 0.35) / n.
    let weighted =
        sorted.iter().enumerate().map(|(index, excess)| excess * (1.0 - (index as f64 + 0.65) / count)).sum::<f64>()
            / count;
    let denominator = mean - 2.0 * weighted;
    if denominator <= 0.0 {
        return ParetoTail { shape: SHAPE_RANGE.1, scale: mean * (1.0 - SHAPE_RANGE.1) };
    }
    let shape = (2.0 - mean / denominator).clamp(SHAPE_RANGE.0, SHAPE_RANGE.1);
    // With the shape held, the scale follows from the mean: E[X] = σ / (1 − ξ).
    ParetoTail { shape, scale: (mean * (1.0 - shape)).max(1e-3) }
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
            let fitted = fit(&sample(shape, scale, 20_000));
            assert!((fitted.shape - shape).abs() < 0.06, "{shape}: {fitted:?}");
            assert!((fitted.scale / scale - 1.0).abs() < 0.1, "{scale}: {fitted:?}");
        }
    }

    #[test]
    fn few_or_equal_excesses_still_give_a_tail() {
        for excesses in [vec![], vec![0.0], vec![0.0, 0.0], vec![1.0, 1.0, 1.0]] {
            let fitted = fit(&excesses);
            assert!(fitted.scale > 0.0 && fitted.shape.is_finite(), "{excesses:?}");
        }
    }
}
