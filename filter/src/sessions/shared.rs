//! The shards in the proxy's shared data.

use apiward_detector::session::{AddressSession, CallStep, CallerSession, SessionStore};

use crate::host::{Host, SharedVersion};
use crate::metrics::{Metric, Metrics};

use super::shard::{Placed, SHARD_SESSIONS_MAX, Shard, StoredSession};

/// Times that a change is tried against other writers of the same shard.
const ATTEMPTS_MAX: usize = 16;

/// How many sessions are kept, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionLimits {
    pub callers_max: usize,
    pub addresses_max: usize,
    /// Before the keys of all shards.
    pub key_prefix: String,
}

/// The sessions as one exchange sees them.
pub struct SharedSessions<'h> {
    pub host: &'h dyn Host,
    pub metrics: &'h Metrics,
    pub limits: &'h SessionLimits,
}

impl SessionStore for SharedSessions<'_> {
    fn change_caller(&mut self, caller: u64, step: CallStep, change: &mut dyn FnMut(&mut CallerSession)) {
        self.change("callers", self.limits.callers_max, caller, step, change);
    }

    fn change_address(&mut self, address: u64, step: CallStep, change: &mut dyn FnMut(&mut AddressSession)) {
        self.change("addresses", self.limits.addresses_max, address, step, change);
    }
}

impl SharedSessions<'_> {
    /// Reads, changes and writes back; when another worker wrote in between, everything is done again on what it wrote.
    fn change<S: StoredSession>(
        &self,
        kind: &str,
        sessions_max: usize,
        key: u64,
        step: CallStep,
        change: &mut dyn FnMut(&mut S),
    ) {
        let shards = (sessions_max / SHARD_SESSIONS_MAX).max(1) as u64;
        let shared_key = format!("{}/{kind}/{}", self.limits.key_prefix, u64::from(key as u32) % shards);
        let now_ms = i64::try_from(self.host.now_ns() / 1_000_000).unwrap_or(0);
        for _ in 0..ATTEMPTS_MAX {
            let found = self.host.shared_data(&shared_key);
            let version = found.as_ref().map_or(SharedVersion::Absent, |value| value.version);
            let mut shard = found.map(|value| Shard::decode(&value.bytes, S::BYTES)).unwrap_or_default();
            let known = shard.get::<S>(key);
            if known.is_none() && step == CallStep::Answer {
                // The answer to a newcomer's only call must not count as the second.
                return change(&mut S::default());
            }
            let mut session = known.unwrap_or_default();
            change(&mut session);
            let placed = shard.put(key, now_ms, &session);
            if self.host.set_shared_data(&shared_key, &shard.encode(S::BYTES), version).is_ok() {
                self.metrics.count(self.host, Metric::session_update(placed), 1);
                return;
            }
            self.metrics.count(self.host, Metric::SessionConflicts, 1);
        }
        self.metrics.count(self.host, Metric::SessionsLost, 1);
    }
}

impl Metric {
    fn session_update(placed: Placed) -> Self {
        match placed {
            Placed::Kept => Metric::SessionsKept,
            Placed::Replaced => Metric::SessionsReplaced,
            Placed::Waiting => Metric::SessionsWaiting,
        }
    }
}
