//! `/v1/endpoints/corrections`: what people decided about templates. It holds over restarts and trainings.

use anyhow::Context as _;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, response};
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool};
use time::OffsetDateTime;

use crate::auth::{OperatorToken, Role, ViewerToken, is_scope};
use crate::discovery::Correction;
use crate::problem::Problem;
use crate::problem::extract::{Json as JsonBody, Path, Query};
use crate::serve::{ApiRouter, Service};

/// Corrections of one scope.
const CORRECTIONS_MAX: i64 = 2000;

pub fn router() -> ApiRouter {
    ApiRouter::new()
        .route("/v1/endpoints/corrections", get(list).post(add))
        .route("/v1/endpoints/corrections/{id}", delete(remove))
}

/// All decisions of a scope, in the order in which they were made.
///
/// # Errors
/// When the database fails.
pub async fn of_scope(pool: &PgPool, scope: &str) -> anyhow::Result<Vec<Correction>> {
    let stored = rows(pool, scope).await.context("load the corrections")?;
    Ok(stored.into_iter().map(|row| row.kind.of(row.host, row.template)).collect())
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
enum Kind {
    Pin,
    Split,
    Merge,
}

impl Kind {
    fn of(self, host: String, template: String) -> Correction {
        match self {
            Kind::Pin => Correction::Pin { host, template },
            Kind::Split => Correction::Split { host, template },
            Kind::Merge => Correction::Merge { host, template },
        }
    }
}

#[derive(Debug, Serialize, FromRow)]
struct StoredCorrection {
    id: i64,
    scope: String,
    kind: Kind,
    host: String,
    template: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Role and scope of the token, as in `operator:shop`.
    created_by: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeQuery {
    scope: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewCorrection {
    scope: Option<String>,
    kind: Kind,
    host: String,
    template: String,
}

#[derive(Debug, Serialize)]
struct CorrectionList {
    corrections: Vec<StoredCorrection>,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<CorrectionList>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    Ok(Json(CorrectionList { corrections: rows(&service.pool, &scope).await? }))
}

async fn add(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    JsonBody(new): JsonBody<NewCorrection>,
) -> Result<Response, Problem> {
    let scope = token.one(new.scope.as_deref())?;
    if !is_scope(&scope) {
        return Err(Problem::Malformed(format!("{scope:?} cannot be a scope")));
    }
    let correction = new.kind.of(new.host.clone(), new.template.clone());
    correction.check().map_err(|error| Problem::Malformed(error.to_string()))?;
    let by = format!("{}:{}", Role::Operator.name(), token.name());
    let stored = insert(&service.pool, &scope, &new, &by).await?;
    tracing::info!(scope, id = stored.id, by, correction = ?correction, "templates are corrected");
    let location = HeaderValue::from_str(&format!("/v1/endpoints/corrections/{}", stored.id));
    let mut response = (StatusCode::CREATED, Json(stored)).into_response();
    response.headers_mut().insert(header::LOCATION, location.map_err(|error| Problem::Internal(error.into()))?);
    Ok(response)
}

async fn remove(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<response::NoContent, Problem> {
    let mut transaction = service.pool.begin().await?;
    let scope: Option<String> = sqlx::query_scalar("delete from endpoint_corrections where id = $1 returning scope")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    // What the token does not reach is rolled back.
    if scope.as_deref().is_none_or(|scope| !token.reaches(scope)) {
        return Err(Problem::NotFound(format!("there is no correction {id}")));
    }
    transaction.commit().await?;
    tracing::info!(scope, id, by = format!("{}:{}", Role::Operator.name(), token.name()), "a correction is removed");
    Ok(response::NoContent)
}

async fn insert(pool: &PgPool, scope: &str, new: &NewCorrection, by: &str) -> Result<StoredCorrection, Problem> {
    let count: i64 = sqlx::query_scalar("select count(*) from endpoint_corrections where scope = $1")
        .bind(scope)
        .fetch_one(pool)
        .await?;
    if count >= CORRECTIONS_MAX {
        return Err(Problem::Conflict(format!(
            "scope {scope:?} has {count} corrections, {CORRECTIONS_MAX} is the most: remove some first"
        )));
    }
    let stored: Option<StoredCorrection> = sqlx::query_as(
        "insert into endpoint_corrections (scope, kind, host, template, created_by) values ($1, $2, $3, $4, $5)
         on conflict do nothing
         returning id, scope, kind, host, template, created_at, created_by",
    )
    .bind(scope)
    .bind(new.kind)
    .bind(&new.host)
    .bind(&new.template)
    .bind(by)
    .fetch_optional(pool)
    .await?;
    stored.ok_or_else(|| Problem::Conflict("there is the same correction already".to_owned()))
}

async fn rows(pool: &PgPool, scope: &str) -> sqlx::Result<Vec<StoredCorrection>> {
    sqlx::query_as(
        "select id, scope, kind, host, template, created_at, created_by from endpoint_corrections
         where scope = $1 order by id",
    )
    .bind(scope)
    .fetch_all(pool)
    .await
}
