//! `GET /v1/endpoints`: what there is, what the active model knows of it, and what filters counted.

use std::collections::{BTreeMap, HashMap};

use apiward_detector::bundle::Bundle;
use apiward_detector::route::Endpoint;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;

use crate::auth::ViewerToken;
use crate::discovery::inventory::{EndpointInventory, EndpointState};
use crate::problem::Problem;
use crate::problem::extract::{Path, Query};
use crate::serve::{ApiRouter, Service};

use super::Known;

/// Endpoints in one answer.
const PAGE_DEFAULT: usize = 1000;
const PAGE_MAX: usize = 5000;
/// Labels that filters counted and that belong to no endpoint, the busiest first.
const UNKNOWN_MAX: usize = 1000;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/endpoints", get(list)).route("/v1/endpoints/{id}", get(show))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    scope: Option<String>,
    host: Option<String>,
    state: Option<EndpointState>,
    limit: Option<usize>,
    /// The `next` of an earlier page.
    after: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    scope: Option<String>,
}

#[derive(Debug, Serialize)]
struct EndpointList {
    scope: String,
    /// The active model; `null` before the first.
    model: Option<String>,
    /// Exchanges that discovery looked at.
    exchanges: u64,
    #[serde(with = "time::serde::rfc3339")]
    as_of: OffsetDateTime,
    /// Sorted by host, template and method.
    endpoints: Vec<ListedEndpoint>,
    /// Ask for the next page with `after` set to this; `null` on the last one.
    next: Option<String>,
    /// In the active model, but not, or no longer, seen so in the traffic.
    only_in_model: Vec<OnlyInModel>,
    /// Counted by filters, but no endpoint: its callers are few, or it never succeeded.
    unknown: Vec<Counts>,
}

#[derive(Debug, Serialize)]
struct ListedEndpoint {
    #[serde(flatten)]
    inventory: EndpointInventory,
    /// What the active model knows of it; `null` when it does not know it.
    model: Option<InModel>,
    /// `null` when no filter counted it.
    counted: Option<Counts>,
}

#[derive(Debug, Serialize)]
struct OnlyInModel {
    /// 16 hexadecimal digits, the same over trainings.
    id: String,
    host: String,
    method: String,
    template: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<String>,
    model: InModel,
    counted: Option<Counts>,
}

#[derive(Debug, Clone, Copy, Serialize)]
struct InModel {
    /// Exchanges that the model learned it from.
    learned_from: u32,
    fields: usize,
}

/// What filters counted exactly, also exchanges that were sampled away; endpoints of several hosts with one label are counted
/// together.
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
    Query(query): Query<ListQuery>,
) -> Result<Json<EndpointList>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let known = Known::of(&service, &scope).await?;
    let mut counts = counts(&service.pool, &scope).await?;
    let in_model = in_model(known.model.as_ref());
    let inventory = known.inventory(&service).endpoints;

    let only_in_model = in_model
        .values()
        .filter(|(endpoint, _)| inventory.iter().all(|listed| listed.id != hexadecimal(endpoint.id)))
        .filter(|(endpoint, _)| query.host.as_ref().is_none_or(|host| *host == endpoint.host))
        .map(|(endpoint, model)| OnlyInModel::of(endpoint, *model, counts.get(&endpoint.label()).cloned()))
        .collect();
    let mut matching: Vec<ListedEndpoint> =
        inventory.into_iter().map(|inventory| ListedEndpoint::of(inventory, &in_model, &counts)).collect();
    for label in matching.iter().map(|listed| listed.inventory.label()) {
        counts.remove(&label);
    }
    for (endpoint, _) in in_model.values() {
        counts.remove(&endpoint.label());
    }
    matching.retain(|listed| {
        query.host.as_ref().is_none_or(|host| *host == listed.inventory.host)
            && query.state.is_none_or(|state| state == listed.inventory.state)
    });
    let (endpoints, next) = page(matching, &query)?;
    let mut unknown: Vec<Counts> = counts.into_values().collect();
    unknown.sort_by_key(|counts| std::cmp::Reverse(counts.exchanges));
    unknown.truncate(UNKNOWN_MAX);
    Ok(Json(EndpointList {
        scope,
        model: known.model.as_ref().map(|model| model.manifest.model.clone()),
        exchanges: known.discovered.exchanges,
        as_of: known.as_of,
        endpoints,
        next,
        only_in_model,
        unknown,
    }))
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<ListedEndpoint>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let known = Known::of(&service, &scope).await?;
    let found = known.inventory(&service).endpoints.into_iter().find(|endpoint| endpoint.id == id);
    let inventory =
        found.ok_or_else(|| Problem::NotFound(format!("there is no endpoint {id:?} in scope {scope:?}")))?;
    let counts = counts(&service.pool, &scope).await?;
    Ok(Json(ListedEndpoint::of(inventory, &in_model(known.model.as_ref()), &counts)))
}

fn page(
    mut matching: Vec<ListedEndpoint>,
    query: &ListQuery,
) -> Result<(Vec<ListedEndpoint>, Option<String>), Problem> {
    if let Some(after) = &query.after {
        let place = matching.iter().position(|listed| listed.inventory.id == *after);
        let place = place.ok_or_else(|| Problem::Malformed("after is no next of an earlier page".to_owned()))?;
        matching.drain(..=place);
    }
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let more = matching.len() > limit;
    matching.truncate(limit);
    let next = matching.last().filter(|_| more).map(|last| last.inventory.id.clone());
    Ok((matching, next))
}

/// By id, sorted as the id is written.
fn in_model(model: Option<&Bundle>) -> BTreeMap<u64, (&Endpoint, InModel)> {
    let endpoints = model.into_iter().flat_map(|model| model.routes.endpoints.iter().zip(&model.profiles));
    endpoints
        .map(|(endpoint, profile)| {
            let known = InModel { learned_from: profile.exchanges, fields: profile.fields.len() };
            (endpoint.id, (endpoint, known))
        })
        .collect()
}

fn hexadecimal(id: u64) -> String {
    format!("{id:016x}")
}

impl ListedEndpoint {
    fn of(
        inventory: EndpointInventory,
        in_model: &BTreeMap<u64, (&Endpoint, InModel)>,
        counts: &HashMap<String, Counts>,
    ) -> Self {
        let id = u64::from_str_radix(&inventory.id, 16).ok();
        let model = id.and_then(|id| in_model.get(&id)).map(|(_, known)| *known);
        let counted = counts.get(&inventory.label()).cloned();
        Self { inventory, model, counted }
    }
}

impl OnlyInModel {
    fn of(endpoint: &Endpoint, model: InModel, counted: Option<Counts>) -> Self {
        Self {
            id: hexadecimal(endpoint.id),
            host: endpoint.host.clone(),
            method: endpoint.method.clone(),
            template: endpoint.template.clone(),
            operation: endpoint.operation.clone(),
            model,
            counted,
        }
    }
}

/// By label. Filters bound how many labels they count; housekeeping drops old ones.
async fn counts(pool: &PgPool, scope: &str) -> sqlx::Result<HashMap<String, Counts>> {
    let rows: Vec<Counts> = sqlx::query_as(
        "select endpoint, exchanges, anomalous, first_seen, last_seen from endpoint_counts
         where scope = $1 order by exchanges desc, endpoint limit $2",
    )
    .bind(scope)
    .bind(COUNTS_MAX)
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(|counts| (counts.endpoint.clone(), counts)).collect())
}

/// Labels that are looked at, the busiest.
const COUNTS_MAX: i64 = 50_000;
