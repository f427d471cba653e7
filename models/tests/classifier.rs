//! The classifier's loss, probabilities and training in ONNX Runtime against what can be computed by hand.

mod onnx_runtime;

use apiward_models::{
    Adam, Classifier, LEARNING_RATE, LOSS, MOMENT_CORRECTION, ROW_LOSS, VARIANCE_CORRECTION,
    classifier::{FEATURES, PROBABILITIES, TARGET, WEIGHT},
};
use onnx_runtime::{Given, open, run};

const ROWS: usize = 8;

/// Exclusive or of two features, which needs the hidden layer.
fn exclusive_or() -> (Vec<f32>, Vec<f32>) {
    let points = (0..ROWS).map(|row| ((row & 1) as f32, ((row >> 1) & 1) as f32));
    let features = points.clone().flat_map(|(left, right)| [left, right]).collect();
    let target = points.flat_map(|(left, right)| if left == right { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
    (features, target)
}

#[test]
fn training_learns_what_no_linear_model_can_and_inference_agrees_with_the_loss() {
    let network = Classifier::new(2, vec![8], 2).unwrap();
    let adam = Adam::default();
    let step = network.training_step(ROWS, &adam).unwrap();
    let states: Vec<_> = step.parameters.iter().flat_map(|parameter| parameter.states()).collect();
    let mut parameters = network.initial_parameters(5).unwrap();
    let mut values: Vec<Vec<f32>> = parameters
        .iter()
        .flat_map(|given| [given.values.clone(), vec![0.0; given.values.len()], vec![0.0; given.values.len()]])
        .collect();
    let mut outputs = vec![LOSS];
    outputs.extend(states.iter().map(|state| state.output.as_str()));
    let (features, target) = exclusive_or();
    let data = [Given::new(FEATURES, &[ROWS, 2], features), Given::new(TARGET, &[ROWS, 2], target.clone())];

    let mut session = open(&step.onnx);
    let mut losses = Vec::new();
    for index in 1..=400 {
        let (moment_correction, variance_correction) = adam.corrections(index);
        let mut given: Vec<Given> =
            data.iter().map(|input| Given::new(&input.name, &input.shape, input.values.clone())).collect();
        given.extend([
            Given::new(WEIGHT, &[ROWS], vec![1.0; ROWS]),
            Given::new(LEARNING_RATE, &[], vec![0.02]),
            Given::new(MOMENT_CORRECTION, &[], vec![moment_correction]),
            Given::new(VARIANCE_CORRECTION, &[], vec![variance_correction]),
        ]);
        given.extend(states.iter().zip(values).map(|(state, value)| Given::new(&state.input, &state.shape, value)));
        let mut results = run(&mut session, &given, &outputs);
        values = results.split_off(1);
        losses.push(results[0][0]);
    }
    assert!(losses[0] > 0.3 && losses[399] < 0.02, "{} to {}", losses[0], losses[399]);

    for (parameter, states) in parameters.iter_mut().zip(values.chunks(3)) {
        parameter.values.clone_from(&states[0]);
    }
    let mut inference = open(&network.inference_onnx(&parameters, ROWS, 1.0).unwrap());
    let probabilities = run(&mut inference, &data[..1], &[PROBABILITIES]).remove(0);
    let mut given: Vec<Given> = parameters
        .iter()
        .map(|parameter| Given::new(&parameter.name, &parameter.shape, parameter.values.clone()))
        .collect();
    given.extend(data);
    let row_losses = run(&mut open(&network.loss_onnx(ROWS).unwrap()), &given, &[ROW_LOSS]).remove(0);
    for (row, loss) in row_losses.iter().enumerate() {
        let shares = &probabilities[row * 2..row * 2 + 2];
        assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
        let of_target: f32 = shares.iter().zip(&target[row * 2..]).map(|(share, target)| share * target).sum();
        assert!((loss + of_target.ln()).abs() < 1e-4, "loss {loss}, probability {of_target}");
    }
}
