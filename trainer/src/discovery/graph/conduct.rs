//! How callers fare: one whose requests mostly fail probes, and its word counts for nothing.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::discovery::limits;

/// A caller with more failures than this number and this share of its requests does not count as one that uses an API.
const FAILED_MIN: u32 = 5;
const FAILED_SHARE_MAX: f64 = 0.25;

/// Successes and failures per caller.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conducts(HashMap<u64, (u32, u32)>);

impl Conducts {
    /// Counts an answered request; beyond [`limits::CONDUCTS_MAX`] callers, new ones are not remembered.
    pub fn count(&mut self, caller: u64, succeeded: bool) {
        if self.0.len() >= limits::CONDUCTS_MAX && !self.0.contains_key(&caller) {
            return;
        }
        let (successes, failures) = self.0.entry(caller).or_default();
        let counted = if succeeded { successes } else { failures };
        *counted = counted.saturating_add(1);
    }

    /// Whether the caller's requests mostly succeed, as far as is known.
    pub fn is_established(&self, caller: u64) -> bool {
        self.0.get(&caller).is_none_or(|(successes, failures)| {
            *failures < FAILED_MIN
                || f64::from(*failures) <= FAILED_SHARE_MAX * (f64::from(*successes) + f64::from(*failures))
        })
    }
}
