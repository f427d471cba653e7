//! A small feed-forward classifier: features in, a probability for each class out.
//!
//! Hidden layers with rectifiers, then a softmax; trained by cross-entropy. A temperature that is fitted after training
//! calibrates the probabilities (Guo et al., ICML 2017).

use crate::{
    Adam, GraphError, Initializer, NamedTensor, NetworkCost, ParameterSource, ROW_LOSS, Tensor, TrainingStep,
    graph::Graph,
    size::{require_batch, require_size},
};

/// Input `f32[N, F]`: what is known of each row.
pub const FEATURES: &str = "features";
/// Training input `f32[N, C]`: the share of each class in a row, 0..1, summing to 1.
pub const TARGET: &str = "target";
/// Training input `f32[N]`: how much each row counts; a mean of 1 leaves the learning rate as it is.
pub const WEIGHT: &str = "weight";
/// Output `f32[N, C]`: the logarithm of each class's probability, up to a number that all classes of a row share.
pub const LOGITS: &str = "logits";
/// Output `f32[N, C]`: the probability of each class, 0..1, summing to 1.
pub const PROBABILITIES: &str = "probabilities";

/// Features a network may have.
pub const FEATURES_MAX: usize = 65_536;
/// Classes a network may tell apart.
pub const CLASSES_MAX: usize = 256;
/// Units a hidden layer may have.
pub const HIDDEN_UNITS_MAX: usize = 512;
/// Hidden layers a network may have.
pub const HIDDEN_LAYERS_MAX: usize = 8;

/// Name of the last layer.
const OUTPUT_LAYER: &str = "output";

/// The layout of a classifier: F features, hidden layers, C classes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Classifier {
    features: usize,
    hidden: Vec<usize>,
    classes: usize,
}

impl Classifier {
    /// The given widths of the hidden layers, first to last.
    pub fn new(features: usize, hidden: Vec<usize>, classes: usize) -> Result<Self, GraphError> {
        require_size("the number of features", features, FEATURES_MAX)?;
        require_size("the number of classes", classes, CLASSES_MAX)?;
        require_size("the number of hidden layers", hidden.len(), HIDDEN_LAYERS_MAX)?;
        for &units in &hidden {
            require_size("the width of a hidden layer", units, HIDDEN_UNITS_MAX)?;
        }
        Ok(Self { features, hidden, classes })
    }

    /// The number of features, F.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The number of classes, C.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The parameters before training.
    pub fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        let mut graph = Graph::new();
        self.logits(&mut graph, 1)?;
        Ok(graph.initial_parameters(seed))
    }

    /// Parameters and multiplications of inference on one row.
    pub fn cost(&self) -> Result<NetworkCost, GraphError> {
        let mut graph = Graph::new();
        let probabilities = self.infer(&mut graph, 1, 1.0)?;
        Ok(NetworkCost::of(&graph, &[probabilities]))
    }

    /// The finished network for `batch` rows at once, [`FEATURES`] to [`PROBABILITIES`], with the parameters stored in
    /// it. Logits are divided by `temperature`, which is above 0; 1 leaves them as they were trained.
    pub fn inference_onnx(
        &self,
        parameters: &[NamedTensor],
        batch: usize,
        temperature: f32,
    ) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let probabilities = self.infer(&mut graph, batch, temperature)?;
        graph.to_onnx("classifier", &[(PROBABILITIES, probabilities)], ParameterSource::Stored(parameters))
    }

    /// The finished network for `batch` rows at once, [`FEATURES`] to [`LOGITS`], which needs fewer operators. The
    /// temperature is in the values of the last layer.
    pub fn logits_onnx(
        &self,
        parameters: &[NamedTensor],
        batch: usize,
        temperature: f32,
    ) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let logits = self.logits(&mut graph, batch)?;
        let mut parameters = parameters.to_vec();
        for parameter in parameters.iter_mut().filter(|parameter| parameter.name.starts_with(OUTPUT_LAYER)) {
            parameter.values.iter_mut().for_each(|value| *value /= temperature);
        }
        graph.to_onnx("classifier", &[(LOGITS, logits)], ParameterSource::Stored(&parameters))
    }

    /// One step of training on `batch` rows: [`FEATURES`], [`TARGET`] and [`WEIGHT`] to the loss, which is the weighted
    /// mean of the rows' losses, and the next states.
    pub fn training_step(&self, batch: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        let mut graph = Graph::new();
        let row_loss = self.row_loss(&mut graph, batch)?;
        let weight = graph.input(WEIGHT, &[batch])?;
        let weighted = graph.mul(row_loss, weight)?;
        let loss = graph.mean(weighted)?;
        TrainingStep::new("classifier_training", graph, loss, adam)
    }

    /// The loss of each of `batch` rows: [`FEATURES`], [`TARGET`] and all parameters to [`ROW_LOSS`], the cross-entropy
    /// of target and softmax in nats.
    pub fn loss_onnx(&self, batch: usize) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let row_loss = self.row_loss(&mut graph, batch)?;
        graph.to_onnx("classifier_loss", &[(ROW_LOSS, row_loss)], ParameterSource::Inputs)
    }

    fn infer(&self, graph: &mut Graph, batch: usize, temperature: f32) -> Result<Tensor, GraphError> {
        let logits = self.logits(graph, batch)?;
        let temperature = graph.scalar(temperature)?;
        let calibrated = graph.div(logits, temperature)?;
        graph.softmax(calibrated, 1)
    }

    /// `log Σ exp(logits) − Σ target · logits`, which is the cross-entropy since the targets of a row sum to 1: `[N]`.
    fn row_loss(&self, graph: &mut Graph, batch: usize) -> Result<Tensor, GraphError> {
        let logits = self.logits(graph, batch)?;
        let target = graph.input(TARGET, &[batch, self.classes])?;
        let normaliser = graph.log_sum_exp(logits, 1)?;
        let normaliser = graph.reshape(normaliser, &[batch])?;
        let of_target = graph.mul(target, logits)?;
        let of_target = graph.reduce_sum(of_target, &[1], false)?;
        graph.sub(normaliser, of_target)
    }

    /// The network itself, written once for inference and training: `[N, F]` to `[N, C]`.
    fn logits(&self, graph: &mut Graph, batch: usize) -> Result<Tensor, GraphError> {
        require_batch(batch)?;
        let mut activations = graph.input(FEATURES, &[batch, self.features])?;
        for (index, &units) in self.hidden.iter().enumerate() {
            let layer = graph.dense(&format!("hidden{index}"), activations, units, Initializer::He)?;
            activations = graph.relu(layer)?;
        }
        graph.dense(OUTPUT_LAYER, activations, self.classes, Initializer::Glorot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_network_gives_the_same_bytes_and_the_temperature_is_in_them() {
        let network = Classifier::new(6, vec![5], 3).unwrap();
        let parameters = network.initial_parameters(3).unwrap();
        let onnx = |temperature| network.inference_onnx(&parameters, 2, temperature).unwrap();
        assert_eq!(onnx(1.5), onnx(1.5));
        assert_ne!(onnx(1.5), onnx(1.0));
    }

    #[test]
    fn sizes_outside_the_limits_are_refused() {
        assert!(matches!(Classifier::new(0, vec![4], 2), Err(GraphError::Size { .. })));
        assert!(matches!(Classifier::new(4, vec![], 2), Err(GraphError::Size { .. })));
        assert!(matches!(Classifier::new(4, vec![4], 257), Err(GraphError::Size { .. })));
        let network = Classifier::new(4, vec![4], 2).unwrap();
        assert!(matches!(network.loss_onnx(0), Err(GraphError::Size { .. })));
        assert!(matches!(network.inference_onnx(&[], 1, 1.0), Err(GraphError::ParameterValues { .. })));
    }

    #[test]
    fn cost_counts_layers_temperature_and_softmax() {
        let cost = Classifier::new(6, vec![5], 3).unwrap().cost().unwrap();
        assert_eq!(cost.parameters, 6 * 5 + 5 + 5 * 3 + 3);
        assert_eq!(cost.multiply_adds, 6 * 5 + 5 * 3 + 3 + 3);
    }
}
