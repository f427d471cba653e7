//! Scores of values that came before.

use std::collections::HashMap;
use std::hash::Hasher as _;

use siphasher::sip::SipHasher13;

use super::PayloadScore;

/// A bounded cache from texts to their scores. Texts are known by a keyed hash of 64 bits, which nobody can make collide
/// who does not know the key.
#[derive(Debug, Clone)]
pub struct PayloadCache {
    key: [u8; 16],
    capacity: usize,
    recent: HashMap<u64, PayloadScore>,
    earlier: HashMap<u64, PayloadScore>,
}

impl PayloadCache {
    /// A cache of at most `capacity` scores; `key` is random.
    pub fn new(capacity: usize, key: [u8; 16]) -> Self {
        Self { key, capacity, recent: HashMap::new(), earlier: HashMap::new() }
    }

    /// What a text is known by.
    pub(super) fn hash(&self, text: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.key);
        hasher.write(text.as_bytes());
        hasher.finish()
    }

    pub(super) fn get(&mut self, hash: u64) -> Option<PayloadScore> {
        if let Some(score) = self.recent.get(&hash) {
            return Some(*score);
        }
        let score = self.earlier.remove(&hash)?;
        self.insert(hash, score);
        Some(score)
    }

    /// Two generations: when the recent one has half of the capacity, it becomes the earlier one, which is forgotten.
    pub(super) fn insert(&mut self, hash: u64, score: PayloadScore) {
        if self.recent.len() >= self.capacity / 2 {
            self.earlier = std::mem::take(&mut self.recent);
        }
        self.recent.insert(hash, score);
    }

    /// Scores that are kept.
    pub fn len(&self) -> usize {
        self.recent.len() + self.earlier.len()
    }

    /// Whether nothing is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
