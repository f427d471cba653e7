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
    let mut samples: Vec<Vec<Vec<f32>>> = vec![vec![Vec::new(); feature_count()]; routes.endpoints.len()];
    let mut fallback = samples.clone();
    let mut hours = [false; 24];
    for (place, part) in located.iter().zip(parts) {
        let observation = &place.record.observation;
        if let Some(minute) = observation.minute_of_day {
            hours[usize::from(minute / 60).min(23)] = true;
        }
        let into = if *part == Part::Fitting { &mut samples } else { &mut fallback };
        for (feature, value) in features_of(observation).into_iter().enumerate() {
            into[place.endpoint][feature].extend(value);
        }
    }
    let whole_day = hours.iter().filter(|seen| **seen).count() >= DAY_HOURS_MIN;
    for (endpoint, spare) in samples.iter_mut().zip(fallback) {
        for (values, spare) in endpoint.iter_mut().zip(spare) {
            if values.is_empty() {
                *values = spare;
            }
            values.sort_by(f32::total_cmp);
        }
    }
    let pooled: Vec<f32> = (0..feature_count()).map(|feature| pooled_spread(&samples, feature)).collect();
    for (profile, endpoint) in profiles.iter_mut().zip(&samples) {
        profile.features = endpoint
            .iter()
            .zip(&FEATURES)
            .zip(&pooled)
            .map(|((values, feature), pooled)| {
                if values.is_empty() || (feature.unit == FeatureUnit::DayTime && !whole_day) {
                    return FeatureScale::default();
                }
                feature_scale(values, *pooled, feature.unit.scale_floor())
            })
            .collect();
    }
}

fn feature_scale(sorted: &[f32], pooled: f32, floor: f32) -> FeatureScale {
    let count = sorted.len() as f32;
    let own = spread(sorted);
    let shrunk = ((count * own * own + POOL_WEIGHT * pooled * pooled) / (count + POOL_WEIGHT)).sqrt();
    let (center, scale) = (quantile(sorted, 0.5), shrunk.max(floor));
    FeatureScale { center, scale, quantiles: quantiles(sorted, center, scale) }
}

/// Typical spread of a feature within an endpoint: the median over endpoints.
fn pooled_spread(samples: &[Vec<Vec<f32>>], feature: usize) -> f32 {
    median_spread(samples.iter().map(|endpoint| &endpoint[feature]))
}

/// Robust standard deviation: the larger of what the quartiles and what the outer twentieths tell of a normal distribution.
fn spread(sorted: &[f32]) -> f32 {
    let quartiles = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 1.349;
    let outer = (quantile(sorted, 0.95) - quantile(sorted, 0.05)) / 3.290;
    quartiles.max(outer)
}

fn quantiles(sorted: &[f32], center: f32, scale: f32) -> Quantiles {
    Quantiles::of(QUANTILE_LEVELS.map(|level| (quantile(sorted, level) - center) / scale))
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
    let mut errors: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); profiles.len()];
    let mut fallback = errors.clone();
    for ((place, evaluated), part) in located.iter().zip(evaluated).zip(parts) {
        let Some(evaluated) = evaluated else { continue };
        let into = if *part == Part::Fitting { &mut errors } else { &mut fallback };
        let logarithm = |error: f32| error.max(ErrorScale::ERROR_FLOOR).ln();
        into[place.endpoint].0.push(logarithm(evaluated.error));
        into[place.endpoint].1.push(logarithm(evaluated.baseline));
    }
    for (own, spare) in errors.iter_mut().zip(fallback) {
        if own.0.is_empty() {
            *own = spare;
        }
        own.0.sort_by(f32::total_cmp);
        own.1.sort_by(f32::total_cmp);
    }
    let pooled_error = median_spread(errors.iter().map(|(network, _)| network));
    let pooled_baseline = median_spread(errors.iter().map(|(_, baseline)| baseline));
    for (profile, (errors, baseline)) in profiles.iter_mut().zip(&errors) {
        profile.errors[at] = error_scale(errors, pooled_error);
        profile.baseline_errors[at] = error_scale(baseline, pooled_baseline);
    }
}

/// The median over endpoints of the spread of their (sorted) values.
fn median_spread<'v>(endpoints: impl Iterator<Item = &'v Vec<f32>>) -> f32 {
    let mut spreads: Vec<f32> = endpoints.filter(|values| values.len() > 1).map(|values| spread(values)).collect();
    spreads.sort_by(f32::total_cmp);
    quantile(&spreads, 0.5)
}

fn error_scale(sorted: &[f32], pooled: f32) -> ErrorScale {
    if sorted.is_empty() {
        return ErrorScale::default();
    }
    let count = sorted.len() as f32;
    let own = spread(sorted);
    let shrunk = ((count * own * own + POOL_WEIGHT * pooled * pooled) / (count + POOL_WEIGHT)).sqrt();
    let (center, scale) = (quantile(sorted, 0.5), shrunk.max(ERROR_SCALE_MIN));
    ErrorScale { center, scale, quantiles: quantiles(sorted, center, scale) }
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
