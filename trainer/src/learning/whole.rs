//! The exchange as a whole: standardised features, the autoencoder, and the tails of its error and of its baseline's.

use std::ops::ControlFlow;

use apiward_detector::calibration::{Calibration, ErrorTail};
use apiward_detector::detector::NetworkInput;
use apiward_detector::exchange::Phase;
use apiward_detector::profile::{
    EndpointProfile, ErrorScale, FEATURES, FeatureScale, FeatureUnit, QUANTILE_LEVELS, baseline_statistic,
    feature_count, features_of, visible_in,
};
use apiward_detector::route::RouteTable;
use serde::Serialize;

use crate::fit::{FeatureMatrix, FitOptions, FittedAutoencoder, PhaseMasks, Schedule, fit_autoencoder};

use super::routes::Located;
use super::rules::content_hash;
use super::{LearningError, LearningSettings, Progress, pareto, step};

/// Shares of the exchanges, in order of time: the network is fitted on the first, stopped by the second, and its errors are
/// calibrated on the last.
const FITTED_SHARE: f64 = 0.7;
const STOPPING_SHARE: f64 = 0.1;
/// Share of the false-alarm budget, over all phases.
const BUDGET_SHARE: f64 = 0.4;
/// Share of the calibration exchanges whose residuals are peaks.
const PEAK_SHARE: f64 = 0.05;
/// Exchanges that the pool of all endpoints counts for when an endpoint's own spread is estimated.
const POOL_WEIGHT: f32 = 20.0;
/// Smallest spread of ln(error).
const ERROR_SCALE_MIN: f32 = 0.25;
/// Few peaks cannot rule out a tail this heavy.
const SHAPE_MIN: f32 = 0.1;
/// Points kept of the survival below the peaks.
const SURVIVAL_POINTS: usize = 16;
/// Rows evaluated at once.
const EVALUATION_ROWS: usize = 256;
/// The time of day is a feature once traffic was seen in this many hours of the day.
const DAY_HOURS_MIN: usize = 20;

/// The network and what it computed for the located records.
pub struct Whole {
    pub fitted: FittedAutoencoder,
    /// Per located record and phase, by ONNX Runtime; `None` for phases it did not reach.
    pub errors: Vec<[Option<f32>; 3]>,
    pub figures: WholeFigures,
}

/// How the network did on exchanges it was not fitted on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct WholeFigures {
    /// Calibration exchanges.
    pub exchanges: usize,
    /// Of them, over the threshold in some phase.
    pub alarms: usize,
    pub epochs: usize,
    pub chosen_epoch: u32,
    pub later_loss: f64,
}

/// What a record is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Fitting,
    Stopping,
    Calibration,
}

#[allow(clippy::too_many_arguments)]
pub fn learn_whole(
    routes: &RouteTable,
    profiles: &mut [EndpointProfile],
    located: &[Located<'_>],
    calibration_only: &[Located<'_>],
    settings: &LearningSettings,
    calibration: &mut Calibration,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Whole, LearningError> {
    let parts = parts(located);
    learn_scales(routes, profiles, located, &parts);

    let rows = |part| located.iter().zip(&parts).filter(move |(_, of)| **of == part).map(|(place, _)| place);
    let training = matrix(rows(Part::Fitting), profiles)?;
    let later = matrix(rows(Part::Stopping), profiles)?;
    let masks = Phase::ALL.iter().map(|phase| visible_in(*phase).map(|on| f32::from(u8::from(on))).collect()).collect();
    let phases = PhaseMasks::new(masks).map_err(crate::fit::FitError::from)?;
    let options =
        FitOptions { schedule: Schedule { seed: settings.seed, ..Schedule::default() }, ..FitOptions::default() };
    let fitted = fit_autoencoder(&training, &later, &phases, &options, &mut |epoch| {
        progress(Progress::Network {
            epoch: epoch.number,
            epochs_max: options.schedule.epochs_max,
            later_loss: epoch.held_out_loss,
        })
    })
    .map_err(|error| match error {
        crate::fit::FitError::Cancelled { .. } => LearningError::Cancelled,
        other => LearningError::Fit(other),
    })?;
    step(progress, Progress::Calibration)?;

    let errors = evaluate(&fitted, located, profiles)?;
    let also = evaluate(&fitted, calibration_only, profiles)?;
    let mut alarmed = vec![false; located.len()];
    for phase in Phase::ALL {
        let fitted_on = |place: usize| parts[place] != Part::Calibration;
        learn_error_scales(profiles, located, &errors, phase, fitted_on);
        let residual = |place: &Located<'_>, errors: &Statistics| {
            let profile = &profiles[place.endpoint];
            errors.error[phase.index()].and_then(|error| profile.errors[phase.index()].residual(error))
        };
        let baseline_residual = |place: &Located<'_>, errors: &Statistics| {
            let profile = &profiles[place.endpoint];
            errors.baseline[phase.index()].and_then(|error| profile.baseline_errors[phase.index()].residual(error))
        };
        let held_out = || {
            located
                .iter()
                .zip(&errors)
                .zip(&parts)
                .filter(|(_, part)| **part == Part::Calibration)
                .map(|(pair, _)| pair)
        };
        let everything = || held_out().chain(calibration_only.iter().zip(&also));
        let residuals: Vec<f32> = everything().filter_map(|(place, errors)| residual(place, errors)).collect();
        let baseline: Vec<f32> = everything().filter_map(|(place, errors)| baseline_residual(place, errors)).collect();
        let rate = settings.false_alarm_budget * BUDGET_SHARE / 3.0;
        let tail = error_tail(&residuals, rate);
        for (number, (place, errors)) in located.iter().zip(&errors).enumerate() {
            let alarms = residual(place, errors).is_some_and(|residual| tail.alarms(residual));
            alarmed[number] |= alarms && parts[number] == Part::Calibration;
        }
        calibration.reconstruction[phase.index()] = tail;
        calibration.baseline[phase.index()] = error_tail(&baseline, rate);
    }
    let last = fitted.history.iter().find(|epoch| epoch.number == fitted.chosen_epoch);
    let figures = WholeFigures {
        exchanges: parts.iter().filter(|part| **part == Part::Calibration).count(),
        alarms: alarmed.iter().filter(|alarmed| **alarmed).count(),
        epochs: fitted.history.len(),
        chosen_epoch: fitted.chosen_epoch,
        later_loss: last.map_or(f64::NAN, |epoch| epoch.held_out_loss),
    };
    let errors = errors.into_iter().map(|statistics| statistics.error).collect();
    Ok(Whole { fitted, errors, figures })
}

/// By time; without times by content, so that identical exchanges are on the same side.
fn parts(located: &[Located<'_>]) -> Vec<Part> {
    let of_share = |share: f64| match share {
        share if share < FITTED_SHARE => Part::Fitting,
        share if share < FITTED_SHARE + STOPPING_SHARE => Part::Stopping,
        _ => Part::Calibration,
    };
    let timed = located.iter().all(|place| place.record.at_ms.is_some());
    let count = located.len().max(1) as f64;
    located
        .iter()
        .enumerate()
        .map(|(number, place)| {
            if timed { of_share(number as f64 / count) } else { of_share((content_hash(place) % 1000) as f64 / 1000.0) }
        })
        .collect()
}

/// Centre, spread and quantiles of every feature at every endpoint.
fn learn_scales(routes: &RouteTable, profiles: &mut [EndpointProfile], located: &[Located<'_>], parts: &[Part]) {
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
    let mut scale = FeatureScale { center: quantile(sorted, 0.5), scale: shrunk.max(floor), ..FeatureScale::default() };
    scale.set_quantiles(QUANTILE_LEVELS.map(|level| (quantile(sorted, level) - scale.center) / scale.scale));
    scale
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

/// Linear between order statistics; 0 of nothing.
fn quantile(sorted: &[f32], level: f32) -> f32 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let position = level * last as f32;
    let (below, above) = (position.floor() as usize, position.ceil() as usize);
    let fraction = position - position.floor();
    sorted[below] * (1.0 - fraction) + sorted[above.min(last)] * fraction
}

/// Rows for fitting; what is unknown in a row is not a number.
fn matrix<'l, 'r: 'l>(
    rows: impl Iterator<Item = &'l Located<'r>>,
    profiles: &[EndpointProfile],
) -> Result<FeatureMatrix, LearningError> {
    let mut values = Vec::new();
    let mut weights = Vec::new();
    for place in rows {
        let input = NetworkInput::of(&profiles[place.endpoint], &place.record.observation);
        let known = input.features.iter().zip(&input.visible);
        values.extend(known.map(|(value, visible)| if *visible > 0.0 { *value } else { f32::NAN }));
        weights.push(place.record.weight);
    }
    FeatureMatrix::new(feature_count(), values, weights).map_err(|error| LearningError::Fit(error.into()))
}

/// The network's error and the baseline's statistic of one record per phase.
#[derive(Debug, Clone, Copy, Default)]
struct Statistics {
    error: [Option<f32>; 3],
    baseline: [Option<f32>; 3],
}

fn evaluate(
    fitted: &FittedAutoencoder,
    located: &[Located<'_>],
    profiles: &[EndpointProfile],
) -> Result<Vec<Statistics>, LearningError> {
    let mut statistics = vec![Statistics::default(); located.len()];
    let mut network = fitted.open(EVALUATION_ROWS)?;
    for phase in Phase::ALL {
        let reached: Vec<usize> =
            (0..located.len()).filter(|number| located[*number].record.observation.phase >= phase).collect();
        for chunk in reached.chunks(EVALUATION_ROWS) {
            let mut features = Vec::with_capacity(chunk.len() * feature_count());
            let mut visible = Vec::with_capacity(chunk.len() * feature_count());
            for number in chunk {
                let place = &located[*number];
                let profile = &profiles[place.endpoint];
                let input = NetworkInput::of(profile, &place.record.observation.at(phase));
                let statistic = baseline_statistic(&profile.features, &input.features, &input.visible);
                statistics[*number].baseline[phase.index()] = Some(statistic);
                features.extend(input.features);
                visible.extend(input.visible);
            }
            let results = network.run(&features, &visible)?;
            for (number, error) in chunk.iter().zip(results.errors) {
                statistics[*number].error[phase.index()] = Some(error);
            }
        }
    }
    Ok(statistics)
}

/// Centre and spread of ln(error) per endpoint, from the exchanges that are not set aside for the tail.
fn learn_error_scales(
    profiles: &mut [EndpointProfile],
    located: &[Located<'_>],
    statistics: &[Statistics],
    phase: Phase,
    fitted_on: impl Fn(usize) -> bool,
) {
    let at = phase.index();
    let mut errors: Vec<(Vec<f32>, Vec<f32>)> = vec![Default::default(); profiles.len()];
    let mut fallback = errors.clone();
    for (number, (place, statistics)) in located.iter().zip(statistics).enumerate() {
        let into = if fitted_on(number) { &mut errors } else { &mut fallback };
        let logarithm = |error: f32| error.max(ErrorScale::ERROR_FLOOR).ln();
        into[place.endpoint].0.extend(statistics.error[at].map(logarithm));
        into[place.endpoint].1.extend(statistics.baseline[at].map(logarithm));
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
    ErrorScale { center: quantile(sorted, 0.5), scale: shrunk.max(ERROR_SCALE_MIN) }
}

/// The tail of residuals of normal exchanges, armed for a rate of false alarms.
fn error_tail(residuals: &[f32], rate: f64) -> ErrorTail {
    let mut sorted = residuals.to_vec();
    sorted.sort_by(f32::total_cmp);
    let Some(largest) = sorted.last().copied() else {
        return ErrorTail::default();
    };
    let peaks = ((sorted.len() as f64 * PEAK_SHARE) as usize).max(1);
    let peak = sorted.len().checked_sub(peaks + 1).map_or(largest, |place| sorted[place]);
    let excesses: Vec<f64> =
        sorted.iter().filter(|residual| **residual > peak).map(|residual| f64::from(residual - peak)).collect();
    let fitted = pareto::fit(&excesses);
    let count = sorted.len() as f64;
    let mut tail = ErrorTail {
        alarm: None,
        peak,
        peak_rate: ((excesses.len() as f64 + 0.5) / (count + 1.0)) as f32,
        shape: (fitted.shape as f32).max(SHAPE_MIN),
        scale: fitted.scale as f32,
        survival: (0..SURVIVAL_POINTS)
            .map(|point| {
                let level = point as f32 / SURVIVAL_POINTS as f32;
                (quantile(&sorted, level), 1.0 - level)
            })
            .collect(),
    };
    let by_tail = tail.quantile(rate as f32);
    // Where the budget cannot be checked against as few exchanges, no more of them may alarm than the whole budget accepts.
    let accepted = (count * rate * 3.0 / BUDGET_SHARE) as usize;
    let almost_largest = sorted.iter().rev().nth(accepted).copied().unwrap_or(largest);
    let alarm = if count * rate < 1.0 { by_tail.max(almost_largest) } else { by_tail };
    tail.alarm = Some(alarm);
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_alarm_keeps_the_budget_on_what_it_was_fitted_to() {
        let residuals: Vec<f32> = (1..=20_000).map(|number| -((number as f32) / 20_001.0).ln()).collect();
        let tail = error_tail(&residuals, 0.001);
        let over = residuals.iter().filter(|residual| tail.alarms(**residual)).count();
        // Twenty by the budget; fewer, since the tail is taken to be no lighter than SHAPE_MIN.
        assert!((4..=20).contains(&over), "{over}");
        let few = error_tail(&residuals[..50], 0.001);
        assert!(residuals[..50].iter().all(|residual| !few.alarms(*residual)));
        assert!(error_tail(&[], 0.001).alarm.is_none());
    }

    #[test]
    fn quantiles_interpolate() {
        assert_eq!(quantile(&[1.0, 2.0, 3.0], 0.5), 2.0);
        assert_eq!(quantile(&[1.0, 2.0], 0.25), 1.25);
        assert_eq!(quantile(&[], 0.5), 0.0);
    }
}
