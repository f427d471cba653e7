//! Minibatches: shuffled rows, each seen as one of the phases sees it, with noise.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::{
    data::{FeatureMatrix, PhaseMasks},
    order::{ShuffledRows, noise_generator},
};

/// How inputs are disturbed, so that the network has to learn how features hang together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Standard deviation of what is added to every feature.
    pub deviation: f32,
    /// Share of features, 0..1, replaced by those of other rows.
    pub swapped: f32,
}

/// One batch in row-major order: `[rows, F]` each, and `[rows]` weights.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Batch {
    pub features: Vec<f32>,
    pub corrupted: Vec<f32>,
    pub visible: Vec<f32>,
    pub weights: Vec<f32>,
}

/// An endless sequence of batches of shuffled rows.
pub(super) struct Batches<'a> {
    rows: &'a FeatureMatrix,
    phases: &'a PhaseMasks,
    noise: Noise,
    order: ShuffledRows,
    weight_scale: f32,
    noise_generator: ChaCha8Rng,
}

impl<'a> Batches<'a> {
    /// Masks have the rows' number of features.
    pub fn new(rows: &'a FeatureMatrix, phases: &'a PhaseMasks, noise: Noise, seed: u64) -> Self {
        let weight_sum: f64 = rows.weights().iter().map(|&weight| f64::from(weight)).sum();
        Self {
            rows,
            phases,
            noise,
            order: ShuffledRows::new(rows.rows(), seed),
            weight_scale: (rows.rows() as f64 / weight_sum) as f32,
            noise_generator: noise_generator(seed),
        }
    }

    /// The next batch, of at most as many rows as there are; weights are scaled to a mean of 1 over all rows.
    pub fn next_batch(&mut self, batch_rows: usize) -> Batch {
        let values = batch_rows * self.rows.features();
        let mut batch = Batch {
            features: Vec::with_capacity(values),
            corrupted: Vec::with_capacity(values),
            visible: Vec::with_capacity(values),
            weights: Vec::with_capacity(batch_rows),
        };
        for row in self.order.next_batch(batch_rows).to_vec() {
            batch.features.extend_from_slice(self.rows.row(row));
            batch.weights.push(self.rows.weights()[row] * self.weight_scale);
            let phase = self.noise_generator.random_range(0..self.phases.masks().len());
            let mask = &self.phases.masks()[phase];
            batch.visible.extend(mask.iter().zip(self.rows.known(row)).map(|(mask, known)| mask * known));
            self.extend_corrupted(row, &mut batch.corrupted);
        }
        batch
    }

    fn extend_corrupted(&mut self, row: usize, corrupted: &mut Vec<f32>) {
        // A uniform distribution over ±√3 has a standard deviation of 1.
        let half_width = self.noise.deviation * 3.0f32.sqrt();
        for (feature, &value) in self.rows.row(row).iter().enumerate() {
            let swap = self.noise_generator.random::<f32>() < self.noise.swapped;
            let seen = if swap { self.other_value(feature).unwrap_or(value) } else { value };
            corrupted.push(seen + (2.0 * self.noise_generator.random::<f32>() - 1.0) * half_width);
        }
    }

    /// The feature's value in a random row, if it is known there.
    fn other_value(&mut self, feature: usize) -> Option<f32> {
        let other = self.noise_generator.random_range(0..self.rows.rows());
        (self.rows.known(other)[feature] == 1.0).then(|| self.rows.row(other)[feature])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLEAN: Noise = Noise { deviation: 0.0, swapped: 0.0 };

    fn numbered_rows(rows: usize) -> FeatureMatrix {
        let values = (0..rows).flat_map(|row| [row as f32, -(row as f32)]).collect();
        FeatureMatrix::new(2, values, vec![2.0; rows]).unwrap()
    }

    #[test]
    fn the_same_seed_repeats_the_batches() {
        let rows = numbered_rows(12);
        let phases = PhaseMasks::new(vec![vec![1.0, 0.0], vec![1.0, 1.0]]).unwrap();
        let noise = Noise { deviation: 0.1, swapped: 0.2 };
        let batches = |seed| {
            let mut stream = Batches::new(&rows, &phases, noise, seed);
            (0..6).map(|_| stream.next_batch(5)).collect::<Vec<_>>()
        };
        assert_eq!(batches(9), batches(9));
        assert_ne!(batches(9), batches(10));
    }

    #[test]
    fn noise_disturbs_what_is_seen_but_not_the_target() {
        let rows = numbered_rows(64);
        let phases = PhaseMasks::all_visible(2).unwrap();
        let mut batches = Batches::new(&rows, &phases, Noise { deviation: 0.0, swapped: 0.5 }, 3);
        let batch = batches.next_batch(64);
        let swapped = batch.features.iter().zip(&batch.corrupted).filter(|(target, seen)| target != seen).count();
        assert!((32..96).contains(&swapped), "{swapped} of 128 features were swapped");
        assert!(batch.weights.iter().all(|&weight| weight == 1.0));
    }

    #[test]
    fn all_phases_are_trained() {
        let rows = numbered_rows(64);
        let phases = PhaseMasks::new(vec![vec![1.0, 0.0], vec![1.0, 1.0]]).unwrap();
        let batch = Batches::new(&rows, &phases, CLEAN, 3).next_batch(64);
        let full = batch.visible.chunks(2).filter(|mask| mask[1] == 1.0).count();
        assert!((16..48).contains(&full), "{full} of 64 rows were seen in the second phase");
    }

    #[test]
    fn what_is_not_known_in_a_row_is_not_visible_and_not_swapped_in() {
        let values = (0..64).flat_map(|row| [1.0, if row % 2 == 0 { f32::NAN } else { 1.0 }]).collect();
        let rows = FeatureMatrix::new(2, values, vec![1.0; 64]).unwrap();
        let phases = PhaseMasks::all_visible(2).unwrap();
        let batch = Batches::new(&rows, &phases, Noise { deviation: 0.0, swapped: 0.5 }, 3).next_batch(64);
        assert_eq!(batch.visible.iter().filter(|&&visible| visible == 0.0).count(), 32);
        for (seen, visible) in batch.corrupted.iter().zip(&batch.visible) {
            assert!(*visible == 0.0 || *seen == 1.0, "a visible feature was replaced by an unknown one");
        }
    }
}
