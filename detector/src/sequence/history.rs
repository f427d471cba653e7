//! What the model sees of the calls before.

use crate::session::{Call, CallSymbol};

/// Calls before the next one that a context has at most.
pub const CONTEXT_CALLS_MAX: usize = 3;

/// The beginning of a session.
const START: u32 = 0;
/// An endpoint that the model does not know.
const UNKNOWN: u32 = 1;
/// The model's first symbol; the others follow.
const FIRST_SYMBOL: u32 = 2;

/// The last different calls, the latest first, in the numbers that contexts are kept by: 0 for the beginning of the session, 1
/// for an unknown endpoint, 2 + n for the model's symbol n. Repeats of one endpoint count once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct History {
    numbers: [u32; CONTEXT_CALLS_MAX],
    known: usize,
}

impl History {
    /// `calls` are in order; `from_start` says that none came before them. `symbols` are the model's, sorted.
    pub fn of(calls: &[Call], from_start: bool, symbols: &[CallSymbol]) -> Self {
        let mut history = Self::default();
        let mut last = None;
        for call in calls.iter().rev() {
            if last == Some(call.endpoint) {
                continue;
            }
            last = Some(call.endpoint);
            let number = symbols.binary_search(&call.endpoint).map_or(UNKNOWN, |symbol| symbol as u32 + FIRST_SYMBOL);
            if !history.push(number) {
                return history;
            }
        }
        if from_start {
            history.push(START);
        }
        history
    }

    /// The context of so many calls: itself, filled up with numbers that no call has. `None` where fewer are known.
    pub fn context(&self, calls: usize) -> Option<[u32; CONTEXT_CALLS_MAX]> {
        if calls > self.known {
            return None;
        }
        let mut context = [u32::MAX; CONTEXT_CALLS_MAX];
        for (place, number) in context.iter_mut().zip(self.numbers).take(calls) {
            *place = number;
        }
        Some(context)
    }

    /// Its calls, the latest first.
    pub fn numbers(&self) -> &[u32] {
        self.numbers.get(..self.known).unwrap_or_default()
    }

    /// How long the longest context is, 0 to [`CONTEXT_CALLS_MAX`].
    pub fn known(&self) -> usize {
        self.known
    }

    /// The largest number that a context of a model with so many symbols may hold.
    pub fn number_max(symbols: usize) -> u32 {
        symbols as u32 + FIRST_SYMBOL - 1
    }

    /// Whether a context of these numbers begins with the session: no longer one contains it.
    pub fn is_from_start(numbers: &[u32]) -> bool {
        numbers.last() == Some(&START)
    }

    /// `false` where there is no room for more.
    fn push(&mut self, number: u32) -> bool {
        let Some(place) = self.numbers.get_mut(self.known) else { return false };
        *place = number;
        self.known += 1;
        self.known < CONTEXT_CALLS_MAX
    }
}
