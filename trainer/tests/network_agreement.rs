//! The filter's way of running a network gives what ONNX Runtime gives.

use apiward_detector::network;
use apiward_detector::profile::feature_count;
use apiward_models::{Autoencoder, NamedTensor};
use apiward_trainer::fit::OrtNetwork;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const ROWS: usize = 200;
/// Two results agree when they differ by at most this plus this times their size.
const TOLERANCE: f32 = 1e-4;

#[track_caller]
fn assert_close(what: &str, actual: f32, expected: f32) {
    let difference = (actual - expected).abs();
    assert!(difference <= TOLERANCE + TOLERANCE * expected.abs(), "{what}: {actual} instead of {expected}");
}

/// Parameters as if trained: biases would all be zero before.
fn parameters(network: &Autoencoder, random: &mut ChaCha8Rng) -> Vec<NamedTensor> {
    let mut parameters = network.initial_parameters(3).unwrap();
    for value in parameters.iter_mut().flat_map(|tensor| &mut tensor.values) {
        *value += random.random_range(-0.05..0.05);
    }
    parameters
}

fn check(network: &Autoencoder) {
    let mut random = ChaCha8Rng::seed_from_u64(17);
    let parameters = parameters(network, &mut random);
    let features = network.features();
    let onnx = network.inference_onnx(&parameters, 1).unwrap();
    let in_filter = network::Autoencoder::load(&onnx, features).unwrap();
    let mut in_trainer = OrtNetwork::open(&network.inference_onnx(&parameters, 64).unwrap()).unwrap();

    let values: Vec<f32> = (0..ROWS * features).map(|_| random.random_range(-6.0..6.0)).collect();
    // From rows of which nothing is visible to rows of which everything is.
    let visible: Vec<f32> = (0..ROWS)
        .flat_map(|row| vec![row as f64 / (ROWS - 1) as f64; features])
        .map(|share| if random.random_bool(share) { 1.0 } else { 0.0 })
        .collect();
    let expected = in_trainer.run(&values, &visible).unwrap();
    assert_eq!(expected.errors.len(), ROWS);
    let rows = values.chunks_exact(features).zip(visible.chunks_exact(features));
    let expected = expected.errors.iter().zip(expected.squared_errors.chunks_exact(features));
    for ((values, visible), (&error, squared_error)) in rows.zip(expected) {
        let actual = in_filter.reconstruct(values, visible).unwrap();
        assert_close("error", actual.error, error);
        for (&actual, &expected) in actual.squared_error.iter().zip(squared_error) {
            assert_close("squared error", actual, expected);
        }
    }
}

#[test]
fn detector_and_onnx_runtime_agree() {
    check(&Autoencoder::for_features(feature_count()).unwrap());
}

#[test]
fn detector_and_onnx_runtime_agree_on_odd_widths() {
    check(&Autoencoder::with_hidden(7, vec![13]).unwrap());
    check(&Autoencoder::with_hidden(1, vec![1, 3, 1, 2]).unwrap());
}
