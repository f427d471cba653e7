//! The URL graph of each scope, kept up to date from the store.
//!
//! A graph is in memory while its scope is busy, takes in the [`new_records`], and is written to the
//! store now and then and at the end ([`state`]). So it outlives the records, which retention drops, and a restart. Each
//! trainer of a database has graphs of its own.

pub mod discovered;
mod judge;
pub mod state;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_detector::telemetry::ExchangeRecord;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{OwnedMutexGuard, mpsc};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use crate::storage::new_records::{self, EncodedRecords, Reading, Snapshot};

pub use discovered::{Basis, Discovered};
use judge::Judge;
use state::ScopeGraph;

/// How long an answer waits for records that were not read yet.
const WAIT_MAX: Duration = Duration::from_secs(3);
/// Graphs that stay in memory, those looked at or changed last.
const SCOPES_IN_MEMORY_MAX: usize = 32;
/// Chunks of records that wait to be taken in.
const CHUNKS_WAITING: usize = 2;

/// The graphs of all scopes.
#[derive(Debug, Clone)]
pub struct ScopeGraphs {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    pool: PgPool,
    metrics: Metrics,
    /// Length of a window, see [`crate::discovery::UrlGraph::new`]; graphs that are stored keep that of their beginning.
    window_ms: i64,
    stopping: CancellationToken,
    judge: Mutex<Judge>,
    scopes: Mutex<HashMap<String, Arc<Kept>>>,
}

/// What is held of a scope.
#[derive(Debug)]
struct Kept {
    scope: String,
    /// `None` until it is needed, and after a failure that may have left it half-way.
    graph: Arc<tokio::sync::Mutex<Option<ScopeGraph>>>,
    current: Mutex<Option<Current>>,
    /// What is in the graph, readable while it is at work; `None` while that is not known.
    seen: Mutex<Option<Snapshot>>,
    nodes: AtomicUsize,
    /// Exchanges of the graph that was last written to the store.
    stored_exchanges: AtomicU64,
    used: Mutex<Instant>,
}

/// The newest that is known.
#[derive(Debug, Clone)]
pub struct Current {
    pub discovered: Arc<Discovered>,
    /// What was stored until then is in it.
    pub as_of: OffsetDateTime,
}

type Held = OwnedMutexGuard<Option<ScopeGraph>>;

impl ScopeGraphs {
    pub fn new(pool: PgPool, metrics: Metrics, window_ms: i64, stopping: CancellationToken) -> Self {
        let (judge, scopes) = (Mutex::default(), Mutex::default());
        Self { inner: Arc::new(Inner { pool, metrics, window_ms, stopping, judge, scopes }) }
    }

    /// The endpoints of a scope, records that were just stored included. When reading these takes long it goes on by itself, and
    /// the answer is what was known before; `None` when that is nothing.
    ///
    /// # Errors
    /// When the database fails or the component network cannot be used.
    pub async fn current(&self, scope: &str, basis: Basis) -> anyhow::Result<Option<Current>> {
        let kept = self.kept(scope);
        match tokio::time::timeout(WAIT_MAX, self.discovered(&kept, basis)).await {
            Ok(current) => current.map(Some),
            Err(_) => {
                tracing::debug!(scope, "reading new records takes long, it goes on in the background");
                Ok(locked(&kept.current).clone())
            }
        }
    }

    /// The same, however long it takes.
    ///
    /// # Errors
    /// As [`ScopeGraphs::current`].
    pub async fn discover(&self, scope: &str, basis: Basis) -> anyhow::Result<Current> {
        self.discovered(&self.kept(scope), basis).await
    }

    /// Takes in all new records of a scope.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn update(&self, scope: &str) -> anyhow::Result<()> {
        let kept = self.kept(scope);
        let held = Arc::clone(&kept.graph).lock_owned().await;
        self.refresh(&kept, held, None).await
    }

    /// Takes in the new records of every scope that has some.
    ///
    /// # Errors
    /// When the database fails, or one scope's records could not be read; those of the others are taken in anyway.
    pub async fn update_all(&self) -> anyhow::Result<()> {
        let pool = &self.inner.pool;
        let mut failed = None;
        for scope in new_records::scopes(pool).await? {
            if self.inner.stopping.is_cancelled() {
                break;
            }
            let seen = match self.seen(&scope) {
                Some(seen) => seen,
                None => state::seen(pool, &scope).await?,
            };
            if new_records::exist(pool, &scope, &seen).await? {
                let updated = self.update(&scope).await;
                failed =
                    failed.or(updated.err().map(|error| error.context(format!("read records of scope {scope:?}"))));
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Writes the graphs that changed to the store, and lets go of those that were not used for long.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn store_all(&self) -> anyhow::Result<()> {
        let mut all: Vec<Arc<Kept>> = locked(&self.inner.scopes).values().cloned().collect();
        all.sort_by_key(|kept| std::cmp::Reverse(*locked(&kept.used)));
        for (place, kept) in all.iter().enumerate() {
            let mut held = Arc::clone(&kept.graph).lock_owned().await;
            if let Some(graph) = held.take() {
                *held = Some(self.stored(kept, graph).await.with_context(|| format!("scope {:?}", kept.scope))?);
            }
            if place >= SCOPES_IN_MEMORY_MAX {
                locked(&self.inner.scopes).remove(&kept.scope);
            }
        }
        Ok(())
    }

    /// Scopes whose graphs are in memory.
    pub fn scopes(&self) -> Vec<String> {
        locked(&self.inner.scopes).keys().cloned().collect()
    }

    /// Only waiting for the graph ends with this call; what it began goes on.
    async fn discovered(&self, kept: &Arc<Kept>, basis: Basis) -> anyhow::Result<Current> {
        let held = Arc::clone(&kept.graph).lock_owned().await;
        let (this, working) = (self.clone(), Arc::clone(kept));
        let refreshed = tokio::spawn(async move { this.refresh(&working, held, Some(basis)).await });
        refreshed.await.context("discover")??;
        locked(&kept.current).clone().context("nothing was discovered")
    }

    fn seen(&self, scope: &str) -> Option<Snapshot> {
        locked(&self.inner.scopes).get(scope).and_then(|kept| locked(&kept.seen).clone())
    }

    fn kept(&self, scope: &str) -> Arc<Kept> {
        let mut scopes = locked(&self.inner.scopes);
        let kept = scopes.entry(scope.to_owned()).or_insert_with(|| Arc::new(Kept::new(scope)));
        *locked(&kept.used) = Instant::now();
        Arc::clone(kept)
    }

    /// Catches up and, on a basis, finds the endpoints. A graph that a failure may have left half-way is dropped, and comes from
    /// the store again.
    async fn refresh(&self, kept: &Kept, mut held: Held, basis: Option<Basis>) -> anyhow::Result<()> {
        let as_of = OffsetDateTime::now_utc();
        *locked(&kept.seen) = None;
        let mut graph = self.caught_up(kept, held.take()).await?;
        *locked(&kept.seen) = Some(graph.seen.clone());
        if graph.graph.exchanges == 0 {
            // Whoever asks for scopes that there are not shall not fill the memory.
            locked(&self.inner.scopes).remove(&kept.scope);
        }
        let mut found = Ok(());
        if let Some(basis) = basis {
            (graph, found) = self.find(kept, graph, basis, as_of).await?;
        }
        *held = Some(graph);
        let nodes = locked(&self.inner.scopes).values().map(|kept| kept.nodes.load(Ordering::Relaxed)).sum::<usize>();
        self.inner.metrics.discovery_nodes.set(i64::try_from(nodes).unwrap_or(i64::MAX));
        found
    }

    async fn find(
        &self,
        kept: &Kept,
        graph: ScopeGraph,
        basis: Basis,
        as_of: OffsetDateTime,
    ) -> anyhow::Result<(ScopeGraph, anyhow::Result<()>)> {
        let known = locked(&kept.current).as_ref().map(|current| Arc::clone(&current.discovered));
        if let Some(discovered) = known.filter(|discovered| discovered.is_of(&graph, &basis)) {
            *locked(&kept.current) = Some(Current { discovered, as_of });
            return Ok((graph, Ok(())));
        }
        let inner = Arc::clone(&self.inner);
        let (graph, discovered) = tokio::task::spawn_blocking(move || {
            let discovered = Discovered::of(&graph, &mut locked(&inner.judge), basis);
            (graph, discovered)
        })
        .await
        .context("discover")?;
        let found = discovered.context("tell templates from traffic").map(|discovered| {
            *locked(&kept.current) = Some(Current { discovered: Arc::new(discovered), as_of });
        });
        Ok((graph, found))
    }

    /// The graph with all records that are there.
    async fn caught_up(&self, kept: &Kept, held: Option<ScopeGraph>) -> anyhow::Result<ScopeGraph> {
        let now = Snapshot::now(&mut *self.inner.pool.acquire().await?).await?;
        let graph = match held.filter(|graph| graph.seen.end <= now.end) {
            Some(graph) => graph,
            None => self.loaded(kept, &now).await?,
        };
        let (exchanges, started) = (graph.graph.exchanges, Instant::now());
        let graph = self.take_in(&kept.scope, graph).await?;
        if graph.graph.exchanges != exchanges {
            self.inner.metrics.discovery_update_seconds.observe(started.elapsed().as_secs_f64());
            kept.nodes.store(graph.nodes(), Ordering::Relaxed);
        }
        Ok(graph)
    }

    /// The graph as it was stored, or an empty one.
    async fn loaded(&self, kept: &Kept, now: &Snapshot) -> anyhow::Result<ScopeGraph> {
        let pool = &self.inner.pool;
        *locked(&kept.current) = None;
        kept.stored_exchanges.store(0, Ordering::Relaxed);
        let renumbered = new_records::renumber_restored(pool, &kept.scope).await?;
        let stored = state::load(pool, &kept.scope).await?;
        let unusable = match stored {
            None => return Ok(ScopeGraph::empty(self.inner.window_ms)),
            Some(stored) if renumbered > 0 || stored.seen.end > now.end => {
                anyhow::anyhow!("the database was restored into a server that counts its transactions anew")
            }
            Some(stored) => match tokio::task::spawn_blocking(move || stored.decode()).await? {
                Ok(graph) => {
                    kept.stored_exchanges.store(graph.graph.exchanges, Ordering::Relaxed);
                    kept.nodes.store(graph.nodes(), Ordering::Relaxed);
                    return Ok(graph);
                }
                Err(error) => error,
            },
        };
        let error = format!("{unusable:#}");
        tracing::warn!(scope = kept.scope, error, "the stored URL graph is dropped and built again from the records");
        state::forget(pool, &kept.scope).await?;
        Ok(ScopeGraph::empty(self.inner.window_ms))
    }

    /// Reads on one thread while another takes in.
    async fn take_in(&self, scope: &str, graph: ScopeGraph) -> anyhow::Result<ScopeGraph> {
        let (sender, chunks) = mpsc::channel(CHUNKS_WAITING);
        let seen = graph.seen.clone();
        let reading = Reading::begin(&self.inner.pool).await.context("begin to read new records")?;
        let taking = tokio::task::spawn_blocking(move || take_chunks(graph, chunks));
        let read = reading.read(scope, &seen, &self.inner.stopping, sender).await;
        let taken = taking.await.context("take records into the graph")?;
        let mut graph = taken.graph;
        graph.seen = read.context("read new records")?;
        let records = &self.inner.metrics.discovery_records;
        records.with_label_values(&["read"]).inc_by(taken.read);
        if let Some(error) = taken.error {
            records.with_label_values(&["unreadable"]).inc_by(taken.unreadable);
            tracing::warn!(scope, records = taken.unreadable, %error, "stored records cannot be read and are left out");
        }
        Ok(graph)
    }

    async fn stored(&self, kept: &Kept, graph: ScopeGraph) -> anyhow::Result<ScopeGraph> {
        let exchanges = graph.graph.exchanges;
        if kept.stored_exchanges.load(Ordering::Relaxed) == exchanges {
            return Ok(graph);
        }
        let (graph, encoded) = tokio::task::spawn_blocking(move || {
            let encoded = graph.encode();
            (graph, encoded)
        })
        .await
        .context("encode a graph")?;
        match encoded {
            Ok(bytes) => state::store(&self.inner.pool, &kept.scope, &graph.seen, exchanges, &bytes).await?,
            Err(error) => {
                let error = format!("{error:#}");
                tracing::warn!(
                    scope = kept.scope,
                    error,
                    "the URL graph is not stored; it is built again after a restart"
                );
            }
        }
        kept.stored_exchanges.store(exchanges, Ordering::Relaxed);
        Ok(graph)
    }
}

impl Kept {
    fn new(scope: &str) -> Self {
        Self {
            scope: scope.to_owned(),
            graph: Arc::default(),
            current: Mutex::default(),
            seen: Mutex::default(),
            nodes: AtomicUsize::new(0),
            stored_exchanges: AtomicU64::new(0),
            used: Mutex::new(Instant::now()),
        }
    }
}

struct Taken {
    graph: ScopeGraph,
    read: u64,
    unreadable: u64,
    /// Why the last unreadable one is so.
    error: Option<rmp_serde::decode::Error>,
}

fn take_chunks(graph: ScopeGraph, mut chunks: mpsc::Receiver<EncodedRecords>) -> Taken {
    let mut taken = Taken { graph, read: 0, unreadable: 0, error: None };
    while let Some(chunk) = chunks.blocking_recv() {
        for record in chunk.iter() {
            match rmp_serde::from_slice::<ExchangeRecord>(record) {
                Ok(record) => {
                    taken.graph.graph.add(&record);
                    taken.read += 1;
                }
                Err(error) => {
                    taken.unreadable += 1;
                    taken.error = Some(error);
                }
            }
        }
    }
    taken
}

/// What a panic left behind is replaced as a whole by who finds it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
