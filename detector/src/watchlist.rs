//! Callers and addresses that the trainer found out about and all filters of a scope are told of: what no single proxy sees, since it is
//! spread over several of them.
//!
//! A watchlist is signed like a bundle, so that whoever can answer for the trainer cannot lock callers out. Its entries expire by
//! themselves: a filter whose trainer is gone forgets them.

use serde::{Deserialize, Serialize};

use crate::bundle::{EnvelopeError, PublicKey, Sealed, SecretKey, open_payload, seal_payload};
use crate::exchange::Phase;
use crate::hashing::stable_hash;
use crate::limits::{WATCH_ENTRIES_MAX, WATCH_REASON_BYTES_MAX};
use crate::telemetry::CallerRecord;
use crate::verdict::{Finding, FindingKind};
use crate::volume::SessionSubject;

/// Version of the format.
pub const WATCHLIST_SCHEMA: u32 = 1;

/// One caller or address to be watched.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchEntry {
    pub subject: SessionSubject,
    /// Keyed hash of the caller or the address.
    pub hash: u64,
    /// Milliseconds since the Unix epoch.
    pub expires_ms: i64,
    /// Of the alarm that brought it here, 0..1.
    pub score: f32,
    /// Why, as a detection says it.
    pub reason: String,
}

/// All entries of a scope.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watchlist {
    pub schema: u32,
    pub scope: String,
    /// Counts up with every change; a lower one than that in use is refused.
    pub revision: u64,
    /// Sorted by subject and hash, each once.
    pub entries: Vec<WatchEntry>,
}

/// Why a watchlist is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchlistError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the watchlist cannot be read: {0}")]
    Payload(String),
    #[error("watchlist schema {found} is not {WATCHLIST_SCHEMA}, which this version reads")]
    Schema { found: u32 },
    #[error("the watchlist was made for scope {found:?}, not for {expected:?}")]
    Scope { found: String, expected: String },
    #[error("the watchlist has {found} entries, at most {WATCH_ENTRIES_MAX} are accepted")]
    Entries { found: usize },
}

impl Watchlist {
    pub fn new(scope: String, revision: u64, mut entries: Vec<WatchEntry>) -> Self {
        entries.sort_by_key(|entry| (entry.subject, entry.hash));
        entries.dedup_by_key(|entry| (entry.subject, entry.hash));
        Self { schema: WATCHLIST_SCHEMA, scope, revision, entries }
    }

    /// Writes and signs it.
    ///
    /// # Errors
    /// When it is larger than [`crate::limits::WATCHLIST_BYTES_MAX`].
    pub fn seal(&self, key: &SecretKey) -> Result<Vec<u8>, WatchlistError> {
        let payload = rmp_serde::to_vec(self).map_err(|error| WatchlistError::Payload(error.to_string()))?;
        Ok(seal_payload(Sealed::Watchlist, &payload, key)?)
    }

    /// Checks size and signature, reads it, and checks scope and limits.
    ///
    /// # Errors
    /// Whatever of these is wrong first.
    pub fn open(bytes: &[u8], trusted: &[PublicKey], scope: &str) -> Result<Self, WatchlistError> {
        let payload = open_payload(Sealed::Watchlist, bytes, trusted)?;
        let read: Self = rmp_serde::from_slice(payload).map_err(|error| WatchlistError::Payload(error.to_string()))?;
        if read.schema != WATCHLIST_SCHEMA {
            return Err(WatchlistError::Schema { found: read.schema });
        }
        if read.scope != scope {
            return Err(WatchlistError::Scope { found: read.scope, expected: scope.to_owned() });
        }
        if read.entries.len() > WATCH_ENTRIES_MAX {
            return Err(WatchlistError::Entries { found: read.entries.len() });
        }
        Ok(Self::new(read.scope, read.revision, read.entries))
    }

    /// The entry that fits who calls: the caller's own, else that of its address.
    pub fn find(&self, caller: &CallerRecord, now_ms: i64) -> Option<&WatchEntry> {
        let named = caller.named_by().map(|hash| (SessionSubject::Caller, hash));
        let address = caller.address.map(|hash| (SessionSubject::Address, hash));
        let find = |wanted: (SessionSubject, u64)| {
            let place = self.entries.binary_search_by_key(&wanted, |entry| (entry.subject, entry.hash)).ok()?;
            self.entries.get(place).filter(|entry| entry.expires_ms > now_ms)
        };
        named.and_then(find).or_else(|| address.and_then(find))
    }
}

impl WatchEntry {
    /// What a verdict says of a request of it.
    pub fn finding(&self) -> Finding {
        let who = self.subject.noun();
        let reason: String = self.reason.chars().filter(|character| !character.is_control()).collect();
        let end = reason.char_indices().map(|(at, _)| at).take_while(|at| *at <= WATCH_REASON_BYTES_MAX).last();
        let reason = reason.get(..end.filter(|_| reason.len() > WATCH_REASON_BYTES_MAX).unwrap_or(reason.len()));
        Finding {
            key: stable_hash(&[b"watchlist", &[self.subject as u8]]),
            kind: FindingKind::Watchlist,
            phase: Phase::Headers,
            score: self.score.clamp(0.0, 1.0),
            alarm: true,
            reason: format!("{who} is on the watchlist: {}", reason.unwrap_or_default()),
            attack_class: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn entry(subject: SessionSubject, hash: u64, expires_ms: i64) -> WatchEntry {
        WatchEntry { subject, hash, expires_ms, score: 0.9995, reason: "about 25 login identifiers".into() }
    }

    fn watchlist() -> Watchlist {
        let entries = vec![entry(SessionSubject::Address, 7, 2000), entry(SessionSubject::Caller, 9, 1000)];
        Watchlist::new("shop".into(), 3, entries)
    }

    #[test]
    fn what_was_sealed_is_opened_by_the_same_key_and_scope_only() {
        let key = SecretKey::from_seed([7; 32]);
        let bytes = watchlist().seal(&key).unwrap();
        assert_eq!(Watchlist::open(&bytes, &[key.public()], "shop"), Ok(watchlist()));
        let other = SecretKey::from_seed([8; 32]).public();
        assert!(matches!(Watchlist::open(&bytes, &[other], "shop"), Err(WatchlistError::Envelope(_))));
        assert!(matches!(Watchlist::open(&bytes, &[key.public()], "other"), Err(WatchlistError::Scope { .. })));
        let mut changed = bytes.clone();
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(Watchlist::open(&changed, &[key.public()], "shop"), Err(EnvelopeError::Signature.into()));
        assert!(crate::bundle::open(&bytes, &[key.public()]).is_err(), "a watchlist is no bundle");
    }

    #[test]
    fn who_is_on_it_is_found_until_it_expires() {
        let watched = CallerRecord { identity: Some(9), address: Some(7), ..CallerRecord::default() };
        let list = watchlist();
        assert_eq!(list.find(&watched, 500).map(|entry| entry.hash), Some(9));
        assert_eq!(list.find(&watched, 1500).map(|entry| entry.hash), Some(7), "its address still is");
        assert_eq!(list.find(&watched, 2500), None);
        let other = CallerRecord { identity: Some(7), address: Some(9), ..CallerRecord::default() };
        assert_eq!(list.find(&other, 500), None, "a caller's hash is no address");
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let key = SecretKey::from_seed([7; 32]);
            prop_assert!(Watchlist::open(&bytes, &[key.public()], "shop").is_err());
            let sealed = seal_payload(Sealed::Watchlist, &bytes, &key).unwrap();
            let _ = Watchlist::open(&sealed, &[key.public()], "shop");
        }

        #[test]
        fn any_reason_makes_a_bounded_finding(reason in ".{0,400}") {
            let finding = WatchEntry { reason, ..entry(SessionSubject::Caller, 1, 1) }.finding();
            prop_assert!(finding.reason.len() <= WATCH_REASON_BYTES_MAX + 40);
            prop_assert!(!finding.reason.chars().any(char::is_control));
        }
    }
}
