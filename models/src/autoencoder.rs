//! The denoising autoencoder behind the profile detector: how well can an exchange's features be told from the rest?
//!
//! It sees the features that are known in a phase and which ones those are, squeezes them through a narrow layer and
//! gives them back. The error of a feature is how far the given-back value is from the true one.

use crate::{
    Adam, GraphError, Initializer, NamedTensor, NetworkCost, ParameterSource, ROW_LOSS, Tensor, TrainingStep,
    graph::Graph,
    size::{require_batch, require_size},
};

/// Input `f32[N, F]`: standardised features; what is not visible does not matter, but must be finite.
pub const FEATURES: &str = "features";
/// Input `f32[N, F]`: 1 where a feature is known in this phase, else 0.
pub const VISIBLE: &str = "visible";
/// Training input `f32[N, F]`: the features with noise, which the network sees instead of the true ones.
pub const CORRUPTED: &str = "corrupted";
/// Training input `f32[N]`: how much each row counts; a mean of 1 leaves the learning rate as it is.
pub const WEIGHT: &str = "weight";
/// Output `f32[N, F]`: what the network makes of the features.
pub const RECONSTRUCTION: &str = "reconstruction";
/// Output `f32[N, F]`: squared distance of reconstruction and feature, 0 where not visible.
pub const SQUARED_ERROR: &str = "squared_error";
/// Output `f32[N]`: mean of the squared errors over the visible features; 0 when none is.
pub const ERROR: &str = "error";

/// The ONNX operators that inference uses; every one more would cost bytes in the filter's module.
pub const INFERENCE_OPERATORS: [&str; 7] = ["Add", "Concat", "Div", "MatMul", "Mul", "ReduceSum", "Relu"];

/// Features a network may have.
pub const FEATURES_MAX: usize = 512;
/// Units a hidden layer may have.
pub const HIDDEN_UNITS_MAX: usize = 512;
/// Hidden layers a network may have.
pub const HIDDEN_LAYERS_MAX: usize = 8;

/// Widths are rounded up to this, since vector units compute that many values at once anyway.
const WIDTH_STEP: usize = 4;
const OUTER_WIDTH_MIN: usize = 16;
const OUTER_WIDTH_MAX: usize = 96;
const BOTTLENECK_MIN: usize = 4;
const BOTTLENECK_MAX: usize = 32;
/// Features per unit of the narrowest layer.
const BOTTLENECK_RATIO: usize = 3;

/// The layout of an autoencoder: F features, and hidden layers with rectifiers between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Autoencoder {
    features: usize,
    hidden: Vec<usize>,
}

impl Autoencoder {
    /// Three hidden layers whose widths suit the number of features: for 48 of them 48, 16 and 48 units.
    pub fn for_features(features: usize) -> Result<Self, GraphError> {
        let outer = features.next_multiple_of(WIDTH_STEP).clamp(OUTER_WIDTH_MIN, OUTER_WIDTH_MAX);
        let bottleneck = features.div_ceil(BOTTLENECK_RATIO).next_multiple_of(WIDTH_STEP);
        let bottleneck = bottleneck.clamp(BOTTLENECK_MIN, BOTTLENECK_MAX);
        Self::with_hidden(features, vec![outer, bottleneck, outer])
    }

    /// The given widths of the hidden layers, first to last.
    pub fn with_hidden(features: usize, hidden: Vec<usize>) -> Result<Self, GraphError> {
        require_size("the number of features", features, FEATURES_MAX)?;
        require_size("the number of hidden layers", hidden.len(), HIDDEN_LAYERS_MAX)?;
        for &units in &hidden {
            require_size("the width of a hidden layer", units, HIDDEN_UNITS_MAX)?;
        }
        Ok(Self { features, hidden })
    }

    /// The number of features, F.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The widths of the hidden layers.
    pub fn hidden(&self) -> &[usize] {
        &self.hidden
    }

    /// The parameters before training.
    pub fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        let mut graph = Graph::new();
        self.infer(&mut graph, 1)?;
        Ok(graph.initial_parameters(seed))
    }

    /// Parameters and multiplications of inference on one row.
    pub fn cost(&self) -> Result<NetworkCost, GraphError> {
        let mut graph = Graph::new();
        let outputs = self.infer(&mut graph, 1)?;
        Ok(NetworkCost::of(&graph, &outputs))
    }

    /// The model that runs in the filter, for `batch` rows at once: [`FEATURES`] and [`VISIBLE`] to [`ERROR`],
    /// [`SQUARED_ERROR`] and [`RECONSTRUCTION`], with the parameters stored in it.
    pub fn inference_onnx(&self, parameters: &[NamedTensor], batch: usize) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let [error, squared_error, reconstruction] = self.infer(&mut graph, batch)?;
        let outputs = [(ERROR, error), (SQUARED_ERROR, squared_error), (RECONSTRUCTION, reconstruction)];
        graph.to_onnx("autoencoder", &outputs, ParameterSource::Stored(parameters))
    }

    /// One step of training on `batch` rows: [`FEATURES`], [`CORRUPTED`], [`VISIBLE`] and [`WEIGHT`] to the loss and
    /// the next states.
    ///
    /// The loss is the weighted mean of the rows' losses; see [`Self::loss_onnx`].
    pub fn training_step(&self, batch: usize, huber_delta: f32, adam: &Adam) -> Result<TrainingStep, GraphError> {
        require_batch(batch)?;
        let mut graph = Graph::new();
        let features = graph.input(FEATURES, &[batch, self.features])?;
        let corrupted = graph.input(CORRUPTED, &[batch, self.features])?;
        let visible = graph.input(VISIBLE, &[batch, self.features])?;
        let weight = graph.input(WEIGHT, &[batch])?;
        let reconstruction = self.reconstruct(&mut graph, corrupted, visible)?;
        let row_loss = row_loss(&mut graph, features, reconstruction, visible, huber_delta)?;
        let weighted = graph.mul(row_loss, weight)?;
        let loss = graph.mean(weighted)?;
        TrainingStep::new("autoencoder_training", graph, loss, adam)
    }

    /// The loss of each of `batch` rows without noise: [`FEATURES`], [`VISIBLE`] and all parameters to [`ROW_LOSS`].
    ///
    /// A row's loss is the mean over its visible features of a Huber-like error: `e²` up to `|e| = huber_delta`, from
    /// there on the tangent `huber_delta · (2|e| − huber_delta)`, so that single odd rows do not rule the network.
    pub fn loss_onnx(&self, batch: usize, huber_delta: f32) -> Result<Vec<u8>, GraphError> {
        require_batch(batch)?;
        let mut graph = Graph::new();
        let features = graph.input(FEATURES, &[batch, self.features])?;
        let visible = graph.input(VISIBLE, &[batch, self.features])?;
        let reconstruction = self.reconstruct(&mut graph, features, visible)?;
        let row_loss = row_loss(&mut graph, features, reconstruction, visible, huber_delta)?;
        graph.to_onnx("autoencoder_loss", &[(ROW_LOSS, row_loss)], ParameterSource::Inputs)
    }

    /// Adds inference to the graph and returns error, squared error and reconstruction.
    fn infer(&self, graph: &mut Graph, batch: usize) -> Result<[Tensor; 3], GraphError> {
        require_batch(batch)?;
        let features = graph.input(FEATURES, &[batch, self.features])?;
        let visible = graph.input(VISIBLE, &[batch, self.features])?;
        let reconstruction = self.reconstruct(graph, features, visible)?;
        let difference = visible_difference(graph, features, reconstruction, visible)?;
        let squared_error = graph.mul(difference, difference)?;
        let error = mean_over_visible(graph, squared_error, visible)?;
        Ok([error, squared_error, reconstruction])
    }

    /// The network itself, written once for inference and training: `[N, F]` to `[N, F]`.
    fn reconstruct(&self, graph: &mut Graph, seen: Tensor, visible: Tensor) -> Result<Tensor, GraphError> {
        let known = graph.mul(seen, visible)?;
        let mut activations = graph.concat(&[known, visible], 1)?;
        for (index, &units) in self.hidden.iter().enumerate() {
            let layer = graph.dense(&format!("hidden{index}"), activations, units, Initializer::He)?;
            activations = graph.relu(layer)?;
        }
        graph.dense("output", activations, self.features, Initializer::Glorot)
    }
}

/// Reconstruction minus feature where visible, 0 elsewhere.
fn visible_difference(
    graph: &mut Graph,
    features: Tensor,
    reconstruction: Tensor,
    visible: Tensor,
) -> Result<Tensor, GraphError> {
    // Written without subtraction, which would be one more operator.
    let minus_one = graph.scalar(-1.0)?;
    let negated = graph.mul(features, minus_one)?;
    let difference = graph.add(reconstruction, negated)?;
    graph.mul(difference, visible)
}

fn row_loss(
    graph: &mut Graph,
    features: Tensor,
    reconstruction: Tensor,
    visible: Tensor,
    huber_delta: f32,
) -> Result<Tensor, GraphError> {
    let difference = visible_difference(graph, features, reconstruction, visible)?;
    // With x the distance beyond delta on either side, e² − x² is the square inside and its tangent outside.
    let delta = graph.scalar(huber_delta)?;
    let minus_delta = graph.scalar(-huber_delta)?;
    let above = graph.sub(difference, delta)?;
    let above = graph.relu(above)?;
    let below = graph.sub(minus_delta, difference)?;
    let below = graph.relu(below)?;
    let beyond = graph.add(above, below)?;
    let beyond_squared = graph.mul(beyond, beyond)?;
    let squared = graph.mul(difference, difference)?;
    let robust = graph.sub(squared, beyond_squared)?;
    mean_over_visible(graph, robust, visible)
}

/// The sum of each row, `[N, F]` to `[N]`, over the number of its visible features, which counts as 1 when it is 0.
fn mean_over_visible(graph: &mut Graph, values: Tensor, visible: Tensor) -> Result<Tensor, GraphError> {
    let sum = graph.reduce_sum(values, &[1], false)?;
    let count = graph.reduce_sum(visible, &[1], false)?;
    // max(count, 1) without an operator of its own.
    let one = graph.scalar(1.0)?;
    let minus_one = graph.scalar(-1.0)?;
    let beyond_one = graph.add(count, minus_one)?;
    let beyond_one = graph.relu(beyond_one)?;
    let divisor = graph.add(beyond_one, one)?;
    graph.div(sum, divisor)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;

    use super::*;
    use crate::onnx::ModelProto;

    fn inference_model(features: usize) -> Vec<u8> {
        let network = Autoencoder::for_features(features).unwrap();
        let parameters = network.initial_parameters(11).unwrap();
        network.inference_onnx(&parameters, 1).unwrap()
    }

    #[test]
    fn inference_uses_exactly_the_allowed_operators() {
        let model = ModelProto::decode(inference_model(20).as_slice()).unwrap();
        let nodes = model.graph.unwrap().node;
        let used: BTreeSet<&str> = nodes.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!(used, BTreeSet::from(INFERENCE_OPERATORS));
    }

    #[test]
    fn the_same_network_gives_the_same_bytes() {
        assert_eq!(inference_model(20), inference_model(20));
    }

    #[test]
    fn widths_follow_the_number_of_features() {
        assert_eq!(Autoencoder::for_features(48).unwrap().hidden(), [48, 16, 48]);
        assert_eq!(Autoencoder::for_features(5).unwrap().hidden(), [16, 4, 16]);
        assert_eq!(Autoencoder::for_features(400).unwrap().hidden(), [96, 32, 96]);
    }

    #[test]
    fn sizes_outside_the_limits_are_refused() {
        assert!(matches!(Autoencoder::for_features(0), Err(GraphError::Size { .. })));
        assert!(matches!(Autoencoder::with_hidden(4, vec![]), Err(GraphError::Size { .. })));
        assert!(matches!(Autoencoder::with_hidden(4, vec![513]), Err(GraphError::Size { .. })));
        let network = Autoencoder::for_features(4).unwrap();
        assert!(matches!(network.inference_onnx(&[], 0), Err(GraphError::Size { .. })));
        assert!(matches!(network.inference_onnx(&[], 1), Err(GraphError::ParameterValues { .. })));
    }

    #[test]
    fn cost_counts_layers_and_the_work_around_them() {
        let cost = Autoencoder::with_hidden(6, vec![5, 2, 5]).unwrap().cost().unwrap();
        let weights = 12 * 5 + 5 * 2 + 2 * 5 + 5 * 6;
        let biases = 5 + 2 + 5 + 6;
        assert_eq!(cost.parameters, weights + biases);
        // Masking of input and difference, the features' negation, the square, and the division by the count.
        assert_eq!(cost.multiply_adds, weights + 4 * 6 + 1);
    }
}
