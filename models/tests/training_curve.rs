//! A training run of the autoencoder against an independent implementation in JAX.

mod onnx_runtime;

use std::{path::Path, process::Command};

use apiward_models::{
    Adam, Autoencoder, LEARNING_RATE, LOSS, MOMENT_CORRECTION, NamedTensor, VARIANCE_CORRECTION,
    autoencoder::{CORRUPTED, FEATURES, VISIBLE, WEIGHT},
};
use onnx_runtime::{Given, open, run};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

const FEATURE_COUNT: usize = 7;
const BATCH_ROWS: usize = 24;
const STEPS: u32 = 120;
const STEP_SIZE: f32 = 0.005;
/// Small, so that both branches of the loss are taken all along.
const HUBER_DELTA: f32 = 0.6;

struct Batch {
    features: Vec<f32>,
    corrupted: Vec<f32>,
    visible: Vec<f32>,
    weights: Vec<f32>,
}

fn batch(generator: &mut ChaCha8Rng) -> Batch {
    let mut batch = Batch { features: vec![], corrupted: vec![], visible: vec![], weights: vec![] };
    for row in 0..BATCH_ROWS {
        let (slope, offset) = (generator.random_range(-1.0..1.0f32), generator.random_range(-1.0..1.0f32));
        // One row of each batch shows nothing, which the division by the number of visible features must survive.
        let shown = if row == 0 { 0 } else { generator.random_range(1..=FEATURE_COUNT) };
        for feature in 0..FEATURE_COUNT {
            let value = (slope * feature as f32 + offset).sin();
            batch.features.push(value);
            batch.corrupted.push(value + generator.random_range(-0.2..0.2));
            batch.visible.push(if feature < shown { 1.0 } else { 0.0 });
        }
        batch.weights.push(generator.random_range(0.5..1.5));
    }
    batch
}

#[test]
fn the_training_curve_is_that_of_an_independent_implementation() {
    let network = Autoencoder::with_hidden(FEATURE_COUNT, vec![10, 4, 10]).unwrap();
    let initial = network.initial_parameters(23).unwrap();
    let mut generator = ChaCha8Rng::seed_from_u64(31);
    let batches: Vec<Batch> = (0..STEPS).map(|_| batch(&mut generator)).collect();
    let (losses, trained) = train(&network, &initial, &batches);
    assert!(losses[losses.len() - 1] < 0.5 * losses[0], "{losses:?}");

    let run = json!({
        "adam": adam_json(),
        "learning_rate": STEP_SIZE,
        "huber_delta": HUBER_DELTA,
        "initial": initial.iter().map(tensor_json).collect::<Vec<_>>(),
        "batches": batches.iter().map(batch_json).collect::<Vec<_>>(),
        "losses": losses,
        "trained": trained.iter().map(tensor_json).collect::<Vec<_>>(),
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("run.json");
    std::fs::write(&file, serde_json::to_vec(&run).unwrap()).unwrap();
    require_same_in_jax(&file);
}

/// Trains in ONNX Runtime; returns the losses and the parameters in the end.
fn train(network: &Autoencoder, initial: &[NamedTensor], batches: &[Batch]) -> (Vec<f32>, Vec<NamedTensor>) {
    let adam = Adam::default();
    let step = network.training_step(BATCH_ROWS, HUBER_DELTA, &adam).unwrap();
    let states: Vec<_> = step.parameters.iter().flat_map(|parameter| parameter.states()).collect();
    let mut values: Vec<Vec<f32>> = initial
        .iter()
        .flat_map(|given| [given.values.clone(), vec![0.0; given.values.len()], vec![0.0; given.values.len()]])
        .collect();
    let mut outputs = vec![LOSS];
    outputs.extend(states.iter().map(|state| state.output.as_str()));

    let mut session = open(&step.onnx);
    let mut losses = Vec::new();
    for (index, batch) in (1..).zip(batches) {
        let (moment_correction, variance_correction) = adam.corrections(index);
        let wide = [BATCH_ROWS, FEATURE_COUNT];
        let mut given = vec![
            Given::new(FEATURES, &wide, batch.features.clone()),
            Given::new(CORRUPTED, &wide, batch.corrupted.clone()),
            Given::new(VISIBLE, &wide, batch.visible.clone()),
            Given::new(WEIGHT, &[BATCH_ROWS], batch.weights.clone()),
            Given::new(LEARNING_RATE, &[], vec![STEP_SIZE]),
            Given::new(MOMENT_CORRECTION, &[], vec![moment_correction]),
            Given::new(VARIANCE_CORRECTION, &[], vec![variance_correction]),
        ];
        given.extend(states.iter().zip(values).map(|(state, value)| Given::new(&state.input, &state.shape, value)));
        let mut results = run(&mut session, &given, &outputs);
        values = results.split_off(1);
        losses.push(results[0][0]);
    }
    let trained = initial.iter().zip(values.chunks(3));
    let trained = trained.map(|(given, states)| NamedTensor { values: states[0].clone(), ..given.clone() });
    (losses, trained.collect())
}

fn require_same_in_jax(run: &Path) {
    let python = std::env::var_os("APIWARD_PYTHON")
        .expect("APIWARD_PYTHON must name a Python interpreter that has JAX; `make test` sets it");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/training_curve.py");
    let output = Command::new(&python).arg(script).arg(run).output().unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn adam_json() -> Value {
    let Adam { beta1, beta2, epsilon } = Adam::default();
    json!({ "beta1": beta1, "beta2": beta2, "epsilon": epsilon })
}

fn tensor_json(tensor: &NamedTensor) -> Value {
    json!({ "name": tensor.name, "shape": tensor.shape, "values": tensor.values })
}

fn batch_json(batch: &Batch) -> Value {
    json!({
        "features": batch.features,
        "corrupted": batch.corrupted,
        "visible": batch.visible,
        "weights": batch.weights,
    })
}
