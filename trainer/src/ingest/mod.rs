//! `POST /v1/telemetry`: batches of records from the filters.

mod queue;
mod reports;
mod write;

use std::io::Read as _;
use std::time::Duration;

use apiward_detector::limits::BATCH_BYTES_MAX;
use apiward_detector::telemetry::{Batch, BatchError};
use axum::Json;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::routing::post;
use flate2::read::MultiGzDecoder;

use crate::auth::{FilterToken, is_scope};
use crate::problem::Problem;
use crate::serve::{ApiRouter, Service};

pub use queue::{IngestQueue, IngestWriter, Slot, queue};
pub use write::{Receipt, Refused, write};

/// Bytes of a batch as sent, which may be compressed.
pub const SENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a filter is told to wait when the queue is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);
const MEDIA_TYPE: &str = "application/msgpack";

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/telemetry", post(accept))
}

async fn accept(
    FilterToken(token): FilterToken,
    State(service): State<Service>,
    request: Request,
) -> Result<Json<Receipt>, Problem> {
    let slot = service.ingest.slot().ok_or_else(|| {
        service.metrics.telemetry_batches.with_label_values(&["busy"]).inc();
        Problem::Busy { retry_after_s: RETRY_AFTER.as_secs() }
    })?;
    let batch = match read(request).await {
        Ok(batch) => batch,
        Err(problem) => {
            service.metrics.telemetry_batches.with_label_values(&["malformed"]).inc();
            return Err(problem);
        }
    };
    if !is_scope(&batch.scope) {
        return Err(Problem::Malformed(format!("{:?} cannot be a scope", batch.scope)));
    }
    if !token.reaches(&batch.scope) {
        return Err(Problem::Forbidden(format!("the token is not for scope {:?}", batch.scope)));
    }
    Ok(Json(service.ingest.store(batch, slot).await?))
}

async fn read(request: Request) -> Result<Batch, Problem> {
    let too_large =
        || Problem::TooLarge(format!("the body did not arrive whole or has more than {SENT_BYTES_MAX} bytes"));
    // What is announced too large is refused before it is sent.
    if request.body().size_hint().lower() > SENT_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, SENT_BYTES_MAX).await.map_err(|_| too_large())?;
    let gzip = encoding(&head.headers)?;
    // Decoding a full batch takes milliseconds: not on a thread that serves connections.
    let decoded = tokio::task::spawn_blocking(move || decode(&body, gzip)).await;
    decoded.map_err(|error| Problem::Internal(anyhow::Error::new(error).context("decode a batch")))?
}

fn decode(body: &Bytes, gzip: bool) -> Result<Batch, Problem> {
    let batch = if gzip { Batch::decode(&inflate(body)?) } else { Batch::decode(body) };
    batch.map_err(|error| match error {
        BatchError::TooLarge { .. } => Problem::TooLarge(error.to_string()),
        other => Problem::Malformed(other.to_string()),
    })
}

fn inflate(body: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut inflated = Vec::new();
    MultiGzDecoder::new(body)
        .take(BATCH_BYTES_MAX as u64 + 1)
        .read_to_end(&mut inflated)
        .map_err(|error| Problem::Malformed(format!("the body is no gzip: {error}")))?;
    Ok(inflated)
}

/// Whether the body is compressed.
fn encoding(headers: &HeaderMap) -> Result<bool, Problem> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let essence = text(header::CONTENT_TYPE).and_then(|value| value.split(';').next()).map(str::trim);
    if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case(MEDIA_TYPE)) {
        return Err(Problem::MediaType { expected: "the batch as content-type application/msgpack" });
    }
    match text(header::CONTENT_ENCODING) {
        None | Some("" | "identity") => Ok(false),
        Some(encoding) if encoding.eq_ignore_ascii_case("gzip") => Ok(true),
        Some(_) => Err(Problem::MediaType { expected: "the batch plain or with content-encoding gzip" }),
    }
}
