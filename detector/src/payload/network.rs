//! The payload network.

use crate::bundle::BundleError;
use crate::network::Classifier;
use crate::work::WorkBudget;

use super::features::{FEATURES, write_features};
use super::{PayloadCache, PayloadClass, windows};

/// Windows that go through the network at once: as many as fit best.
const BATCH_SIZES: [usize; 3] = [1, 8, 64];
/// Log-odds of what never reaches the network.
const PLAIN_LOG_ODDS: f32 = -30.0;
const CLASSES: usize = PayloadClass::ALL.len();

/// What the network says of a text.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PayloadScore {
    /// Log-odds that it is an attack of any class, in nats, above the threshold that the network was trained with: alarms
    /// begin at 0 by default. -30 for plain text; of a long text those of its worst window.
    pub attack: f32,
    /// The class of attack that is most likely, if it is one.
    pub class: PayloadClass,
    /// Probability of that class among the classes of attacks, 0..1.
    pub class_probability: f32,
}

impl PayloadScore {
    /// The score of plain text.
    pub const PLAIN: Self = Self { attack: PLAIN_LOG_ODDS, class: PayloadClass::ScannerProbe, class_probability: 0.0 };

    fn of(logits: &[f32]) -> Self {
        let (Some((benign, attacks)), [_, classes @ ..]) = (logits.split_first(), PayloadClass::ALL) else {
            return Self::PLAIN;
        };
        let most = attacks.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f32 = attacks.iter().map(|logit| (logit - most).exp()).sum();
        let class = attacks.iter().zip(classes).find(|(logit, _)| **logit == most);
        Self {
            attack: most + sum.ln() - benign,
            class: class.map_or(PayloadClass::ScannerProbe, |(_, class)| class),
            class_probability: 1.0 / sum,
        }
    }
}

/// The payload network, ready to run.
#[derive(Debug)]
pub struct PayloadNetwork {
    network: Classifier,
}

impl PayloadNetwork {
    /// Checks the network and builds it.
    ///
    /// # Errors
    /// When it breaks a cap, uses an operator that is not allowed, or is not from this version's features to its classes.
    pub fn load(onnx: &[u8]) -> Result<Self, BundleError> {
        Ok(Self { network: Classifier::load(onnx, "payload", FEATURES, CLASSES, &BATCH_SIZES)? })
    }

    /// The scores of `texts`, in their order. The windows of all texts that are neither plain nor in the `cache` go through
    /// the network together, in batches of 64, each an inference of the `budget`; when that runs out, or the network fails,
    /// the rest are `None`.
    pub fn score(
        &self,
        texts: &[&str],
        cache: &mut PayloadCache,
        budget: &mut WorkBudget,
    ) -> Vec<Option<PayloadScore>> {
        let mut scores = Vec::with_capacity(texts.len());
        let mut batch = Batch { network: &self.network, owners: Vec::new(), rows: Vec::new(), stopped: false };
        let mut fresh = Vec::new();
        for (position, text) in texts.iter().enumerate() {
            let windows = windows(text);
            if windows.is_empty() {
                scores.push(Some(PayloadScore::PLAIN));
                continue;
            }
            let hash = cache.hash(text);
            if let Some(score) = cache.get(hash) {
                scores.push(Some(score));
                continue;
            }
            scores.push(Some(PayloadScore::PLAIN));
            fresh.push((position, hash));
            for window in windows {
                batch.add(position, window, &mut scores, budget);
            }
        }
        batch.run(&mut scores, budget);
        for (position, hash) in fresh {
            if let Some(Some(score)) = scores.get(position) {
                cache.insert(hash, *score);
            }
        }
        scores
    }
}

/// Windows on their way through the network.
struct Batch<'a> {
    network: &'a Classifier,
    /// Which text each row is of.
    owners: Vec<usize>,
    rows: Vec<f32>,
    stopped: bool,
}

impl Batch<'_> {
    fn add(&mut self, owner: usize, window: &str, scores: &mut [Option<PayloadScore>], budget: &mut WorkBudget) {
        if self.stopped {
            forget(owner, scores);
            return;
        }
        let start = self.rows.len();
        self.rows.resize(start + FEATURES, 0.0);
        if let Some(row) = self.rows.get_mut(start..) {
            write_features(window, row);
        }
        self.owners.push(owner);
        if self.owners.len() >= self.network.rows_max() {
            self.run(scores, budget);
        }
    }

    fn run(&mut self, scores: &mut [Option<PayloadScore>], budget: &mut WorkBudget) {
        if self.owners.is_empty() {
            return;
        }
        let logits = if budget.take_inference() { self.network.logits(&mut self.rows).ok() } else { None };
        self.stopped = logits.is_none();
        match logits {
            Some(logits) => {
                for (&owner, logits) in self.owners.iter().zip(logits.chunks(CLASSES)) {
                    let score = PayloadScore::of(logits);
                    if let Some(Some(worst)) = scores.get_mut(owner)
                        && (score.attack > worst.attack || worst.attack == PLAIN_LOG_ODDS)
                    {
                        *worst = score;
                    }
                }
            }
            None => self.owners.iter().for_each(|&owner| forget(owner, scores)),
        }
        self.owners.clear();
        self.rows.clear();
    }
}

/// A text of which a window could not be looked at has no score, unless what was seen of it is an attack already.
fn forget(owner: usize, scores: &mut [Option<PayloadScore>]) {
    if let Some(score) = scores.get_mut(owner)
        && score.is_some_and(|score| score.attack <= 0.0)
    {
        *score = None;
    }
}
