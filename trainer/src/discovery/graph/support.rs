//! Who passed, and when: as much of it as is needed to ask for a few distinct callers and windows.

use serde::{Deserialize, Serialize};

use crate::discovery::limits;

/// Visits with their distinct callers and windows, of which a bounded number is remembered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Support {
    pub visits: u64,
    /// Of them, those that named no caller.
    callerless: u64,
    /// Sorted.
    callers: Vec<u64>,
    /// Sorted.
    windows: Vec<i64>,
}

impl Support {
    /// Counts visits of one caller in one window.
    pub fn count(&mut self, visits: u64, caller: Option<u64>, window: Option<i64>) {
        self.visits = self.visits.saturating_add(visits);
        match caller {
            Some(caller) => insert_bounded(&mut self.callers, caller, limits::CALLERS_KEPT),
            None => self.callerless = self.callerless.saturating_add(visits),
        }
        if let Some(window) = window {
            insert_bounded(&mut self.windows, window, limits::WINDOWS_KEPT);
        }
    }

    pub fn merge(&mut self, other: &Support) {
        self.visits = self.visits.saturating_add(other.visits);
        self.callerless = self.callerless.saturating_add(other.callerless);
        for caller in &other.callers {
            insert_bounded(&mut self.callers, *caller, limits::CALLERS_KEPT);
        }
        for window in &other.windows {
            insert_bounded(&mut self.windows, *window, limits::WINDOWS_KEPT);
        }
    }

    /// Visits without a caller, if most are so: distinct callers say nothing then.
    pub fn mostly_callerless(&self) -> Option<u64> {
        (self.callerless * 2 > self.visits).then_some(self.callerless)
    }

    /// The callers that are remembered.
    pub fn callers(&self) -> &[u64] {
        &self.callers
    }

    /// Distinct windows, up to [`limits::WINDOWS_KEPT`].
    pub fn windows(&self) -> usize {
        self.windows.len()
    }
}

fn insert_bounded<T: Ord + Copy>(sorted: &mut Vec<T>, item: T, kept: usize) {
    if sorted.len() < kept
        && let Err(place) = sorted.binary_search(&item)
    {
        sorted.insert(place, item);
    }
}
