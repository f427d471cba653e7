//! Networks through tract: the autoencoder, and classifiers.
//!
//! An ONNX file is checked in three steps, each of which bounds the work of the next: [`wire`] walks the undecoded bytes,
//! [`graph`] turns the decoded messages into operators with static shapes, and [`plan`] builds tract's model of them.
//! The model consists of our own operators ([`kernel`]): they compute the same natively and in wasm, and keep tract's
//! own, of which every one links all others, out of the filter's module.

mod classifier;
mod graph;
mod kernel;
mod operator;
mod parameter;
mod plan;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;

use prost::Message;
use tract_onnx::pb;

use crate::bundle::BundleError;
use crate::limits;
use graph::Graph;
use plan::Plan;

pub(crate) use classifier::Classifier;
pub use operator::OPERATORS;

/// Input `[1, F]`: standardised features.
const FEATURES: &str = "features";
/// Input `[1, F]`: 1 where a feature is known, else 0.
const VISIBLE: &str = "visible";
/// Output `[1]`: mean squared error over the visible features.
const ERROR: &str = "error";
/// Output `[1, F]`: squared error of each feature.
const SQUARED_ERROR: &str = "squared_error";

/// A denoising autoencoder over standardised features, for one exchange at a time.
pub struct Autoencoder {
    plan: Plan,
    features: usize,
}

/// What it says of one exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstruction {
    /// Mean squared error over the visible features.
    pub error: f32,
    /// Squared error of each feature; 0 where not visible.
    pub squared_error: Vec<f32>,
}

impl Reconstruction {
    /// The feature that was reconstructed worst; the first of none.
    pub fn worst_feature(&self) -> usize {
        let errors = self.squared_error.iter().enumerate();
        errors.max_by(|(_, one), (_, other)| one.total_cmp(other)).map_or(0, |(feature, _)| feature)
    }
}

impl fmt::Debug for Autoencoder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Autoencoder").field("features", &self.features).finish_non_exhaustive()
    }
}

impl Autoencoder {
    /// Checks the network against the caps and the operator allowlist before anything of it is built.
    ///
    /// # Errors
    /// When it breaks a cap, uses another operator, or does not have the inputs and outputs of an autoencoder of this width.
    pub fn load(onnx: &[u8], features: usize) -> Result<Self, BundleError> {
        named(Self::checked(onnx, features), "autoencoder")
    }

    fn checked(onnx: &[u8], features: usize) -> Result<Self, BundleError> {
        let graph = checked_graph(onnx)?;
        let row = [1, features];
        let plan = Plan::of(&graph, row, &[FEATURES, VISIBLE], &[(ERROR, &[1]), (SQUARED_ERROR, &row)])?;
        let network = Self { plan, features };
        // A network that fails on the mean exchange would fail on every one.
        network.reconstruct(&vec![0.0; features], &vec![1.0; features]).map_err(refused)?;
        Ok(network)
    }

    /// Runs the network. `features` are standardised, `visible` is 1 for known features and 0 for others.
    ///
    /// # Errors
    /// When the lengths do not match the network, or its output is no finite number.
    pub fn reconstruct(&self, features: &[f32], visible: &[f32]) -> Result<Reconstruction, String> {
        for values in [features, visible] {
            if values.len() != self.features {
                return Err(format!("{} features given, {} expected", values.len(), self.features));
            }
        }
        let outputs: [Vec<f32>; 2] =
            self.plan.run(&[features, visible])?.try_into().map_err(|_| "the plan does not have two outputs")?;
        let [error, squared_error] = outputs;
        let error = error.first().copied().ok_or("its error is empty")?;
        if !error.is_finite() {
            return Err("its error is no finite number".to_owned());
        }
        if squared_error.iter().any(|value| !value.is_finite()) {
            return Err("a squared error is no finite number".to_owned());
        }
        Ok(Reconstruction { error, squared_error })
    }
}

/// Decodes a network of one row and checks all that can be known without running it.
fn checked_graph(onnx: &[u8]) -> Result<Graph, BundleError> {
    if onnx.len() > limits::NETWORK_BYTES_MAX {
        return Err(BundleError::Limit { limit: "bytes of a network" });
    }
    wire::check(onnx)?;
    let model = pb::ModelProto::decode(onnx).map_err(|error| refused(error.to_string()))?;
    Graph::of(&model)
}

/// Refused by a check that does not know whose network it looks at; see [`named`].
fn refused(reason: impl Into<String>) -> BundleError {
    BundleError::Network { network: String::new(), reason: reason.into() }
}

/// Says in an error which network it is about.
fn named<T>(result: Result<T, BundleError>, name: &str) -> Result<T, BundleError> {
    result.map_err(|error| match error {
        BundleError::Network { reason, .. } => BundleError::Network { network: name.to_owned(), reason },
        BundleError::Operator { operator, .. } => BundleError::Operator { network: name.to_owned(), operator },
        other => other,
    })
}
