//! Callers over time, across all proxies of a scope: who alarms is watched everywhere, and what one did is shown.
//!
//! `watch` follows the committed records, `watchlist` keeps who it found and hands it to filters and people, `profile` tells of one
//! caller.

mod active_detectors;
mod profile;
mod shown_call;
mod watch;
mod watchlist;

use crate::problem::Problem;
use crate::serve::ApiRouter;

pub use active_detectors::ActiveDetectors;
pub use shown_call::ShownCall;
pub use watch::run;
pub use watchlist::drop_expired;

pub fn router() -> ApiRouter {
    profile::router().merge(watchlist::router())
}

/// The hash of a caller or an address as it is shown.
fn read_hash(text: &str) -> Result<u64, Problem> {
    let is_hash = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    u64::from_str_radix(text, 16).ok().filter(|_| is_hash).ok_or_else(|| {
        Problem::Malformed(format!("{text:?} names no caller: 16 hexadecimal digits, as detections show them"))
    })
}
