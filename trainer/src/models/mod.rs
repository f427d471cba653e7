//! `/v1/models`: the registry and what is published of it.

mod gate;
mod publish;
pub mod registry;
pub mod starter;

use axum::Json;
use axum::extract::State;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use crate::auth::{OperatorToken, ViewerToken};
use crate::problem::Problem;
use crate::problem::extract::{OptionalJson, Path, Query};
use crate::serve::{ApiRouter, Service};

use gate::refusal_by_filters;
pub use gate::{Refusal, refusal};
pub use publish::{Cause, Publication, Publisher};
pub use registry::ModelEntry;

const LIST_MAX: u32 = 200;

pub fn router() -> ApiRouter {
    ApiRouter::new()
        .route("/v1/models", get(list))
        .route("/v1/models/roll-back", post(roll_back))
        .route("/v1/models/{id}", get(show))
        .route("/v1/models/{id}/activate", post(activate))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    scope: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ActivateRequest {
    /// Publish it although the gate rejected it.
    force: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct RollBackRequest {
    scope: Option<String>,
}

#[derive(Serialize)]
struct ModelList {
    models: Vec<ModelEntry>,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<ModelList>, Problem> {
    let scope = token.filter(query.scope.as_deref())?;
    Ok(Json(ModelList { models: registry::list(&service.pool, scope.as_deref(), LIST_MAX).await? }))
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<String>,
) -> Result<Json<ModelEntry>, Problem> {
    let model = registry::find(&service.pool, &id).await?.filter(|model| token.reaches(&model.scope));
    model.map(Json).ok_or_else(|| unknown(&id))
}

async fn activate(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    Path(id): Path<String>,
    OptionalJson(request): OptionalJson<ActivateRequest>,
) -> Result<Json<Publication>, Problem> {
    let model = registry::find(&service.pool, &id).await?.filter(|model| token.reaches(&model.scope));
    let model = model.ok_or_else(|| unknown(&id))?;
    if model.state == "rejected" && !request.force {
        let reason = model.reason.unwrap_or_default();
        return Err(Problem::Conflict(format!("the model was rejected ({reason}): activate it with \"force\": true")));
    }
    let content = registry::content(&mut *service.pool.acquire().await?, &id).await?;
    let checked = content.clone();
    let refusal =
        tokio::task::spawn_blocking(move || refusal_by_filters(&checked)).await.map_err(anyhow::Error::new)?;
    if let Some(reason) = refusal {
        return Err(Problem::Conflict(reason));
    }
    let mut transaction = service.pool.begin().await?;
    let publication = service.publisher.publish(&mut transaction, content, Cause::Activation).await?;
    transaction.commit().await?;
    Ok(Json(published(&service, publication)))
}

async fn roll_back(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    OptionalJson(request): OptionalJson<RollBackRequest>,
) -> Result<Json<Publication>, Problem> {
    let scope = token.one(request.scope.as_deref())?;
    let mut transaction = service.pool.begin().await?;
    service.publisher.lock(&mut transaction, &scope).await?;
    let previous = registry::before_active(&mut transaction, &scope)
        .await?
        .ok_or_else(|| Problem::Conflict(format!("scope {scope:?} has no earlier model to roll back to")))?;
    let content = registry::content(&mut transaction, &previous).await?;
    let publication = service.publisher.publish(&mut transaction, content, Cause::RollBack).await?;
    transaction.commit().await?;
    Ok(Json(published(&service, publication)))
}

fn published(service: &Service, publication: Publication) -> Publication {
    service.metrics.publications.inc();
    tracing::info!(
        scope = publication.scope,
        model = publication.model,
        serial = publication.serial,
        "an operator published a model"
    );
    publication
}

fn unknown(id: &str) -> Problem {
    Problem::NotFound(format!("there is no model {id:?}"))
}
