//! The networks of apiward, each written once in a small graph language.
//!
//! A [`Graph`] of operators with static shapes is differentiated in reverse mode and exported twice: as an inference
//! model with the learned values in it, and as a [`TrainingStep`] (forward, loss, gradients and Adam's update in one
//! model of standard ONNX operators) that a plain inference runtime can run again and again. Nothing here runs a
//! network; that is left to ONNX Runtime in the trainer and to tract in the filter.

pub mod autoencoder;
pub mod classifier;
mod error;
mod export;
mod gradient;
mod graph;
mod initializer;
pub mod onnx;
mod operator;
mod shape;
mod size;
mod training;

pub use autoencoder::Autoencoder;
pub use classifier::Classifier;
pub use error::GraphError;
pub use export::ParameterSource;
pub use graph::{Graph, NamedTensor, Tensor};
pub use initializer::Initializer;
pub use shape::Shape;
pub use size::{BATCH_ROWS_MAX, NetworkCost};
pub use training::{
    Adam, LEARNING_RATE, LOSS, MOMENT_CORRECTION, ROW_LOSS, StateTensor, TrainedParameter, TrainingStep,
    VARIANCE_CORRECTION,
};

/// The shipped component network: what a path component is. `networks/component.md` says how it was made and how good it is.
pub const COMPONENT_NETWORK: &[u8] = include_bytes!("../networks/component.onnx");

/// The shipped payload network: is a value an attack? `networks/payload.md` says how it was made and how good it is.
pub const PAYLOAD_NETWORK: &[u8] = include_bytes!("../networks/payload.onnx");
