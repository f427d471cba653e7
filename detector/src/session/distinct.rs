//! How many different things were met, without keeping them.

use super::decay::{DecayedCount, Fading};

const BITS: u32 = u64::BITS;
/// Bits set at which the set is begun anew: beyond, too few things would still read as new.
const BITS_SET_MAX: u32 = 40;

/// Decayed count of things that were new. A set of 64 bits tells new from known; each new one counts for the ones that fell on a
/// bit already set (linear counting: Whang, Vander-Zanden and Taylor, 1990). When the set is nearly full it is begun anew, so that
/// who goes through many things over and over counts them again.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct DistinctCount {
    pub bits: u64,
    pub count: DecayedCount,
}

impl DistinctCount {
    pub fn fade(&mut self, fading: Fading) {
        self.count.fade(fading);
    }

    /// Meets a thing, by its hash.
    pub fn meet(&mut self, hash: u64) {
        // The hashes are keyed, but some callers pass symbols: mix (Fibonacci hashing) before the bits are taken.
        let bit = 1_u64 << (hash.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 58);
        if self.bits & bit != 0 {
            return;
        }
        let set = self.bits.count_ones();
        self.count.add(BITS as f32 / (BITS - set).max(1) as f32);
        self.bits = if set >= BITS_SET_MAX { bit } else { self.bits | bit };
    }
}
