//! A trainer in the hands of somebody else: it hands out whatever bytes it likes, and sees all that filters report.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use apiward_detector::bundle::bundle_id;
use apiward_detector::telemetry::{Batch, BundleRefusal, CapturedExchange, ExchangeRecord};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

#[derive(Debug, Default)]
struct Dealings {
    bundle: Option<Bytes>,
    /// Without their captures.
    batches: Vec<Batch>,
    captures: Vec<Arc<CapturedExchange>>,
    /// Batches that could not be read.
    unreadable: Vec<String>,
}

/// Speaks the filters' protocol on a free loopback port, under the control of a test.
pub struct HostileTrainer {
    address: SocketAddr,
    dealings: Arc<Mutex<Dealings>>,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl HostileTrainer {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen as a trainer")?;
        let address = listener.local_addr()?;
        let dealings = Arc::<Mutex<Dealings>>::default();
        let router = Router::new()
            .route("/v1/bundle", get(hand_out))
            .route("/v1/telemetry", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&dealings));
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(async move {
            let stopped = async move { _ = stopped.await };
            if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(stopped).await {
                eprintln!("the trainer stopped: {error}");
            }
        });
        Ok(Self { address, dealings, stop, serving })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Hands these bytes out from now on.
    pub fn hand_out(&self, bundle: impl Into<Bytes>) {
        self.dealings().bundle = Some(bundle.into());
    }

    /// Refusals that were reported so far.
    pub fn refusals(&self) -> Vec<BundleRefusal> {
        self.dealings().batches.iter().flat_map(|batch| batch.refusals.clone()).collect()
    }

    /// Records of these requests that were reported so far, each with who sent it.
    pub fn records_of(&self, request_ids: &BTreeSet<String>) -> Vec<(String, ExchangeRecord)> {
        let dealings = self.dealings();
        let is_of_one = |id: &String| request_ids.contains(id);
        let of_batch = |batch: &Batch| -> Vec<_> {
            let records = batch.records.iter();
            let found = records.filter(|record| record.request_id.as_ref().is_some_and(is_of_one));
            found.map(|record| (batch.sender.clone(), record.clone())).collect()
        };
        dealings.batches.iter().flat_map(of_batch).collect()
    }

    /// Captures of these requests that were reported so far.
    pub fn captures_of(&self, request_ids: &BTreeSet<String>) -> Vec<Arc<CapturedExchange>> {
        let dealings = self.dealings();
        let is_of_one = |id: &String| request_ids.contains(id);
        let captures = dealings.captures.iter();
        captures.filter(|captured| captured.request_id.as_ref().is_some_and(is_of_one)).cloned().collect()
    }

    /// What was sent as telemetry and is none.
    pub fn unreadable(&self) -> Vec<String> {
        self.dealings().unreadable.clone()
    }

    /// Takes no more connections and ends those that are open.
    pub async fn stop(self) -> anyhow::Result<()> {
        // The receiver is gone only when serving has already ended.
        _ = self.stop.send(());
        self.serving.await.context("stop the trainer")
    }

    fn dealings(&self) -> MutexGuard<'_, Dealings> {
        lock(&self.dealings)
    }
}

fn lock(dealings: &Mutex<Dealings>) -> MutexGuard<'_, Dealings> {
    dealings.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn hand_out(State(dealings): State<Arc<Mutex<Dealings>>>, headers: HeaderMap) -> Response {
    let Some(bundle) = lock(&dealings).bundle.clone() else {
        return StatusCode::NO_CONTENT.into_response();
    };
    let tag = format!("\"{}\"", bundle_id(&bundle));
    if headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes()) {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    ([(header::ETAG, tag)], bundle).into_response()
}

async fn take(State(dealings): State<Arc<Mutex<Dealings>>>, body: Bytes) -> StatusCode {
    match Batch::decode(&body) {
        Ok(mut batch) => {
            let mut dealings = lock(&dealings);
            dealings.captures.extend(batch.captures.drain(..).map(Arc::new));
            dealings.batches.push(batch);
        }
        Err(error) => lock(&dealings).unreadable.push(error.to_string()),
    }
    StatusCode::NO_CONTENT
}
