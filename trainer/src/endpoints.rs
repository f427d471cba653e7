//! `GET /v1/endpoints`: what the active model knows, with what was seen of it.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;

use crate::auth::ViewerToken;
use crate::models::registry;
use crate::problem::Problem;
use crate::problem::extract::Query;
use crate::serve::{ApiRouter, Service};

/// Endpoints without a place in the model that are listed, the busiest first.
const UNKNOWN_MAX: i64 = 1000;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/endpoints", get(list))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EndpointQuery {
    scope: Option<String>,
}

#[derive(Debug, Serialize)]
struct EndpointList {
    scope: String,
    /// The active model; `null` before the first.
    model: Option<String>,
    endpoints: Vec<KnownEndpoint>,
    /// Seen, but not in the model.
    unknown: Vec<Counts>,
}

#[derive(Debug, Serialize)]
struct KnownEndpoint {
    /// 16 hexadecimal digits, the same over trainings.
    id: String,
    host: String,
    method: String,
    template: String,
    /// Exchanges that the model learned it from.
    learned_from: u32,
    fields: usize,
    /// What filters counted since; endpoints of several hosts with one label are counted together.
    #[serde(flatten)]
    counts: Option<Counts>,
}

#[derive(Debug, Clone, Serialize, FromRow)]
struct Counts {
    /// Method and template.
    endpoint: String,
    exchanges: i64,
    anomalous: i64,
    #[serde(with = "time::serde::rfc3339")]
    first_seen: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_seen: OffsetDateTime,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<EndpointQuery>,
) -> Result<Json<EndpointList>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let model = registry::active(&mut *service.pool.acquire().await?, &scope).await?;
    let Some(bundle) = model else {
        let unknown = counts(&service.pool, &scope, &[], false).await?;
        return Ok(Json(EndpointList { scope, model: None, endpoints: Vec::new(), unknown }));
    };
    let labels: Vec<String> = bundle.routes.endpoints.iter().map(|endpoint| endpoint.label()).collect();
    let seen: BTreeMap<String, Counts> = counts(&service.pool, &scope, &labels, true)
        .await?
        .into_iter()
        .map(|counts| (counts.endpoint.clone(), counts))
        .collect();
    let endpoints = bundle
        .routes
        .endpoints
        .iter()
        .zip(&bundle.profiles)
        .zip(&labels)
        .map(|((endpoint, profile), label)| KnownEndpoint {
            id: format!("{:016x}", endpoint.id),
            host: endpoint.host.clone(),
            method: endpoint.method.clone(),
            template: endpoint.template.clone(),
            learned_from: profile.exchanges,
            fields: profile.fields.len(),
            counts: seen.get(label).cloned(),
        })
        .collect();
    let unknown = counts(&service.pool, &scope, &labels, false).await?;
    Ok(Json(EndpointList { scope, model: Some(bundle.manifest.model), endpoints, unknown }))
}

/// Counts of the endpoints with these labels, or of all others.
async fn counts(pool: &PgPool, scope: &str, labels: &[String], among: bool) -> sqlx::Result<Vec<Counts>> {
    sqlx::query_as(
        "select endpoint, exchanges, anomalous, first_seen, last_seen from endpoint_counts
         where scope = $1 and (endpoint = any($2)) = $3
         order by exchanges desc, endpoint limit case when $3 then null else $4 end",
    )
    .bind(scope)
    .bind(labels)
    .bind(among)
    .bind(UNKNOWN_MAX)
    .fetch_all(pool)
    .await
}
