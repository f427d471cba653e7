//! Discovery in this process, with what it took.

use std::time::Instant;

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
#[derive(Clone, Copy, Debug)]
struct ProcessUse {
    /// Of all its threads.
    cpu_seconds: f64,
    /// Most bytes that were resident.
    peak_bytes: u64,
}

/// What one part of a discovery took.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct PartCost {
    pub seconds: f64,
    pub cpu_seconds: f64,
    /// Of the process until the end of the part.
    pub peak_bytes: u64,
}

/// What one discovery cost.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// Records that are in the graph now.
    pub records: u64,
    pub endpoints: usize,
    /// Of the graph.
    pub nodes: i64,
    /// The new records into the graph.
    pub reading: PartCost,
    /// Templates and endpoints from it.
    pub finding: PartCost,
    /// The graph into the store.
    pub storing: PartCost,
}

impl ProcessUse {
    fn now() -> anyhow::Result<Self> {
        let process = Process::myself().context("look at this process")?;
        let (stat, status) = (process.stat()?, process.status()?);
        Ok(Self {
            cpu_seconds: (stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64,
            peak_bytes: status.vmhwm.context("the kernel tells no peak of memory")? * KIB,
        })
    }
}

/// The graphs to measure with.
#[derive(Debug)]
pub struct Measured {
    graphs: ScopeGraphs,
    metrics: Metrics,
}

impl Measured {
    /// # Errors
    /// When metrics cannot be made.
    pub fn new(pool: PgPool) -> anyhow::Result<Self> {
        let metrics = Metrics::new()?;
        let graphs = ScopeGraphs::new(pool, metrics.clone(), WINDOW_MS, CancellationToken::new());
        Ok(Self { graphs, metrics })
    }

    /// Takes in what is new in the store and finds the endpoints.
    ///
    /// # Errors
    /// When the database or the component network fails.
    pub async fn discover(&self) -> anyhow::Result<Cost> {
        let (_, reading) = cost_of(self.graphs.update(SCOPE)).await?;
        let basis = Basis { callers: CALLERS, ..Basis::default() };
        let (current, finding) = cost_of(self.graphs.discover(SCOPE, basis)).await?;
        let (_, storing) = cost_of(self.graphs.store_all()).await?;
        Ok(Cost {
            records: current.discovered.exchanges,
            endpoints: current.discovered.endpoints.len(),
            nodes: self.metrics.discovery_nodes.get(),
            reading,
            finding,
            storing,
        })
    }
}

async fn cost_of<T>(part: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<(T, PartCost)> {
    let (before, started) = (ProcessUse::now()?, Instant::now());
    let result = part.await?;
    let (seconds, after) = (started.elapsed().as_secs_f64(), ProcessUse::now()?);
    let cpu_seconds = after.cpu_seconds - before.cpu_seconds;
    Ok((result, PartCost { seconds, cpu_seconds, peak_bytes: after.peak_bytes }))
}
