//! The apiward engine: `Exchange` → `Observation` → route → features → scores → `Verdict`.
//!
//! The filter and the trainer run exactly this code, so what was evaluated is what runs. The crate does no I/O, reads no
//! clock and knows no proxy; every input is untrusted, every limit is named in [`limits`].

#![cfg_attr(
    not(test),
    deny(clippy::panic, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::unreachable)
)]

pub mod bundle;
pub mod calibration;
pub mod calls;
#[cfg(test)]
mod cpu_time;
pub mod detector;
pub mod exchange;
pub mod findings;
pub mod hashing;
pub mod jwt;
pub mod limits;
pub mod network;
pub mod observation;
pub mod payload;
pub mod profile;
pub mod route;
pub mod sequence;
pub mod session;
pub mod telemetry;
pub mod verdict;
pub mod volume;
pub mod watchlist;
pub mod work;
