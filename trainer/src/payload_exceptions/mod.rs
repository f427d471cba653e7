//! `/v1/payload-exceptions`: what people decided about values that look like attacks. It holds over trainings, and filters have it
//! with their next poll.

use anyhow::Context as _;
use apiward_detector::observation::Location;
use apiward_detector::payload::{OBSERVED_LOG_ODDS_MIN, PayloadClass, PayloadException};
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get};
use axum::{Json, response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use crate::auth::{OperatorToken, Role, ViewerToken, is_scope};
use crate::models::{Cause, Publication, registry};
use crate::problem::Problem;
use crate::problem::extract::{Json as JsonBody, Path, Query};
use crate::serve::{ApiRouter, Service};

/// Exceptions of one scope.
const EXCEPTIONS_MAX: i64 = 1000;
/// Log-odds that a threshold may have at most, nats. At least it has [`OBSERVED_LOG_ODDS_MIN`]: what is less like an attack filters do
/// not carry along, so a threshold below would be without effect.
const THRESHOLD_MAX: f32 = 50.0;
const NAME_BYTES_MAX: usize = 256;

pub fn router() -> ApiRouter {
    ApiRouter::new()
        .route("/v1/payload-exceptions", get(list).post(add))
        .route("/v1/payload-exceptions/{id}", delete(remove))
}

/// All exceptions of a scope as bundles carry them, in the order in which they were made: the last that fits counts.
///
/// # Errors
/// When the database fails or holds what this version does not know.
pub async fn of_scope(connection: &mut PgConnection, scope: &str) -> anyhow::Result<Vec<PayloadException>> {
    let stored = rows(connection, scope).await.context("load the payload exceptions")?;
    stored.into_iter().map(|row| row.terms.exception().context("a stored payload exception")).collect()
}

/// Where an exception applies, and what it says.
#[derive(Debug, Clone, Serialize, Deserialize, FromRow)]
#[serde(default, deny_unknown_fields)]
#[derive(Default)]
struct Terms {
    /// Endpoint id, 16 hexadecimal digits; all endpoints without it.
    endpoint: Option<String>,
    /// `query`, `form`, `body`, `header`, `cookie`, …; all places without it.
    location: Option<String>,
    /// Name of the field, header or cookie as reasons give it; all of them without it.
    name: Option<String>,
    /// `sqli`, `xss`, …; all classes without it.
    class: Option<String>,
    /// Log-odds in nats from which on such a value is taken for an attack; never without it.
    threshold: Option<f32>,
}

impl Terms {
    fn exception(&self) -> anyhow::Result<PayloadException> {
        let endpoint_id = self.endpoint.as_deref().map(|id| {
            let digits = id.len() == 16 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
            anyhow::ensure!(digits, "{id:?} is no endpoint id: 16 hexadecimal digits, as /v1/endpoints lists them");
            Ok(u64::from_str_radix(id, 16)?)
        });
        if let Some(name) = &self.name {
            anyhow::ensure!(name.len() <= NAME_BYTES_MAX, "the name is longer than {NAME_BYTES_MAX} bytes");
        }
        if let Some(threshold) = self.threshold {
            anyhow::ensure!(
                (OBSERVED_LOG_ODDS_MIN..=THRESHOLD_MAX).contains(&threshold),
                "the threshold is not within {OBSERVED_LOG_ODDS_MIN} to {THRESHOLD_MAX} nats"
            );
        }
        let everything =
            self.endpoint.is_none() && self.location.is_none() && self.name.is_none() && self.class.is_none();
        anyhow::ensure!(
            !(everything && self.threshold.is_none()),
            "it would turn the detector off: name an endpoint, a location, a name, a class or a threshold"
        );
        Ok(PayloadException {
            endpoint_id: endpoint_id.transpose()?,
            location: word::<Location>("location", self.location.as_deref())?,
            name: self.name.clone(),
            class: word::<PayloadClass>("class", self.class.as_deref())?,
            threshold: self.threshold,
        })
    }
}

fn word<T: DeserializeOwned>(key: &str, text: Option<&str>) -> anyhow::Result<Option<T>> {
    let parsed = text.map(|text| serde_json::from_value(text.into()).map_err(|_| text));
    parsed.transpose().map_err(|text| anyhow::anyhow!("{key} {text:?} is unknown"))
}

#[derive(Debug, Serialize, FromRow)]
struct StoredException {
    id: i64,
    scope: String,
    #[serde(flatten)]
    #[sqlx(flatten)]
    terms: Terms,
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
struct NewException {
    scope: Option<String>,
    #[serde(flatten)]
    terms: Terms,
}

#[derive(Debug, Serialize)]
struct ExceptionList {
    exceptions: Vec<StoredException>,
}

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ScopeQuery>,
) -> Result<Json<ExceptionList>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let exceptions = rows(&mut *service.pool.acquire().await?, &scope).await?;
    Ok(Json(ExceptionList { exceptions }))
}

async fn add(
    OperatorToken(token): OperatorToken,
    State(service): State<Service>,
    JsonBody(new): JsonBody<NewException>,
) -> Result<Response, Problem> {
    let scope = token.one(new.scope.as_deref())?;
    if !is_scope(&scope) {
        return Err(Problem::Malformed(format!("{scope:?} cannot be a scope")));
    }
    new.terms.exception().map_err(|error| Problem::Malformed(error.to_string()))?;
    let by = format!("{}:{}", Role::Operator.name(), token.name());
    let mut transaction = service.pool.begin().await?;
    let count: i64 = sqlx::query_scalar("select count(*) from payload_exceptions where scope = $1")
        .bind(&scope)
        .fetch_one(&mut *transaction)
        .await?;
    if count >= EXCEPTIONS_MAX {
        return Err(Problem::Conflict(format!(
            "scope {scope:?} has {count} payload exceptions, {EXCEPTIONS_MAX} is the most: remove some first"
        )));
    }
    let stored: StoredException = sqlx::query_as(
        "insert into payload_exceptions (scope, endpoint, location, name, class, threshold, created_by)
         values ($1, $2, $3, $4, $5, $6, $7)
         returning id, scope, endpoint, location, name, class, threshold, created_at, created_by",
    )
    .bind(&scope)
    .bind(&new.terms.endpoint)
    .bind(&new.terms.location)
    .bind(&new.terms.name)
    .bind(&new.terms.class)
    .bind(new.terms.threshold)
    .bind(&by)
    .fetch_one(&mut *transaction)
    .await?;
    publish_again(&service, &mut transaction, &scope).await?;
    transaction.commit().await?;
    tracing::info!(scope, id = stored.id, by, terms = ?stored.terms, "a payload exception is made");
    let location = HeaderValue::from_str(&format!("/v1/payload-exceptions/{}", stored.id));
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
    let scope: Option<String> = sqlx::query_scalar("delete from payload_exceptions where id = $1 returning scope")
        .bind(id)
        .fetch_optional(&mut *transaction)
        .await?;
    // What the token does not reach is rolled back.
    let Some(scope) = scope.filter(|scope| token.reaches(scope)) else {
        return Err(Problem::NotFound(format!("there is no payload exception {id}")));
    };
    publish_again(&service, &mut transaction, &scope).await?;
    transaction.commit().await?;
    tracing::info!(
        scope,
        id,
        by = format!("{}:{}", Role::Operator.name(), token.name()),
        "a payload exception is removed"
    );
    Ok(response::NoContent)
}

/// Gives filters the active model with the exceptions as they are now. A scope without a model has the starter bundle, which is
/// made when it is asked for.
async fn publish_again(
    service: &Service,
    transaction: &mut PgConnection,
    scope: &str,
) -> Result<Option<Publication>, Problem> {
    service.publisher.lock(transaction, scope).await?;
    let Some(content) = registry::active(transaction, scope).await? else { return Ok(None) };
    let publication = service.publisher.publish(transaction, content, Cause::Exception).await?;
    service.metrics.publications.inc();
    Ok(Some(publication))
}

async fn rows(connection: &mut PgConnection, scope: &str) -> sqlx::Result<Vec<StoredException>> {
    sqlx::query_as(
        "select id, scope, endpoint, location, name, class, threshold, created_at, created_by
         from payload_exceptions where scope = $1 order by id",
    )
    .bind(scope)
    .fetch_all(connection)
    .await
}
