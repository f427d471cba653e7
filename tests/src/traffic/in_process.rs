//! The shop in the same process under a simulated clock, recorded as exchange JSONL.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use apiward_detector::exchange::{Caller, Request as RequestToJudge, Response};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use http_body_util::BodyExt;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tower::ServiceExt;

use super::HOST;
use super::request::{SendError, ShopClient, ShopRequest, ShopResponse};
use crate::shop::{Shop, ShopClock};

/// Time the shop takes at the median before a byte of the answer is made, in microseconds.
const BASE_DURATION_US: f64 = 900.0;
/// What every kilobyte of the answer adds, in microseconds.
const DURATION_US_PER_KB: f64 = 60.0;
/// Spread of the logarithm of the duration.
const DURATION_SIGMA: f64 = 0.35;
const TIMESTAMP: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");

/// One line of exchange JSONL.
#[derive(Clone, Debug, Serialize)]
pub struct Exchange {
    pub ts: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<String>,
    pub address: String,
    pub host: String,
    pub method: String,
    pub path: String,
    pub request_headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_body: Option<String>,
    pub status: u16,
    pub response_headers: BTreeMap<String, String>,
    pub response_bytes: usize,
    /// Told only where responses matter to who reads the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub response_body: Option<String>,
    pub duration_us: u64,
    pub label: &'static str,
    #[serde(skip)]
    pub(crate) sent_at: OffsetDateTime,
}

impl Exchange {
    /// An exchange of which only the time is known.
    pub(crate) fn at(at: OffsetDateTime) -> Self {
        Self {
            ts: at.format(TIMESTAMP).unwrap_or_default(),
            caller: None,
            address: String::new(),
            host: String::new(),
            method: String::new(),
            path: String::new(),
            request_headers: BTreeMap::new(),
            request_body: None,
            status: 0,
            response_headers: BTreeMap::new(),
            response_bytes: 0,
            response_body: None,
            duration_us: 0,
            label: "normal",
            sent_at: at,
        }
    }

    /// As a filter in front of the shop takes it in.
    pub fn to_judge(&self) -> apiward_detector::exchange::Exchange {
        let caller = Caller {
            identity: self.caller.clone(),
            verified: false,
            address: Some(self.address.clone()),
            kinds: Vec::new(),
        };
        let body = self.request_body.clone().unwrap_or_default().into_bytes();
        let headers = self.request_headers.iter().filter(|(name, _)| *name != "host");
        apiward_detector::exchange::Exchange {
            at_ms: i64::try_from(self.sent_at.unix_timestamp_nanos() / 1_000_000).ok(),
            caller,
            request: RequestToJudge {
                method: self.method.clone(),
                host: self.host.clone(),
                target: self.path.clone(),
                headers: headers.map(|(name, value)| (name.clone(), value.clone())).collect(),
                body_bytes: body.len() as u64,
                body,
            },
            response: Some(Response {
                status: Some(self.status),
                grpc_status: None,
                headers: self.response_headers.clone().into_iter().collect(),
                body: Vec::new(),
                bytes: Some(self.response_bytes as u64),
                duration_us: Some(self.duration_us),
            }),
        }
    }
}

/// Writes exchange JSONL.
///
/// # Errors
/// When it cannot be written.
pub fn write_lines(exchanges: &[Exchange], mut output: impl Write) -> std::io::Result<()> {
    for exchange in exchanges {
        serde_json::to_writer(&mut output, exchange)?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

/// Calls the shop's router and records every exchange. Clones share the record.
#[derive(Clone)]
pub struct InProcessShop {
    router: Router,
    clock: ShopClock,
    recorded: Arc<Mutex<Vec<Exchange>>>,
    durations: Arc<Mutex<ChaCha8Rng>>,
}

impl InProcessShop {
    /// `clock` is the one that `shop` was made with; it follows the requests' simulated time.
    pub fn new(shop: &Arc<Shop>, clock: ShopClock, seed: u64) -> Self {
        Self {
            router: shop.router(),
            clock,
            recorded: Arc::default(),
            durations: Arc::new(Mutex::new(ChaCha8Rng::seed_from_u64(seed))),
        }
    }

    /// Takes what was recorded so far, ordered by time.
    pub fn take_exchanges(&self) -> Vec<Exchange> {
        let mut recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let mut exchanges = std::mem::take(&mut *recorded);
        exchanges.sort_by_key(|exchange| exchange.sent_at);
        exchanges
    }

    fn duration_us(&self, response_bytes: usize) -> u64 {
        let median = BASE_DURATION_US + DURATION_US_PER_KB * response_bytes as f64 / 1024.0;
        let mut rng = self.durations.lock().unwrap_or_else(PoisonError::into_inner);
        let sampled =
            LogNormal::new(median.ln(), DURATION_SIGMA).map_or(median, |distribution| distribution.sample(&mut *rng));
        sampled as u64
    }
}

fn text_headers(headers: &HeaderMap) -> BTreeMap<String, String> {
    headers
        .iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), text)
        })
        .collect()
}

impl ShopClient for InProcessShop {
    async fn send(&mut self, request: ShopRequest) -> Result<ShopResponse, SendError> {
        self.clock.set(request.at);
        let mut builder = Request::builder().method(request.method.clone()).uri(&request.path);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let body = request.body.clone().unwrap_or_default();
        let incoming = builder.body(Body::from(body.clone()))?;
        let response = match self.router.clone().oneshot(incoming).await {
            Ok(response) => response,
            Err(never) => {
                let never: Infallible = never;
                match never {}
            }
        };
        let (head, stream) = response.into_parts();
        let response_body = stream
            .collect()
            .await
            .map_err(|error| SendError::Body { url: request.path.clone(), reason: error.to_string() })?
            .to_bytes();
        let exchange = Exchange {
            caller: request.caller,
            address: request.address.to_string(),
            host: HOST.to_owned(),
            method: request.method.to_string(),
            path: request.path,
            request_headers: request.headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            request_body: request.body.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            status: head.status.as_u16(),
            response_headers: text_headers(&head.headers),
            response_bytes: response_body.len(),
            duration_us: self.duration_us(response_body.len()),
            label: request.kind.label(),
            ..Exchange::at(request.at)
        };
        self.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(exchange);
        Ok(ShopResponse { status: head.status, headers: head.headers, body: response_body })
    }
}
