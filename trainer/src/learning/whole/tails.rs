//! Tails: how rare an exchange is among normal ones, and where the alarm is.

use std::ops::RangeInclusive;

use apiward_detector::calibration::{ErrorTail, FeatureTails, ParetoTail, WholeTails};
use apiward_detector::detector::NetworkInput;
use apiward_detector::profile::feature_count;

use crate::learning::pareto;

use super::scales::quantile;

/// Share of the values that are peaks.
const PEAK_SHARE: f64 = 0.05;
/// Shapes that a tail may have. Few peaks cannot rule out that it is heavier than they are, so none is lighter than the first;
/// and one without a mean would never alarm.
pub type Shapes = RangeInclusive<f64>;
/// Residuals of errors: how far a mean over many features can go was seldom seen.
pub const RESIDUAL_SHAPES: Shapes = 0.1..=0.5;
/// Single features: exponential. Where few peaks would make a tail look heavier or lighter than it is, the tail of the surprise
/// takes up what this is off.
const FEATURE_SHAPES: Shapes = 0.0..=0.0;
/// Surprises are in nats, which fall exponentially but for what the tails behind them are off.
pub const SURPRISE_SHAPES: Shapes = 0.05..=0.1;
/// Smallest scale of a feature's tail, in standard deviations: a feature that was always the same would otherwise alarm at a
/// breath.
const FEATURE_SCALE_MIN: f32 = 0.2;
/// Points kept of the survival below the peaks.
const SURVIVAL_POINTS: usize = 16;

/// The tails that make single features and the reconstruction error comparable: of the inputs of all exchanges, and of the
/// error's residuals on those that the network was not fitted on.
pub fn comparable<'i>(inputs: impl Iterator<Item = &'i NetworkInput> + Clone, residuals: &[f32]) -> WholeTails {
    let features = (0..feature_count()).map(|feature| {
        let visible = inputs.clone().filter(|input| input.visible[feature] > 0.0);
        feature_tails(&visible.map(|input| input.features[feature]).collect::<Vec<f32>>())
    });
    WholeTails {
        features: features.collect(),
        reconstruction: distribution(residuals, RESIDUAL_SHAPES),
        surprise: ErrorTail::default(),
    }
}

fn feature_tails(standardised: &[f32]) -> FeatureTails {
    let side = |distances: Vec<f32>| {
        if standardised.is_empty() {
            return ParetoTail::default();
        }
        let mut sorted = distances;
        sorted.sort_by(f32::total_cmp);
        let tail = pareto_tail(&sorted, standardised.len(), FEATURE_SHAPES);
        ParetoTail { scale: tail.scale.max(FEATURE_SCALE_MIN), ..tail }
    };
    FeatureTails {
        below: side(standardised.iter().filter(|value| **value < 0.0).map(|value| -value).collect()),
        above: side(standardised.iter().filter(|value| **value >= 0.0).copied().collect()),
    }
}

/// Values of normal exchanges with an alarm that they exceed with probability `rate`; where there are too few to tell that
/// rate, no more of them than the share `accepted` exceed it.
pub fn armed(values: &[f32], shapes: Shapes, rate: f64, accepted: f64) -> ErrorTail {
    let mut distribution = distribution(values, shapes);
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let count = sorted.len() as f64;
    let accepted = ((count * accepted) as usize).min(sorted.len().saturating_sub(1));
    distribution.alarm = sorted.iter().rev().nth(accepted).map(|almost_largest| {
        let by_tail = distribution.tail.quantile(rate as f32);
        if count * rate < 1.0 { by_tail.max(*almost_largest) } else { by_tail }
    });
    distribution
}

fn distribution(values: &[f32], shapes: Shapes) -> ErrorTail {
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    if sorted.is_empty() {
        return ErrorTail::default();
    }
    ErrorTail {
        alarm: None,
        tail: pareto_tail(&sorted, sorted.len(), shapes),
        survival: (0..SURVIVAL_POINTS)
            .map(|point| {
                let level = point as f32 / SURVIVAL_POINTS as f32;
                (quantile(&sorted, level), 1.0 - level)
            })
            .collect(),
    }
}

/// The tail of sorted values, which are all or a part of `count` exchanges.
fn pareto_tail(sorted: &[f32], count: usize, shapes: Shapes) -> ParetoTail {
    let peaks = ((sorted.len() as f64 * PEAK_SHARE) as usize).max(1);
    let peak = sorted.len().checked_sub(peaks + 1).or(sorted.len().checked_sub(1)).map_or(0.0, |place| sorted[place]);
    let excesses: Vec<f64> =
        sorted.iter().filter(|value| **value > peak).map(|value| f64::from(value - peak)).collect();
    let fitted = pareto::fit(&excesses, shapes);
    ParetoTail {
        peak,
        peak_rate: ((excesses.len() as f64 + 0.5) / (count as f64 + 1.0)) as f32,
        shape: fitted.shape as f32,
        scale: fitted.scale as f32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quantiles of the exponential distribution: what surprises in nats are distributed like.
    fn exponential(count: u32) -> Vec<f32> {
        (1..=count).map(|number| -((number as f32) / (count as f32 + 1.0)).ln()).collect()
    }

    #[test]
    fn the_alarm_keeps_the_budget_on_what_it_was_fitted_to() {
        const COUNT: u32 = 20_000;
        const BUDGET: f64 = 0.001;
        let values = exponential(COUNT);
        let tail = armed(&values, SURPRISE_SHAPES, BUDGET, BUDGET);
        let over = values.iter().filter(|value| tail.alarms(**value)).count();
        // The budget, less what a tail of shape ξ gives away: it puts its alarm at σ (r^−ξ − 1) / ξ beyond the peaks, with r the
        // budget among the peaks and σ = 1 − ξ by the mean, which exponential peaks exceed with e^−alarm.
        let (budget, shape) = (f64::from(COUNT) * BUDGET, *SURPRISE_SHAPES.start());
        let among_peaks = BUDGET / PEAK_SHARE;
        let beyond_peaks = (1.0 - shape) * (among_peaks.powf(-shape) - 1.0) / shape;
        let expected = f64::from(COUNT) * PEAK_SHARE * (-beyond_peaks).exp();
        assert!(over as f64 <= budget, "{over} alarms, {budget} are accepted");
        assert!((over as f64 - expected).abs() <= 1.0, "{over} alarms instead of {expected:.1}");
    }

    #[test]
    fn few_exchanges_raise_no_alarm_among_themselves() {
        let values = exponential(50);
        let tail = armed(&values, SURPRISE_SHAPES, 0.001, 0.001);
        assert!(values.iter().all(|value| !tail.alarms(*value)));
        assert!(armed(&[], SURPRISE_SHAPES, 0.001, 0.001).alarm.is_none());
    }

    #[test]
    fn features_have_tails_as_far_as_they_were_seen() {
        assert_eq!(feature_tails(&[]), FeatureTails::default());
        let constant = feature_tails(&[0.0; 999]);
        assert!(constant.above.scale >= FEATURE_SCALE_MIN && constant.below.scale >= FEATURE_SCALE_MIN);
        assert_eq!(constant.below.peak_rate, 0.5 / 1000.0, "nothing was ever below");
        let skewed: Vec<f32> = exponential(1000).into_iter().map(|value| value - 0.7).collect();
        let skewed = feature_tails(&skewed);
        assert!(skewed.above.peak > 1.0 && skewed.below.peak < 0.7, "{skewed:?}");
    }
}
