//! Training of the autoencoder on exchanges, until those of a later time stop gaining from it.

use std::ops::ControlFlow;

use apiward_models::{
    Adam, Autoencoder, GraphError, NamedTensor, TrainingStep,
    autoencoder::{CORRUPTED, FEATURES, VISIBLE, WEIGHT},
};

use super::{
    FitError, OrtNetwork,
    batches::{Batches, Noise},
    data::{DataError, FeatureMatrix, PhaseMasks},
    require_option,
    training::{Epoch, HeldOut, HeldOutChunk, ModelInput, Schedule, StopReason, Task, Trained, train},
};

/// Held-out rows evaluated at once.
const EVALUATION_ROWS: usize = 512;

/// How an autoencoder is trained.
#[derive(Debug, Clone, PartialEq)]
pub struct FitOptions {
    /// How long and how fast.
    pub schedule: Schedule,
    /// Widths of the hidden layers; chosen by the number of features when `None`.
    pub hidden: Option<Vec<usize>>,
    /// Error, in standard deviations, from which on a feature's loss grows linearly instead of squared.
    pub huber_delta: f32,
    /// Noise on the inputs in training.
    pub noise: Noise,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            schedule: Schedule::default(),
            hidden: None,
            huber_delta: 3.0,
            noise: Noise { deviation: 0.1, swapped: 0.1 },
        }
    }
}

impl FitOptions {
    fn require_valid(&self) -> Result<(), FitError> {
        let delta = self.huber_delta;
        require_option("huber_delta", delta, delta.is_finite() && delta > 0.0, "above 0")?;
        let deviation = self.noise.deviation;
        require_option("noise.deviation", deviation, deviation.is_finite() && deviation >= 0.0, "0 or more")?;
        let swapped = self.noise.swapped;
        require_option("noise.swapped", swapped, (0.0..1.0).contains(&swapped), "at least 0 and below 1")
    }
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
    let batches = Batches::new(training, phases, options.noise, options.schedule.seed);
    let mut task =
        AutoencoderTask { network: &network, huber_delta: options.huber_delta, batches, training, later, phases };
    let Trained { parameters, history, chosen_epoch, stop_reason } = train(&mut task, &options.schedule, progress)?;
    let onnx = network.inference_onnx(&parameters, 1)?;
    Ok(FittedAutoencoder { network, parameters, onnx, history, chosen_epoch, stop_reason })
}

struct AutoencoderTask<'a> {
    network: &'a Autoencoder,
    huber_delta: f32,
    batches: Batches<'a>,
    training: &'a FeatureMatrix,
    later: &'a FeatureMatrix,
    phases: &'a PhaseMasks,
}

impl Task for AutoencoderTask<'_> {
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        self.network.initial_parameters(seed)
    }

    fn training_step(&self, batch_rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        self.network.training_step(batch_rows, self.huber_delta, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        self.network.loss_onnx(rows, self.huber_delta)
    }

    fn training_rows(&self) -> usize {
        self.training.rows()
    }

    fn next_batch(&mut self, batch_rows: usize) -> Vec<ModelInput> {
        let batch = self.batches.next_batch(batch_rows);
        let shape = [batch_rows, self.network.features()];
        vec![
            ModelInput::new(FEATURES, &shape, batch.features),
            ModelInput::new(CORRUPTED, &shape, batch.corrupted),
            ModelInput::new(VISIBLE, &shape, batch.visible),
            ModelInput::new(WEIGHT, &[batch_rows], batch.weights),
        ]
    }

    /// The later rows, once as each phase sees them.
    fn held_out(&self) -> HeldOut {
        let rows = self.later;
        let chunk_rows = rows.rows().min(EVALUATION_ROWS);
        let shape = [chunk_rows, rows.features()];
        let mut chunks = Vec::new();
        for mask in self.phases.masks() {
            for start in (0..rows.rows()).step_by(chunk_rows) {
                let end = (start + chunk_rows).min(rows.rows());
                let mut features: Vec<f32> = (start..end).flat_map(|row| rows.row(row)).copied().collect();
                features.resize(chunk_rows * rows.features(), 0.0);
                let known =
                    (start..end).flat_map(|row| mask.iter().zip(rows.known(row)).map(|(mask, known)| mask * known));
                let mut visible: Vec<f32> = known.collect();
                visible.resize(chunk_rows * rows.features(), 1.0);
                chunks.push(HeldOutChunk {
                    inputs: vec![
                        ModelInput::new(FEATURES, &shape, features),
                        ModelInput::new(VISIBLE, &shape, visible),
                    ],
                    weights: rows.weights()[start..end].to_vec(),
                });
            }
        }
        HeldOut { chunk_rows, chunks }
    }
}

fn require_features(what: &'static str, actual: usize, expected: usize) -> Result<(), DataError> {
    if actual == expected {
        return Ok(());
    }
    Err(DataError::FeatureCount { what, actual, expected })
}
