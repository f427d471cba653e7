//! `GET /v1/captures`: captured exchanges as exchange JSONL, for labelling and for replaying.

use std::borrow::Cow;
use std::collections::BTreeMap;

use anyhow::Context as _;
use apiward_detector::telemetry::CapturedExchange;
use apiward_detector::verdict::Verdict;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::try_unfold;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::auth::OperatorToken;
use crate::problem::Problem;
use crate::problem::extract::Query;
use crate::serve::{ApiRouter, Service};

/// Captures that are read from the database at once.
const PAGE: i64 = 200;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/captures", get(export))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CaptureQuery {
    scope: Option<String>,
    /// Only captures with a higher `capture.id`: continues an earlier export.
    after: Option<i64>,
}

/// One line: exchange JSONL, and in `capture` what the filter said.
#[derive(Debug, Serialize)]
struct CaptureLine<'c> {
    ts: Option<String>,
    caller: Option<&'c str>,
    caller_kinds: &'c [String],
    address: Option<&'c str>,
    host: &'c str,
    method: &'c str,
    path: &'c str,
    request_headers: BTreeMap<&'c str, Vec<&'c str>>,
    request_body_base64: Option<String>,
    status: Option<u16>,
    response_headers: Option<BTreeMap<&'c str, Vec<&'c str>>>,
    response_body: Option<Cow<'c, str>>,
    response_bytes: Option<u64>,
    duration_us: Option<u64>,
    capture: CaptureDetails<'c>,
}

#[derive(Debug, Serialize)]
struct CaptureDetails<'c> {
    id: i64,
    request_id: Option<&'c str>,
    /// Whether the proxy verified the caller's identity.
    caller_verified: bool,
    /// Length of the whole body; longer than what was captured when it was cut.
    request_body_bytes: u64,
    grpc_status: Option<u16>,
    bundle_serial: Option<u64>,
    verdict: Option<&'c Verdict>,
    reconstruction_errors: &'c [f32],
}

async fn export(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    Query(query): Query<CaptureQuery>,
) -> Result<Response, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let pool = service.pool.clone();
    let lines = try_unfold(query.after.unwrap_or(0), move |after| {
        let (pool, scope) = (pool.clone(), scope.clone());
        async move { page(&pool, &scope, after).await }
    });
    Ok(([(header::CONTENT_TYPE, "application/jsonl")], Body::from_stream(lines)).into_response())
}

/// The lines of a page and the id after which the next one begins; `None` after the last.
async fn page(pool: &PgPool, scope: &str, after: i64) -> anyhow::Result<Option<(Bytes, i64)>> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select id, capture from captures where scope = $1 and id > $2 order by id limit $3")
            .bind(scope)
            .bind(after)
            .bind(PAGE)
            .fetch_all(pool)
            .await?;
    let Some((last, _)) = rows.last() else {
        return Ok(None);
    };
    let last = *last;
    let mut lines = Vec::new();
    for (id, bytes) in &rows {
        let capture: CapturedExchange = rmp_serde::from_slice(bytes).context("a stored capture cannot be read")?;
        serde_json::to_writer(&mut lines, &line(*id, &capture))?;
        lines.push(b'\n');
    }
    Ok(Some((Bytes::from(lines), last)))
}

fn line(id: i64, capture: &CapturedExchange) -> CaptureLine<'_> {
    let exchange = &capture.exchange;
    let response = exchange.response.as_ref();
    CaptureLine {
        ts: exchange.at_ms.and_then(rfc3339),
        caller: exchange.caller.identity.as_deref(),
        caller_kinds: &exchange.caller.kinds,
        address: exchange.caller.address.as_deref(),
        host: &exchange.request.host,
        method: &exchange.request.method,
        path: &exchange.request.target,
        request_headers: by_name(&exchange.request.headers),
        request_body_base64: (!exchange.request.body.is_empty()).then(|| STANDARD.encode(&exchange.request.body)),
        status: response.and_then(|response| response.status),
        response_headers: response.map(|response| by_name(&response.headers)),
        response_body: response
            .filter(|response| !response.body.is_empty())
            .map(|response| String::from_utf8_lossy(&response.body)),
        response_bytes: response.and_then(|response| response.bytes),
        duration_us: response.and_then(|response| response.duration_us),
        capture: CaptureDetails {
            id,
            request_id: capture.request_id.as_deref(),
            caller_verified: exchange.caller.verified,
            request_body_bytes: exchange.request.body_bytes,
            grpc_status: response.and_then(|response| response.grpc_status),
            bundle_serial: capture.bundle_serial,
            verdict: capture.verdict.as_ref(),
            reconstruction_errors: &capture.reconstruction_errors,
        },
    }
}

fn by_name(headers: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut names: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        names.entry(name).or_default().push(value);
    }
    names
}

fn rfc3339(at_ms: i64) -> Option<String> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok()?.format(&Rfc3339).ok()
}
