use std::ops::ControlFlow;

use apiward_models::{
    Adam, Autoencoder, LEARNING_RATE, LOSS, MOMENT_CORRECTION, NamedTensor, TrainingStep, VARIANCE_CORRECTION,
    autoencoder::{CORRUPTED, FEATURES, VISIBLE, WEIGHT},
};
use ort::value::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{
    DataError, Epoch, FeatureMatrix, FitError, FitOptions, FittedAutoencoder, ModelInput, Noise, PhaseMasks, Schedule,
    StopReason,
    batches::Batches,
    fit_autoencoder,
    runtime::{self, open_session},
    step::TrainingLoop,
    training::EarlyStopping,
};

const FEATURE_COUNT: usize = 12;
const FACTOR_COUNT: usize = 3;

/// Rows whose features all follow a few hidden factors, so that each can be told from the others.
fn related_rows(rows: usize, seed: u64) -> FeatureMatrix {
    let mut loadings = ChaCha8Rng::seed_from_u64(99);
    let loadings: Vec<f32> = (0..FEATURE_COUNT * FACTOR_COUNT).map(|_| loadings.random_range(-1.0..1.0)).collect();
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    let mut values = Vec::new();
    for _ in 0..rows {
        let factors: [f32; FACTOR_COUNT] = std::array::from_fn(|_| generator.random_range(-1.7..1.7));
        for loading in loadings.chunks(FACTOR_COUNT) {
            let mean: f32 = loading.iter().zip(factors).map(|(loading, factor)| loading * factor).sum();
            values.push(mean + generator.random_range(-0.05..0.05));
        }
    }
    FeatureMatrix::new(FEATURE_COUNT, values, vec![1.0; rows]).unwrap()
}

fn two_phases() -> PhaseMasks {
    let first = (0..FEATURE_COUNT).map(|feature| if feature < FEATURE_COUNT / 2 { 1.0 } else { 0.0 }).collect();
    PhaseMasks::new(vec![first, vec![1.0; FEATURE_COUNT]]).unwrap()
}

fn short_options(seed: u64) -> FitOptions {
    FitOptions { schedule: Schedule { seed, epochs_max: 6, ..Schedule::default() }, ..FitOptions::default() }
}

fn fit(options: &FitOptions) -> FittedAutoencoder {
    let (training, later) = (related_rows(1500, 1), related_rows(300, 2));
    fit_autoencoder(&training, &later, &two_phases(), options, &mut |_| ControlFlow::Continue(())).unwrap()
}

fn all_values(rows: &FeatureMatrix) -> Vec<f32> {
    (0..rows.rows()).flat_map(|row| rows.row(row)).copied().collect()
}

#[test]
fn the_same_seed_gives_the_same_network_bytes() {
    let first = fit(&short_options(5));
    assert!(first.onnx == fit(&short_options(5)).onnx, "two runs with one seed differ");
    assert!(first.onnx != fit(&short_options(6)).onnx, "the seed changes nothing");
}

#[test]
fn rows_that_break_the_learned_relations_stand_out() {
    let fitted = fit(&FitOptions::default());
    let mut network = fitted.open(100).unwrap();
    let fresh = all_values(&related_rows(1000, 3));
    let visible = vec![1.0; fresh.len()];
    let mut normal = network.run(&fresh, &visible).unwrap().errors;
    normal.sort_by(f32::total_cmp);
    let threshold = normal[989];

    // Each feature keeps its distribution; only the relation to the row's other features is broken.
    let mut broken = fresh.clone();
    for row in 0..1000 {
        for feature in [1, 4, 7, 10] {
            broken[row * FEATURE_COUNT + feature] = fresh[(row + 1) % 1000 * FEATURE_COUNT + feature];
        }
    }
    let errors = network.run(&broken, &visible).unwrap().errors;
    let flagged = errors.iter().filter(|&&error| error > threshold).count();
    assert!(flagged >= 950, "{flagged} of 1000 broken rows are above the 99th percentile of normal ones");
}

#[test]
fn the_parameters_of_the_best_epoch_are_kept() {
    let options = FitOptions { huber_delta: 1e3, ..short_options(1) };
    let fitted = fit(&options);
    let chosen = fitted.history[fitted.chosen_epoch as usize - 1];
    let lowest = fitted.history.iter().map(|epoch| epoch.held_out_loss).fold(f64::INFINITY, f64::min);
    assert_eq!(chosen.held_out_loss, lowest);
    assert_eq!(fitted.history.len(), 6);

    // No error is beyond this delta, so the loss is the mean of the errors that inference gives.
    let later = all_values(&related_rows(300, 2));
    let mut network = fitted.open(64).unwrap();
    let phases = two_phases();
    let means = phases.masks().iter().map(|mask| {
        let errors = network.run(&later, &mask.repeat(300)).unwrap().errors;
        errors.iter().map(|&error| f64::from(error)).sum::<f64>() / errors.len() as f64
    });
    let mean = means.sum::<f64>() / 2.0;
    assert!((mean - chosen.held_out_loss).abs() < 1e-4 * mean, "{mean} against {}", chosen.held_out_loss);
}

#[test]
fn bound_states_give_the_same_parameters_as_copied_ones() {
    let rows = related_rows(256, 1);
    let phases = two_phases();
    let batches = || {
        let mut stream = Batches::new(&rows, &phases, Noise { deviation: 0.1, swapped: 0.1 }, 4);
        std::iter::repeat_with(move || {
            let batch = stream.next_batch(32);
            let wide = [32, FEATURE_COUNT];
            vec![
                ModelInput::new(FEATURES, &wide, batch.features),
                ModelInput::new(CORRUPTED, &wide, batch.corrupted),
                ModelInput::new(VISIBLE, &wide, batch.visible),
                ModelInput::new(WEIGHT, &[32], batch.weights),
            ]
        })
        .take(7)
    };
    let adam = Adam::default();
    let network = Autoencoder::for_features(FEATURE_COUNT).unwrap();
    let initial = network.initial_parameters(4).unwrap();
    let step = network.training_step(32, 3.0, &adam).unwrap();

    let environment = runtime::load(None).unwrap();
    let mut bound = TrainingLoop::new(environment, step.clone(), adam, &initial).unwrap();
    let bound_losses: Vec<f32> = batches().map(|batch| bound.step(batch, 0.01).unwrap()).collect();

    let (copied, copied_losses) = train_with_copies(&step, &adam, &initial, batches());
    assert_eq!(bound_losses, copied_losses);
    assert_eq!(bound.parameters(), copied);
    assert_ne!(copied, initial);
}

/// The plain way: every state goes through the host at every step.
fn train_with_copies(
    step: &TrainingStep,
    adam: &Adam,
    initial: &[NamedTensor],
    batches: impl Iterator<Item = Vec<ModelInput>>,
) -> (Vec<NamedTensor>, Vec<f32>) {
    let mut session = open_session(runtime::load(None).unwrap(), &step.onnx).unwrap();
    let mut states: Vec<Vec<f32>> = initial
        .iter()
        .flat_map(|given| [given.values.clone(), vec![0.0; given.values.len()], vec![0.0; given.values.len()]])
        .collect();
    let described: Vec<_> = step.parameters.iter().flat_map(|parameter| parameter.states()).collect();
    let mut losses = Vec::new();
    for (index, batch) in (1..).zip(batches) {
        let (moment_correction, variance_correction) = adam.corrections(index);
        let scalars =
            [(LEARNING_RATE, 0.01), (MOMENT_CORRECTION, moment_correction), (VARIANCE_CORRECTION, variance_correction)];
        let scalars = scalars.map(|(name, value)| ModelInput::new(name, &[], vec![value]));
        let data = batch.into_iter().chain(scalars).map(|input| (input.name.to_owned(), input.shape, input.values));
        let state_inputs = described.iter().zip(&states);
        let state_inputs =
            state_inputs.map(|(state, values)| (state.input.clone(), state.shape.clone(), values.clone()));
        let inputs: Vec<_> = data
            .chain(state_inputs)
            .map(|(name, shape, values)| (name, Tensor::from_array((shape, values)).unwrap()))
            .collect();
        let outputs = session.run(inputs).unwrap();
        let output = |name: &str| outputs[name].try_extract_tensor::<f32>().unwrap().1.to_vec();
        losses.extend(output(LOSS));
        states = described.iter().map(|state| output(&state.output)).collect();
    }
    let parameters = initial.iter().zip(states.chunks(3));
    let parameters = parameters.map(|(given, states)| NamedTensor { values: states[0].clone(), ..given.clone() });
    (parameters.collect(), losses)
}

#[test]
fn what_is_not_visible_changes_nothing() {
    let fitted = fit(&short_options(2));
    let mut single = fitted.open(1).unwrap();
    let mut features = all_values(&related_rows(5, 8));
    let visible = two_phases().masks()[0].repeat(5);
    let before = single.run(&features, &visible).unwrap();
    for row in features.chunks_mut(FEATURE_COUNT) {
        row[FEATURE_COUNT / 2..].fill(50.0);
    }
    let after = single.run(&features, &visible).unwrap();
    assert_eq!(before, after);
    let hidden = before.squared_errors.chunks(FEATURE_COUNT).flat_map(|row| &row[FEATURE_COUNT / 2..]);
    assert!(hidden.copied().all(|error| error == 0.0));
    assert!(before.errors.iter().all(|&error| error > 0.0));
}

#[test]
fn rows_are_evaluated_alike_alone_and_together() {
    let fitted = fit(&short_options(2));
    let rows = all_values(&related_rows(11, 8));
    let visible = vec![1.0; rows.len()];
    let alone = fitted.open(1).unwrap().run(&rows, &visible).unwrap();
    let together = fitted.open(4).unwrap().run(&rows, &visible).unwrap();
    assert_eq!(alone.errors.len(), 11);
    assert_eq!(together.errors.len(), 11);
    for (left, right) in alone.reconstructions.iter().zip(&together.reconstructions) {
        assert!((left - right).abs() <= 1e-5 + 1e-5 * left.abs(), "{left} against {right}");
    }
}

#[test]
fn progress_sees_every_epoch_and_can_cancel() {
    let (training, later) = (related_rows(200, 1), related_rows(50, 2));
    let mut seen = Vec::new();
    let mut progress = |epoch: &Epoch| {
        seen.push(epoch.number);
        if epoch.number == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let result = fit_autoencoder(&training, &later, &two_phases(), &FitOptions::default(), &mut progress);
    assert!(matches!(result, Err(FitError::Cancelled { epoch: 3 })));
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn steps_are_limited() {
    let fitted =
        fit(&FitOptions { schedule: Schedule { steps_max: 100, ..Schedule::default() }, ..FitOptions::default() });
    assert_eq!(fitted.stop_reason, StopReason::StepsMax);
    assert_eq!(fitted.history.last().unwrap().steps, 100);
}

#[test]
fn data_and_options_that_do_not_fit_are_refused() {
    let rows = related_rows(40, 1);
    let narrow = FeatureMatrix::new(1, vec![0.0], vec![1.0]).unwrap();
    let fit = |later: &FeatureMatrix, options: &FitOptions| {
        fit_autoencoder(&rows, later, &two_phases(), options, &mut |_| ControlFlow::Continue(()))
    };
    let refused = fit(&narrow, &FitOptions::default());
    assert!(matches!(refused, Err(FitError::Data(DataError::FeatureCount { actual: 1, .. }))));
    let refused = fit(
        &rows,
        &FitOptions { schedule: Schedule { learning_rate: f32::NAN, ..Schedule::default() }, ..FitOptions::default() },
    );
    assert!(matches!(refused, Err(FitError::Option { name: "learning_rate", .. })));
}

#[test]
fn slow_improvement_ends_when_the_learning_rate_is_used_up() {
    let schedule = Schedule::default();
    let mut stopping = EarlyStopping::new(&schedule, Vec::new());
    // Better in the first and every fifth epoch: never out of patience, but slowed down in the 9th, 14th, 19th, 24th.
    let ended = (1..=schedule.epochs_max).find_map(|number| {
        let held_out_loss = 1.0 / f64::from(number / 5 + 1);
        let learning_rate = stopping.learning_rate;
        let epoch = Epoch { number, steps: number, learning_rate, training_loss: 1.0, held_out_loss };
        stopping.observe(&epoch, Vec::new).map(|reason| (number, reason))
    });
    assert_eq!(ended, Some((24, StopReason::Converged)));
    assert_eq!(stopping.chosen_epoch, 20);
}
