//! The watchlist of the scope in one worker, and what becomes of who is on it.

use std::cell::RefCell;
use std::rc::Rc;

use apiward_detector::calls::CallFindings;
use apiward_detector::telemetry::CallerRecord;
use apiward_detector::verdict::{DetectorKind, FindingKind, Verdict};
use apiward_detector::watchlist::{Watchlist, WatchlistError};

use crate::config::FilterPolicy;

/// The watchlist in use.
#[derive(Debug, Default)]
pub struct CurrentWatchlist {
    list: RefCell<Option<Rc<Watchlist>>>,
}

/// Why bytes did not become the watchlist.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchlistRefusal {
    #[error(transparent)]
    Watchlist(#[from] WatchlistError),
    #[error("watchlist revision {found} is older than {current}, which is in use")]
    Older { found: u64, current: u64 },
}

impl CurrentWatchlist {
    /// Opens a candidate and takes it in place of the list in use, which stays when anything is wrong. Gives the number of entries.
    ///
    /// # Errors
    /// When the signature, the scope, a limit or the revision is wrong.
    pub fn adopt(&self, bytes: &[u8], policy: &FilterPolicy) -> Result<usize, WatchlistRefusal> {
        let list = Watchlist::open(bytes, &policy.public_keys, &policy.scope)?;
        let Ok(mut current) = self.list.try_borrow_mut() else { return Ok(0) };
        if let Some(current) = current.as_ref().map(|current| current.revision)
            && list.revision < current
        {
            return Err(WatchlistRefusal::Older { found: list.revision, current });
        }
        let entries = list.entries.len();
        *current = Some(Rc::new(list));
        Ok(entries)
    }

    /// Adds to the verdict that the caller, or its address, is on the list.
    pub fn judge(&self, caller: &CallerRecord, at_ms: Option<i64>, verdict: &mut Verdict) {
        let list = self.list.try_borrow().ok().and_then(|list| list.clone());
        let Some((list, now_ms)) = list.zip(at_ms) else { return };
        if let Some(entry) = list.find(caller, now_ms) {
            let finding = entry.finding();
            let findings = CallFindings { volume: Some(finding.score), ..CallFindings::default() };
            verdict.include(CallFindings { findings: vec![finding], ..findings });
        }
    }

    /// Seconds until who calls is off the list, at least one.
    pub fn retry_after_s(&self, caller: &CallerRecord, at_ms: Option<i64>) -> u64 {
        let list = self.list.try_borrow().ok().and_then(|list| list.clone());
        let left_ms = list
            .zip(at_ms)
            .and_then(|(list, now_ms)| list.find(caller, now_ms).map(|entry| entry.expires_ms.saturating_sub(now_ms)));
        left_ms.and_then(|left_ms| u64::try_from(left_ms).ok()).unwrap_or(0).div_ceil(1000).max(1)
    }
}

/// Why an exchange is anomalous.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlarmCause {
    /// Something about it, or about its caller who is on no list.
    Anomaly,
    /// Who calls is on the watchlist, and the exchange itself has nothing; `by_itself` without what this proxy counted of the
    /// caller's calls, too.
    Watched { by_itself: bool },
}

impl AlarmCause {
    pub fn of(verdict: &Verdict) -> Self {
        let alarms = || verdict.findings.iter().filter(|finding| finding.alarm);
        let is_listed = alarms().any(|finding| finding.kind == FindingKind::Watchlist);
        let is_of_caller = |kind: FindingKind| matches!(kind.detector(), DetectorKind::Volume | DetectorKind::Sequence);
        if is_listed && alarms().all(|finding| is_of_caller(finding.kind)) {
            let by_itself = alarms().all(|finding| finding.kind == FindingKind::Watchlist);
            Self::Watched { by_itself }
        } else {
            Self::Anomaly
        }
    }
}

#[cfg(test)]
mod tests;
