//! Where sessions live: in the proxy's shared data, or in memory where recorded traffic is judged.

use std::collections::HashMap;

use super::caller::{AddressSession, CallerSession};

/// What a session is changed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallStep {
    /// A call begins: who has no session gets one, if there is room.
    Begin,
    /// A call is answered: who has no session gets none by it.
    Answer,
}

/// Keeps sessions by the keyed hash of the caller, or of the address.
///
/// `change` may be called more than once, each time with the session as it is at that moment: where several workers write,
/// the last one's result is not lost but built upon. A session that is not kept is changed all the same, from its beginning.
pub trait SessionStore {
    fn change_caller(&mut self, caller: u64, step: CallStep, change: &mut dyn FnMut(&mut CallerSession));
    fn change_address(&mut self, address: u64, step: CallStep, change: &mut dyn FnMut(&mut AddressSession));
}

/// Sessions in memory; beyond a limit the ones that were silent longest are forgotten.
#[derive(Debug)]
pub struct MemorySessions {
    callers: HashMap<u64, (i64, CallerSession)>,
    addresses: HashMap<u64, (i64, AddressSession)>,
    sessions_max: usize,
    changes: i64,
}

impl MemorySessions {
    /// At most `sessions_max` of callers and as many of addresses.
    pub fn new(sessions_max: usize) -> Self {
        Self { callers: HashMap::new(), addresses: HashMap::new(), sessions_max: sessions_max.max(2), changes: 0 }
    }

    pub fn address(&self, address: u64) -> Option<&AddressSession> {
        self.addresses.get(&address).map(|(_, session)| session)
    }

    pub fn caller(&self, caller: u64) -> Option<&CallerSession> {
        self.callers.get(&caller).map(|(_, session)| session)
    }
}

impl SessionStore for MemorySessions {
    fn change_caller(&mut self, caller: u64, step: CallStep, change: &mut dyn FnMut(&mut CallerSession)) {
        self.changes += 1;
        change_in(&mut self.callers, caller, step, self.changes, self.sessions_max, change);
    }

    fn change_address(&mut self, address: u64, step: CallStep, change: &mut dyn FnMut(&mut AddressSession)) {
        self.changes += 1;
        change_in(&mut self.addresses, address, step, self.changes, self.sessions_max, change);
    }
}

fn change_in<S: Default>(
    sessions: &mut HashMap<u64, (i64, S)>,
    key: u64,
    step: CallStep,
    now: i64,
    sessions_max: usize,
    change: &mut dyn FnMut(&mut S),
) {
    if step == CallStep::Answer && !sessions.contains_key(&key) {
        return change(&mut S::default());
    }
    if sessions.len() >= sessions_max && !sessions.contains_key(&key) {
        let mut times: Vec<i64> = sessions.values().map(|(changed, _)| *changed).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        sessions.retain(|_, (changed, _)| *changed > median);
    }
    let (changed, session) = sessions.entry(key).or_default();
    *changed = now;
    change(session);
}
