//! How a network sees a window of text, and what it consists of. The shipped design is [`Tokens`]; [`super::comparison`] has
//! those that it was chosen from.

use apiward_detector::payload::{
    PayloadClass,
    features::{BUCKETS, FEATURES, write_features},
};
use apiward_models::{Adam, Classifier, GraphError, NamedTensor, TrainingStep};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

pub(super) const CLASSES: usize = PayloadClass::ALL.len();
/// Widths of the hidden layers.
const HIDDEN: [usize; 2] = [28, 24];
/// Share of n-grams that a text loses in training, so that no single one decides.
pub(super) const NGRAM_DROPOUT: f32 = 0.2;

/// A network for windows of text.
pub trait Design {
    /// What it is called in the model card.
    fn name(&self) -> &'static str;

    /// Values of a row of its input.
    fn features(&self) -> usize;

    /// Writes what it sees of a window to a row of zeros.
    fn write_features(&self, window: &str, row: &mut [f32]);

    /// Disturbs a row in training.
    fn disturb(&self, row: &mut [f32], generator: &mut ChaCha8Rng);

    /// The parameters before training.
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError>;

    /// The training step for batches of `rows`, with the inputs of [`apiward_models::classifier`].
    fn training_step(&self, rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError>;

    /// The model that gives the loss of each of `rows`.
    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError>;

    /// The finished network for `rows` at once, from features to logits.
    fn logits_onnx(&self, parameters: &[NamedTensor], rows: usize) -> Result<Vec<u8>, GraphError>;

    /// Learned values.
    fn parameters(&self) -> Result<usize, GraphError>;

    /// Multiply-adds of a window, given how many values of its row are not 0.
    fn multiply_adds(&self, filled: usize) -> Result<usize, GraphError>;
}

/// Features in a row, of which most are 0, and a perceptron.
#[derive(Debug, Clone)]
pub struct Perceptron {
    name: &'static str,
    network: Classifier,
    hidden: Vec<usize>,
    write: fn(&str, &mut [f32]),
    /// The first values of a row, which are hashed n-grams.
    buckets: usize,
}

impl Perceptron {
    /// The given widths of the hidden layers, over features that `write` writes, of which the first are `buckets`.
    pub(super) fn new(
        name: &'static str,
        features: usize,
        buckets: usize,
        hidden: &[usize],
        write: fn(&str, &mut [f32]),
    ) -> Result<Self, GraphError> {
        let network = Classifier::new(features, hidden.to_vec(), CLASSES)?;
        Ok(Self { name, network, hidden: hidden.to_vec(), write, buckets })
    }

    /// The design that is shipped.
    pub fn shipped() -> Result<Self, GraphError> {
        Self::new(
            "hashed n-grams of signs and tokens, perceptron (shipped)",
            FEATURES,
            BUCKETS,
            &HIDDEN,
            write_features,
        )
    }
}

impl Design for Perceptron {
    fn name(&self) -> &'static str {
        self.name
    }

    fn features(&self) -> usize {
        self.network.features()
    }

    fn write_features(&self, window: &str, row: &mut [f32]) {
        (self.write)(window, row);
    }

    /// Takes n-grams out of a row; what stays makes up for them (Srivastava et al., JMLR 2014).
    fn disturb(&self, row: &mut [f32], generator: &mut ChaCha8Rng) {
        for value in row[..self.buckets].iter_mut().filter(|value| **value != 0.0) {
            let kept = generator.random::<f32>() >= NGRAM_DROPOUT;
            *value = if kept { *value / (1.0 - NGRAM_DROPOUT) } else { 0.0 };
        }
    }

    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        self.network.initial_parameters(seed)
    }

    fn training_step(&self, rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        self.network.training_step(rows, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        self.network.loss_onnx(rows)
    }

    fn logits_onnx(&self, parameters: &[NamedTensor], rows: usize) -> Result<Vec<u8>, GraphError> {
        self.network.logits_onnx(parameters, rows, 1.0)
    }

    fn parameters(&self) -> Result<usize, GraphError> {
        Ok(self.network.cost()?.parameters)
    }

    /// Zeros cost nothing: the detector skips them.
    fn multiply_adds(&self, filled: usize) -> Result<usize, GraphError> {
        let widths: Vec<usize> = std::iter::once(filled).chain(self.hidden.iter().copied()).chain([CLASSES]).collect();
        Ok(widths.windows(2).map(|pair| pair[0] * pair[1]).sum())
    }
}
