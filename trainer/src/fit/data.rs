//! What a network is trained on: rows of standardised features, and which of them each phase knows.

use thiserror::Error;

/// Why data for a training run was refused.
#[derive(Debug, Clone, PartialEq, Error)]
pub enum DataError {
    /// The number of values is not rows × features.
    #[error("{values} values for {rows} rows of {features} features; every row needs all of its features")]
    ValueCount { values: usize, rows: usize, features: usize },
    /// There is nothing to learn from.
    #[error("there are no rows, or no features; at least one of each is needed")]
    Empty,
    /// A feature is infinite.
    #[error("feature {feature} of row {row} is {value}; features must be finite, or NaN where not known")]
    NotFinite { row: usize, feature: usize, value: f32 },
    /// A row's weight is zero, negative, infinite or not a number.
    #[error("the weight of row {row} is {weight}; weights must be positive and finite")]
    Weight { row: usize, weight: f32 },
    /// A phase's mask has the wrong length or other values than 0 and 1, or knows no feature at all.
    #[error("the mask of phase {phase} must hold {features} values of 0 or 1, with at least one 1")]
    Mask { phase: usize, features: usize },
    /// Two parts of the data disagree on the number of features.
    #[error("{what} has {actual} features where {expected} are expected")]
    FeatureCount { what: &'static str, actual: usize, expected: usize },
}

/// Rows of standardised features, each with a weight.
///
/// Features should be clipped to a few standard deviations beforehand; the network extrapolates poorly.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    features: usize,
    values: Vec<f32>,
    known: Vec<f32>,
    weights: Vec<f32>,
}

impl FeatureMatrix {
    /// `values` are `weights.len()` rows of `features` values each, finite or NaN for what is not known in a row; weights
    /// are positive and only matter in relation to each other.
    pub fn new(features: usize, mut values: Vec<f32>, weights: Vec<f32>) -> Result<Self, DataError> {
        let rows = weights.len();
        if features == 0 || rows == 0 {
            return Err(DataError::Empty);
        }
        if rows.checked_mul(features) != Some(values.len()) {
            return Err(DataError::ValueCount { values: values.len(), rows, features });
        }
        if let Some(at) = values.iter().position(|value| value.is_infinite()) {
            return Err(DataError::NotFinite { row: at / features, feature: at % features, value: values[at] });
        }
        if let Some(row) = weights.iter().position(|weight| !weight.is_finite() || *weight <= 0.0) {
            return Err(DataError::Weight { row, weight: weights[row] });
        }
        let known = values.iter().map(|value| if value.is_nan() { 0.0 } else { 1.0 }).collect();
        values.iter_mut().filter(|value| value.is_nan()).for_each(|value| *value = 0.0);
        Ok(Self { features, values, known, weights })
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.weights.len()
    }

    /// Number of features, F.
    pub fn features(&self) -> usize {
        self.features
    }

    /// 1 for every feature that is known in a row, 0 for the others.
    pub fn known(&self, row: usize) -> &[f32] {
        &self.known[row * self.features..(row + 1) * self.features]
    }

    /// The features of a row, 0 where not known.
    pub fn row(&self, row: usize) -> &[f32] {
        &self.values[row * self.features..(row + 1) * self.features]
    }

    /// The weights of all rows.
    pub fn weights(&self) -> &[f32] {
        &self.weights
    }
}

/// For each phase of an exchange, which features are known in it.
#[derive(Debug, Clone, PartialEq)]
pub struct PhaseMasks {
    features: usize,
    masks: Vec<Vec<f32>>,
}

impl PhaseMasks {
    /// One mask per phase, each with a 1 for every feature known in it and a 0 for the others.
    pub fn new(masks: Vec<Vec<f32>>) -> Result<Self, DataError> {
        let features = masks.first().map_or(0, Vec::len);
        if features == 0 {
            return Err(DataError::Empty);
        }
        for (phase, mask) in masks.iter().enumerate() {
            let binary = mask.iter().all(|&value| value == 0.0 || value == 1.0);
            if mask.len() != features || !binary || !mask.contains(&1.0) {
                return Err(DataError::Mask { phase, features });
            }
        }
        Ok(Self { features, masks })
    }

    /// A single phase in which everything is known.
    pub fn all_visible(features: usize) -> Result<Self, DataError> {
        Self::new(vec![vec![1.0; features]])
    }

    /// Number of features, F.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The masks in the order of the phases; there is at least one.
    pub fn masks(&self) -> &[Vec<f32>] {
        &self.masks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_cannot_be_learned_from_are_refused() {
        let refused = |values: &[f32], weights: &[f32]| FeatureMatrix::new(2, values.to_vec(), weights.to_vec());
        assert_eq!(refused(&[1.0; 3], &[1.0; 2]), Err(DataError::ValueCount { values: 3, rows: 2, features: 2 }));
        assert_eq!(refused(&[], &[]), Err(DataError::Empty));
        assert_eq!(refused(&[1.0; 2], &[0.0]), Err(DataError::Weight { row: 0, weight: 0.0 }));
        let infinite = refused(&[1.0, 1.0, 1.0, f32::INFINITY], &[1.0; 2]);
        assert_eq!(infinite, Err(DataError::NotFinite { row: 1, feature: 1, value: f32::INFINITY }));
    }

    #[test]
    fn nan_marks_what_a_row_does_not_know() {
        let rows = FeatureMatrix::new(2, vec![0.5, f32::NAN, 0.0, -1.0], vec![1.0; 2]).unwrap();
        assert_eq!((rows.row(0), rows.known(0)), (&[0.5, 0.0][..], &[1.0, 0.0][..]));
        assert_eq!((rows.row(1), rows.known(1)), (&[0.0, -1.0][..], &[1.0, 1.0][..]));
    }

    #[test]
    fn masks_must_be_binary_and_show_something() {
        for bad in [vec![0.0, 0.0], vec![0.5, 1.0], vec![1.0]] {
            let masks = PhaseMasks::new(vec![vec![1.0, 1.0], bad]);
            assert_eq!(masks, Err(DataError::Mask { phase: 1, features: 2 }));
        }
        assert_eq!(PhaseMasks::new(vec![]), Err(DataError::Empty));
    }
}
