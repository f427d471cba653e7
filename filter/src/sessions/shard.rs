//! One shard: up to eight sessions, and the newcomers that wait for their second request.

use apiward_detector::session::{ADDRESS_SESSION_BYTES, AddressSession, CALLER_SESSION_BYTES, CallerSession};

/// Sessions in a shard.
pub const SHARD_SESSIONS_MAX: usize = 8;
/// Newcomers remembered while a shard is full.
const WAITING_MAX: usize = 8;
const FORMAT_VERSION: u8 = 1;
/// Version, number of sessions, place of the next newcomer, and the newcomers.
pub const HEAD_BYTES: usize = 3 + 4 * WAITING_MAX;
/// Key and time of the last change.
const ENTRY_HEAD_BYTES: usize = 16;

/// A session as a shard keeps it.
pub trait StoredSession: Default {
    const BYTES: usize;
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl StoredSession for CallerSession {
    const BYTES: usize = CALLER_SESSION_BYTES;

    fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes)
    }
}

impl StoredSession for AddressSession {
    const BYTES: usize = ADDRESS_SESSION_BYTES;

    fn to_bytes(&self) -> Vec<u8> {
        self.encode()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Self::decode(bytes)
    }
}

/// What became of a session that was to be put into a shard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Placed {
    /// It was there, or there was room.
    Kept,
    /// In place of the one that was silent longest.
    Replaced,
    /// The shard is full; the next request of the same will have a place.
    Waiting,
}

/// A shard, its sessions still as bytes: only the one that is asked for is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shard {
    waiting: [u32; WAITING_MAX],
    next_waiting: u8,
    /// Key, time of the last change, session.
    sessions: Vec<(u64, i64, Vec<u8>)>,
}

impl Shard {
    /// Whatever is not a shard, others may write there, reads as an empty one.
    pub fn decode(bytes: &[u8], session_bytes: usize) -> Self {
        Self::try_decode(bytes, session_bytes).unwrap_or_default()
    }

    fn try_decode(bytes: &[u8], session_bytes: usize) -> Option<Self> {
        let ([version, count, next_waiting], mut rest) = bytes.split_first_chunk::<3>()?;
        if *version != FORMAT_VERSION || usize::from(*count) > SHARD_SESSIONS_MAX {
            return None;
        }
        let mut waiting = [0; WAITING_MAX];
        for place in &mut waiting {
            let (fingerprint, after) = rest.split_first_chunk::<4>()?;
            *place = u32::from_le_bytes(*fingerprint);
            rest = after;
        }
        let mut sessions = Vec::with_capacity(SHARD_SESSIONS_MAX);
        for _ in 0..*count {
            let (key, after) = rest.split_first_chunk::<8>()?;
            let (changed_ms, after) = after.split_first_chunk::<8>()?;
            let (session, after) = after.split_at_checked(session_bytes)?;
            sessions.push((u64::from_le_bytes(*key), i64::from_le_bytes(*changed_ms), session.to_vec()));
            rest = after;
        }
        rest.is_empty().then_some(Self { waiting, next_waiting: *next_waiting, sessions })
    }

    pub fn encode(&self, session_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + self.sessions.len() * (ENTRY_HEAD_BYTES + session_bytes));
        bytes.extend([FORMAT_VERSION, self.sessions.len().min(SHARD_SESSIONS_MAX) as u8, self.next_waiting]);
        for fingerprint in self.waiting {
            bytes.extend(fingerprint.to_le_bytes());
        }
        for (key, changed_ms, session) in self.sessions.iter().take(SHARD_SESSIONS_MAX) {
            bytes.extend(key.to_le_bytes());
            bytes.extend(changed_ms.to_le_bytes());
            bytes.extend(session);
        }
        bytes
    }

    pub fn get<S: StoredSession>(&self, key: u64) -> Option<S> {
        let (_, _, session) = self.sessions.iter().find(|(known, _, _)| *known == key)?;
        S::from_bytes(session)
    }

    /// Puts a session in: a newcomer at once while there is room, else on its second request, so that callers who come only
    /// once do not drive out those who stay.
    pub fn put<S: StoredSession>(&mut self, key: u64, now_ms: i64, session: &S) -> Placed {
        let entry = (key, now_ms, session.to_bytes());
        if let Some(known) = self.sessions.iter_mut().find(|(known, _, _)| *known == key) {
            *known = entry;
            return Placed::Kept;
        }
        if self.sessions.len() < SHARD_SESSIONS_MAX {
            self.sessions.push(entry);
            return Placed::Kept;
        }
        // The lower half chose the shard.
        let fingerprint = ((key >> 32) as u32).max(1);
        if !self.waiting.contains(&fingerprint) {
            let place = usize::from(self.next_waiting) % WAITING_MAX;
            if let Some(waiting) = self.waiting.get_mut(place) {
                *waiting = fingerprint;
            }
            self.next_waiting = ((place + 1) % WAITING_MAX) as u8;
            return Placed::Waiting;
        }
        self.waiting.iter_mut().filter(|waiting| **waiting == fingerprint).for_each(|waiting| *waiting = 0);
        if let Some(oldest) = self.sessions.iter_mut().min_by_key(|(_, changed_ms, _)| *changed_ms) {
            *oldest = entry;
        }
        Placed::Replaced
    }
}
