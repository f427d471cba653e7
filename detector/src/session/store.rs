//! Where sessions live: in the proxy's shared data, or in memory where recorded traffic is judged.

use std::collections::HashMap;

use super::caller::{AddressSession, CallerSession};

/// Keeps sessions by the keyed hash of the caller, or of the address.
///
/// `change` may be called more than once, each time with the session as it is at that moment: where several workers write,
/// the last one's result is not lost but built upon. A session that cannot be kept is changed all the same, from its beginning.
pub trait SessionStore {
    fn change_caller(&mut self, caller: u64, at_ms: Option<i64>, change: &mut dyn FnMut(&mut CallerSession));
    fn change_address(&mut self, address: u64, at_ms: Option<i64>, change: &mut dyn FnMut(&mut AddressSession));
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

    pub fn caller(&self, caller: u64) -> Option<&CallerSession> {
        self.callers.get(&caller).map(|(_, session)| session)
    }

    pub fn address(&self, address: u64) -> Option<&AddressSession> {
        self.addresses.get(&address).map(|(_, session)| session)
    }
}

impl SessionStore for MemorySessions {
    fn change_caller(&mut self, caller: u64, _: Option<i64>, change: &mut dyn FnMut(&mut CallerSession)) {
        self.changes += 1;
        change_in(&mut self.callers, caller, self.changes, self.sessions_max, change);
    }

    fn change_address(&mut self, address: u64, _: Option<i64>, change: &mut dyn FnMut(&mut AddressSession)) {
        self.changes += 1;
        change_in(&mut self.addresses, address, self.changes, self.sessions_max, change);
    }
}

fn change_in<S: Default>(
    sessions: &mut HashMap<u64, (i64, S)>,
    key: u64,
    now: i64,
    sessions_max: usize,
    change: &mut dyn FnMut(&mut S),
) {
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
