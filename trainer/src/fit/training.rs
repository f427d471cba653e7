//! The training loop of any network: steps until held-out rows stop gaining from them.

use std::ops::ControlFlow;

use apiward_models::{Adam, GraphError, NamedTensor, TrainingStep};

use super::{FitError, evaluation::Evaluation, require_option, runtime, step::TrainingLoop};

/// Fewest steps of an epoch: with few rows, it goes over them more than once.
const EPOCH_STEPS_MIN: usize = 64;
/// With few rows, batches shrink until this many make up a pass over them, or to [`BATCH_ROWS_MIN`].
const PASS_STEPS_TARGET: usize = 64;
/// Fewest rows of a batch, unless there are fewer rows.
const BATCH_ROWS_MIN: usize = 32;
/// An epoch must lower the held-out loss by this share of it to count as better.
const IMPROVEMENT_MIN: f64 = 1e-3;
/// The learning rate is multiplied by this when half of the patience has passed without improvement.
const LEARNING_RATE_DECAY: f32 = 0.3;
/// Share of the learning rate at the start below which nothing is gained any more.
const LEARNING_RATE_SHARE_MIN: f32 = 0.02;

/// A network, the rows it is fitted to, and the held-out rows that decide when to stop.
pub trait Task {
    /// The parameters before training.
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError>;

    /// The training step for batches of `batch_rows`.
    fn training_step(&self, batch_rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError>;

    /// The model that gives the loss of each of `rows` held-out rows, `ROW_LOSS`, from parameters that are its inputs.
    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError>;

    /// Number of rows to fit to, above 0.
    fn training_rows(&self) -> usize;

    /// What the training step takes beside states and optimiser: the next batch of `batch_rows`, which stay the same over
    /// a training.
    fn next_batch(&mut self, batch_rows: usize) -> Vec<ModelInput>;

    /// The held-out rows, in chunks that are all filled up to the same number of rows.
    fn held_out(&self) -> HeldOut;
}

/// A value for an input of a model, in row-major order.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelInput {
    pub name: &'static str,
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl ModelInput {
    /// `values` has as many values as the shape says.
    pub fn new(name: &'static str, shape: &[usize], values: Vec<f32>) -> Self {
        Self { name, shape: shape.to_vec(), values }
    }
}

/// Held-out rows as the loss model takes them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOut {
    /// Rows that the loss model takes at once.
    pub chunk_rows: usize,
    pub chunks: Vec<HeldOutChunk>,
}

/// A part of the held-out rows.
#[derive(Debug, Clone, PartialEq)]
pub struct HeldOutChunk {
    /// All inputs of the loss model but the parameters.
    pub inputs: Vec<ModelInput>,
    /// Weights of the rows; fewer than the chunk has where it is filled up.
    pub weights: Vec<f32>,
}

/// How long and how fast a network is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Seed of the initial parameters, the order of rows and the noise.
    pub seed: u64,
    /// Most rows of a batch; fewer are taken when there are few rows.
    pub batch_rows_max: usize,
    /// Adam's learning rate at the start.
    pub learning_rate: f32,
    /// Most epochs.
    pub epochs_max: u32,
    /// Most steps, over all epochs.
    pub steps_max: u32,
    /// Epochs without improvement on the held-out rows after which training stops.
    pub patience_epochs: u32,
}

impl Default for Schedule {
    fn default() -> Self {
        Self {
            seed: 0,
            batch_rows_max: 256,
            learning_rate: 2e-3,
            epochs_max: 100,
            steps_max: 6_000,
            patience_epochs: 8,
        }
    }
}

impl Schedule {
    /// Rows of each batch when there are `rows` to fit to.
    pub fn batch_rows(&self, rows: usize) -> usize {
        (rows / PASS_STEPS_TARGET).max(BATCH_ROWS_MIN).min(self.batch_rows_max).min(rows)
    }

    pub(super) fn require_valid(&self) -> Result<(), FitError> {
        let rate = self.learning_rate;
        require_option("learning_rate", rate, rate.is_finite() && rate > 0.0, "above 0")?;
        require_option("batch_rows_max", self.batch_rows_max, self.batch_rows_max > 0, "above 0")?;
        require_option("epochs_max", self.epochs_max, self.epochs_max > 0, "above 0")?;
        require_option("steps_max", self.steps_max, self.steps_max > 0, "above 0")?;
        require_option("patience_epochs", self.patience_epochs, self.patience_epochs > 0, "above 0")
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
    /// Mean loss of the held-out rows, without noise.
    pub held_out_loss: f64,
}

/// Why training ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The held-out rows no longer gained from it.
    Converged,
    /// The most epochs were reached.
    EpochsMax,
    /// The most steps were reached.
    StepsMax,
}

/// What training came to.
#[derive(Debug, Clone)]
pub struct Trained {
    /// The parameters of the chosen epoch.
    pub parameters: Vec<NamedTensor>,
    /// All epochs in order.
    pub history: Vec<Epoch>,
    /// Number of the epoch with the lowest loss on the held-out rows, which the parameters are from.
    pub chosen_epoch: u32,
    /// Why training ended.
    pub stop_reason: StopReason,
}

/// Trains the network of `task` and keeps the parameters that suit its held-out rows best. `progress` is called after
/// every epoch and cancels training by returning [`ControlFlow::Break`].
pub fn train(
    task: &mut dyn Task,
    schedule: &Schedule,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, FitError> {
    let mut run = Run::start(task, schedule)?;
    let mut history = Vec::new();
    let mut stopping = EarlyStopping::new(schedule, run.steps.parameters());
    loop {
        let number = history.len() as u32 + 1;
        let epoch = run.epoch(task, number, stopping.learning_rate, progress)?;
        history.push(epoch);
        if let Some(stop_reason) = stopping.observe(&epoch, || run.steps.parameters()) {
            let EarlyStopping { parameters, chosen_epoch, .. } = stopping;
            return Ok(Trained { parameters, history, chosen_epoch, stop_reason });
        }
    }
}

/// Trains as an earlier training of the same schedule went, epoch by epoch with its learning rates, for instance on all
/// rows once the held-out ones have said how long it takes. The parameters are those of the last epoch.
pub fn repeat(
    task: &mut dyn Task,
    schedule: &Schedule,
    earlier: &[Epoch],
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, FitError> {
    let mut run = Run::start(task, schedule)?;
    let mut history: Vec<Epoch> = Vec::new();
    for epoch in earlier {
        if run.steps.steps() >= schedule.steps_max {
            break;
        }
        history.push(run.epoch(task, epoch.number, epoch.learning_rate, progress)?);
    }
    let chosen_epoch = history.last().map_or(0, |epoch| epoch.number);
    Ok(Trained { parameters: run.steps.parameters(), history, chosen_epoch, stop_reason: StopReason::EpochsMax })
}

/// Trains through one epoch for each of `learning_rates`, without stopping early. The parameters are the mean of those at the
/// ends of the last `averaged` epochs (Izmailov et al., UAI 2018).
pub fn train_through(
    task: &mut dyn Task,
    schedule: &Schedule,
    learning_rates: &[f32],
    averaged: usize,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, FitError> {
    let mut run = Run::start(task, schedule)?;
    let mut history: Vec<Epoch> = Vec::new();
    let mut mean: Option<Vec<NamedTensor>> = None;
    let averaged = averaged.clamp(1, learning_rates.len().max(1));
    for (&learning_rate, number) in learning_rates.iter().zip(1..) {
        history.push(run.epoch(task, number, learning_rate, progress)?);
        if learning_rates.len() - number as usize >= averaged {
            continue;
        }
        let parameters = run.steps.parameters();
        let Some(mean) = &mut mean else {
            mean = Some(parameters);
            continue;
        };
        let count = (averaged - (learning_rates.len() - number as usize)) as f32;
        for (mean, parameter) in mean.iter_mut().zip(&parameters) {
            for (mean, value) in mean.values.iter_mut().zip(&parameter.values) {
                *mean += (value - *mean) / count;
            }
        }
    }
    let chosen_epoch = history.last().map_or(0, |epoch| epoch.number);
    let parameters = mean.unwrap_or_else(|| run.steps.parameters());
    Ok(Trained { parameters, history, chosen_epoch, stop_reason: StopReason::EpochsMax })
}

/// A training under way.
struct Run {
    steps: TrainingLoop,
    evaluation: Evaluation,
    batch_rows: usize,
    epoch_steps: usize,
    steps_max: u32,
}

impl Run {
    fn start(task: &dyn Task, schedule: &Schedule) -> Result<Self, FitError> {
        schedule.require_valid()?;
        let environment = runtime::load(None)?;
        let initial = task.initial_parameters(schedule.seed)?;
        let batch_rows = schedule.batch_rows(task.training_rows());
        let adam = Adam::default();
        let steps = TrainingLoop::new(environment, task.training_step(batch_rows, &adam)?, adam, &initial)?;
        let held_out = task.held_out();
        let loss_onnx = task.loss_onnx(held_out.chunk_rows)?;
        Ok(Self {
            steps,
            evaluation: Evaluation::new(environment, &loss_onnx, held_out)?,
            batch_rows,
            epoch_steps: (task.training_rows() / batch_rows).max(EPOCH_STEPS_MIN),
            steps_max: schedule.steps_max,
        })
    }

    fn epoch(
        &mut self,
        task: &mut dyn Task,
        number: u32,
        learning_rate: f32,
        progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
    ) -> Result<Epoch, FitError> {
        let remaining_steps = (self.steps_max - self.steps.steps()) as usize;
        let epoch_steps = self.epoch_steps.min(remaining_steps);
        let mut loss_sum = 0.0;
        for _ in 0..epoch_steps {
            loss_sum += f64::from(self.steps.step(task.next_batch(self.batch_rows), learning_rate)?);
        }
        let epoch = Epoch {
            number,
            steps: self.steps.steps(),
            learning_rate,
            training_loss: loss_sum / epoch_steps as f64,
            held_out_loss: self.evaluation.loss(self.steps.bound_parameters())?,
        };
        if !epoch.training_loss.is_finite() || !epoch.held_out_loss.is_finite() {
            return Err(FitError::Diverged { epoch: number });
        }
        if progress(&epoch).is_break() {
            return Err(FitError::Cancelled { epoch: number });
        }
        Ok(epoch)
    }
}

/// Keeps the best parameters and decides on the learning rate and the end.
pub(super) struct EarlyStopping<'a> {
    schedule: &'a Schedule,
    pub(super) learning_rate: f32,
    best_loss: f64,
    pub(super) chosen_epoch: u32,
    parameters: Vec<NamedTensor>,
    epochs_without_improvement: u32,
}

impl<'a> EarlyStopping<'a> {
    pub(super) fn new(schedule: &'a Schedule, initial: Vec<NamedTensor>) -> Self {
        Self {
            schedule,
            learning_rate: schedule.learning_rate,
            best_loss: f64::INFINITY,
            chosen_epoch: 0,
            parameters: initial,
            epochs_without_improvement: 0,
        }
    }

    pub(super) fn observe(
        &mut self,
        epoch: &Epoch,
        parameters: impl FnOnce() -> Vec<NamedTensor>,
    ) -> Option<StopReason> {
        let needed = self.best_loss * (1.0 - IMPROVEMENT_MIN);
        self.epochs_without_improvement =
            if epoch.held_out_loss < needed { 0 } else { self.epochs_without_improvement + 1 };
        if epoch.held_out_loss < self.best_loss {
            self.best_loss = epoch.held_out_loss;
            self.chosen_epoch = epoch.number;
            self.parameters = parameters();
        }
        if self.epochs_without_improvement == self.schedule.patience_epochs.div_ceil(2) {
            self.learning_rate *= LEARNING_RATE_DECAY;
        }
        let exhausted = self.learning_rate < LEARNING_RATE_SHARE_MIN * self.schedule.learning_rate;
        if exhausted || self.epochs_without_improvement >= self.schedule.patience_epochs {
            return Some(StopReason::Converged);
        }
        if epoch.steps >= self.schedule.steps_max {
            return Some(StopReason::StepsMax);
        }
        (epoch.number >= self.schedule.epochs_max).then_some(StopReason::EpochsMax)
    }
}
