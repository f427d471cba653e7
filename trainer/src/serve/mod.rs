//! `apiward serve`: how the service starts, and how it stops.

mod connections;
mod http;
mod logging;
mod maintenance;
mod settings;
mod shown_settings;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::extract::FromRef;
use sqlx::PgPool;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Tokens;
use crate::callers::{self, ActiveDetectors};
use crate::endpoints;
use crate::ingest::{self, IngestQueue};
use crate::metrics::Metrics;
use crate::models::Publisher;
use crate::models::starter::Starter;
use crate::scope_graphs::ScopeGraphs;
use crate::storage::{Database, cluster::PrivateCluster};
use crate::training_runs::{schedule, worker};

pub use http::app;
pub use maintenance::look_after;
pub use settings::{Interval, LogFormat, ServeArgs, Settings};

/// How long open connections and background work may take to end after the word to stop.
const STOP_MAX: Duration = Duration::from_secs(20);

/// A router whose handlers get the [`Service`].
pub type ApiRouter = axum::Router<Service>;

/// What every route and every background task works with.
#[derive(Debug, Clone)]
pub struct Service {
    pub pool: PgPool,
    pub tokens: Arc<Tokens>,
    pub metrics: Metrics,
    pub ingest: IngestQueue,
    pub publisher: Arc<Publisher>,
    /// What filters get before the first model.
    pub starter: Arc<Starter>,
    pub scope_graphs: ScopeGraphs,
    pub active_detectors: ActiveDetectors,
    pub settings: Arc<Settings>,
    /// Wakes the worker when a run was queued here.
    pub runs_waiting: Arc<Notify>,
    /// Cancelled when the trainer stops.
    pub stopping: CancellationToken,
}

impl FromRef<Service> for Arc<Tokens> {
    fn from_ref(service: &Service) -> Self {
        Arc::clone(&service.tokens)
    }
}

/// Runs the service until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start, or the private database ends under it.
pub fn run(args: ServeArgs) -> anyhow::Result<()> {
    logging::begin(args.log_format, &args.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let result = runtime.block_on(async {
        let stopping = CancellationToken::new();
        let signalled = stop_on_signal(stopping.clone())?;
        let running = tokio::select! {
            running = Running::start(&args, stopping.clone()) => running?,
            () = stopping.cancelled() => return Ok(()),
        };
        let result = running.until_stopped().await;
        signalled.abort();
        result
    });
    // A training that does not heed the word to stop is left behind; its run is taken up again by the next trainer.
    runtime.shutdown_background();
    result
}

/// A started service.
#[derive(Debug)]
pub struct Running {
    /// Where it listens; the port is the real one also where 0 was asked for.
    pub address: SocketAddr,
    pub service: Service,
    server: JoinHandle<()>,
    writer: JoinHandle<()>,
    tasks: TaskTracker,
    cluster: Option<PrivateCluster>,
}

impl Running {
    /// Key, tokens, database, routes, background tasks, and only then the socket: who can connect is served.
    ///
    /// # Errors
    /// When any of these cannot be had.
    pub async fn start(args: &ServeArgs, stopping: CancellationToken) -> anyhow::Result<Self> {
        let tokens = Arc::new(args.tokens()?);
        let publisher = Arc::new(Publisher::new(args.signing_key()?, args.serial_floor));
        let metrics = Metrics::new().context("set the metrics up")?;
        let settings = Arc::new(args.settings());
        let starter = Starter::new(settings.learning.false_alarm_budget).context("prepare the starter bundle")?;
        let starter = Arc::new(starter);
        let Database { pool, cluster } = Database::open(&args.database()).await?;
        look_after(&pool, &settings, &metrics, time::OffsetDateTime::now_utc()).await.context("prepare the store")?;
        let (ingest, writer) = ingest::queue(args.ingest_queue_batches as usize, pool.clone(), metrics.clone());
        let runs_waiting = Arc::new(Notify::new());
        let window_ms = settings.learning.promotion.window_ms;
        let scope_graphs = ScopeGraphs::new(pool.clone(), metrics.clone(), window_ms, stopping.clone());
        let service = Service {
            pool,
            tokens,
            metrics,
            ingest,
            publisher,
            starter,
            scope_graphs,
            active_detectors: ActiveDetectors::default(),
            settings,
            runs_waiting,
            stopping,
        };

        let listener = TcpListener::bind(args.listen).await.with_context(|| format!("listen on {}", args.listen))?;
        let address = listener.local_addr()?;
        let server = tokio::spawn(connections::serve(listener, app(service.clone()), service.stopping.clone()));
        let writer = writer.spawn();
        let tasks = TaskTracker::new();
        tasks.spawn(worker::run(service.clone()));
        tasks.spawn(schedule::run(service.clone()));
        tasks.spawn(maintenance::run(service.clone()));
        tasks.spawn(endpoints::schedule::run(service.clone()));
        tasks.spawn(callers::run(service.clone()));
        tasks.close();
        tracing::info!(%address, public_key = service.publisher.public_key(), "the trainer listens");
        Ok(Self { address, service, server, writer, tasks, cluster })
    }

    /// Serves until it is told to stop, then drains the queue and stops the private cluster.
    ///
    /// # Errors
    /// When the private database ended by itself or cannot be stopped.
    pub async fn until_stopped(mut self) -> anyhow::Result<()> {
        let stopping = self.service.stopping.clone();
        let died = async {
            match &mut self.cluster {
                Some(cluster) => cluster.died().await,
                None => std::future::pending().await,
            }
        };
        let failed = tokio::select! {
            () = stopping.cancelled() => None,
            error = died => Some(error),
        };
        stopping.cancel();
        tracing::info!("stopping: no new connections, accepted telemetry is stored");
        let stopped = self.stop().await;
        match failed {
            Some(error) => Err(error),
            None => stopped,
        }
    }

    async fn stop(self) -> anyhow::Result<()> {
        let Self { service, server, writer, tasks, cluster, .. } = self;
        let aborted = server.abort_handle();
        if tokio::time::timeout(STOP_MAX, server).await.is_err() {
            tracing::warn!("some connections did not end in time and are cut");
            aborted.abort();
        }
        if tokio::time::timeout(STOP_MAX, tasks.wait()).await.is_err() {
            tracing::warn!("background work did not end in time");
        }
        let pool = service.pool.clone();
        // The writer ends when nobody can hand it batches any more and the queue is empty.
        drop(service);
        if tokio::time::timeout(STOP_MAX, writer).await.is_err() {
            tracing::warn!("accepted telemetry could not be stored in time; its senders repeat it");
        }
        Database { pool, cluster }.close().await?;
        tracing::info!("stopped");
        Ok(())
    }
}

fn stop_on_signal(stopping: CancellationToken) -> anyhow::Result<JoinHandle<()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stopping.cancel();
    }))
}
