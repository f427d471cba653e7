//! Sessions across workers: in shared data, in a fixed number of shards, since shared data is never freed.
//!
//! Memory: at most `sessions.callers` × ([`CALLER_SESSION_BYTES`](apiward_detector::session::CALLER_SESSION_BYTES) + 16) plus
//! `sessions.addresses` × ([`ADDRESS_SESSION_BYTES`](apiward_detector::session::ADDRESS_SESSION_BYTES) + 16) bytes, and
//! [`shard::HEAD_BYTES`] and the key for every eight of them, once per VM id, however many callers come.

mod shard;
mod shared;

pub use shared::{SessionLimits, SharedSessions};

#[cfg(test)]
mod tests;
