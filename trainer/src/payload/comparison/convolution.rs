//! A convolution over bytes, its strongest responses, and a perceptron.

use apiward_models::{
    Adam, Graph, GraphError, Initializer, NamedTensor, ParameterSource, ROW_LOSS, Tensor, TrainingStep,
    classifier::{FEATURES, LOGITS, TARGET, WEIGHT},
};
use rand_chacha::ChaCha8Rng;

use super::super::design::{CLASSES, Design};

/// Bytes of a window that are seen.
const LENGTH: usize = 160;
/// Kinds of bytes: letters, digits, blanks, controls, others, and each sign.
const KINDS: usize = 62;
/// Values that stand for a byte.
const EMBEDDING: usize = 12;
/// Bytes under a filter.
const WIDTH: usize = 5;
const FILTERS: usize = 64;
const HIDDEN: usize = 24;

/// A byte-level convolutional network.
#[derive(Debug, Clone, Copy)]
pub struct Convolution;

impl Convolution {
    /// `[N, LENGTH · KINDS]` to `[N, CLASSES]`.
    fn logits(graph: &mut Graph, rows: usize) -> Result<Tensor, GraphError> {
        let features = graph.input(FEATURES, &[rows, LENGTH * KINDS])?;
        let bytes = graph.reshape(features, &[rows * LENGTH, KINDS])?;
        let table = graph.parameter("embedding", &[KINDS, EMBEDDING], Initializer::Glorot)?;
        let embedded = graph.matmul(bytes, table)?;
        let embedded = graph.reshape(embedded, &[rows, LENGTH * EMBEDDING])?;
        let places = LENGTH - WIDTH + 1;
        let shifted = |graph: &mut Graph, shift: usize| {
            let part = graph.slice(embedded, 1, shift * EMBEDDING, (shift + places) * EMBEDDING)?;
            graph.reshape(part, &[rows * places, EMBEDDING])
        };
        let parts = (0..WIDTH).map(|shift| shifted(graph, shift)).collect::<Result<Vec<_>, _>>()?;
        let windows = graph.concat(&parts, 1)?;
        let filtered = graph.dense("filters", windows, FILTERS, Initializer::He)?;
        let filtered = graph.relu(filtered)?;
        let filtered = graph.reshape(filtered, &[rows, places, FILTERS])?;
        let strongest = graph.reduce_max(filtered, &[1], false)?;
        let hidden = graph.dense("hidden", strongest, HIDDEN, Initializer::He)?;
        let hidden = graph.relu(hidden)?;
        graph.dense("output", hidden, CLASSES, Initializer::Glorot)
    }

    fn row_loss(graph: &mut Graph, rows: usize) -> Result<Tensor, GraphError> {
        let logits = Self::logits(graph, rows)?;
        let target = graph.input(TARGET, &[rows, CLASSES])?;
        let normaliser = graph.log_sum_exp(logits, 1)?;
        let normaliser = graph.reshape(normaliser, &[rows])?;
        let of_target = graph.mul(target, logits)?;
        let of_target = graph.reduce_sum(of_target, &[1], false)?;
        graph.sub(normaliser, of_target)
    }
}

fn kind(byte: u8) -> usize {
    match byte {
        b'a'..=b'z' => usize::from(byte - b'a'),
        b'A'..=b'Z' => usize::from(byte - b'A'),
        b'0'..=b'9' => 26,
        b' ' => 27,
        0x80.. => 28,
        0..=0x1f | 0x7f => 29,
        b'!'..=b'/' => 30 + usize::from(byte - b'!'),
        b':'..=b'@' => 45 + usize::from(byte - b':'),
        b'['..=b'`' => 52 + usize::from(byte - b'['),
        b'{'..=b'~' => 58 + usize::from(byte - b'{'),
    }
}

impl Design for Convolution {
    fn name(&self) -> &'static str {
        "convolution over bytes (5 wide, 64 filters), maximum, perceptron"
    }

    fn features(&self) -> usize {
        LENGTH * KINDS
    }

    fn write_features(&self, window: &str, row: &mut [f32]) {
        for (byte, place) in window.bytes().zip(row.chunks_exact_mut(KINDS)) {
            place[kind(byte)] = 1.0;
        }
    }

    fn disturb(&self, _row: &mut [f32], _generator: &mut ChaCha8Rng) {}

    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        let mut graph = Graph::new();
        Self::logits(&mut graph, 1)?;
        Ok(graph.initial_parameters(seed))
    }

    fn training_step(&self, rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        let mut graph = Graph::new();
        let row_loss = Self::row_loss(&mut graph, rows)?;
        let weight = graph.input(WEIGHT, &[rows])?;
        let weighted = graph.mul(row_loss, weight)?;
        let loss = graph.mean(weighted)?;
        TrainingStep::new("convolution_training", graph, loss, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let row_loss = Self::row_loss(&mut graph, rows)?;
        graph.to_onnx("convolution_loss", &[(ROW_LOSS, row_loss)], ParameterSource::Inputs)
    }

    fn logits_onnx(&self, parameters: &[NamedTensor], rows: usize) -> Result<Vec<u8>, GraphError> {
        let mut graph = Graph::new();
        let logits = Self::logits(&mut graph, rows)?;
        graph.to_onnx("convolution", &[(LOGITS, logits)], ParameterSource::Stored(parameters))
    }

    fn parameters(&self) -> Result<usize, GraphError> {
        Ok(self.initial_parameters(0)?.iter().map(|parameter| parameter.values.len()).sum())
    }

    /// The embedding is a look-up: it costs nothing.
    fn multiply_adds(&self, _filled: usize) -> Result<usize, GraphError> {
        let mut graph = Graph::new();
        let logits = Self::logits(&mut graph, 1)?;
        Ok(graph.multiply_adds(&[logits]) - LENGTH * KINDS * EMBEDDING)
    }
}
