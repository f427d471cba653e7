//! Normal sessions made wrong: what surprise must be accumulated for, without an example of an attack.

use apiward_detector::session::{Call, CallSymbol};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Calls of a stretch that is shuffled, and of a walk.
const STRETCH: usize = 6;
/// Most calls that are left out.
const SKIPPED_MAX: usize = 3;

/// A way in which a session goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// Calls are left out.
    Skip,
    /// It goes on as another one did.
    Splice,
    /// A stretch is in another order.
    Shuffle,
    /// Endpoints one after the other, as they are numbered.
    Walk,
}

impl Fault {
    pub const ALL: [Fault; 4] = [Fault::Skip, Fault::Splice, Fault::Shuffle, Fault::Walk];

    /// `None` where the session is too short for it.
    pub fn inject(
        self,
        calls: &[Call],
        other: &[Call],
        symbols: &[CallSymbol],
        generator: &mut ChaCha8Rng,
    ) -> Option<Vec<Call>> {
        if calls.len() < 4 || other.len() < 4 {
            return None;
        }
        let place = generator.random_range(1..calls.len() - 1);
        let (before, after) = calls.split_at(place);
        let mut faulty = before.to_vec();
        match self {
            Fault::Skip => {
                let skipped = generator.random_range(1..=SKIPPED_MAX.min(after.len() - 1));
                faulty.extend_from_slice(&after[skipped..]);
            }
            Fault::Splice => faulty.extend_from_slice(&other[generator.random_range(1..other.len() - 1)..]),
            Fault::Shuffle => {
                let mut stretch = after[..STRETCH.min(after.len())].to_vec();
                stretch.shuffle(generator);
                faulty.extend_from_slice(&stretch);
                faulty.extend_from_slice(&after[stretch.len()..]);
            }
            Fault::Walk => {
                let first = generator.random_range(0..symbols.len());
                let walk = symbols.iter().cycle().skip(first).take(STRETCH.min(symbols.len()));
                let as_before = calls[place - 1];
                faulty.extend(walk.map(|endpoint| Call { endpoint: *endpoint, ..as_before }));
                faulty.extend_from_slice(after);
            }
        }
        (faulty != calls).then_some(faulty)
    }
}
