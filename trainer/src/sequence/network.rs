//! The network that sees the whole window, and whether it says more than the counts.

use std::ops::ControlFlow;

use apiward_detector::sequence::{
    NETWORK_SYMBOLS_MAX, Place, SequenceDetector, SequenceFeatures, SequenceModel, SequenceNetwork,
};
use apiward_models::classifier::{FEATURES, TARGET, WEIGHT};
use apiward_models::{Adam, Classifier, GraphError, NamedTensor, TrainingStep};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;

use crate::fit::{Epoch, HeldOut, HeldOutChunk, ModelInput, Schedule, ShuffledRows, Task, train};

use super::SequenceError;
use super::sessions::{Session, replay};

/// Units of the hidden layer.
const HIDDEN: usize = 96;
/// Calls that are trained on, and that decide when to stop.
const TRAINING_ROWS_MAX: usize = 400_000;
const STOPPING_ROWS_MAX: usize = 20_000;
/// Calls that choose the share, and sessions that decide whether the network ships.
const SHARE_ROWS_MAX: usize = 20_000;
const DECIDING_SESSIONS_MAX: usize = 1_500;
/// Held-out rows that are evaluated at once.
const EVALUATION_ROWS: usize = 256;
/// Shares of the network in the mixture that are tried.
const SHARES: [f32; 9] = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
/// Nats per call that the network must gain, at the lower end of the confidence interval.
const GAIN_MIN: f64 = 0.01;
const RESAMPLES: usize = 2_000;
/// Share of resamples below the lower end: 2.5 %.
const LOWER_END: f64 = 0.025;
/// Largest difference between the trainer's and the filter's engine, absolute and relative.
const DISAGREEMENT_MAX: f64 = 1e-4;
/// Least probability that the mixture gives in comparing.
const PROBABILITY_MIN: f64 = 1e-9;

/// What became of the network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct NetworkReport {
    pub features: usize,
    pub classes: usize,
    pub epochs: u32,
    /// Its share in the mixture.
    pub share: f32,
    /// Nats per call that the mixture gains over the counts, and the lower end of the confidence interval.
    pub gain: f64,
    pub gain_at_least: f64,
    pub ships: bool,
}

/// A call as the network sees it.
struct Row {
    features: Vec<(u16, f32)>,
    class: u16,
    weight: f32,
}

/// Trains on `fit`, stops and mixes by one half of `tune`, and decides by the other. `model` has the counts of `fit`.
pub(super) fn learn(
    model: &SequenceModel,
    fit: &[&Session],
    tune: &[&Session],
    seed: u64,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<(Option<SequenceNetwork>, NetworkReport), SequenceError> {
    let symbols = most_called(model, fit);
    let features = SequenceFeatures::new(&symbols, &model.symbols);
    let (choosing, deciding) = tune.split_at(tune.len() / 2);
    let training = rows(&features, fit, TRAINING_ROWS_MAX);
    let stopping = rows(&features, choosing, STOPPING_ROWS_MAX);
    let mut report =
        NetworkReport { features: features.count(), classes: features.classes(), ..NetworkReport::default() };
    if training.is_empty() || stopping.is_empty() || deciding.is_empty() {
        return Ok((None, report));
    }
    let layout = Classifier::new(features.count(), vec![HIDDEN], features.classes())?;
    let schedule = Schedule {
        seed,
        batch_rows_max: 256,
        learning_rate: 2e-3,
        epochs_max: 30,
        steps_max: 8_000,
        patience_epochs: 4,
    };
    let mut task = SequenceTask {
        layout: &layout,
        order: ShuffledRows::new(training.len(), seed),
        training: &training,
        stopping: &stopping,
    };
    let trained = train(&mut task, &schedule, progress)?;
    report.epochs = trained.chosen_epoch;
    let onnx = layout.logits_onnx(&trained.parameters, 1, 1.0)?;
    let mut network = SequenceNetwork { symbols, share: 0.5, onnx };
    let counts = SequenceDetector::load(model.clone())?;
    let mixture = SequenceDetector::load(SequenceModel { network: Some(network.clone()), ..model.clone() })?;

    let by_trainer = trained.history.iter().find(|epoch| epoch.number == trained.chosen_epoch);
    require_agreement(by_trainer.map_or(f64::NAN, |epoch| epoch.held_out_loss), &mixture, &features, choosing)?;

    let of_choosing = mixed_calls(&counts, &mixture, &features, choosing, SHARE_ROWS_MAX);
    let nats = |share: f32| of_choosing.iter().flatten().map(|call| call.nats(share)).sum::<f64>();
    network.share = SHARES.into_iter().min_by(|one, other| nats(*one).total_cmp(&nats(*other))).unwrap_or(0.5);
    report.share = network.share;
    let deciding = &deciding[..deciding.len().min(DECIDING_SESSIONS_MAX)];
    let of_deciding = mixed_calls(&counts, &mixture, &features, deciding, usize::MAX);
    let gains: Vec<(f64, f64)> = of_deciding
        .iter()
        .map(|calls| {
            let gain = |call: &MixedCall| call.nats(0.0) - call.nats(network.share);
            (calls.iter().map(gain).sum(), calls.len() as f64)
        })
        .collect();
    (report.gain, report.gain_at_least) = gain(&gains, seed);
    report.ships = report.gain_at_least > GAIN_MIN;
    Ok((report.ships.then_some(network), report))
}

/// The symbols that are called most, ascending.
fn most_called(model: &SequenceModel, sessions: &[&Session]) -> Vec<u32> {
    let mut calls = vec![0.0; model.symbols.len()];
    for session in sessions {
        for call in &session.calls {
            if let Ok(symbol) = model.symbols.binary_search(&call.endpoint) {
                calls[symbol] += session.weight;
            }
        }
    }
    let mut symbols: Vec<u32> = (0..model.symbols.len() as u32).collect();
    symbols.sort_by(|one, other| calls[*other as usize].total_cmp(&calls[*one as usize]).then(one.cmp(other)));
    symbols.truncate(NETWORK_SYMBOLS_MAX);
    symbols.sort_unstable();
    symbols
}

fn rows(features: &SequenceFeatures, sessions: &[&Session], rows_max: usize) -> Vec<Row> {
    let mut rows = Vec::new();
    for session in sessions {
        if rows.len() >= rows_max {
            break;
        }
        replay(&session.calls, &mut |window, next| {
            rows.push(Row {
                features: features.of(window).into_iter().map(|(place, value)| (place as u16, value)).collect(),
                class: features.class(next.endpoint) as u16,
                weight: session.weight,
            });
        });
    }
    let mean = rows.iter().map(|row| row.weight).sum::<f32>() / rows.len().max(1) as f32;
    rows.iter_mut().for_each(|row| row.weight /= mean);
    rows
}

/// The filter's engine must come to the trainer's loss on the rows that decided when to stop.
fn require_agreement(
    by_trainer: f64,
    mixture: &SequenceDetector,
    features: &SequenceFeatures,
    choosing: &[&Session],
) -> Result<(), SequenceError> {
    let (mut loss, mut weights, mut rows) = (0.0, 0.0, 0);
    for session in choosing {
        if rows >= STOPPING_ROWS_MAX {
            break;
        }
        replay(&session.calls, &mut |window, next| {
            rows += 1;
            let weight = f64::from(session.weight);
            let classes = mixture.network_probabilities(window).unwrap_or_default();
            let probability = classes.get(features.class(next.endpoint)).copied().unwrap_or(0.0);
            loss -= weight * f64::from(probability.max(f32::MIN_POSITIVE)).ln();
            weights += weight;
        });
    }
    let by_filter = loss / weights;
    let agrees = (by_filter - by_trainer).abs() <= DISAGREEMENT_MAX * (1.0 + by_trainer.abs());
    agrees.then_some(()).ok_or(SequenceError::Disagreement { by_trainer, by_filter })
}

/// What counts and network give to a call.
struct MixedCall {
    counted: f64,
    /// As if the network alone decided.
    by_network: f64,
}

impl MixedCall {
    fn nats(&self, share: f32) -> f64 {
        let share = f64::from(share);
        -(self.counted * (1.0 - share) + self.by_network * share).max(PROBABILITY_MIN).ln()
    }
}

/// The known calls of each session.
fn mixed_calls(
    counts: &SequenceDetector,
    mixture: &SequenceDetector,
    features: &SequenceFeatures,
    sessions: &[&Session],
    calls_max: usize,
) -> Vec<Vec<MixedCall>> {
    let mut calls_so_far = 0;
    let mut all = Vec::new();
    for session in sessions {
        if calls_so_far >= calls_max {
            break;
        }
        let mut calls = Vec::new();
        replay(&session.calls, &mut |window, next| {
            let Place::Symbol(symbol) = counts.place(next.endpoint) else { return };
            let counted = counts.predict(window);
            let Some(classes) = mixture.network_probabilities(window) else { return };
            let known = f64::from(counted.probabilities().iter().sum::<f32>());
            let own = f64::from(counted.probabilities()[symbol]) / known;
            let class = features.class(next.endpoint);
            let of_class = f64::from(classes[class]);
            let by_network = if class + 1 < features.classes() {
                of_class
            } else {
                let of_others = counts.model().symbols.iter().zip(counted.probabilities());
                let others = of_others.filter(|(endpoint, _)| features.class(**endpoint) == class);
                let others = f64::from(others.map(|(_, probability)| *probability).sum::<f32>()) / known;
                of_class * own / others.max(PROBABILITY_MIN)
            };
            calls.push(MixedCall { counted: own, by_network });
        });
        calls_so_far += calls.len();
        all.push(calls);
    }
    all
}

/// Mean gain per call, and the lower end of its interval by a bootstrap over sessions (Efron, Annals of Statistics 1979).
fn gain(sessions: &[(f64, f64)], seed: u64) -> (f64, f64) {
    let mean = |sums: (f64, f64)| sums.0 / sums.1.max(1.0);
    let add = |one: (f64, f64), other: &(f64, f64)| (one.0 + other.0, one.1 + other.1);
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut resample = || {
        let drawn = (0..sessions.len()).map(|_| &sessions[generator.random_range(0..sessions.len())]);
        mean(drawn.fold((0.0, 0.0), add))
    };
    let mut means: Vec<f64> = (0..RESAMPLES).map(|_| resample()).collect();
    means.sort_by(f64::total_cmp);
    (mean(sessions.iter().fold((0.0, 0.0), add)), means[(RESAMPLES as f64 * LOWER_END) as usize])
}

struct SequenceTask<'a> {
    layout: &'a Classifier,
    order: ShuffledRows,
    training: &'a [Row],
    stopping: &'a [Row],
}

impl SequenceTask<'_> {
    fn inputs<'r>(&self, rows: impl Iterator<Item = &'r Row>, count: usize) -> Vec<ModelInput> {
        let (width, classes) = (self.layout.features(), self.layout.classes());
        let mut features = vec![0.0; count * width];
        let mut target = vec![0.0; count * classes];
        for ((row, place), target) in rows.zip(features.chunks_mut(width)).zip(target.chunks_mut(classes)) {
            row.features.iter().for_each(|(feature, value)| place[usize::from(*feature)] += value);
            target[usize::from(row.class)] = 1.0;
        }
        vec![ModelInput::new(FEATURES, &[count, width], features), ModelInput::new(TARGET, &[count, classes], target)]
    }
}

impl Task for SequenceTask<'_> {
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        self.layout.initial_parameters(seed)
    }

    fn training_step(&self, batch_rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        self.layout.training_step(batch_rows, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        self.layout.loss_onnx(rows)
    }

    fn training_rows(&self) -> usize {
        self.training.len()
    }

    fn next_batch(&mut self, batch_rows: usize) -> Vec<ModelInput> {
        let batch = self.order.next_batch(batch_rows).to_vec();
        let mut inputs = self.inputs(batch.iter().map(|row| &self.training[*row]), batch_rows);
        let weights = batch.iter().map(|row| self.training[*row].weight).collect();
        inputs.push(ModelInput::new(WEIGHT, &[batch_rows], weights));
        inputs
    }

    fn held_out(&self) -> HeldOut {
        let chunk_rows = self.stopping.len().min(EVALUATION_ROWS);
        let chunk = |rows: &[Row]| HeldOutChunk {
            inputs: self.inputs(rows.iter(), chunk_rows),
            weights: rows.iter().map(|row| row.weight).collect(),
        };
        HeldOut { chunk_rows, chunks: self.stopping.chunks(chunk_rows).map(chunk).collect() }
    }
}
