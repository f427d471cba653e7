//! Per-endpoint standardisation of features and errors, and the ECOD-style baseline.

use serde::{Deserialize, Serialize};

/// Standardised features are cut at ± this.
pub const STANDARDISED_MAX: f32 = 10.0;

/// The levels of a feature's stored quantiles.
pub const QUANTILE_LEVELS: [f32; 9] = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999];

/// Steps of one standard deviation in stored quantiles.
const QUANTILE_STEPS: f32 = 8.0;

/// −ln of the shares beyond a quartile and beyond the outermost quantile, one less the other.
const QUARTER_TO_OUTERMOST: f32 = 5.52;
/// Shortest e-fold of an endpoint's own tail, in standard deviations.
const TAIL_FOLD_MIN: f32 = 0.125;

/// Centre and spread of one feature at one endpoint.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureScale {
    /// Median, in the feature's unit.
    pub center: f32,
    /// Robust standard deviation, in the feature's unit; 0 where the feature was never known here.
    pub scale: f32,
    pub quantiles: Quantiles,
}

/// Standardised quantiles at [`QUANTILE_LEVELS`], in eighths of a standard deviation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Quantiles([i8; QUANTILE_LEVELS.len()]);

impl FeatureScale {
    /// (value − centre) / scale, cut at ±[`STANDARDISED_MAX`]; `None` where the feature was never known at this endpoint.
    pub fn standardise(&self, value: f32) -> Option<f32> {
        if self.scale <= 0.0 || !value.is_finite() {
            return None;
        }
        Some(((value - self.center) / self.scale).clamp(-STANDARDISED_MAX, STANDARDISED_MAX))
    }
}

impl Quantiles {
    /// Of quantiles given in standard deviations.
    pub fn of(standardised: [f32; QUANTILE_LEVELS.len()]) -> Self {
        Self(standardised.map(|value| (value * QUANTILE_STEPS).round().clamp(-127.0, 127.0) as i8))
    }

    /// −ln of the share of the endpoint's own exchanges that are as far out, both sides together, 0 or more. Beyond all that was
    /// seen here it goes on as an exponential tail does that has come as far between the outer quarter and the outermost: where
    /// values scatter, the next one may well be a little further out than all before it.
    pub fn own_surprise(&self, standardised: f32) -> f32 {
        let [first, _, _, lower, _, upper, _, _, last] = self.0.map(|stored| f32::from(stored) / QUANTILE_STEPS);
        let inside = self.tail_surprise(standardised.clamp(first, last));
        let (beyond, length) = if standardised > last {
            (standardised - last, last - upper)
        } else {
            (first - standardised, lower - first)
        };
        let rounding = 0.5 / QUANTILE_STEPS;
        inside + (beyond - rounding).max(0.0) / (length / QUARTER_TO_OUTERMOST).max(TAIL_FOLD_MIN)
    }

    /// −ln of the smaller tail probability of a standardised value, 0 or more: interpolated between the stored quantiles,
    /// linear beyond the outermost (an exponential tail of one standard deviation).
    fn tail_surprise(&self, standardised: f32) -> f32 {
        let position = |stored: i8| f32::from(stored) / QUANTILE_STEPS;
        let [first, .., last] = self.0;
        let outermost = -(0.001_f32.ln());
        if standardised > position(last) {
            return outermost + (standardised - position(last));
        }
        if standardised < position(first) {
            return outermost + (position(first) - standardised);
        }
        let mut below = 0.001_f32;
        let mut above = 0.001_f32;
        let mut upper_found = false;
        for (level, stored) in QUANTILE_LEVELS.iter().zip(self.0) {
            if position(stored) <= standardised {
                below = *level;
            }
            if !upper_found && position(stored) >= standardised {
                above = 1.0 - *level;
                upper_found = true;
            }
        }
        -(below.max(0.001).min(above.max(0.001)).min(0.5) * 2.0).ln()
    }
}

/// The baseline: sum over the visible features of −ln of their tail probabilities (ECOD, Li et al. 2022), divided by the
/// square root of their number so that phases compare.
pub fn baseline_statistic(scales: &[FeatureScale], standardised: &[f32], visible: &[f32]) -> f32 {
    let mut sum = 0.0;
    let mut count = 0.0_f32;
    for ((scale, value), known) in scales.iter().zip(standardised).zip(visible) {
        if *known > 0.0 {
            sum += scale.quantiles.tail_surprise(*value);
            count += 1.0;
        }
    }
    if count > 0.0 { sum / count.sqrt() } else { 0.0 }
}

/// Centre and spread of ln(error) at one endpoint in one phase.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorScale {
    pub center: f32,
    /// 0 where nothing is known.
    pub scale: f32,
    /// Of its residuals.
    pub quantiles: Quantiles,
}

impl ErrorScale {
    /// Smallest error that is told apart: about that of one feature in twenty being off by a standard deviation.
    /// Endpoints whose exchanges are all alike would otherwise alarm at a breath.
    pub const ERROR_FLOOR: f32 = 0.05;

    /// Standardised residual of an error, or `None` where nothing is known of this endpoint and phase.
    pub fn residual(&self, error: f32) -> Option<f32> {
        (self.scale > 0.0 && error.is_finite()).then(|| (error.max(Self::ERROR_FLOOR).ln() - self.center) / self.scale)
    }
}
