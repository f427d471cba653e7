//! Training of the payload network.

use std::{collections::HashMap, ops::ControlFlow};

use apiward_detector::{
    payload::{PayloadClass, WINDOW_BYTES, is_plain, undo::forms_of},
    work::WorkBudget,
};
use apiward_models::{
    Adam, GraphError, NamedTensor, TrainingStep,
    classifier::{FEATURES, TARGET, WEIGHT},
};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use thiserror::Error;

use crate::fit::{
    Epoch, FitError, HeldOut, HeldOutChunk, ModelInput, Schedule, ShuffledRows, Task, Trained, noise_generator,
    train_through,
};

use super::{
    LabelledText,
    design::{CLASSES, Design, Perceptron},
    generator::{Generator, Part},
};

/// Held-out texts evaluated at once.
const EVALUATION_ROWS: usize = 512;
/// Random stream of the choice of forms and windows.
const FORMS_STREAM: u64 = 1 << 40;
/// How often the same text is trained on: a fixed attack comes as often as its template is drawn, up to this.
const REPEATS_MAX: usize = 40;
/// Epochs at the end whose parameters are averaged.
pub(super) const AVERAGED_EPOCHS: usize = 2;
/// Probability that a label leaves to the other side.
pub(super) const SMOOTHING: f32 = 0.001;
/// Bytes of features' memory that a training batch takes are bounded by its rows.
const BATCH_ROWS: usize = 256;

/// How much the network is trained on, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingOptions {
    /// Benign texts that are generated, and as many attacks.
    pub texts: usize,
    /// The same for those whose loss is shown after each epoch.
    pub held_out_texts: usize,
    /// The same for the figures.
    pub test_texts: usize,
    /// How long and how fast, without stopping early; its seed is also that of the texts.
    pub schedule: Schedule,
    /// Log-odds, in nats, from which on a value is an alarm by default; chosen on values written by hand, since of generated texts
    /// a few odd templates would decide on it.
    pub threshold: f32,
}

impl Default for TrainingOptions {
    fn default() -> Self {
        let schedule = Schedule {
            seed: 1,
            batch_rows_max: BATCH_ROWS,
            learning_rate: 1.5e-3,
            epochs_max: 6,
            steps_max: 60_000,
            patience_epochs: 6,
        };
        Self { texts: 600_000, held_out_texts: 5_000, test_texts: 30_000, schedule, threshold: 4.8 }
    }
}

impl TrainingOptions {
    /// Fewer texts and epochs, for designs that take long.
    pub fn for_comparison(&self) -> Self {
        let schedule = Schedule { epochs_max: 4, ..self.schedule.clone() };
        Self { texts: 40_000, held_out_texts: 1_500, schedule, ..self.clone() }
    }
}

/// Why there is no network.
#[derive(Debug, Error)]
pub enum PayloadTrainingError {
    #[error(transparent)]
    Fit(#[from] FitError),
    #[error(transparent)]
    Graph(#[from] GraphError),
    /// ONNX Runtime refused a model.
    #[error("onnx runtime failed: {0}")]
    Ort(#[from] ort::Error),
}

/// A trained payload network.
#[derive(Debug, Clone)]
pub struct FittedPayloadNetwork {
    /// The model that `PayloadNetwork::load` opens.
    pub onnx: Vec<u8>,
    pub trained: Trained,
}

impl FittedPayloadNetwork {
    fn new(trained: Trained) -> Result<Self, GraphError> {
        Ok(Self { onnx: Perceptron::shipped()?.logits_onnx(&trained.parameters, 1)?, trained })
    }

    /// The same network, of which all log-odds are lower by `threshold`, so that 0 is where alarms begin.
    pub fn with_threshold(mut self, threshold: f32) -> Result<Self, GraphError> {
        let is_bias = |parameter: &&mut NamedTensor| parameter.name == "output.bias";
        if let Some(bias) = self.trained.parameters.iter_mut().find(is_bias) {
            bias.values[PayloadClass::Benign.index()] += threshold;
        }
        Self::new(self.trained)
    }
}

/// What a network is trained on, as windows of forms of texts.
pub struct PayloadData {
    pub training: Vec<LabelledText>,
    pub stopping: Vec<LabelledText>,
}

impl PayloadData {
    /// Texts of the templates in `part`, with `corpora`; half of the held-out ones are of templates that are not trained on.
    pub fn new(part: Part, corpora: &[LabelledText], options: &TrainingOptions) -> Self {
        let seed = options.schedule.seed;
        let mut training = texts_repeated(part, options.texts, REPEATS_MAX, seed);
        training.extend_from_slice(corpora);
        let half = options.held_out_texts / 2;
        let stopping =
            [Part::Stopping, Part::Training].into_iter().flat_map(|part| texts(part, half, seed + 1)).collect();
        Self { training: windows_of(training, seed), stopping: windows_of(stopping, seed + 1) }
    }
}

/// `count` benign texts and as many attacks, without those that come again.
pub fn texts(part: Part, count: usize, seed: u64) -> Vec<LabelledText> {
    texts_repeated(part, count, 1, seed)
}

/// The same with each text up to `repeats_max` times.
fn texts_repeated(part: Part, count: usize, repeats_max: usize, seed: u64) -> Vec<LabelledText> {
    let mut generator = Generator::new(part, seed);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut texts = Vec::with_capacity(2 * count);
    for _ in 0..count {
        texts.push(LabelledText { class: PayloadClass::Benign, text: generator.benign() });
        texts.push(generator.attack());
    }
    texts.retain(|text| {
        let repeats = seen.entry(text.text.clone()).or_default();
        *repeats += 1;
        *repeats <= repeats_max
    });
    texts
}

/// One window of one form of each text: an attack's first, where it is, and any of a benign text. What is plain never
/// reaches the network, so it is not trained on.
pub fn windows_of(texts: Vec<LabelledText>, seed: u64) -> Vec<LabelledText> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(FORMS_STREAM);
    let mut windows = Vec::with_capacity(texts.len());
    for LabelledText { class, text } in texts {
        let forms = forms_of(&text, &mut WorkBudget::default());
        let forms: Vec<&str> = forms.texts().collect();
        let form = forms[generator.random_range(0..forms.len())];
        let latest = if class == PayloadClass::Benign { form.len().saturating_sub(WINDOW_BYTES) } else { 0 };
        let start = form.floor_char_boundary(generator.random_range(0..=latest));
        let end = form.floor_char_boundary(start + WINDOW_BYTES);
        let window = &form[start..end];
        if !is_plain(window) {
            windows.push(LabelledText { class, text: window.to_owned() });
        }
    }
    windows
}

/// Trains the shipped design through all epochs of the schedule, the learning rate falling to zero. `progress` is called after
/// each epoch and cancels by returning [`ControlFlow::Break`].
pub fn fit(
    data: &PayloadData,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<FittedPayloadNetwork, PayloadTrainingError> {
    Ok(FittedPayloadNetwork::new(fit_design(&Perceptron::shipped()?, data, options, progress)?)?)
}

/// As [`fit`], for any design.
pub fn fit_design(
    design: &dyn Design,
    data: &PayloadData,
    options: &TrainingOptions,
    progress: &mut dyn FnMut(&Epoch) -> ControlFlow<()>,
) -> Result<Trained, PayloadTrainingError> {
    let mut task = PayloadTask::new(design, data, options.schedule.seed);
    let epochs = options.schedule.epochs_max;
    let share_left = |epoch: u32| 1.0 - epoch as f32 / epochs as f32;
    let rates: Vec<f32> = (0..epochs).map(|epoch| options.schedule.learning_rate * share_left(epoch)).collect();
    Ok(train_through(&mut task, &options.schedule, &rates, AVERAGED_EPOCHS, progress)?)
}

/// What a text is, but for a small doubt whether it is an attack, so that nothing is told with endless confidence
/// (Szegedy et al., CVPR 2016).
fn write_smoothed_target(class: PayloadClass, target: &mut [f32]) {
    target[class.index()] = 1.0 - SMOOTHING;
    let doubted = if class == PayloadClass::Benign { 1..CLASSES } else { 0..1 };
    let share = SMOOTHING / doubted.len() as f32;
    target[doubted].fill(share);
}

struct PayloadTask<'a> {
    design: &'a dyn Design,
    data: &'a PayloadData,
    order: ShuffledRows,
    generator: ChaCha8Rng,
}

impl<'a> PayloadTask<'a> {
    fn new(design: &'a dyn Design, data: &'a PayloadData, seed: u64) -> Self {
        let order = ShuffledRows::new(data.training.len(), seed);
        Self { design, data, order, generator: noise_generator(seed) }
    }
}

impl Task for PayloadTask<'_> {
    fn initial_parameters(&self, seed: u64) -> Result<Vec<NamedTensor>, GraphError> {
        self.design.initial_parameters(seed)
    }

    fn training_step(&self, batch_rows: usize, adam: &Adam) -> Result<TrainingStep, GraphError> {
        self.design.training_step(batch_rows, adam)
    }

    fn loss_onnx(&self, rows: usize) -> Result<Vec<u8>, GraphError> {
        self.design.loss_onnx(rows)
    }

    fn training_rows(&self) -> usize {
        self.data.training.len()
    }

    fn next_batch(&mut self, batch_rows: usize) -> Vec<ModelInput> {
        let columns = self.design.features();
        let mut features = vec![0.0; batch_rows * columns];
        let mut target = vec![0.0; batch_rows * CLASSES];
        let batch = self.order.next_batch(batch_rows);
        let places = features.chunks_mut(columns).zip(target.chunks_mut(CLASSES));
        for (&number, (row, target)) in batch.iter().zip(places) {
            let LabelledText { class, text } = &self.data.training[number];
            write_smoothed_target(*class, target);
            self.design.write_features(text, row);
            self.design.disturb(row, &mut self.generator);
        }
        vec![
            ModelInput::new(FEATURES, &[batch_rows, columns], features),
            ModelInput::new(TARGET, &[batch_rows, CLASSES], target),
            ModelInput::new(WEIGHT, &[batch_rows], vec![1.0; batch_rows]),
        ]
    }

    fn held_out(&self) -> HeldOut {
        let columns = self.design.features();
        let chunk_rows = self.data.stopping.len().min(EVALUATION_ROWS);
        let chunk = |texts: &[LabelledText]| {
            let mut features = vec![0.0; chunk_rows * columns];
            let mut target = vec![0.0; chunk_rows * CLASSES];
            let places = features.chunks_mut(columns).zip(target.chunks_mut(CLASSES));
            for (LabelledText { class, text }, (row, target)) in texts.iter().zip(places) {
                self.design.write_features(text, row);
                target[class.index()] = 1.0;
            }
            HeldOutChunk {
                inputs: vec![
                    ModelInput::new(FEATURES, &[chunk_rows, columns], features),
                    ModelInput::new(TARGET, &[chunk_rows, CLASSES], target),
                ],
                weights: vec![1.0; texts.len()],
            }
        };
        HeldOut { chunk_rows, chunks: self.data.stopping.chunks(chunk_rows).map(chunk).collect() }
    }
}
