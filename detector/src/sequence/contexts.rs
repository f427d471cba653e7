//! The counts, ready for predicting.

use super::history::{CONTEXT_CALLS_MAX, History};
use super::model::{SequenceModel, Smoothing};

/// Probabilities by context, longest context first, each falling back on the one that is a call shorter.
#[derive(Debug, Default)]
pub(super) struct ContextTable {
    /// Probability of each symbol after anything.
    base: Vec<f32>,
    /// By the number of calls, from 1.
    orders: [OrderTable; CONTEXT_CALLS_MAX],
}

/// Contexts of one length.
#[derive(Debug, Default)]
struct OrderTable {
    /// Ascending.
    contexts: Vec<Entry>,
    /// Symbols with their discounted shares, one context after the other.
    shares: Vec<(u32, f32)>,
}

#[derive(Debug, Clone, Copy)]
struct Entry {
    context: [u32; CONTEXT_CALLS_MAX],
    /// Place of its first share, and the place after its last.
    shares: (u32, u32),
    /// Share that goes to the shorter context, 0..1.
    left: f32,
}

impl ContextTable {
    /// `model` was checked.
    pub fn of(model: &SequenceModel) -> Self {
        let count = model.symbols.len();
        let mut table = Self { base: vec![1.0 / count.max(1) as f32; count], ..Self::default() };
        for context in &model.contexts {
            let smoothing = model.smoothing.get(context.calls.len()).copied().unwrap_or_default();
            let shares: Vec<(u32, f32)> = context
                .followers
                .iter()
                .map(|follower| (follower.symbol, smoothing.share(follower.weight, context.total)))
                .collect();
            let left = (1.0 - shares.iter().map(|(_, share)| share).sum::<f32>()).max(0.0);
            let Some(order) = context.calls.len().checked_sub(1) else {
                add(&mut table.base, &shares, left, 1.0);
                continue;
            };
            let mut numbers = [u32::MAX; CONTEXT_CALLS_MAX];
            for (place, number) in numbers.iter_mut().zip(&context.calls) {
                *place = *number;
            }
            if let Some(order) = table.orders.get_mut(order) {
                let first = order.shares.len() as u32;
                order.shares.extend(shares);
                let after_last = order.shares.len() as u32;
                order.contexts.push(Entry { context: numbers, shares: (first, after_last), left });
            }
        }
        table
    }

    /// Probability of each symbol after the history, summing to 1.
    pub fn probabilities(&self, history: &History) -> Vec<f32> {
        let mut found: [Option<(&OrderTable, Entry)>; CONTEXT_CALLS_MAX] = [None; CONTEXT_CALLS_MAX];
        for ((calls, table), place) in (1..).zip(&self.orders).zip(&mut found) {
            let entry = history.context(calls).and_then(|context| table.find(&context));
            let Some(entry) = entry else { break };
            *place = Some((table, entry));
        }
        let left_to_base: f32 = found.iter().flatten().map(|(_, entry)| entry.left).product();
        let mut probabilities: Vec<f32> = self.base.iter().map(|probability| probability * left_to_base).collect();
        let mut left = 1.0;
        for (table, entry) in found.into_iter().rev().flatten() {
            add(&mut probabilities, table.shares_of(entry), 1.0, left);
            left *= entry.left;
        }
        probabilities
    }
}

impl OrderTable {
    fn find(&self, context: &[u32; CONTEXT_CALLS_MAX]) -> Option<Entry> {
        let place = self.contexts.binary_search_by(|entry| entry.context.cmp(context)).ok()?;
        self.contexts.get(place).copied()
    }

    fn shares_of(&self, entry: Entry) -> &[(u32, f32)] {
        let (first, after_last) = entry.shares;
        self.shares.get(first as usize..after_last as usize).unwrap_or_default()
    }
}

impl Smoothing {
    /// Share of a follower in what follows its context, 0..1.
    pub fn share(self, weight: f32, total: f32) -> f32 {
        (weight - self.discount).max(0.0) / (total + self.strength).max(f32::MIN_POSITIVE)
    }
}

/// What is there times `left`, and the shares times `scale` on top.
fn add(probabilities: &mut [f32], shares: &[(u32, f32)], left: f32, scale: f32) {
    if left != 1.0 {
        probabilities.iter_mut().for_each(|probability| *probability *= left);
    }
    for (symbol, share) in shares {
        if let Some(probability) = probabilities.get_mut(*symbol as usize) {
            *probability += share * scale;
        }
    }
}
