//! `GET /v1/openapi.json`, the inventory of a host as an OpenAPI document, and `POST /v1/openapi/comparison`, a specification
//! beside the traffic.

use axum::Json;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest as _, Request, State};
use axum::http::{HeaderMap, header};
use axum::routing::{get, post};
use serde::Deserialize;
use serde_json::Value;

use crate::auth::ViewerToken;
use crate::discovery::SPECIFICATION_BYTES_MAX;
use crate::discovery::comparison::{Comparison, ComparisonError, Specification, SpecificationError, compare};
use crate::discovery::openapi::{OpenApiError, chosen_host, document};
use crate::problem::Problem;
use crate::problem::extract::Query;
use crate::serve::{ApiRouter, Service};

use super::Known;

pub fn router() -> ApiRouter {
    let limit = DefaultBodyLimit::max(SPECIFICATION_BYTES_MAX);
    ApiRouter::new()
        .route("/v1/openapi.json", get(show))
        .route("/v1/openapi/comparison", post(compare_specification).layer(limit))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HostQuery {
    scope: Option<String>,
    /// May be left out when there is one host only, or the specification names it.
    host: Option<String>,
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<HostQuery>,
) -> Result<Json<Value>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let inventory = Known::of(&service, &scope).await?.inventory(&service);
    let host = chosen_host(&inventory, query.host.as_deref())?;
    Ok(Json(document(&inventory, host)?))
}

async fn compare_specification(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<HostQuery>,
    request: Request,
) -> Result<Json<Comparison>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    require_document(request.headers())?;
    let body = Bytes::from_request(request, &()).await?;
    let inventory = Known::of(&service, &scope).await?.inventory(&service);
    // A large document takes seconds: not on a thread that serves connections.
    let compared = tokio::task::spawn_blocking(move || {
        let specification = Specification::parse(&body)?;
        compare(&inventory, &specification, query.host.as_deref()).map_err(Problem::from)
    });
    compared.await.map_err(|error| Problem::Internal(anyhow::Error::new(error).context("compare")))?.map(Json)
}

/// JSON or YAML by the media type; which of both it is the text tells.
fn require_document(headers: &HeaderMap) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let subtype = essence.split_once('/').map_or("", |(_, subtype)| subtype);
    let format = subtype.rsplit_once('+').map_or(subtype, |(_, suffix)| suffix);
    if matches!(format, "json" | "yaml" | "x-yaml") {
        return Ok(());
    }
    Err(Problem::MediaType { expected: "the specification as content-type application/json or application/yaml" })
}

impl From<SpecificationError> for Problem {
    fn from(error: SpecificationError) -> Self {
        match error {
            SpecificationError::TooLarge { .. } => {
                Problem::TooLarge(format!("the specification cannot be used: {error}"))
            }
            error => Problem::Malformed(format!("the specification cannot be used: {error}")),
        }
    }
}

impl From<ComparisonError> for Problem {
    fn from(error: ComparisonError) -> Self {
        match error {
            ComparisonError::SeveralHosts { .. } => Problem::Malformed(format!("{error}, with the parameter host")),
            error => Problem::NotFound(error.to_string()),
        }
    }
}

impl From<OpenApiError> for Problem {
    fn from(error: OpenApiError) -> Self {
        match error {
            OpenApiError::SeveralHosts { .. } => Problem::Malformed(format!("{error}, with the parameter host")),
            OpenApiError::Collision { .. } => Problem::Conflict(error.to_string()),
            error => Problem::NotFound(error.to_string()),
        }
    }
}
