//! Hashed n-grams of raw bytes, whatever they are.

use apiward_models::GraphError;

use super::super::design::Perceptron;

const BUCKETS: usize = 4096;
const LENGTH_MAX: usize = 4;

/// N-grams of 1 to 4 bytes in lower case, each with a sign of its hash (Weinberger et al., ICML 2009), and a perceptron of the
/// shipped design's size.
pub fn design() -> Result<Perceptron, GraphError> {
    Perceptron::new("hashed n-grams of 1 to 4 raw bytes, perceptron", BUCKETS, BUCKETS, &[48, 24], write)
}

/// The same, as the mean over all n-grams of an embedding of 48 values that is learned, and a perceptron.
pub fn pooled() -> Result<Perceptron, GraphError> {
    Perceptron::new("mean of embedded raw n-grams, perceptron", BUCKETS, BUCKETS, &[48, 24], write_mean)
}

fn write(window: &str, row: &mut [f32]) {
    let lower = window.to_ascii_lowercase();
    let marked: Vec<u8> = [2].into_iter().chain(lower.bytes()).chain([3]).collect();
    for length in 1..=LENGTH_MAX {
        for ngram in marked.windows(length) {
            let hash =
                ngram.iter().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193));
            let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
            let mixed = mixed ^ (mixed >> 13);
            row[mixed as usize % BUCKETS] += if mixed >> 31 == 0 { 1.0 } else { -1.0 };
        }
    }
    for value in row {
        *value = value.signum() * (1.0 + value.abs()).log2();
    }
}

fn write_mean(window: &str, row: &mut [f32]) {
    write(window, row);
    let filled = row.iter().filter(|value| **value != 0.0).count().max(1) as f32;
    // Ten times the mean, so that the layer after it starts with values of a usual size.
    row.iter_mut().for_each(|value| *value *= 10.0 / filled);
}
