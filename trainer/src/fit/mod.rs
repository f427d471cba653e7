//! Training of networks: the training step of `apiward-models`, run in ONNX Runtime until held-out traffic of a
//! later time stops gaining from it.
//!
//! Everything runs on one thread with explicit seeds: the same rows, options and machine give the same network bytes.

mod batches;
mod data;
mod evaluation;
mod network;
pub mod runtime;
mod step;
#[cfg(test)]
mod tests;

use std::ops::ControlFlow;

use apiward_models::{Autoencoder, GraphError, NamedTensor};
use thiserror::Error;

pub use batches::Noise;
pub use data::{DataError, FeatureMatrix, PhaseMasks};
pub use network::{OrtNetwork, Reconstructions};

use batches::Batches;
use evaluation::Evaluation;
use runtime::RuntimeError;
use step::TrainingLoop;

/// Fewest steps of an epoch: with few rows, it goes over them more than once.
const EPOCH_STEPS_MIN: usize = 64;
/// With few rows, batches shrink until this many make up a pass over them, or to [`BATCH_ROWS_MIN`].
const PASS_STEPS_TARGET: usize = 64;
/// Fewest rows of a batch, unless there are fewer rows.
const BATCH_ROWS_MIN: usize = 32;
/// An epoch must lower the later loss by this share of it to count as better.
const IMPROVEMENT_MIN: f64 = 1e-3;
/// The learning rate is multiplied by this when half of the patience has passed without improvement.
const LEARNING_RATE_DECAY: f32 = 0.3;
/// Share of the learning rate at the start below which nothing is gained any more.
const LEARNING_RATE_SHARE_MIN: f32 = 0.02;

/// How a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// Seed of the initial parameters, the order of rows and the noise.
    pub seed: u64,
    /// Widths of the hidden layers; chosen by the number of features when `None`.
    pub hidden: Option<Vec<usize>>,
    /// Most rows of a batch; fewer are taken when there are few rows.
    pub batch_rows_max: usize,
    /// Adam's learning rate at the start.
    pub learning_rate: f32,
    /// Error, in standard deviations, from which on a feature's loss grows linearly instead of squared.
    pub huber_delta: f32,
    /// Noise on the inputs in training.
    pub noise: Noise,
    /// Most epochs.
    pub epochs_max: u32,
    /// Most steps, over all epochs.
    pub steps_max: u32,
    /// Epochs without improvement on the later rows after which training stops.
    pub patience_epochs: u32,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            seed: 0,
            hidden: None,
            batch_rows_max: 256,
            learning_rate: 2e-3,
            huber_delta: 3.0,
            noise: Noise { deviation: 0.1, swapped: 0.1 },
            epochs_max: 100,
            steps_max: 6_000,
            patience_epochs: 8,
        }
    }
}

/// One epoch's outcome.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Epoch {
    /// Counts from 1.
    pub number: u32,
    /// Steps taken since the start of training.
    pub steps: u32,
    /// Learning rate of this epoch.
    pub learning_rate: f32,
    /// Mean loss of the epoch's batches, with noise.
    pub training_loss: f64,
    /// Mean loss of the later rows over all phases, without noise.
    pub later_loss: f64,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The later rows no longer gained from it.
    Converged,
    /// The most epochs were reached.
    EpochsMax,
    /// The most steps were reached.
    StepsMax,
}

/// A trained autoencoder.
#[derive(Debug, Clone)]
pub struct FittedAutoencoder {
    /// The network's layout.
    pub network: Autoencoder,
    /// The parameters of the chosen epoch.
    pub parameters: Vec<NamedTensor>,
    /// The inference model for one row.
    pub onnx: Vec<u8>,
    /// All epochs in order.
    pub history: Vec<Epoch>,
    /// Number of the epoch with the lowest loss on the later rows, which the parameters are from.
    pub chosen_epoch: u32,
    /// Why training ended.
    pub stop_reason: StopReason,
}

impl FittedAutoencoder {
    /// The network in ONNX Runtime, for evaluating `batch_rows` rows at once.
    pub fn open(&self, batch_rows: usize) -> Result<OrtNetwork, FitError> {
        OrtNetwork::open(&self.network.inference_onnx(&self.parameters, batch_rows)?)
    }
}

/// Why there is no trained network.
#[derive(Debug, Error)]
pub enum FitError {
    /// The data cannot be trained on.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An option is out of its range.
    #[error("option {name} is {value}, it must be {range}")]
    Option { name: &'static str, value: String, range: &'static str },
    /// The network could not be built.
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// ONNX Runtime is not available.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// ONNX Runtime refused or failed to run a model.
    #[error("onnx runtime failed: {0}")]
    Ort(#[from] ort::Error),
    /// A model lacks an output, or the output has the wrong size.
    #[error("the model's output {name:?} is missing or has the wrong size")]
    Output { name: &'static str },
    /// A model is not one that `apiward-models` wrote.
    #[error("the model has no input \"features\" with two static dimensions; it is not an autoencoder")]
    NotAnAutoencoder,
    /// Rows to evaluate have the wrong size.
    #[error("{values} feature values and {visible} mask values do not make up rows of {features} features")]
    RowShape { features: usize, values: usize, visible: usize },
    /// The loss is no longer a finite number.
    #[error("training diverged in epoch {epoch}; lower the learning rate or clip the features")]
    Diverged { epoch: u32 },
    /// The progress callback asked to stop.
    #[error("training was cancelled in epoch {epoch}")]
    Cancelled { epoch: u32 },
}

/// Trains an autoencoder on `training` and keeps the parameters that suit `later` best, rows of a later time.
///
/// In every batch, each row is seen as one of the `phases`, drawn at random; `later` is evaluated in all of them.
/// `progress` is called after every epoch and cancels training by returning [`ControlFlow::Break`].
pub fn fit_autoencoder(
    training: &FeatureMatrix,
    later: &FeatureMatrix,
    phases: &PhaseMasks,
    options: &FitOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<FittedAutoencoder, FitError> {
    options.require_valid()?;
    require_features("the later slice", later.features(), training.features())?;
    require_features("the phase masks", phases.features(), training.features())?;
    let network = match &options.hidden {
        Some(hidden) => Autoencoder::with_hidden(training.features(), hidden.clone())?,
        None => Autoencoder::for_features(training.features())?,
    };
    let environment = runtime::load(None)?;
    let initial = network.initial_parameters(options.seed)?;
    let batch_rows = options.batch_rows(training.rows());
    let mut batches = Batches::new(training, phases, options.noise, batch_rows, options.seed);
    let mut steps = TrainingLoop::new(environment, &network, &initial, batch_rows, options.huber_delta)?;
    let mut evaluation = Evaluation::new(environment, &network, later, phases, options.huber_delta)?;
    let epoch_steps = (training.rows() / batch_rows).max(EPOCH_STEPS_MIN);

    let mut history = Vec::new();
    let mut stopping = EarlyStopping::new(options, initial);
    loop {
        let number = history.len() as u32 + 1;
        let learning_rate = stopping.learning_rate;
        let remaining_steps = (options.steps_max - steps.steps()) as usize;
        let epoch_steps = epoch_steps.min(remaining_steps);
        let mut loss_sum = 0.0;
        for _ in 0..epoch_steps {
            loss_sum += f64::from(steps.step(batches.next_batch(), learning_rate)?);
        }
        let epoch = Epoch {
            number,
            steps: steps.steps(),
            learning_rate,
            training_loss: loss_sum / epoch_steps as f64,
            later_loss: evaluation.loss(steps.bound_parameters())?,
        };
        if !epoch.training_loss.is_finite() || !epoch.later_loss.is_finite() {
            return Err(FitError::Diverged { epoch: number });
        }
        history.push(epoch);
        if progress(&epoch).is_break() {
            return Err(FitError::Cancelled { epoch: number });
        }
        if let Some(stop_reason) = stopping.observe(&epoch, || steps.parameters()) {
            let parameters = stopping.parameters;
            let onnx = network.inference_onnx(&parameters, 1)?;
            let chosen_epoch = stopping.chosen_epoch;
            return Ok(FittedAutoencoder { network, parameters, onnx, history, chosen_epoch, stop_reason });
        }
    }
}

impl FitOptions {
    fn require_valid(&self) -> Result<(), FitError> {
        let positive = |name, value: f32| require_option(name, value, value.is_finite() && value > 0.0, "above 0");
        positive("learning_rate", self.learning_rate)?;
        positive("huber_delta", self.huber_delta)?;
        let deviation = self.noise.deviation;
        require_option("noise.deviation", deviation, deviation.is_finite() && deviation >= 0.0, "0 or more")?;
        let swapped = self.noise.swapped;
        require_option("noise.swapped", swapped, (0.0..1.0).contains(&swapped), "at least 0 and below 1")?;
        require_option("batch_rows_max", self.batch_rows_max, self.batch_rows_max > 0, "above 0")?;
        require_option("epochs_max", self.epochs_max, self.epochs_max > 0, "above 0")?;
        require_option("steps_max", self.steps_max, self.steps_max > 0, "above 0")?;
        require_option("patience_epochs", self.patience_epochs, self.patience_epochs > 0, "above 0")
    }

    fn batch_rows(&self, rows: usize) -> usize {
        (rows / PASS_STEPS_TARGET).max(BATCH_ROWS_MIN).min(self.batch_rows_max).min(rows)
    }
}

/// Keeps the best parameters and decides on the learning rate and the end.
struct EarlyStopping<'a> {
    options: &'a FitOptions,
    learning_rate: f32,
    best_loss: f64,
    chosen_epoch: u32,
    parameters: Vec<NamedTensor>,
    epochs_without_improvement: u32,
}

impl<'a> EarlyStopping<'a> {
    fn new(options: &'a FitOptions, initial: Vec<NamedTensor>) -> Self {
        Self {
            options,
            learning_rate: options.learning_rate,
            best_loss: f64::INFINITY,
            chosen_epoch: 0,
            parameters: initial,
            epochs_without_improvement: 0,
        }
    }

    fn observe(&mut self, epoch: &Epoch, parameters: impl FnOnce() -> Vec<NamedTensor>) -> Option<StopReason> {
        let needed = self.best_loss * (1.0 - IMPROVEMENT_MIN);
        self.epochs_without_improvement =
            if epoch.later_loss < needed { 0 } else { self.epochs_without_improvement + 1 };
        if epoch.later_loss < self.best_loss {
            self.best_loss = epoch.later_loss;
            self.chosen_epoch = epoch.number;
            self.parameters = parameters();
        }
        if self.epochs_without_improvement == self.options.patience_epochs.div_ceil(2) {
            self.learning_rate *= LEARNING_RATE_DECAY;
        }
        let exhausted = self.learning_rate < LEARNING_RATE_SHARE_MIN * self.options.learning_rate;
        if exhausted || self.epochs_without_improvement >= self.options.patience_epochs {
            return Some(StopReason::Converged);
        }
        if epoch.steps >= self.options.steps_max {
            return Some(StopReason::StepsMax);
        }
        (epoch.number >= self.options.epochs_max).then_some(StopReason::EpochsMax)
    }
}

fn require_features(what: &'static str, actual: usize, expected: usize) -> Result<(), DataError> {
    if actual == expected {
        return Ok(());
    }
    Err(DataError::FeatureCount { what, actual, expected })
}

fn require_option(name: &'static str, value: impl ToString, valid: bool, range: &'static str) -> Result<(), FitError> {
    if valid {
        return Ok(());
    }
    Err(FitError::Option { name, value: value.to_string(), range })
}
