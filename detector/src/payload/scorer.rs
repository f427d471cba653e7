//! Values → what the network says of them.

use std::sync::{Mutex, PoisonError};

use crate::bundle::BundleError;
use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::observation::PayloadValue;
use crate::work::WorkBudget;

use super::undo::forms_of;
use super::{Evidence, ObservedPayload, PayloadCache, PayloadNetwork, PayloadScore};

/// Scores that are kept, some 40 bytes each.
const CACHE_CAPACITY: usize = 4096;
/// What is less like an attack is not carried along, and no threshold below this has a further effect. Alarms begin at 0 unless an
/// operator decided otherwise.
pub const OBSERVED_LOG_ODDS_MIN: f32 = -3.0;

/// What the network says of values.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ObservedPayloads {
    /// Per field the value that looks most like an attack.
    pub payloads: Vec<ObservedPayload>,
    /// A value was not looked at in all its forms, since the inferences of the exchange were used up.
    pub has_unscored: bool,
}

/// The network with its cache.
#[derive(Debug)]
pub struct PayloadScorer {
    network: PayloadNetwork,
    /// Made at the first request, when its key is known.
    cache: Mutex<Option<PayloadCache>>,
}

impl PayloadScorer {
    /// # Errors
    /// When the network breaks a cap or uses an operator that is not allowed.
    pub fn load(onnx: &[u8]) -> Result<Self, BundleError> {
        Ok(Self { network: PayloadNetwork::load(onnx)?, cache: Mutex::new(None) })
    }

    /// Per field the value that looks most like an attack, in any of its forms; fields that look benign are left out. At most
    /// [`limits::OBSERVED_PAYLOADS_MAX`], the worst first. All values go through the network together.
    pub fn observe(
        &self,
        values: &[PayloadValue],
        hasher: &KeyedHasher,
        evidence: Evidence,
        budget: &mut WorkBudget,
    ) -> ObservedPayloads {
        let forms: Vec<_> = values.iter().map(|value| forms_of(&value.text, budget)).collect();
        let texts: Vec<(usize, &str)> =
            forms.iter().enumerate().flat_map(|(value, forms)| forms.texts().map(move |text| (value, text))).collect();
        let mut observed: Vec<ObservedPayload> = Vec::new();
        let scores = self.score(&texts.iter().map(|(_, text)| *text).collect::<Vec<_>>(), hasher, budget);
        let has_unscored = scores.iter().any(Option::is_none);
        for ((value, text), score) in texts.into_iter().zip(scores) {
            let (Some(value), Some(score)) = (values.get(value), score) else { continue };
            if score.attack >= OBSERVED_LOG_ODDS_MIN {
                keep_worst(&mut observed, value, text, &score, evidence);
            }
        }
        observed.sort_by(|one, other| other.attack.total_cmp(&one.attack));
        observed.truncate(limits::OBSERVED_PAYLOADS_MAX);
        ObservedPayloads { payloads: observed, has_unscored }
    }

    /// Log-odds of one text under a budget of its own, without the cache; `None` where the network fails.
    pub fn score_alone(&self, text: &str) -> Option<f32> {
        let mut cache = PayloadCache::new(2, [0; 16]);
        let scores = self.network.score(&[text], &mut cache, &mut WorkBudget::default());
        scores.first().copied().flatten().map(|score| score.attack)
    }

    /// The scores of texts; `None` where the budget ran out before.
    pub fn score(&self, texts: &[&str], hasher: &KeyedHasher, budget: &mut WorkBudget) -> Vec<Option<PayloadScore>> {
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let cache = cache.get_or_insert_with(|| PayloadCache::new(CACHE_CAPACITY, cache_key(hasher)));
        self.network.score(texts, cache, budget)
    }
}

/// Nobody who does not know the hash key can make two texts collide.
fn cache_key(hasher: &KeyedHasher) -> [u8; 16] {
    let half = |name: &[u8]| u128::from(hasher.hash(Purpose::PayloadCache, name));
    (half(b"first") << 64 | half(b"second")).to_le_bytes()
}

fn keep_worst(
    observed: &mut Vec<ObservedPayload>,
    value: &PayloadValue,
    text: &str,
    score: &PayloadScore,
    evidence: Evidence,
) {
    let worst = ObservedPayload {
        location: value.location,
        name: value.name.clone(),
        class: score.class,
        attack: score.attack,
        evidence: evidence.of(text),
    };
    match observed.iter_mut().find(|known| known.location == value.location && known.name == value.name) {
        Some(known) if known.attack < worst.attack => *known = worst,
        Some(_) => {}
        None => observed.push(worst),
    }
}
