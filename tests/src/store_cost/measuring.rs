//! Discovery in this process, with what it took.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_trainer::metrics::Metrics;
use apiward_trainer::scope_graphs::{Basis, ScopeGraphs};
use procfs::process::Process;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio_util::sync::CancellationToken;

use super::SCOPE;

const KIB: u64 = 1024;
const WINDOW_MS: i64 = 3_600_000;
/// Distinct callers that an endpoint needs.
const CALLERS: usize = 3;

/// What this process has used so far.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct ProcessUse {
    /// Of all its threads.
    pub cpu_seconds: f64,
    /// Most bytes that were resident.
    pub peak_bytes: u64,
}

/// What one discovery cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Records that are in the graph now.
    pub records: u64,
    pub endpoints: usize,
    /// Reading the new records into the graph.
    pub reading_seconds: f64,
    /// Telling templates and endpoints from it.
    pub finding_seconds: f64,
    /// Writing the graph to the store.
    pub storing_seconds: f64,
    /// Of all three.
    pub cpu_seconds: f64,
    /// Of the process so far.
    pub peak_bytes: u64,
}

impl ProcessUse {
    /// # Errors
    /// When the kernel does not tell.
    pub fn now() -> anyhow::Result<Self> {
        let process = Process::myself().context("look at this process")?;
        let (stat, status) = (process.stat()?, process.status()?);
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            peak_bytes: status.vmhwm.context("the kernel tells no peak of memory")? * KIB,
        })
    }
}

/// The graphs to measure with.
///
/// # Errors
/// When metrics cannot be made.
pub fn graphs(pool: PgPool) -> anyhow::Result<ScopeGraphs> {
    Ok(ScopeGraphs::new(pool, Metrics::new()?, WINDOW_MS, CancellationToken::new()))
}

/// Takes in what is new in the store and finds the endpoints.
///
/// # Errors
/// When the database or the component network fails.
pub async fn measure(graphs: &ScopeGraphs) -> anyhow::Result<Cost> {
    let before = ProcessUse::now()?;
    let started = Instant::now();
    graphs.update(SCOPE).await?;
    let read = started.elapsed();
    let basis = Basis { callers: CALLERS, ..Basis::default() };
    let current = graphs.discover(SCOPE, basis).await?;
    let found = started.elapsed();
    graphs.store_all().await?;
    let stored = started.elapsed();
    let after = ProcessUse::now()?;
    let seconds = |from: Duration, to: Duration| (to - from).as_secs_f64();
    Ok(Cost {
        records: current.discovered.exchanges,
        endpoints: current.discovered.endpoints.len(),
        reading_seconds: read.as_secs_f64(),
        finding_seconds: seconds(read, found),
        storing_seconds: seconds(found, stored),
        cpu_seconds: after.cpu_seconds - before.cpu_seconds,
        peak_bytes: after.peak_bytes,
    })
}
