use serde::{Deserialize, Serialize};

use crate::discovery::limits;

/// Different values by their keyed hashes, counted exactly up to [`limits::DISTINCT_MAX`].
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DistinctValues {
    /// Sorted.
    hashes: Vec<u64>,
}

impl DistinctValues {
    pub fn count(&mut self, hash: u64) {
        if self.hashes.len() < limits::DISTINCT_MAX
            && let Err(place) = self.hashes.binary_search(&hash)
        {
            self.hashes.insert(place, hash);
        }
    }

    pub fn merge(&mut self, other: &DistinctValues) {
        other.hashes.iter().for_each(|hash| self.count(*hash));
    }

    /// Up to [`limits::DISTINCT_MAX`], which then means that many or more.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    /// Whether there may be more than [`DistinctValues::len`].
    pub fn is_full(&self) -> bool {
        self.hashes.len() >= limits::DISTINCT_MAX
    }
}
