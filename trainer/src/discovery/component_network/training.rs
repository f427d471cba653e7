//! Training of the component network.

use std::ops::ControlFlow;

use apiward_models::{
    Adam, Classifier, GraphError, NamedTensor, TrainingStep,
    classifier::{FEATURES as FEATURES_INPUT, TARGET, WEIGHT},
};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::fit::{
    Epoch, FitError, HeldOut, HeldOutChunk, ModelInput, Schedule, ShuffledRows, Task, Trained, noise_generator, repeat,
    train,
};

use super::{
    ComponentClass, ComponentNetwork, ComponentNetworkError,
    evaluation::Evaluation,
    features::{FEATURES, SparseFeatures},
    generator::{LabelledComponent, components, distinct_components},
    lexicon::{Lexicon, ListSet},
    vocabulary::Part,
};

const CLASSES: usize = ComponentClass::ALL.len();
const HIDDEN: [usize; 2] = [40, 24];
/// Components that the finished network takes at once.
const BATCH_ROWS: usize = 32;
/// Held-out components evaluated at once.
const EVALUATION_ROWS: usize = 512;
/// Shares of its known words that a component is taken not to know in training, one drawn for each, so that the network
/// learns what to make of unknown ones.
const FORGOTTEN_SHARES: [f32; 3] = [0.0, 0.5, 1.0];
/// Share of n-grams that a component loses in training, so that no single one decides.
pub(super) const NGRAM_DROPOUT: f32 = 0.75;
/// Temperatures that are tried: 0.5 to 4, in steps of 1 %.
const TEMPERATURE_MIN: f64 = 0.5;
const TEMPERATURE_MAX: f64 = 4.0;
const TEMPERATURE_STEP: f64 = 1.01;

/// How much the network is trained on, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// Components of each class that are trained on.
    pub per_class: usize,
    /// Components of each class, at most, that decide when to stop, and as many for the figures.
    pub held_out_per_class: usize,
    /// How long and how fast; its seed is also that of the components.
    pub schedule: Schedule,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        let schedule = Schedule {
            seed: 1,
            batch_rows_max: 256,
            learning_rate: 1e-3,
            epochs_max: 40,
            steps_max: 30_000,
            patience_epochs: 4,
        };
        Self { per_class: 40_000, held_out_per_class: 3_000, schedule }
    }
}

/// Why there is no network.
#[derive(Debug, Error)]
pub enum ComponentTrainingError {
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    #[error(transparent)]
    Network(#[from] ComponentNetworkError),
}

/// A trained component network.
#[derive(Debug, Clone)]
pub struct FittedComponentNetwork {
    /// The inference model, which [`ComponentNetwork::from_onnx`] opens.
    pub onnx: Vec<u8>,
    /// What logits are divided by, so that probabilities are right.
    pub temperature: f32,
    pub trained: Trained,
}

/// The components of the parts, the same for the network and its baselines.
#[derive(Debug, Clone)]
pub struct ComponentData {
    pub training: Vec<LabelledComponent>,
    /// Each once: as many of words that are trained on as of others, since in use both will come.
    pub stopping: Vec<LabelledComponent>,
    /// Each once, of words that decide nothing.
    pub test: Vec<LabelledComponent>,
    /// Each once, of words that are trained on.
    pub known: Vec<LabelledComponent>,
}

impl ComponentData {
    /// Components of the three parts of the vocabulary.
    pub fn divided(options: &TrainingOptions) -> Self {
        let seed = options.schedule.seed;
        Self {
            training: components(Part::Training, options.per_class, seed),
            stopping: [Part::Stopping, Part::Training]
                .into_iter()
                .flat_map(|part| distinct_components(part, options.held_out_per_class / 2, seed + 1))
                .collect(),
            test: distinct_components(Part::Test, options.held_out_per_class, seed + 2),
            known: distinct_components(Part::Training, options.held_out_per_class, seed + 3),
        }
    }
}

/// Trains on words of [`Part::Training`] until the held-out components stop gaining from it, which also decide on the
/// temperature. `progress` is called after each epoch and cancels by returning [`ControlFlow::Break`].
pub fn fit_divided(
    data: &ComponentData,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<FittedComponentNetwork, ComponentTrainingError> {
    let network = layout()?;
    let mut task = ComponentTask::new(&network, Part::Training, &data.training, &data.stopping, options.schedule.seed);
    let trained = train(&mut task, &options.schedule, progress)?;
    let uncalibrated = network.inference_onnx(&trained.parameters, BATCH_ROWS, 1.0)?;
    let temperature =
        fitted_temperature(&mut ComponentNetwork::from_onnx(&uncalibrated, Part::Training)?, &data.stopping)?;
    let onnx = network.inference_onnx(&trained.parameters, BATCH_ROWS, temperature)?;
    Ok(FittedComponentNetwork { onnx, temperature, trained })
}

/// Trains on all words, as long and as fast as `divided` was trained up to its chosen epoch, and with its temperature.
pub fn fit_all(
    divided: &FittedComponentNetwork,
    data: &ComponentData,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<FittedComponentNetwork, ComponentTrainingError> {
    let network = layout()?;
    let all = components(Part::All, options.per_class, options.schedule.seed);
    let mut task = ComponentTask::new(&network, Part::All, &all, &data.stopping, options.schedule.seed);
    let epochs = &divided.trained.history[..divided.trained.chosen_epoch as usize];
    let trained = repeat(&mut task, &options.schedule, epochs, progress)?;
    let onnx = network.inference_onnx(&trained.parameters, BATCH_ROWS, divided.temperature)?;
    Ok(FittedComponentNetwork { onnx, temperature: divided.temperature, trained })
}

/// What a network that was trained on words of `part` makes of labelled components.
pub fn evaluate(
    onnx: &[u8],
    part: Part,
    components: &[LabelledComponent],
) -> Result<Evaluation, ComponentNetworkError> {
    let texts: Vec<&str> = components.iter().map(|component| component.text.as_str()).collect();
    Ok(Evaluation::new(components, &ComponentNetwork::from_onnx(onnx, part)?.classify(&texts)?))
}

/// The layout of the network, for its size and cost.
pub fn layout() -> Result<Classifier, GraphError> {
    Classifier::new(FEATURES, HIDDEN.to_vec(), CLASSES)
}

/// The temperature with the lowest log loss (Guo et al., ICML 2017), given a network with a temperature of 1.
fn fitted_temperature(
    network: &mut ComponentNetwork,
    held_out: &[LabelledComponent],
) -> Result<f32, ComponentNetworkError> {
    let texts: Vec<&str> = held_out.iter().map(|component| component.text.as_str()).collect();
    let probabilities = network.classify(&texts)?;
    let loss = |temperature: f64| -> f64 {
        let losses = probabilities.iter().zip(held_out).map(|(probabilities, component)| {
            // Logarithms of probabilities are logits up to a constant, which the softmax takes out again.
            let scaled = probabilities
                .to_array()
                .map(|probability| f64::from(probability.max(f32::MIN_POSITIVE)).ln() / temperature);
            let normaliser: f64 = scaled.iter().map(|logit| logit.exp()).sum::<f64>().ln();
            normaliser - scaled[component.class.index()]
        });
        losses.sum()
    };
    let steps = ((TEMPERATURE_MAX / TEMPERATURE_MIN).ln() / TEMPERATURE_STEP.ln()) as i32;
    let temperatures = (0..=steps).map(|step| TEMPERATURE_MIN * TEMPERATURE_STEP.powi(step));
    let best = temperatures.min_by(|one, other| loss(*one).total_cmp(&loss(*other)));
    Ok(best.unwrap_or(1.0) as f32)
}

struct ComponentTask<'a> {
    network: &'a Classifier,
    lexicon: Lexicon,
    training: &'a [LabelledComponent],
    held_out: &'a [LabelledComponent],
    order: ShuffledRows,
    generator: ChaCha8Rng,
}

impl<'a> ComponentTask<'a> {
    /// `part` has the words that the network may know.
    fn new(
        network: &'a Classifier,
        part: Part,
        training: &'a [LabelledComponent],
        held_out: &'a [LabelledComponent],
        seed: u64,
    ) -> Self {
        Self {
            network,
            lexicon: Lexicon::new(part),
            training,
            held_out,
            order: ShuffledRows::new(training.len(), seed),
            generator: noise_generator(seed),
        }
    }
}

/// Adds a component's features to a row, without some of the words and n-grams.
fn add_disturbed(component: &LabelledComponent, lexicon: &Lexicon, generator: &mut ChaCha8Rng, row: &mut [f32]) {
    let forgotten = FORGOTTEN_SHARES[generator.random_range(0..FORGOTTEN_SHARES.len())];
    let mut find = |word: &str| {
        if generator.random::<f32>() < forgotten { ListSet::NONE } else { lexicon.find(word) }
    };
    let features = SparseFeatures::of(&component.text, &mut find);
    for (position, value) in features.iter() {
        if !SparseFeatures::is_ngram(position) {
            row[position] += value;
        } else if generator.random::<f32>() >= NGRAM_DROPOUT {
            // What stays makes up for what is dropped (Srivastava et al., JMLR 2014).
            row[position] += value / (1.0 - NGRAM_DROPOUT);
        }
    }
}

impl Task for ComponentTask<'_> {
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        self.network.initial_parameters(seed)
    }

    fn training_step(&self, batch_rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        self.network.training_step(batch_rows, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        self.network.loss_onnx(rows)
    }

    fn training_rows(&self) -> usize {
        self.training.len()
    }

    fn next_batch(&mut self, batch_rows: usize) -> Vec<ModelInput> {
        let mut features = vec![0.0; batch_rows * FEATURES];
        let mut target = vec![0.0; batch_rows * CLASSES];
        let batch = self.order.next_batch(batch_rows);
        let places = features.chunks_mut(FEATURES).zip(target.chunks_mut(CLASSES));
        for (&number, (place, target)) in batch.iter().zip(places) {
            let component = &self.training[number];
            target[component.class.index()] = 1.0;
            add_disturbed(component, &self.lexicon, &mut self.generator, place);
        }
        vec![
            ModelInput::new(FEATURES_INPUT, &[batch_rows, FEATURES], features),
            ModelInput::new(TARGET, &[batch_rows, CLASSES], target),
            ModelInput::new(WEIGHT, &[batch_rows], vec![1.0; batch_rows]),
        ]
    }

    fn held_out(&self) -> HeldOut {
        let chunk_rows = self.held_out.len().min(EVALUATION_ROWS);
        let chunk = |components: &[LabelledComponent]| {
            let mut features = vec![0.0; chunk_rows * FEATURES];
            let mut target = vec![0.0; chunk_rows * CLASSES];
            let places = features.chunks_mut(FEATURES).zip(target.chunks_mut(CLASSES));
            for (component, (place, target)) in components.iter().zip(places) {
                SparseFeatures::of(&component.text, &mut |word| self.lexicon.find(word)).add_to(place);
                target[component.class.index()] = 1.0;
            }
            HeldOutChunk {
                inputs: vec![
                    ModelInput::new(FEATURES_INPUT, &[chunk_rows, FEATURES], features),
                    ModelInput::new(TARGET, &[chunk_rows, CLASSES], target),
                ],
                weights: vec![1.0; components.len()],
            }
        };
        HeldOut { chunk_rows, chunks: self.held_out.chunks(chunk_rows).map(chunk).collect() }
    }
}
