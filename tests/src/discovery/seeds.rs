//! Seeds derived from names, so that what belongs to a name does not depend on the order in which things are drawn.

use apiward_detector::hashing::stable_hash;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// 64 bits that stand for everything that led to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seed(u64);

impl Seed {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn with(self, name: &str) -> Self {
        Self(stable_hash(&[&self.0.to_le_bytes(), name.as_bytes()]))
    }

    pub fn with_number(self, number: u64) -> Self {
        Self(stable_hash(&[&self.0.to_le_bytes(), &number.to_le_bytes()]))
    }

    /// A number in `0..limit`.
    pub fn below(self, limit: u64) -> u64 {
        stable_hash(&[&self.0.to_le_bytes(), b"below"]) % limit.max(1)
    }

    pub fn rng(self) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(self.0)
    }
}
