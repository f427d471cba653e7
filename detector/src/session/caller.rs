//! The sessions that are kept: one of each caller, one of each address.

use super::activity::{Activity, CallAnswered, CallMade};
use super::window::{Call, CallGap, CallOutcome, CallSymbol, CallWindow};

/// Endpoints that a caller's session counts by themselves.
pub const CALLER_ENDPOINTS_MAX: usize = 6;
/// Endpoints that an address's session counts by themselves.
pub const ADDRESS_ENDPOINTS_MAX: usize = 4;
/// Silence after which the order of calls begins anew; what was counted fades by itself.
pub const SESSION_GAP_MS: i64 = 30 * 60 * 1000;

/// What one caller did lately. The sequence detector looks at the window, volume at the activity.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallerSession {
    pub window: CallWindow,
    pub activity: Activity,
    /// Time of the last call, milliseconds since the Unix epoch; 0 without times.
    pub last_ms: i64,
    /// What the sequence detector has accumulated over the session; 0 at its beginning.
    pub surprise_sum: f32,
}

/// What one address did lately, whoever called from it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AddressSession {
    pub activity: Activity,
}

impl CallerSession {
    /// Begins anew after a silence.
    pub fn awake(&mut self, at_ms: Option<i64>) {
        let silent = |at_ms: i64| self.last_ms != 0 && at_ms.saturating_sub(self.last_ms) >= SESSION_GAP_MS;
        if at_ms.is_some_and(silent) {
            self.window = CallWindow::default();
            self.surprise_sum = 0.0;
        }
    }

    /// The gap that a call at this time has to the last one of the window.
    pub fn gap_to(&self, at_ms: Option<i64>) -> CallGap {
        match at_ms {
            _ if self.window.count() == 0 => CallGap::None,
            _ if self.window.is_open() => CallGap::Concurrent,
            Some(at_ms) if self.last_ms != 0 => CallGap::of(at_ms.saturating_sub(self.last_ms)),
            _ => CallGap::None,
        }
    }

    /// Appends a call to the window.
    pub fn append(&mut self, endpoint: CallSymbol, at_ms: Option<i64>) {
        let gap = self.gap_to(at_ms);
        self.window.push(Call { endpoint, gap, outcome: CallOutcome::Open });
        self.last_ms = at_ms.unwrap_or(0).max(self.last_ms);
    }

    pub fn count(&mut self, call: &CallMade) {
        self.activity.begin(call, CALLER_ENDPOINTS_MAX);
    }

    pub fn answer(&mut self, endpoint: CallSymbol, answer: &CallAnswered) {
        self.window.answer(endpoint, answer.outcome);
        self.activity.answer(answer);
    }
}

impl AddressSession {
    pub fn count(&mut self, call: &CallMade) {
        self.activity.begin(call, ADDRESS_ENDPOINTS_MAX);
    }

    pub fn answer(&mut self, answer: &CallAnswered) {
        self.activity.answer(answer);
    }
}
