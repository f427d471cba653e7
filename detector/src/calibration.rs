//! From statistics to rates of false alarms: what makes scores comparable and thresholds keep the operator's budget.

use serde::{Deserialize, Serialize};

use crate::exchange::Phase;
use crate::profile::Novelty;
use crate::verdict::FindingKind;

/// Classes of extent of an oddity: just outside, clearly, far.
pub const EXTENTS: usize = 3;

/// Everything by which statistics become scores and alarms.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Exchanges that the rates come from.
    pub exchanges: u32,
    /// Rates of findings by kind, novelty class and extent; see [`Calibration::rate`].
    pub rates: Vec<FindingRate>,
    /// Per phase.
    pub route: [RuleTail; 3],
    pub profile_rules: [RuleTail; 3],
    pub reconstruction: [ErrorTail; 3],
    /// The baseline in the place of the network, for evaluation.
    pub baseline: [ErrorTail; 3],
    /// How often an unknown endpoint or method turned up of late.
    pub unknown_route: Novelty,
}

/// How often normal exchanges had such a finding.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct FindingRate {
    pub kind: FindingKind,
    pub novelty: Novelty,
    pub extent: u8,
    /// 0..1.
    pub rate: f32,
}

impl Calibration {
    /// Estimated share, among normal exchanges that could have had it, with a finding of this kind, in a field of this
    /// novelty, at least that far out; 1 where nothing is known.
    pub fn rate(&self, kind: FindingKind, novelty: Novelty, extent: u8) -> f32 {
        self.rates
            .iter()
            .find(|rate| rate.kind == kind && rate.novelty == novelty && rate.extent == extent)
            .map_or(1.0, |rate| rate.rate)
            .clamp(1e-9, 1.0)
    }
}

/// Tail of a rule statistic: the sum of −ln(rate) over an exchange's findings. It has no smooth tail, so its survival is
/// empirical, with an exponential continuation beyond the largest value seen.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleTail {
    /// Alarm above this; 0 where the detector is not armed.
    pub threshold: f32,
    /// Statistic and share of normal exchanges at or above it; the statistic ascending.
    pub survival: Vec<(f32, f32)>,
}

/// Fall of the survival beyond the largest statistic seen: one e-fold per this much.
const RULE_TAIL_FOLD: f32 = 2.0;

impl RuleTail {
    /// Estimated share of normal exchanges with a statistic of at least this, 0..1.
    pub fn p_value(&self, statistic: f32) -> f32 {
        if statistic <= 0.0 {
            return 1.0;
        }
        let Some((last, rate)) = self.survival.last() else {
            return (-statistic).exp();
        };
        if statistic > *last {
            return rate * (-(statistic - last) / RULE_TAIL_FOLD).exp();
        }
        self.survival.iter().find(|(value, _)| *value >= statistic).map_or(1.0, |(_, rate)| *rate)
    }

    pub fn alarms(&self, statistic: f32) -> bool {
        self.threshold > 0.0 && statistic > self.threshold
    }
}

/// Peaks over threshold with a generalised Pareto tail (Siffer et al., KDD 2017), over residuals pooled over endpoints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorTail {
    /// Alarm above this residual; `None` where the detector is not armed.
    pub alarm: Option<f32>,
    /// Residual above which the tail is modelled.
    pub peak: f32,
    /// Share of normal exchanges above the peak threshold.
    pub peak_rate: f32,
    /// Shape ξ and scale σ of the generalised Pareto distribution of what exceeds it.
    pub shape: f32,
    pub scale: f32,
    /// Residuals with their survival below the peak threshold, ascending.
    pub survival: Vec<(f32, f32)>,
}

impl ErrorTail {
    /// Estimated share of normal exchanges with at least this residual, 0..1.
    pub fn p_value(&self, residual: f32) -> f32 {
        if residual <= self.peak || self.scale <= 0.0 {
            let below = self.survival.iter().rev().find(|(value, _)| *value <= residual);
            return below.map_or(1.0, |(_, rate)| *rate).max(self.peak_rate);
        }
        let excess = residual - self.peak;
        let survival = if self.shape.abs() < 1e-4 {
            (-excess / self.scale).exp()
        } else {
            (1.0 + self.shape * excess / self.scale).max(0.0).powf(-1.0 / self.shape)
        };
        (self.peak_rate * survival).clamp(1e-9, 1.0)
    }

    /// The residual that normal exchanges exceed with probability `rate`.
    pub fn quantile(&self, rate: f32) -> f32 {
        if rate >= self.peak_rate || self.scale <= 0.0 {
            return self.peak;
        }
        let ratio = rate / self.peak_rate;
        if self.shape.abs() < 1e-4 {
            self.peak - self.scale * ratio.ln()
        } else {
            self.peak + self.scale / self.shape * (ratio.powf(-self.shape) - 1.0)
        }
    }

    pub fn alarms(&self, residual: f32) -> bool {
        self.alarm.is_some_and(|alarm| residual > alarm)
    }
}

/// One entry of a per-phase table.
pub fn of_phase<T>(table: &[T; 3], phase: Phase) -> &T {
    let [headers, body, response] = table;
    match phase {
        Phase::Headers => headers,
        Phase::Body => body,
        Phase::Response => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pareto_tail_falls_and_inverts() {
        let tail = ErrorTail {
            peak: 2.0,
            peak_rate: 0.02,
            shape: 0.1,
            scale: 0.7,
            survival: vec![(-1.0, 0.8), (0.0, 0.5), (1.0, 0.2)],
            alarm: Some(5.0),
        };
        let mut last = 1.0;
        for step in 0..100 {
            let p = tail.p_value(step as f32 * 0.1 - 2.0);
            assert!(p <= last + 1e-6 && p > 0.0);
            last = p;
        }
        let residual = tail.quantile(1e-4);
        assert!((tail.p_value(residual) / 1e-4 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn rules_fall_beyond_the_largest_seen() {
        let tail = RuleTail { threshold: 6.0, survival: vec![(2.0, 0.1), (5.0, 0.001)] };
        assert_eq!(tail.p_value(0.0), 1.0);
        assert_eq!(tail.p_value(1.0), 0.1);
        assert_eq!(tail.p_value(5.0), 0.001);
        assert!(tail.p_value(9.0) < 0.001 * 0.2);
        assert!(tail.alarms(6.5) && !tail.alarms(6.0));
    }
}
