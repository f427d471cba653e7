//! Where a session has been already, and what that does to probabilities.

use crate::session::{CallSymbol, CallWindow};

use super::model::VisitedFactors;

/// How an endpoint was visited; a place in [`VisitedFactors`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VisitedState {
    /// By the latest call: calling it again is a retry, a reload or a poll.
    Latest = 0,
    /// By another call in the window.
    InWindow = 1,
    /// By a call that left the window, as far as a small set can tell.
    Earlier = 2,
}

/// What a window tells of where the session has been.
#[derive(Debug, Clone, Copy)]
pub(super) struct Visits<'w> {
    window: &'w CallWindow,
    /// Whether calls have left the window.
    earlier: bool,
}

impl<'w> Visits<'w> {
    pub fn of(window: &'w CallWindow) -> Self {
        Self { window, earlier: window.count() as usize > window.calls().len() }
    }

    pub fn state(&self, endpoint: CallSymbol) -> Option<VisitedState> {
        let calls = self.window.calls();
        if calls.last().is_some_and(|call| call.endpoint == endpoint) {
            return Some(VisitedState::Latest);
        }
        // The set holds the window's calls too, and is looked up faster.
        if !self.window.visited().contains(endpoint) {
            return None;
        }
        if calls.iter().any(|call| call.endpoint == endpoint) {
            return Some(VisitedState::InWindow);
        }
        self.earlier.then_some(VisitedState::Earlier)
    }
}

/// The factors of all symbols.
#[derive(Debug)]
pub(super) struct FactorTable {
    of_symbols: Vec<[f32; 3]>,
}

impl FactorTable {
    /// `factors` were checked.
    pub fn of(factors: &VisitedFactors, symbols: usize) -> Self {
        let mut of_symbols = vec![factors.all; symbols];
        for endpoint in &factors.endpoints {
            if let Some(own) = of_symbols.get_mut(endpoint.symbol as usize) {
                *own = endpoint.factors;
            }
        }
        Self { of_symbols }
    }

    /// Applies the factors, then scales the probabilities to sum to 1.
    pub fn apply(&self, visits: Visits<'_>, symbols: &[CallSymbol], probabilities: &mut [f32]) {
        let mut total = 0.0;
        for ((symbol, factors), probability) in symbols.iter().zip(&self.of_symbols).zip(probabilities.iter_mut()) {
            if let Some(state) = visits.state(*symbol) {
                *probability *= factors.get(state as usize).copied().unwrap_or(1.0);
            }
            total += *probability;
        }
        if total > 0.0 {
            probabilities.iter_mut().for_each(|probability| *probability /= total);
        }
    }
}
