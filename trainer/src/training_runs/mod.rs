//! `/v1/training-runs`: from the store to a published model.

mod events;
pub mod runs;
pub mod schedule;
pub mod worker;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde::{Deserialize, Serialize};

use crate::auth::{OperatorToken, ViewerToken};
use crate::problem::Problem;
use crate::problem::extract::{OptionalJson, Path, Query};
use crate::serve::{ApiRouter, Service};

use runs::{RunCause, TrainingRun};

const LIST_MAX: u32 = 200;

pub fn router() -> ApiRouter {
    ApiRouter::new()
        .route("/v1/training-runs", get(list).post(start))
        .route("/v1/training-runs/{id}", get(show))
        .route("/v1/training-runs/{id}/events", get(events::events))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    scope: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StartRequest {
    scope: Option<String>,
    /// Publish the model even if it raises more false alarms than accepted, and let its thresholds move freely.
    force: bool,
}

#[derive(Serialize)]
struct RunList {
    training_runs: Vec<TrainingRun>,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ListQuery>,
) -> Result<Json<RunList>, Problem> {
    let scope = token.filter(query.scope.as_deref())?;
    Ok(Json(RunList { training_runs: runs::list(&service.pool, scope.as_deref(), LIST_MAX).await? }))
}

async fn start(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    OptionalJson(request): OptionalJson<StartRequest>,
) -> Result<Response, Problem> {
    let scope = token.one(request.scope.as_deref())?;
    if !crate::auth::is_scope(&scope) {
        return Err(Problem::Malformed(format!("{scope:?} cannot be a scope")));
    }
    let run = runs::enqueue(&service.pool, &scope, RunCause::Request, request.force).await?;
    service.runs_waiting.notify_one();
    let mut response = (StatusCode::ACCEPTED, Json(&run)).into_response();
    let location = HeaderValue::from_str(&format!("/v1/training-runs/{}", run.id));
    response.headers_mut().insert(header::LOCATION, location.map_err(|error| Problem::Internal(error.into()))?);
    Ok(response)
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<Json<TrainingRun>, Problem> {
    let run = runs::find(&service.pool, id).await?.filter(|run| token.reaches(&run.scope));
    run.map(Json).ok_or_else(|| unknown(id))
}

fn unknown(id: i64) -> Problem {
    Problem::NotFound(format!("there is no training run {id}"))
}
