//! What the end-to-end tests share: a service that gives back what it gets, honest requests to it, a trainer that may lie,
//! and models learned from what Envoy captured.
#![allow(dead_code, unused_imports, reason = "every test file is a program of its own and uses a part of this")]

mod echo_service;
mod hostile_trainer;
mod learning;
mod notes;
mod trapping_module;
mod verdict;

pub use echo_service::EchoService;
pub use hostile_trainer::HostileTrainer;
pub use learning::{Learned, capture, captures_of, learn, learn_over_time};
pub use notes::{Client, NoteRequest, Reply, honest_requests};
pub use trapping_module::trapping_module;
pub use verdict::{VERDICT_HEADER, assert_judged_on_all_workers, serial_of, until_in_use, until_judged_on_all_workers};

use std::time::{Duration, Instant};

use apiward_e2e::harness::POLL;
use serde_json::{Value, json};

/// Nothing takes longer, unless it hangs.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// How often a filter polls and reports in these tests: the least that it accepts.
pub const INTERVAL_MS: u64 = 200;

/// Keys of the filter's configuration that these tests set.
pub fn filter_configuration(changes: &Value) -> Value {
    let mut configuration = json!({
        "trainer": {"poll_interval_ms": INTERVAL_MS, "flush_interval_ms": INTERVAL_MS},
        "response_header": VERDICT_HEADER,
        "capture": true,
    });
    for (key, value) in changes.as_object().into_iter().flatten() {
        configuration[key] = value.clone();
    }
    configuration
}

/// Waits until `look` finds something.
///
/// # Errors
/// When `look` fails, or finds nothing for [`PATIENCE`].
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(started.elapsed() < PATIENCE, "waited {} s for {what} in vain", PATIENCE.as_secs());
        tokio::time::sleep(POLL).await;
    }
}
