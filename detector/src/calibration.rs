//! From statistics to rates of false alarms: what makes scores comparable and thresholds keep the operator's budget.

use serde::{Deserialize, Serialize};

use crate::exchange::Phase;
use crate::payload::PayloadCalibration;
use crate::profile::{ErrorScale, FEATURES, FeatureScale, Novelty};
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
    pub whole: [WholeTails; 3],
    /// The baseline in the place of the network, for evaluation.
    pub baseline: [ErrorTail; 3],
    /// How often an unknown endpoint or method turned up of late.
    pub unknown_route: Novelty,
    pub payload: PayloadCalibration,
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

/// Peaks over threshold: beyond a peak threshold, exceedances follow a generalised Pareto distribution (Siffer et al., KDD 2017).
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct ParetoTail {
    /// Value above which the tail is modelled.
    pub peak: f32,
    /// Share of normal exchanges above it, 0..1.
    pub peak_rate: f32,
    /// Shape ξ and scale σ of what exceeds it; a scale of 0 where nothing is known.
    pub shape: f32,
    pub scale: f32,
}

impl ParetoTail {
    /// Estimated share of normal exchanges above a value beyond the peak threshold; [`Self::peak_rate`] up to it.
    pub fn p_value(&self, value: f32) -> f32 {
        if value <= self.peak || self.scale <= 0.0 {
            return self.peak_rate;
        }
        let excess = value - self.peak;
        let survival = if self.shape.abs() < 1e-4 {
            (-excess / self.scale).exp()
        } else {
            (1.0 + self.shape * excess / self.scale).max(0.0).powf(-1.0 / self.shape)
        };
        (self.peak_rate * survival).clamp(f32::MIN_POSITIVE, 1.0)
    }

    /// The value that normal exchanges exceed with probability `rate`.
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

    /// −ln of the share of normal exchanges above a value beyond the peak threshold; 0 up to it, and where nothing is known.
    fn surprise(&self, value: f32) -> f32 {
        let is_beyond = self.scale > 0.0 && value > self.peak;
        if is_beyond { -self.p_value(value).ln() } else { 0.0 }
    }
}

/// A whole distribution: empirical up to the peak threshold, and its tail.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ErrorTail {
    /// Alarm above this; `None` where it is not armed.
    pub alarm: Option<f32>,
    pub tail: ParetoTail,
    /// Values with their survival below the peak threshold, ascending.
    pub survival: Vec<(f32, f32)>,
}

impl ErrorTail {
    /// Estimated share of normal exchanges with at least this value, 0..1.
    pub fn p_value(&self, value: f32) -> f32 {
        if value <= self.tail.peak || self.tail.scale <= 0.0 {
            let below = self.survival.iter().rev().find(|(known, _)| *known <= value);
            return below.map_or(1.0, |(_, rate)| *rate).max(self.tail.peak_rate);
        }
        self.tail.p_value(value).max(1e-9)
    }

    pub fn alarms(&self, value: f32) -> bool {
        self.alarm.is_some_and(|alarm| value > alarm)
    }
}

/// The tails of one feature's standardised values: how far below the endpoint's centre, and how far above.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct FeatureTails {
    pub below: ParetoTail,
    pub above: ParetoTail,
}

impl FeatureTails {
    /// −ln of the share of normal exchanges that are further out on that side, 0 or more.
    fn surprise(&self, standardised: f32) -> f32 {
        if standardised < 0.0 { self.below.surprise(-standardised) } else { self.above.surprise(standardised) }
    }
}

/// How rare an exchange as a whole is in one phase. The network's error is a mean over all features, in which one that is far
/// out drowns, and the further out it is the better the network follows it; so single features are judged by their own tails
/// beside it. Both are made comparable first, as −ln of their share among normal exchanges, pooled over endpoints; what an
/// endpoint shows often is no more surprising than it is seldom there. The largest is the exchange's surprise, which has a tail
/// of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct WholeTails {
    /// One per feature.
    pub features: Vec<FeatureTails>,
    /// Of the reconstruction error's residual.
    pub reconstruction: ErrorTail,
    /// Of the surprise.
    pub surprise: ErrorTail,
}

/// How surprising an exchange is, and by which feature.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Surprise {
    /// Nats, 0 or more.
    pub nats: f32,
    /// `None` where the reconstruction error is rarer than any single feature.
    pub feature: Option<usize>,
}

impl WholeTails {
    /// `residual` is that of the reconstruction error by the endpoint's `errors`, where its usual one is known; `standardised` and
    /// `visible` are the network's inputs, `scales` those of the endpoint's features.
    pub fn surprise_of(
        &self,
        residual: Option<f32>,
        errors: &ErrorScale,
        scales: &[FeatureScale],
        standardised: &[f32],
        visible: &[f32],
    ) -> Surprise {
        // What an endpoint shows often is no more surprising than it is seldom there.
        let nats = residual.map_or(0.0, |residual| {
            (-self.reconstruction.p_value(residual).ln()).min(errors.quantiles.own_surprise(residual))
        });
        let mut surprise = Surprise { nats, feature: None };
        let features = FEATURES.iter().zip(&self.features).zip(scales).zip(standardised).zip(visible).enumerate();
        for (number, ((((feature, tails), scale), standardised), visible)) in features {
            // What is not the caller's doing is odd only together with something else.
            if *visible > 0.0 && feature.unit.stands_alone() {
                let pooled = tails.surprise(*standardised);
                let nats = pooled.min(scale.quantiles.own_surprise(*standardised));
                if nats > surprise.nats {
                    surprise = Surprise { nats, feature: Some(number) };
                }
            }
        }
        surprise
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
    use crate::profile::Quantiles;

    #[test]
    fn the_pareto_tail_falls_and_inverts() {
        let tail = ErrorTail {
            alarm: Some(5.0),
            tail: ParetoTail { peak: 2.0, peak_rate: 0.02, shape: 0.1, scale: 0.7 },
            survival: vec![(-1.0, 0.8), (0.0, 0.5), (1.0, 0.2)],
        };
        let mut last = 1.0;
        for step in 0..100 {
            let p = tail.p_value(step as f32 * 0.1 - 2.0);
            assert!(p <= last + 1e-6 && p > 0.0);
            last = p;
        }
        let residual = tail.tail.quantile(1e-4);
        assert!((tail.p_value(residual) / 1e-4 - 1.0).abs() < 1e-3);
    }

    #[test]
    fn one_feature_far_out_is_a_surprise_however_usual_the_rest_is() {
        let side = ParetoTail { peak: 1.5, peak_rate: 0.03, shape: 0.05, scale: 0.4 };
        let both = FeatureTails { below: ParetoTail { scale: 2.0, ..side }, above: side };
        let count = FEATURES.len();
        let place = |name| FEATURES.iter().position(|feature| feature.name == name).unwrap();
        let tails = WholeTails { features: vec![both; count], ..WholeTails::default() };
        let scales = vec![FeatureScale { scale: 1.0, ..FeatureScale::default() }; count];
        let surprise = |name, standardised: f32, visible: f32| {
            let (mut features, mut known) = (vec![0.1; count], vec![1.0; count]);
            features[place(name)] = standardised;
            known[place(name)] = visible;
            tails.surprise_of(None, &ErrorScale::default(), &scales, &features, &known)
        };
        let response = surprise("response", 7.0, 1.0);
        assert!(response.nats > 12.0 && response.feature == Some(place("response")), "{response:?}");
        assert!(surprise("response", -7.0, 1.0).nats < 7.0, "each side has a tail of its own");
        assert!(surprise("response", 7.0, 0.0).nats == 0.0, "what is not visible says nothing");
        assert!(surprise("duration", 7.0, 1.0).nats == 0.0, "load alone must not alarm");
        assert_eq!(surprise("response", 1.4, 1.0).nats, 0.0, "what many show is none");
        let unknown = WholeTails::default().surprise_of(
            None,
            &ErrorScale::default(),
            &scales,
            &vec![9.0; count],
            &vec![1.0; count],
        );
        assert_eq!(unknown, Surprise::default());
    }

    #[test]
    fn what_an_endpoint_shows_often_is_no_surprise_there() {
        let side = ParetoTail { peak: 0.5, peak_rate: 0.01, shape: 0.0, scale: 0.2 };
        let count = FEATURES.len();
        let place = FEATURES.iter().position(|feature| feature.name == "response").unwrap();
        let tails =
            WholeTails { features: vec![FeatureTails { below: side, above: side }; count], ..WholeTails::default() };
        let seen = Quantiles::of([0.0, 0.0, 0.0, 0.0, 0.0, 1.4, 1.4, 1.4, 1.4]);
        let two_kinds = FeatureScale { scale: 1.0, quantiles: seen, ..FeatureScale::default() };
        let nats = |scale: FeatureScale, standardised: f32| {
            let (mut features, known) = (vec![0.0; count], vec![1.0; count]);
            features[place] = standardised;
            tails.surprise_of(None, &ErrorScale::default(), &vec![scale; count], &features, &known).nats
        };
        assert!(nats(FeatureScale { scale: 1.0, ..FeatureScale::default() }, 1.4) > 9.0);
        assert!(nats(two_kinds, 1.4) < 1.0, "{}", nats(two_kinds, 1.4));
        assert!(nats(two_kinds, 1.6) < 8.0, "a little beyond: {}", nats(two_kinds, 1.6));
        assert!(nats(two_kinds, 2.5) > 9.0, "far beyond all that was seen it counts in full: {}", nats(two_kinds, 2.5));

        let tail = ErrorTail { alarm: None, tail: side, survival: vec![(-1.0, 1.0), (0.5, 0.01)] };
        let tails = WholeTails { reconstruction: tail, ..WholeTails::default() };
        let nats = |quantiles: Quantiles, residual: f32| {
            let errors = ErrorScale { scale: 1.0, quantiles, ..ErrorScale::default() };
            tails.surprise_of(Some(residual), &errors, &[], &[], &[]).nats
        };
        assert!(nats(Quantiles::default(), 1.4) > 9.0);
        assert!(nats(seen, 1.4) < 1.0 && nats(seen, 2.5) > 9.0, "{}", nats(seen, 1.4));
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
