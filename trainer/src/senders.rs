//! `GET /v1/senders`: the workers that report, what they use, and the bundles that they refused.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use time::OffsetDateTime;

use crate::auth::ViewerToken;
use crate::problem::Problem;
use crate::problem::extract::Query;
use crate::serve::{ApiRouter, Service};

/// Senders that are listed, those heard of last first.
const SENDERS_MAX: i64 = 500;
/// Refusals that are listed, the latest first.
const REFUSALS_MAX: i64 = 100;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/senders", get(list))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SenderQuery {
    scope: Option<String>,
}

#[derive(Debug, Serialize)]
struct SenderList {
    senders: Vec<Sender>,
    refusals: Vec<Refusal>,
}

/// One worker of a proxy since its start.
#[derive(Debug, Serialize, FromRow)]
struct Sender {
    scope: String,
    sender: String,
    /// The bundle in use when it reported last.
    bundle: Option<String>,
    bundle_serial: Option<i64>,
    /// Records that it could not keep until they were sent.
    records_dropped: i64,
    refusals: i64,
    #[serde(with = "time::serde::rfc3339")]
    first_seen: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_seen: OffsetDateTime,
}

#[derive(Debug, Serialize, FromRow)]
struct Refusal {
    scope: String,
    sender: String,
    /// Of the refused bundle, when it could be read that far.
    serial: Option<i64>,
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    reported_at: OffsetDateTime,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<SenderQuery>,
) -> Result<Json<SenderList>, Problem> {
    let scope = token.filter(query.scope.as_deref())?;
    let senders = sqlx::query_as(
        "select scope, sender, bundle, bundle_serial, records_dropped, refusals, first_seen, last_seen from senders
         where $1::text is null or scope = $1 order by last_seen desc, sender limit $2",
    )
    .bind(&scope)
    .bind(SENDERS_MAX)
    .fetch_all(&service.pool)
    .await?;
    let refusals = sqlx::query_as(
        "select scope, sender, serial, reason, reported_at from bundle_refusals
         where $1::text is null or scope = $1 order by reported_at desc, id desc limit $2",
    )
    .bind(&scope)
    .bind(REFUSALS_MAX)
    .fetch_all(&service.pool)
    .await?;
    Ok(Json(SenderList { senders, refusals }))
}
