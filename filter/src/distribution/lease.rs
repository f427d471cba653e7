//! The lease by which one worker polls for all.
//!
//! The host inserts an absent key whatever number a compare-and-swap names. So the key is first created as a lease that nobody
//! holds, and taken only by a compare-and-swap on what is then read: of two workers that find it free, one finds it changed.

use crate::host::{Host, SharedVersion};
use crate::limits;

const LEASE_VERSION: u8 = 1;
const HOLDER_BYTES: usize = 16;

/// Who polls, until when, and what the trainer's last answer was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lease {
    pub holder: [u8; HOLDER_BYTES],
    /// Milliseconds since the Unix epoch.
    pub expires_ms: u64,
    /// ETag of the last bundle that was received, also of one that was refused; empty when there was none.
    pub etag: String,
}

impl Lease {
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![LEASE_VERSION];
        bytes.extend_from_slice(&self.holder);
        bytes.extend_from_slice(&self.expires_ms.to_le_bytes());
        bytes.extend_from_slice(self.etag.as_bytes());
        bytes
    }

    /// `None` for what is no lease: shared data is open to whoever runs under the same VM id.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(&[LEASE_VERSION])?;
        let (holder, rest) = rest.split_first_chunk::<HOLDER_BYTES>()?;
        let (expires_ms, etag) = rest.split_first_chunk::<8>()?;
        let etag = std::str::from_utf8(etag).ok().filter(|etag| is_etag(etag))?;
        Some(Self { holder: *holder, expires_ms: u64::from_le_bytes(*expires_ms), etag: etag.to_owned() })
    }
}

/// Takes or renews the lease for `lease_ms`; `None` while another worker holds it.
pub fn hold(host: &dyn Host, key: &str, holder: [u8; 16], now_ms: u64, lease_ms: u64) -> Option<Lease> {
    let value = host.shared_data(key).or_else(|| {
        // A conflict means that another worker created it in the meantime, which is just as well.
        let _ = host.set_shared_data(key, &Lease::default().encode(), SharedVersion::Absent);
        host.shared_data(key)
    })?;
    let mut lease = Lease::decode(&value.bytes).unwrap_or_default();
    let is_live = lease.expires_ms > now_ms && lease.expires_ms <= now_ms.saturating_add(LEASE_MS_MAX);
    if is_live && lease.holder != holder {
        return None;
    }
    lease.holder = holder;
    lease.expires_ms = now_ms.saturating_add(lease_ms.min(LEASE_MS_MAX));
    host.set_shared_data(key, &lease.encode(), value.version).ok()?;
    Some(lease)
}

/// Writes down the ETag of the last answer, for whoever polls next. Nothing when the lease was lost meanwhile.
pub fn remember_etag(host: &dyn Host, key: &str, holder: [u8; 16], etag: &str) {
    let Some(value) = host.shared_data(key) else {
        return;
    };
    let Some(mut lease) = Lease::decode(&value.bytes).filter(|lease| lease.holder == holder) else {
        return;
    };
    if is_etag(etag) && lease.etag != etag {
        lease.etag = etag.to_owned();
        let _ = host.set_shared_data(key, &lease.encode(), value.version);
    }
}

/// What may be sent back as `if-none-match`; the empty text stands for none.
fn is_etag(etag: &str) -> bool {
    etag.len() <= limits::ETAG_BYTES_MAX && etag.bytes().all(|byte| byte.is_ascii_graphic())
}

/// No lease is longer: one that claims to be was not written by this filter, or the clock was set back.
const LEASE_MS_MAX: u64 = 2 * 3_600_000;

#[cfg(test)]
mod tests;
