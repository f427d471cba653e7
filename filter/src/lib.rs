//! The apiward filter: what Envoy tells of an exchange goes to the engine, what the engine says goes to Envoy.
//!
//! All behaviour is plain logic over [`host::Host`]. `host/envoy.rs` is the only file that names host calls, `proxy.rs` hands
//! the SDK's callbacks over; both exist on wasm32 only. Nothing here panics: a trap would take the worker's VM down.

#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

pub mod bundle;
pub mod caller;
pub mod config;
pub mod distribution;
pub mod exchange;
#[cfg(test)]
mod fixture;
pub mod host;
pub mod limits;
pub mod metrics;
#[cfg(target_arch = "wasm32")]
mod proxy;
pub mod sessions;
pub mod telemetry;
pub mod watchlist;
pub mod worker;
