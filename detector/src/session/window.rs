//! The caller's last calls: all that the sequence detector sees.
//!
//! The window belongs to the session and not to a model, so that a model swap invalidates nothing and a reason can name the
//! history.

use serde::{Deserialize, Serialize};

use crate::observation::ResponseMeasures;

/// Calls that a window holds.
pub const WINDOW_CALLS_MAX: usize = 16;

/// Seconds between two calls of one session that part the buckets of [`CallGap`].
const GAP_BOUNDS_MS: [i64; 6] = [1_000, 4_000, 15_000, 60_000, 300_000, 1_800_000];

/// An endpoint in a window: the low half of its stable id. 0 is an endpoint that the route table does not know.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CallSymbol(pub u32);

impl CallSymbol {
    pub const UNKNOWN: Self = Self(0);

    /// The symbol of an endpoint by its stable id.
    pub fn of(endpoint_id: u64) -> Self {
        // An id whose low half is 0 must not read as unknown.
        let [a, b, c, d, ..] = endpoint_id.to_le_bytes();
        Self(u32::from_le_bytes([a, b, c, d]).max(1))
    }
}

/// Time from the call before, in classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CallGap {
    /// The call before was not answered yet.
    Concurrent,
    Within1s,
    Within4s,
    Within15s,
    Within1min,
    Within5min,
    Within30min,
    Longer,
    /// The first call of a session, or a call without times.
    #[default]
    None,
}

impl CallGap {
    pub const COUNT: usize = 9;
    pub const ALL: [CallGap; Self::COUNT] = [
        CallGap::Concurrent,
        CallGap::Within1s,
        CallGap::Within4s,
        CallGap::Within15s,
        CallGap::Within1min,
        CallGap::Within5min,
        CallGap::Within30min,
        CallGap::Longer,
        CallGap::None,
    ];

    /// The class of a gap in milliseconds; clocks that run backwards count as no time.
    pub fn of(gap_ms: i64) -> Self {
        let passed = GAP_BOUNDS_MS.iter().filter(|bound| gap_ms >= **bound).count();
        Self::ALL.get(1 + passed).copied().unwrap_or(CallGap::Longer)
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// How a call was answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum CallOutcome {
    /// Not answered yet, or not known.
    #[default]
    Open,
    Success,
    Redirect,
    /// 401 and 403.
    Refused,
    /// 404 and 410.
    Missing,
    /// Any other 4xx.
    Invalid,
    /// 5xx.
    Failure,
}

impl CallOutcome {
    pub const COUNT: usize = 7;
    pub const ALL: [CallOutcome; Self::COUNT] = [
        CallOutcome::Open,
        CallOutcome::Success,
        CallOutcome::Redirect,
        CallOutcome::Refused,
        CallOutcome::Missing,
        CallOutcome::Invalid,
        CallOutcome::Failure,
    ];

    /// By the status of gRPC where there is one, whose calls that fail are 200 too.
    pub fn of(response: &ResponseMeasures) -> Self {
        match response.grpc_status {
            Some(7 | 16) => CallOutcome::Refused,
            Some(5 | 12) => CallOutcome::Missing,
            Some(2 | 4 | 13..=15) => CallOutcome::Failure,
            Some(3 | 6 | 8..=11) => CallOutcome::Invalid,
            _ => Self::of_status(response.status),
        }
    }

    fn of_status(status: Option<u16>) -> Self {
        match status {
            None => CallOutcome::Open,
            Some(401 | 403) => CallOutcome::Refused,
            Some(404 | 410) => CallOutcome::Missing,
            Some(400..=499) => CallOutcome::Invalid,
            Some(500..) => CallOutcome::Failure,
            Some(300..=399) => CallOutcome::Redirect,
            Some(_) => CallOutcome::Success,
        }
    }

    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.get(usize::from(byte)).copied()
    }
}

/// One call of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Call {
    pub endpoint: CallSymbol,
    pub gap: CallGap,
    pub outcome: CallOutcome,
}

/// Endpoints that a session has been to: a set of 256 bits, one per endpoint by its symbol, so that two may share one.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitedEndpoints(pub [u64; 4]);

impl VisitedEndpoints {
    pub fn insert(&mut self, endpoint: CallSymbol) {
        let (word, bit) = Self::place(endpoint);
        if let Some(word) = self.0.get_mut(word) {
            *word |= bit;
        }
    }

    pub fn contains(&self, endpoint: CallSymbol) -> bool {
        let (word, bit) = Self::place(endpoint);
        self.0.get(word).is_some_and(|word| word & bit != 0)
    }

    /// Everything that either has been to.
    pub fn union(&self, other: &Self) -> Self {
        let mut union = *self;
        for (word, of_other) in union.0.iter_mut().zip(other.0) {
            *word |= of_other;
        }
        union
    }

    fn place(endpoint: CallSymbol) -> (usize, u64) {
        // Knuth's multiplicative hashing; the upper 8 bits choose the place.
        let place = endpoint.0.wrapping_mul(2_654_435_769) >> 24;
        ((place >> 6) as usize, 1 << (place & 63))
    }
}

/// The last calls of a session, and where it has been before them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallWindow {
    /// Oldest first, at most [`WINDOW_CALLS_MAX`].
    calls: Vec<Call>,
    visited: VisitedEndpoints,
    /// Calls of the session so far, those that have left the window included.
    count: u32,
}

impl CallWindow {
    /// A window as it was stored; more calls than a window holds lose their oldest.
    pub fn from_parts(mut calls: Vec<Call>, visited: VisitedEndpoints, count: u32) -> Self {
        let surplus = calls.len().saturating_sub(WINDOW_CALLS_MAX);
        calls.drain(..surplus);
        Self { calls, visited, count }
    }

    pub fn calls(&self) -> &[Call] {
        &self.calls
    }

    pub fn visited(&self) -> &VisitedEndpoints {
        &self.visited
    }

    pub fn count(&self) -> u32 {
        self.count
    }

    pub fn push(&mut self, call: Call) {
        if self.calls.len() >= WINDOW_CALLS_MAX {
            self.calls.remove(0);
        }
        self.calls.push(call);
        self.visited.insert(call.endpoint);
        self.count = self.count.saturating_add(1);
    }

    /// Fills in how the latest unanswered call of the endpoint was answered.
    pub fn answer(&mut self, endpoint: CallSymbol, outcome: CallOutcome) {
        let open = |call: &&mut Call| call.endpoint == endpoint && call.outcome == CallOutcome::Open;
        if let Some(call) = self.calls.iter_mut().rev().find(open) {
            call.outcome = outcome;
        }
    }

    /// Whether the latest call is not answered yet.
    pub fn is_open(&self) -> bool {
        self.calls.last().is_some_and(|call| call.outcome == CallOutcome::Open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grpc_refuses_is_refused_though_http_says_200() {
        let outcome = |status, grpc_status| {
            CallOutcome::of(&ResponseMeasures { status, grpc_status, ..ResponseMeasures::default() })
        };
        assert_eq!(outcome(Some(200), Some(16)), CallOutcome::Refused);
        assert_eq!(outcome(Some(200), Some(5)), CallOutcome::Missing);
        assert_eq!(outcome(Some(200), Some(3)), CallOutcome::Invalid);
        assert_eq!(outcome(Some(200), Some(14)), CallOutcome::Failure);
        assert_eq!(outcome(Some(200), Some(0)), CallOutcome::Success);
        assert_eq!(outcome(Some(401), None), CallOutcome::Refused);
        assert_eq!(outcome(None, None), CallOutcome::Open);
    }

    #[test]
    fn a_window_keeps_the_last_calls_and_remembers_where_it_has_been() {
        let mut window = CallWindow::default();
        for endpoint in 1..=20 {
            window.push(Call { endpoint: CallSymbol(endpoint), ..Call::default() });
        }
        assert_eq!(window.calls().len(), WINDOW_CALLS_MAX);
        assert_eq!(window.calls()[0].endpoint, CallSymbol(5));
        assert_eq!(window.count(), 20);
        assert!((1..=20).all(|endpoint| window.visited().contains(CallSymbol(endpoint))));
        let others = (21..1_000).filter(|endpoint| window.visited().contains(CallSymbol(*endpoint))).count();
        assert!(others < 100, "{others} of 979 others read as visited");
    }

    #[test]
    fn an_answer_goes_to_the_latest_open_call_of_its_endpoint() {
        let mut window = CallWindow::default();
        for endpoint in [1, 2, 1] {
            window.push(Call { endpoint: CallSymbol(endpoint), ..Call::default() });
        }
        window.answer(CallSymbol(1), CallOutcome::Success);
        window.answer(CallSymbol(2), CallOutcome::Refused);
        let outcomes: Vec<CallOutcome> = window.calls().iter().map(|call| call.outcome).collect();
        assert_eq!(outcomes, [CallOutcome::Open, CallOutcome::Refused, CallOutcome::Success]);
    }

    #[test]
    fn gaps_fall_into_their_classes() {
        for (gap_ms, class) in [
            (-5, CallGap::Within1s),
            (0, CallGap::Within1s),
            (1_000, CallGap::Within4s),
            (59_999, CallGap::Within1min),
            (60_000, CallGap::Within5min),
            (1_800_000, CallGap::Longer),
        ] {
            assert_eq!(CallGap::of(gap_ms), class, "{gap_ms} ms");
        }
    }
}
