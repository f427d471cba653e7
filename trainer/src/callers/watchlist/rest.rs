//! `/v1/watchlist`: shown, added to and cleared by people; signed for filters.

use apiward_detector::volume::SessionSubject;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, NoContent, Response};
use axum::routing::{delete, get};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::auth::{FilterToken, OperatorToken, Role, ScopeGrant, ViewerToken, is_scope};
use crate::problem::Problem;
use crate::problem::extract::{Json as JsonBody, Path, Query};
use crate::serve::{ApiRouter, Service};

use super::store::{self, Entry, NewEntry};

const LIST_DEFAULT: u32 = 1000;
const LIST_MAX: u32 = 8192;
/// Longest that an operator puts somebody there.
const DAYS_MAX: i64 = 30;

pub fn router() -> ApiRouter {
    ApiRouter::new()
        .route("/v1/watchlist", get(list).post(add).delete(clear_all))
        .route("/v1/watchlist/signed", get(signed))
        .route("/v1/watchlist/{subject_kind}/{subject}", delete(clear_one))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    scope: Option<String>,
    limit: Option<u32>,
}

#[derive(Debug, Serialize)]
struct EntryList {
    entries: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct Cleared {
    cleared: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PostedEntry {
    scope: Option<String>,
    /// `caller` or `address`.
    subject_kind: String,
    /// 16 hexadecimal digits, as detections name it.
    subject: String,
    reason: String,
    minutes: i64,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ListQuery>,
) -> Result<Json<EntryList>, Problem> {
    let scope = token.filter(query.scope.as_deref())?;
    let limit = query.limit.unwrap_or(LIST_DEFAULT).clamp(1, LIST_MAX);
    let entries = store::list(&mut *service.pool.acquire().await?, scope.as_deref(), limit).await?;
    Ok(Json(EntryList { entries }))
}

async fn add(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    JsonBody(posted): JsonBody<PostedEntry>,
) -> Result<Response, Problem> {
    let scope = token.one(posted.scope.as_deref())?;
    if !is_scope(&scope) {
        return Err(Problem::Malformed(format!("{scope:?} cannot be a scope")));
    }
    let (subject, hash) = subject(&posted.subject_kind, &posted.subject)?;
    if posted.minutes < 1 || posted.minutes > DAYS_MAX * 24 * 60 {
        return Err(Problem::Malformed(format!("minutes is not within 1 to {}", DAYS_MAX * 24 * 60)));
    }
    if posted.reason.trim().is_empty() || posted.reason.chars().any(char::is_control) {
        return Err(Problem::Malformed("say the reason, in one line".to_owned()));
    }
    let source = name(&token);
    let expires_at = OffsetDateTime::now_utc() + time::Duration::minutes(posted.minutes);
    let mut transaction = service.pool.begin().await?;
    let entry = NewEntry { scope: &scope, subject, hash, reason: &posted.reason, source: &source, expires_at };
    store::add(&mut transaction, &entry).await?;
    let stored = store::of_subject(&mut transaction, &scope, hash).await?;
    transaction.commit().await?;
    tracing::info!(scope, subject = posted.subject, by = source, "put on the watchlist");
    let stored = stored.into_iter().find(|entry| entry.subject_kind == subject.noun());
    Ok((StatusCode::CREATED, Json(stored)).into_response())
}

async fn clear_one(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    Path((subject_kind, hash)): Path<(String, String)>,
    Query(query): Query<ScopeQuery>,
) -> Result<NoContent, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let only = subject(&subject_kind, &hash)?;
    if clear(&service, &token, &scope, Some(only)).await? == 0 {
        return Err(Problem::NotFound(format!("{subject_kind} {hash} is not on the watchlist of {scope:?}")));
    }
    Ok(NoContent)
}

async fn clear_all(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<Cleared>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    Ok(Json(Cleared { cleared: clear(&service, &token, &scope, None).await? }))
}

async fn clear(
    service: &Service,
    token: &ScopeGrant,
    scope: &str,
    only: Option<(SessionSubject, u64)>,
) -> Result<u64, Problem> {
    let mut transaction = service.pool.begin().await?;
    let cleared = store::clear(&mut transaction, scope, only).await?;
    transaction.commit().await?;
    if cleared > 0 {
        tracing::info!(scope, entries = cleared, by = name(token), "cleared from the watchlist");
    }
    Ok(cleared)
}

/// For filters: signed, with an ETag that changes with every revision.
async fn signed(
    FilterToken(token): FilterToken,
    State(service): State<Service>,
    Query(query): Query<ScopeQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let mut connection = service.pool.acquire().await?;
    let revision = store::revision(&mut connection, &scope).await?;
    if revision == 0 {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    if crate::bundles::matches(&headers, &revision.to_string()) {
        return Ok((StatusCode::NOT_MODIFIED, etag(revision)?).into_response());
    }
    // Another revision may have come in between; the list carries its own.
    let watchlist = store::for_filters(&mut connection, &scope).await?;
    let sealed = service.publisher.seal_watchlist(&watchlist)?;
    let mut head = etag(revision)?;
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok((head, sealed).into_response())
}

fn etag(revision: u64) -> Result<HeaderMap, Problem> {
    let value = HeaderValue::from_str(&format!("\"{revision}\"")).map_err(|error| Problem::Internal(error.into()))?;
    Ok(HeaderMap::from_iter([(header::ETAG, value)]))
}

fn subject(kind: &str, hash: &str) -> Result<(SessionSubject, u64), Problem> {
    let subject = store::subject_of(kind)
        .ok_or_else(|| Problem::Malformed(format!("subject_kind {kind:?} is neither caller nor address")))?;
    Ok((subject, crate::callers::read_hash(hash)?))
}

fn name(token: &ScopeGrant) -> String {
    format!("{}:{}", Role::Operator.name(), token.name())
}
