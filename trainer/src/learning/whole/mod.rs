//! The exchange as a whole: standardised features, the autoencoder, and how rare its errors and its baseline's are.

mod scales;
pub(crate) mod tails;

use std::ops::ControlFlow;

use apiward_detector::calibration::Calibration;
use apiward_detector::detector::NetworkInput;
use apiward_detector::exchange::Phase;
use apiward_detector::profile::{EndpointProfile, baseline_statistic, feature_count, visible_in};
use apiward_detector::route::RouteTable;
use serde::Serialize;

use crate::evaluation::Proportion;
use crate::fit::{FeatureMatrix, FitOptions, FittedAutoencoder, OrtNetwork, PhaseMasks, Schedule, fit_autoencoder};

use super::continuity::Continuity;
use super::routes::Located;
use super::rules::content_hash;
use super::{LearningError, LearningSettings, Progress, step};
use scales::{learn_error_scales, learn_scales};

/// Stretches of time of equally many exchanges. Each is divided alike, so that what came with a release is fitted and
/// calibrated as all the rest; stretches and not draws, since neighbouring exchanges of a caller are alike.
const PERIODS: usize = 10;
/// Shares of the exchanges of a period, in order of time: the network is fitted on the first and stopped by the second; its
/// errors are calibrated on all that it was not fitted on.
const FITTED_SHARE: f64 = 0.7;
const STOPPING_SHARE: f64 = 0.1;
/// Share of the false-alarm budget, over all phases. Small: who alarms once is a session that alarmed, and what is meant to be found
/// here is far out.
const BUDGET_SHARE: f64 = 0.1;
/// Rows evaluated at once.
const EVALUATION_ROWS: usize = 256;

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
    /// Exchanges that it was calibrated on.
    pub exchanges: usize,
    /// Of them, over the threshold in some phase.
    pub alarms: usize,
    pub epochs: usize,
    pub chosen_epoch: u32,
    pub later_loss: f64,
}

impl WholeFigures {
    pub fn false_alarms(&self) -> Proportion {
        Proportion::of(self.alarms as u64, self.exchanges as u64)
    }
}

/// What was computed of one record in one phase.
#[derive(Debug, Clone)]
struct Evaluated {
    input: NetworkInput,
    error: f32,
    /// The baseline's statistic.
    baseline: f32,
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
    continuity: &Continuity<'_>,
    calibration: &mut Calibration,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<Whole, LearningError> {
    let parts = parts(located);
    learn_scales(routes, profiles, located, &parts);
    let fitted = fit(profiles, located, &parts, settings, progress)?;
    step(progress, Progress::Calibration)?;

    let mut network = fitted.open(EVALUATION_ROWS)?;
    let mut errors = vec![[None; 3]; located.len()];
    let mut alarmed = vec![false; located.len()];
    let budget = settings.false_alarm_budget * BUDGET_SHARE;
    for phase in Phase::ALL {
        let at = phase.index();
        let own = evaluate(&mut network, located, profiles, phase)?;
        let also = evaluate(&mut network, calibration_only, profiles, phase)?;
        learn_error_scales(profiles, located, &own, &parts, phase);

        let held_out = || {
            let own = located.iter().zip(&own).zip(&parts).filter(|(_, part)| **part != Part::Fitting);
            let everything = own.map(|(pair, _)| pair).chain(calibration_only.iter().zip(&also));
            everything.filter_map(|(place, evaluated)| Some((&profiles[place.endpoint], evaluated.as_ref()?)))
        };
        let residual = |profile: &EndpointProfile, one: &Evaluated| profile.errors[at].residual(one.error);
        let residuals: Vec<f32> = held_out().filter_map(|(profile, one)| residual(profile, one)).collect();
        let inputs = own.iter().chain(&also).flatten().map(|one| &one.input);
        let mut tails = tails::comparable(inputs, &residuals);
        let surprise = |profile: &EndpointProfile, one: &Evaluated| {
            let (features, visible) = (&one.input.features, &one.input.visible);
            tails.surprise_of(residual(profile, one), &profile.errors[at], &profile.features, features, visible).nats
        };
        let surprises: Vec<f32> = held_out().map(|(profile, one)| surprise(profile, one)).collect();
        let mut armed = tails::armed(&surprises, tails::SURPRISE_SHAPES, budget / 3.0, budget);
        // A single statistic that is not rarer than the budget by its own tail is no alarm, however few exchanges showed one.
        let floor = -((budget / 3.0) as f32).ln();
        armed.alarm = armed.alarm.map(|alarm| alarm.max(floor));
        armed.alarm = armed.alarm.map(|alarm| continuity.hold(alarm, |parent| parent.whole[at].surprise.alarm));
        for (number, (place, one)) in located.iter().zip(&own).enumerate() {
            if let Some(one) = one {
                let alarms = armed.alarms(surprise(&profiles[place.endpoint], one));
                alarmed[number] |= alarms && parts[number] != Part::Fitting;
                errors[number][at] = Some(one.error);
            }
        }
        tails.surprise = armed;
        calibration.whole[at] = tails;

        let baseline =
            |(profile, one): (&EndpointProfile, &Evaluated)| profile.baseline_errors[at].residual(one.baseline);
        let baseline: Vec<f32> = held_out().filter_map(baseline).collect();
        calibration.baseline[at] = tails::armed(&baseline, tails::RESIDUAL_SHAPES, budget / 3.0, budget);
    }
    let last = fitted.history.iter().find(|epoch| epoch.number == fitted.chosen_epoch);
    let figures = WholeFigures {
        exchanges: parts.iter().filter(|part| **part != Part::Fitting).count(),
        alarms: alarmed.iter().filter(|alarmed| **alarmed).count(),
        epochs: fitted.history.len(),
        chosen_epoch: fitted.chosen_epoch,
        later_loss: last.map_or(f64::NAN, |epoch| epoch.held_out_loss),
    };
    Ok(Whole { fitted, errors, figures })
}

fn fit(
    profiles: &[EndpointProfile],
    located: &[Located<'_>],
    parts: &[Part],
    settings: &LearningSettings,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<FittedAutoencoder, LearningError> {
    let rows = |part| located.iter().zip(parts).filter(move |(_, of)| **of == part).map(|(place, _)| place);
    let training = matrix(rows(Part::Fitting), profiles)?;
    let later = matrix(rows(Part::Stopping), profiles)?;
    let masks = Phase::ALL.iter().map(|phase| visible_in(*phase).map(|on| f32::from(u8::from(on))).collect()).collect();
    let phases = PhaseMasks::new(masks).map_err(crate::fit::FitError::from)?;
    let options =
        FitOptions { schedule: Schedule { seed: settings.seed, ..Schedule::default() }, ..FitOptions::default() };
    fit_autoencoder(&training, &later, &phases, &options, &mut |epoch| {
        progress(Progress::Network {
            epoch: epoch.number,
            epochs_max: options.schedule.epochs_max,
            later_loss: epoch.held_out_loss,
        })
    })
    .map_err(|error| match error {
        crate::fit::FitError::Cancelled { .. } => LearningError::Cancelled,
        other => LearningError::Fit(other),
    })
}

/// By time within each period; without times by content, so that identical exchanges are on the same side.
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
            let share = if timed {
                (number as f64 / count * PERIODS as f64).fract()
            } else {
                (content_hash(place) % 1000) as f64 / 1000.0
            };
            of_share(share)
        })
        .collect()
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

/// Computes one phase of all records that reached it.
fn evaluate(
    network: &mut OrtNetwork,
    located: &[Located<'_>],
    profiles: &[EndpointProfile],
    phase: Phase,
) -> Result<Vec<Option<Evaluated>>, LearningError> {
    let mut evaluated = vec![None; located.len()];
    let reached: Vec<usize> =
        (0..located.len()).filter(|number| located[*number].record.observation.phase >= phase).collect();
    for chunk in reached.chunks(EVALUATION_ROWS) {
        let mut features = Vec::with_capacity(chunk.len() * feature_count());
        let mut visible = Vec::with_capacity(chunk.len() * feature_count());
        let mut inputs = Vec::with_capacity(chunk.len());
        for number in chunk {
            let place = &located[*number];
            let profile = &profiles[place.endpoint];
            let input = NetworkInput::of(profile, &place.record.observation.at(phase));
            features.extend_from_slice(&input.features);
            visible.extend_from_slice(&input.visible);
            inputs.push(input);
        }
        let results = network.run(&features, &visible)?;
        for ((number, error), input) in chunk.iter().zip(results.errors).zip(inputs) {
            let profile = &profiles[located[*number].endpoint];
            let baseline = baseline_statistic(&profile.features, &input.features, &input.visible);
            evaluated[*number] = Some(Evaluated { input, error, baseline });
        }
    }
    Ok(evaluated)
}
