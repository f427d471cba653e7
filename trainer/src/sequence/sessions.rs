//! The sessions that are learned from.

use std::collections::{HashMap, HashSet};

use apiward_detector::hashing::stable_hash;
use apiward_detector::limits::SEQUENCE_SYMBOLS_MAX;
use apiward_detector::sequence::{NextCall, OtherEndpoints};
use apiward_detector::session::{Call, CallGap, CallOutcome, CallSymbol, CallWindow};

use super::{CallSequence, SequenceSettings};

/// Calls of one session that are looked at.
const SESSION_CALLS_MAX: usize = 2_000;
/// Shares of the sessions that are counted, and that choose what cannot be counted; the rest calibrates.
const FIT_SHARE: f64 = 0.6;
const TUNE_SHARE: f64 = 0.2;
/// Sessions of one caller that tune and calibrate, whatever its share.
const CALLER_SESSIONS_MIN: usize = 3;

/// A session, and how much it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    pub caller: u64,
    pub calls: Vec<Call>,
    /// 1 but for callers that have more than their share; above 0.
    pub weight: f32,
}

/// The sessions by what they are for; no caller is in two of them.
pub(super) struct Parts<'s> {
    pub fit: Vec<&'s Session>,
    pub tune: Vec<&'s Session>,
    pub calibrate: Vec<&'s Session>,
}

/// Sessions by caller, in an order that does not depend on the one they came in, but for those of one caller.
pub(super) fn prepare(sequences: &[CallSequence], settings: &SequenceSettings) -> Vec<Session> {
    let mut sessions: Vec<Session> = sequences
        .iter()
        .filter(|sequence| !sequence.calls.is_empty())
        .map(|sequence| {
            let calls = sequence.calls.iter().take(SESSION_CALLS_MAX).copied().collect();
            Session { caller: sequence.caller, calls, weight: 1.0 }
        })
        .collect();
    sessions.sort_by_key(|session| session.caller);
    let mut calls: HashMap<u64, f64> = HashMap::new();
    for session in &sessions {
        *calls.entry(session.caller).or_default() += session.calls.len() as f64;
    }
    let most = calls_max(calls.values().copied(), settings.caller_share_max);
    for session in &mut sessions {
        session.weight = (most / calls[&session.caller]).min(1.0) as f32;
    }
    sessions
}

/// Calls of one caller that count, so that none has more than the share: the sum over callers of what counts depends on it.
fn calls_max(calls: impl Iterator<Item = f64>, share_max: f64) -> f64 {
    let mut descending: Vec<f64> = calls.collect();
    descending.sort_by(|one, other| other.total_cmp(one));
    // Of few callers each has a larger share, however equal they are.
    let share = share_max.max(2.0 / descending.len().max(1) as f64);
    let mut rest: f64 = descending.iter().sum();
    for (above, own) in descending.iter().enumerate() {
        // With `above` callers cut to the same number c: c = share · (above · c + rest).
        let cut = share * rest / (1.0 - share * above as f64).max(f64::MIN_POSITIVE);
        if *own <= cut {
            return cut;
        }
        rest -= own;
    }
    descending.last().copied().unwrap_or(0.0)
}

pub(super) fn callers(sessions: &[Session]) -> usize {
    sessions.iter().map(|session| session.caller).collect::<HashSet<_>>().len()
}

/// The endpoints that enough callers used, ascending; the most used of too many.
pub(super) fn symbols(sessions: &[Session], settings: &SequenceSettings) -> Vec<CallSymbol> {
    let mut used: HashMap<CallSymbol, (f32, usize, u64)> = HashMap::new();
    for session in sessions {
        for call in &session.calls {
            let (weight, callers, last) = used.entry(call.endpoint).or_insert((0.0, 0, session.caller));
            *weight += session.weight;
            if *callers == 0 || *last != session.caller {
                *callers += 1;
                *last = session.caller;
            }
        }
    }
    used.remove(&CallSymbol::UNKNOWN);
    used.retain(|_, (_, callers, _)| *callers >= settings.callers_min);
    let mut most_used: Vec<(CallSymbol, f32)> =
        used.into_iter().map(|(symbol, (weight, ..))| (symbol, weight)).collect();
    most_used.sort_by(|one, other| other.1.total_cmp(&one.1).then(one.0.cmp(&other.0)));
    most_used.truncate(SEQUENCE_SYMBOLS_MAX);
    let mut symbols: Vec<CallSymbol> = most_used.into_iter().map(|(symbol, _)| symbol).collect();
    symbols.sort_unstable();
    symbols
}

/// How calls of other endpoints are spread.
pub(super) fn other_endpoints(sessions: &[&Session], symbols: &[CallSymbol]) -> OtherEndpoints {
    let (mut all, mut unknown, mut rare) = (1.0, 0.5, 0.5);
    let mut rare_endpoints = HashSet::new();
    for session in sessions {
        for call in &session.calls {
            all += session.weight;
            if call.endpoint == CallSymbol::UNKNOWN {
                unknown += session.weight;
            } else if symbols.binary_search(&call.endpoint).is_err() {
                rare += session.weight;
                rare_endpoints.insert(call.endpoint);
            }
        }
    }
    let rate = |calls: f32| (calls / all).clamp(1e-6, 0.4);
    let rare_endpoints = (rare_endpoints.len() as u32).max(1);
    OtherEndpoints { unknown_rate: rate(unknown), rare_rate: rate(rare), rare_endpoints }
}

/// Divides by caller, in an order that the seed decides.
pub(super) fn divide(sessions: &[Session], seed: u64) -> Parts<'_> {
    let rank = |caller: u64| stable_hash(&[b"sequence part", &seed.to_le_bytes(), &caller.to_le_bytes()]);
    let mut order: Vec<(u64, &Session)> = sessions.iter().map(|session| (rank(session.caller), session)).collect();
    order.sort_by_key(|(rank, session)| (*rank, session.caller));
    let weight = |session: &Session| f64::from(session.weight);
    let total: f64 = sessions.iter().map(weight).sum();
    let mut parts = Parts { fit: Vec::new(), tune: Vec::new(), calibrate: Vec::new() };
    let mut before = 0.0;
    for of_caller in order.chunk_by(|(_, one), (_, other)| one.caller == other.caller) {
        let part = match before / total {
            share if share < FIT_SHARE => &mut parts.fit,
            share if share < FIT_SHARE + TUNE_SHARE => &mut parts.tune,
            _ => &mut parts.calibrate,
        };
        part.extend(of_caller.iter().map(|(_, session)| *session));
        before += of_caller.iter().map(|(_, session)| weight(session)).sum::<f64>();
    }
    parts
}

/// Without those of a caller that are more than its share; `sessions` of one caller are next to each other.
pub(super) fn within_share<'s>(sessions: &[&'s Session], settings: &SequenceSettings) -> Vec<&'s Session> {
    let most = ((sessions.len() as f64 * settings.caller_share_max) as usize).max(CALLER_SESSIONS_MIN);
    let of_callers = sessions.chunk_by(|one, other| one.caller == other.caller);
    of_callers.flat_map(|of_caller| of_caller.iter().take(most)).copied().collect()
}

/// Goes through a session as the filter would have met it: `with` gets the window before each call, and the call. What began
/// before the last call was answered finds that one open.
pub fn replay(calls: &[Call], with: &mut dyn FnMut(&CallWindow, NextCall)) {
    let mut window = CallWindow::default();
    let mut unanswered: Vec<Call> = Vec::new();
    for (place, call) in calls.iter().enumerate() {
        if call.gap != CallGap::Concurrent {
            for answered in unanswered.drain(..).rev() {
                window.answer(answered.endpoint, answered.outcome);
            }
        }
        with(&window, NextCall { endpoint: call.endpoint, gap: call.gap });
        let is_overtaken = calls.get(place + 1).is_some_and(|next| next.gap == CallGap::Concurrent);
        if is_overtaken {
            window.push(Call { outcome: CallOutcome::Open, ..*call });
            unanswered.push(*call);
        } else {
            window.push(*call);
        }
    }
}
