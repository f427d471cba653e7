//! What is usual for features and errors at each endpoint: centres and spreads, shrunk to the pool of all endpoints.

use apiward_detector::exchange::Phase;
use apiward_detector::profile::{
    EndpointProfile, ErrorScale, FEATURES, FeatureScale, FeatureUnit, QUANTILE_LEVELS, Quantiles, feature_count,
    features_of,
};
use apiward_detector::route::RouteTable;

use crate::learning::routes::Located;

use super::{Evaluated, Part};

/// Exchanges that the pool of all endpoints counts for when an endpoint's own spread is estimated.
const POOL_WEIGHT: f32 = 20.0;
/// Smallest spread of ln(error).
const ERROR_SCALE_MIN: f32 = 0.25;
/// The time of day is a feature once traffic was seen in this many hours of the day.
const DAY_HOURS_MIN: usize = 20;

/// Centre, spread and quantiles of every feature at every endpoint.
pub fn learn_scales(routes: &RouteTable, profiles: &mut [EndpointProfile], located: &[Located<'_>], parts: &[Part]) {
    let mut samples: Vec<Vec<Sample>> = vec![vec![Sample::default(); feature_count()]; routes.endpoints.len()];
    let mut hours = [false; 24];
    for (place, part) in located.iter().zip(parts) {
        let observation = &place.record.observation;
        if let Some(minute) = observation.minute_of_day {
            hours[usize::from(minute / 60).min(23)] = true;
        }
        for (sample, value) in samples[place.endpoint].iter_mut().zip(features_of(observation)) {
            sample.extend(value, *part);
        }
    }
    let whole_day = hours.iter().filter(|seen| **seen).count() >= DAY_HOURS_MIN;
    samples.iter_mut().flatten().for_each(Sample::sort);
    let pooled: Vec<f32> =
        (0..feature_count()).map(|feature| median_spread(samples.iter().map(|endpoint| &endpoint[feature]))).collect();
    for (profile, endpoint) in profiles.iter_mut().zip(&samples) {
        profile.features = endpoint
            .iter()
            .zip(&FEATURES)
            .zip(&pooled)
            .map(|((sample, feature), pooled)| {
                if sample.all.is_empty() || (feature.unit == FeatureUnit::DayTime && !whole_day) {
                    return FeatureScale::default();
                }
                let (center, scale) = sample.center_and_scale(*pooled, feature.unit.scale_floor());
                FeatureScale { center, scale, quantiles: sample.quantiles(center, scale) }
            })
            .collect();
    }
}

/// What an endpoint showed of one statistic. Its centre and spread are those of the exchanges that the network is fitted on; how
/// far out it goes is told by all of them, since errors are smaller where the network was fitted.
#[derive(Debug, Clone, Default)]
struct Sample {
    /// Of the fitted exchanges, or of all where there are none.
    fitted: Vec<f32>,
    all: Vec<f32>,
}

impl Sample {
    fn extend(&mut self, value: Option<f32>, part: Part) {
        self.all.extend(value);
        if part == Part::Fitting {
            self.fitted.extend(value);
        }
    }

    fn sort(&mut self) {
        if self.fitted.is_empty() {
            self.fitted.clone_from(&self.all);
        }
        self.fitted.sort_by(f32::total_cmp);
        self.all.sort_by(f32::total_cmp);
    }

    /// The spread is shrunk to that of the pool.
    fn center_and_scale(&self, pooled: f32, floor: f32) -> (f32, f32) {
        let count = self.fitted.len() as f32;
        let own = spread(&self.fitted);
        let shrunk = ((count * own * own + POOL_WEIGHT * pooled * pooled) / (count + POOL_WEIGHT)).sqrt();
        (quantile(&self.fitted, 0.5), shrunk.max(floor))
    }

    fn quantiles(&self, center: f32, scale: f32) -> Quantiles {
        Quantiles::of(QUANTILE_LEVELS.map(|level| (quantile(&self.all, level) - center) / scale))
    }
}

/// Robust standard deviation: the larger of what the quartiles and what the outer twentieths tell of a normal distribution.
fn spread(sorted: &[f32]) -> f32 {
    let quartiles = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.349;
    let outer = (quantile(sorted, 0.95) - quantile(sorted, 0.05)) / 3.290;
    quartiles.max(outer)
}

/// Linear between order statistics; 0 of nothing.
pub fn quantile(sorted: &[f32], level: f32) -> f32 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = level * last as f32;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let fraction = position - position.floor();
    sorted[below] * (1.0 - fraction) + sorted[above.min(last)] * fraction
}

/// Centre and spread of ln(error) per endpoint, from the exchanges that are not set aside for the tail.
pub fn learn_error_scales(
    profiles: &mut [EndpointProfile],
    located: &[Located<'_>],
    evaluated: &[Option<Evaluated>],
    parts: &[Part],
    phase: Phase,
) {
    let at = phase.index();
    let mut errors: Vec<(Sample, Sample)> = vec![Default::default(); profiles.len()];
    for ((place, evaluated), part) in located.iter().zip(evaluated).zip(parts) {
        let Some(evaluated) = evaluated else { continue };
        let logarithm = |error: f32| Some(error.max(ErrorScale::ERROR_FLOOR).ln());
        errors[place.endpoint].0.extend(logarithm(evaluated.error), *part);
        errors[place.endpoint].1.extend(logarithm(evaluated.baseline), *part);
    }
    for (network, baseline) in &mut errors {
        network.sort();
        baseline.sort();
    }
    let pooled_error = median_spread(errors.iter().map(|(network, _)| network));
    let pooled_baseline = median_spread(errors.iter().map(|(_, baseline)| baseline));
    for (profile, (errors, baseline)) in profiles.iter_mut().zip(&errors) {
        profile.errors[at] = error_scale(errors, pooled_error);
        profile.baseline_errors[at] = error_scale(baseline, pooled_baseline);
    }
}

/// Typical spread within an endpoint: the median over endpoints.
fn median_spread<'v>(samples: impl Iterator<Item = &'v Sample>) -> f32 {
    let several = samples.filter(|sample| sample.fitted.len() > 1);
    let mut spreads: Vec<f32> = several.map(|sample| spread(&sample.fitted)).collect();
    spreads.sort_by(f32::total_cmp);
    quantile(&spreads, 0.5)
}

fn error_scale(sample: &Sample, pooled: f32) -> ErrorScale {
    if sample.all.is_empty() {
        return ErrorScale::default();
    }
    let (center, scale) = sample.center_and_scale(pooled, ERROR_SCALE_MIN);
    ErrorScale { center, scale, quantiles: sample.quantiles(center, scale) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
