//! `GET /v1/bundle`: the signed file for the filters of a scope.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::Deserialize;

use crate::auth::FilterToken;
use crate::payload_exceptions;
use crate::problem::Problem;
use crate::problem::extract::Query;
use crate::serve::{ApiRouter, Service};

/// The serial of the answered bundle, for people who look at headers.
const SERIAL_HEADER: &str = "x-apiward-serial";

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/bundle", get(fetch))
}

#[derive(Debug, Deserialize)]
struct BundleQuery {
    scope: Option<String>,
}

async fn fetch(
    FilterToken(token): FilterToken,
    State(service): State<Service>,
    Query(query): Query<BundleQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let count = |outcome: &str| service.metrics.bundle_requests.with_label_values(&[outcome]).inc();
    let newest: Option<(i64, String)> =
        sqlx::query_as("select serial, etag from publications where scope = $1 order by serial desc limit 1")
            .bind(&scope)
            .fetch_optional(&service.pool)
            .await?;
    let Some((serial, etag)) = newest else {
        return starter(&service, scope, &headers, count).await;
    };
    if matches(&headers, &etag) {
        count("not_modified");
        return Ok((StatusCode::NOT_MODIFIED, head(serial, &etag)?).into_response());
    }
    // A newer one may have been published in between; its own serial and tag come with it.
    let (serial, etag, bundle): (i64, String, Vec<u8>) = sqlx::query_as(
        "select serial, etag, bundle from publications where scope = $1 and bundle is not null order by serial desc limit 1",
    )
    .bind(&scope)
    .fetch_one(&service.pool)
    .await?;
    count("sent");
    Ok((head(serial, &etag)?, bundle).into_response())
}

/// What judges values until something was learned.
async fn starter(
    service: &Service,
    scope: String,
    headers: &HeaderMap,
    count: impl Fn(&str),
) -> Result<Response, Problem> {
    let (starter, publisher) = (Arc::clone(&service.starter), Arc::clone(&service.publisher));
    let exceptions = payload_exceptions::of_scope(&mut *service.pool.acquire().await?, &scope).await?;
    let sealed = tokio::task::spawn_blocking(move || publisher.seal(&starter.bundle(&scope, exceptions)));
    let (etag, bundle) = sealed.await.map_err(|error| Problem::Internal(error.into()))??;
    if matches(headers, &etag) {
        count("not_modified");
        return Ok((StatusCode::NOT_MODIFIED, head(0, &etag)?).into_response());
    }
    count("starter");
    Ok((head(0, &etag)?, bundle).into_response())
}

fn head(serial: i64, etag: &str) -> Result<HeaderMap, Problem> {
    let value = |text: &str| HeaderValue::from_str(text).map_err(|error| Problem::Internal(error.into()));
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(header::ETAG, value(&format!("\"{etag}\""))?);
    headers.insert(SERIAL_HEADER, HeaderValue::from(serial));
    Ok(headers)
}

/// Whether `if-none-match` lists the tag.
pub fn matches(headers: &HeaderMap, etag: &str) -> bool {
    headers
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"))
        .any(|tag| tag == "*" || tag.trim_matches('"') == etag)
}
