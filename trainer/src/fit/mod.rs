//! Training of networks: the training step of `apiward-models`, run in ONNX Runtime until held-out rows stop gaining from
//! it. [`train`] does so for any [`Task`]; [`fit_autoencoder`] is the one that learns exchanges.
//!
//! Everything runs on one thread with explicit seeds: the same rows, options and machine give the same network bytes.

mod autoencoder;
mod batches;
mod data;
mod evaluation;
mod network;
mod order;
pub mod runtime;
mod step;
#[cfg(test)]
mod tests;
mod training;

use apiward_models::GraphError;
use thiserror::Error;

pub use autoencoder::{FitOptions, FittedAutoencoder, fit_autoencoder};
pub use batches::Noise;
pub use data::{DataError, FeatureMatrix, PhaseMasks};
pub use network::{OrtNetwork, Reconstructions};
pub use order::{ShuffledRows, noise_generator};
pub use training::{
    Epoch, HeldOut, HeldOutChunk, ModelInput, Schedule, StopReason, Task, Trained, repeat, train, train_through,
};

use runtime::RuntimeError;

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

fn require_option(name: &'static str, value: impl ToString, valid: bool, range: &'static str) -> Result<(), FitError> {
    if valid {
        return Ok(());
    }
    Err(FitError::Option { name, value: value.to_string(), range })
}
