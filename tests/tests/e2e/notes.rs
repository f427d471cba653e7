//! Requests to a small API of notes and uploads.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use apiward_e2e::harness::Envoy;
use apiward_e2e::traffic::HOST;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Request, StatusCode};
use futures_util::stream;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::json;
use uuid::Uuid;

use super::PATIENCE;

/// Pieces in which a body of unknown length is sent.
const CHUNK_BYTES: usize = 7001;
const UPLOAD_BYTES: std::ops::Range<u32> = 1_000..150_000;
const TITLES: [&str; 8] =
    ["Shopping for Sunday", "Call the bank", "Books to read", "Paint", "Trip to Rome", "Ideas", "Bills", "Garden work"];
const TEXTS: [&str; 6] = [
    "Flour, eggs and a kilo of apples.",
    "Ask for the new card before the old one ends.",
    "Start with the long one, it is due back in May.",
    "Two rooms need three cans, white and a light grey.",
    "Leave early, the train goes at nine.",
    "The roses first, the hedge can wait until next week.",
];

/// One request.
#[derive(Debug, Clone)]
pub struct NoteRequest {
    pub id: Uuid,
    pub method: Method,
    pub path: String,
    pub content_type: Option<&'static str>,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// Without a content-length.
    pub chunked: bool,
}

impl NoteRequest {
    pub fn get(path: &str) -> Self {
        Self {
            id: next_id(),
            method: Method::GET,
            path: path.to_owned(),
            content_type: None,
            headers: Vec::new(),
            body: Bytes::new(),
            chunked: false,
        }
    }

    pub fn post(path: &str, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { method: Method::POST, content_type: Some(content_type), body: body.into(), ..Self::get(path) }
    }

    pub fn json(path: &str, body: &serde_json::Value) -> Self {
        Self::post(path, "application/json", body.to_string())
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same without a content-length.
    pub fn chunked(mut self) -> Self {
        self.chunked = true;
        self
    }

    /// The same under a new id.
    pub fn again(&self) -> Self {
        Self { id: next_id(), ..self.clone() }
    }
}

/// Ids count up, so that they tell the order of sending.
fn next_id() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Uuid::from_u64_pair(0, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What everybody does: reads and writes notes, uploads files.
pub fn honest_requests(seed: u64, count: usize) -> Vec<NoteRequest> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count)
        .map(|_| match rng.random_range(0..20) {
            0..=9 => NoteRequest::get(&format!("/api/notes/{}", rng.random_range(100..9_999))),
            10..=18 => {
                let title = TITLES[rng.random_range(0..TITLES.len())];
                let text = TEXTS[rng.random_range(0..TEXTS.len())];
                let pages = rng.random_range(1..20);
                let note = NoteRequest::json("/api/notes", &json!({"title": title, "text": text, "pages": pages}));
                if rng.random_bool(0.25) { note.chunked() } else { note }
            }
            _ => {
                let mut bytes = vec![0; rng.random_range(UPLOAD_BYTES) as usize];
                rng.fill(&mut bytes[..]);
                let upload = NoteRequest::post("/api/uploads", "application/octet-stream", bytes);
                if rng.random_bool(0.5) { upload.chunked() } else { upload }
            }
        })
        .collect()
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// Sends to Envoy.
#[derive(Debug, Clone)]
pub struct Client {
    client: legacy::Client<HttpConnector, Body>,
    base_url: String,
    /// The host is in the URL then.
    http2: bool,
}

impl Client {
    /// Keeps connections open.
    pub fn new(envoy: &Envoy) -> Self {
        Self { client: legacy::Client::builder(TokioExecutor::new()).build_http(), base_url: envoy.url(), http2: false }
    }

    /// Speaks HTTP/2.
    pub fn http2(envoy: &Envoy) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http();
        Self { client, base_url: envoy.url(), http2: true }
    }

    /// Opens a connection for every request, so that all workers get some.
    pub fn with_new_connections(envoy: &Envoy) -> Self {
        let client = legacy::Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, base_url: envoy.url(), http2: false }
    }

    /// # Errors
    /// When there is no answer.
    pub async fn send(&self, request: &NoteRequest) -> anyhow::Result<Reply> {
        let url = format!("{}{}", self.base_url, request.path);
        let mut outgoing =
            Request::builder().method(request.method.clone()).uri(&url).header("x-request-id", request.id.to_string());
        if request.headers.iter().all(|(name, _)| *name != "user-agent") {
            outgoing = outgoing.header("user-agent", "notes/1.0");
        }
        for (name, value) in &request.headers {
            outgoing = outgoing.header(*name, value);
        }
        if let Some(content_type) = request.content_type {
            outgoing = outgoing.header("content-type", content_type);
        }
        if !self.http2 {
            outgoing = outgoing.header("host", HOST);
        }
        let body = if request.chunked { in_pieces(&request.body) } else { Body::from(request.body.clone()) };
        let outgoing = outgoing.body(body)?;
        let exchange = async {
            let (head, body) = self.client.request(outgoing).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Reply { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .with_context(|| format!("no answer to {url} within {} s", PATIENCE.as_secs()))?
            .with_context(|| format!("no answer to {url}"))
    }
}

fn in_pieces(bytes: &Bytes) -> Body {
    let pieces: Vec<Result<Bytes, Infallible>> =
        bytes.chunks(CHUNK_BYTES).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
    Body::from_stream(stream::iter(pieces))
}
