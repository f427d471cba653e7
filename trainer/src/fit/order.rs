//! The order in which rows are trained on.

use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// Random streams of one seed; the network's parameters draw from the same seed through their own generators.
const ORDER_STREAM: u64 = 1 << 32;
const NOISE_STREAM: u64 = ORDER_STREAM + 1;

/// The generator for noise on the rows of a training.
pub fn noise_generator(seed: u64) -> ChaCha8Rng {
    generator(seed, NOISE_STREAM)
}

fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}

/// An endless sequence of batches, in which every row comes once before any comes again, but for the rest of a shuffle
/// that does not fill a batch.
#[derive(Debug, Clone)]
pub struct ShuffledRows {
    order: Vec<usize>,
    position: usize,
    generator: ChaCha8Rng,
}

impl ShuffledRows {
    pub fn new(rows: usize, seed: u64) -> Self {
        Self { order: (0..rows).collect(), position: rows, generator: generator(seed, ORDER_STREAM) }
    }

    /// The row numbers of the next batch of `batch_rows`, which are at most as many as there are rows.
    pub fn next_batch(&mut self, batch_rows: usize) -> &[usize] {
        if self.position + batch_rows > self.order.len() {
            self.order.shuffle(&mut self.generator);
            self.position = 0;
        }
        let start = self.position;
        self.position += batch_rows;
        &self.order[start..self.position]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_comes_once_per_shuffle() {
        let mut rows = ShuffledRows::new(12, 3);
        let mut seen: Vec<usize> = (0..3).flat_map(|_| rows.next_batch(4).to_vec()).collect();
        assert_ne!(seen, (0..12).collect::<Vec<_>>());
        seen.sort_unstable();
        assert_eq!(seen, (0..12).collect::<Vec<_>>());
    }
}
