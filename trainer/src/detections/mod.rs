//! `/v1/detections`: anomalies by caller, endpoint and reason, and incidents.

mod grouping;

use apiward_detector::volume::SessionSubject;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sqlx::{FromRow, PgPool, Postgres, QueryBuilder};
use time::{Duration, OffsetDateTime};

use crate::auth::ViewerToken;
use crate::callers::ShownCall;
use crate::problem::Problem;
use crate::problem::extract::{Path, Query};
use crate::serve::{ApiRouter, Service};
use crate::storage::records;

pub use grouping::{Groups, storable};

const PAGE_DEFAULT: u32 = 100;
const PAGE_MAX: u32 = 1000;
/// Calls that are shown with a detection.
const SEQUENCE_CALLS: u32 = 20;
/// An incident without failures for so long is over.
const INCIDENT_OVER_AFTER: Duration = Duration::seconds(120);

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/detections", get(list)).route("/v1/detections/{id}", get(show))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    Caller,
    Incident,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ListQuery {
    scope: Option<String>,
    kind: Option<Kind>,
    host: Option<String>,
    endpoint: Option<String>,
    detector: Option<String>,
    /// 16 hexadecimal digits, as listed.
    subject: Option<String>,
    /// Only what was seen at or after this time.
    #[serde(default, with = "time::serde::rfc3339::option")]
    since: Option<OffsetDateTime>,
    /// At most this many.
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// One group.
#[derive(Debug, Clone, Serialize)]
pub struct Detection {
    pub id: i64,
    pub scope: String,
    /// `caller` or `incident`.
    pub kind: String,
    /// Keyed hash of the caller, or of the address where there is none: 16 hexadecimal digits; `null` for incidents.
    pub subject: Option<String>,
    /// `caller` or `address`.
    pub subject_kind: Option<String>,
    pub host: String,
    pub endpoint: String,
    /// What is odd, such as `unknown_field`, or `outage`.
    pub finding: String,
    pub detector: Option<String>,
    pub phase: Option<String>,
    pub reason: String,
    /// Flagged exchanges of the group; failed ones of an incident.
    pub exchanges: i64,
    pub blocked: i64,
    /// Distinct callers that saw the failures of an incident.
    pub callers: Option<i32>,
    /// The highest of the group, 0..1.
    pub score: f32,
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen: OffsetDateTime,
    /// Whether an incident goes on; `null` for callers.
    pub ongoing: Option<bool>,
    /// Request id of an example.
    pub request_id: Option<String>,
}

/// One group, with what led to it.
#[derive(Debug, Serialize)]
struct ShownDetection {
    #[serde(flatten)]
    detection: Detection,
    /// The calls of the caller or the address until the last exchange of the group, oldest first, as far as they are still
    /// stored; empty for incidents.
    sequence: Vec<ShownCall>,
}

#[derive(FromRow)]
struct Row {
    id: i64,
    scope: String,
    kind: String,
    subject: Option<i64>,
    subject_kind: Option<String>,
    host: String,
    endpoint: String,
    finding: String,
    detector: Option<String>,
    phase: Option<String>,
    reason: String,
    exchanges: i64,
    blocked: i64,
    callers: Option<i32>,
    score: f32,
    first_seen: OffsetDateTime,
    last_seen: OffsetDateTime,
    request_id: Option<String>,
}

impl From<Row> for Detection {
    fn from(row: Row) -> Self {
        let incident = row.kind == "incident";
        Self {
            ongoing: incident.then(|| row.last_seen + INCIDENT_OVER_AFTER > OffsetDateTime::now_utc()),
            id: row.id,
            scope: row.scope,
            kind: row.kind,
            subject: row.subject.map(|hash| format!("{:016x}", hash.cast_unsigned())),
            subject_kind: row.subject_kind,
            host: row.host,
            endpoint: row.endpoint,
            finding: row.finding,
            detector: row.detector,
            phase: row.phase,
            reason: row.reason,
            exchanges: row.exchanges,
            blocked: row.blocked,
            callers: row.callers,
            score: row.score,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            request_id: row.request_id,
        }
    }
}

#[derive(Debug, Serialize)]
struct DetectionPage {
    detections: Vec<Detection>,
    /// Ask for the next page with `after` set to this; `null` on the last one.
    next: Option<String>,
}

const COLUMNS: &str = "select id, scope, kind, subject, subject_kind, host, endpoint, finding, detector, phase, reason,
         exchanges, blocked, callers, score, first_seen, last_seen, request_id from detections";

async fn list(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Query(query): Query<ListQuery>,
) -> Result<Json<DetectionPage>, Problem> {
    let scope = token.filter(query.scope.as_deref())?;
    let limit = query.limit.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX);
    let mut found = page(&service.pool, scope.as_deref(), &query, limit + 1).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let next = found.last().filter(|_| more).map(|last| cursor(last.last_seen, last.id));
    Ok(Json(DetectionPage { detections: found.into_iter().map(Detection::from).collect(), next }))
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<Json<ShownDetection>, Problem> {
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("{COLUMNS} where id = $1")))
        .bind(id)
        .fetch_optional(&service.pool)
        .await?;
    let row = row
        .filter(|row| token.reaches(&row.scope))
        .ok_or_else(|| Problem::NotFound(format!("there is no detection {id}")))?;
    let sequence = sequence(&service.pool, &row).await?;
    Ok(Json(ShownDetection { detection: row.into(), sequence }))
}

/// What the caller or the address did until the detection's last exchange.
async fn sequence(pool: &PgPool, row: &Row) -> Result<Vec<ShownCall>, Problem> {
    let subject = match row.subject_kind.as_deref() {
        Some("caller") => SessionSubject::Caller,
        Some("address") => SessionSubject::Address,
        _ => return Ok(Vec::new()),
    };
    let Some(hash) = row.subject.map(i64::cast_unsigned) else { return Ok(Vec::new()) };
    let mut connection = pool.acquire().await?;
    let calls = records::latest_of(&mut connection, &row.scope, subject, hash, row.last_seen, SEQUENCE_CALLS).await?;
    Ok(calls.iter().map(ShownCall::of).collect())
}

/// The latest seen first.
async fn page(pool: &PgPool, scope: Option<&str>, query: &ListQuery, rows: u32) -> Result<Vec<Row>, Problem> {
    let mut statement: QueryBuilder<Postgres> = QueryBuilder::new(format!("{COLUMNS} where true"));
    if let Some(scope) = scope {
        statement.push(" and scope = ").push_bind(scope.to_owned());
    }
    if let Some(kind) = query.kind {
        statement.push(" and kind = ").push_bind(match kind {
            Kind::Caller => "caller",
            Kind::Incident => "incident",
        });
    }
    for (column, value) in [("host", &query.host), ("endpoint", &query.endpoint), ("detector", &query.detector)] {
        if let Some(value) = value {
            statement.push(format!(" and {column} = ")).push_bind(value.clone());
        }
    }
    if let Some(subject) = &query.subject {
        let hash = u64::from_str_radix(subject, 16)
            .map_err(|_| Problem::Malformed("subject is no number of 16 hexadecimal digits".to_owned()))?;
        statement.push(" and subject = ").push_bind(hash.cast_signed());
    }
    if let Some(since) = query.since {
        statement.push(" and last_seen >= ").push_bind(since);
    }
    if let Some(after) = &query.after {
        let (last_seen, id) =
            read_cursor(after).ok_or_else(|| Problem::Malformed("after is no next of an earlier page".to_owned()))?;
        statement.push(" and (last_seen, id) < (").push_bind(last_seen).push(", ").push_bind(id).push(")");
    }
    statement.push(" order by last_seen desc, id desc limit ").push_bind(i64::from(rows));
    Ok(statement.build_query_as().fetch_all(pool).await?)
}

fn cursor(last_seen: OffsetDateTime, id: i64) -> String {
    format!("{}-{id}", last_seen.unix_timestamp_nanos() / 1000)
}

fn read_cursor(text: &str) -> Option<(OffsetDateTime, i64)> {
    let (microseconds, id) = text.rsplit_once('-')?;
    let nanoseconds = microseconds.parse::<i64>().ok().map(|microseconds| i128::from(microseconds) * 1000)?;
    Some((OffsetDateTime::from_unix_timestamp_nanos(nanoseconds).ok()?, id.parse().ok()?))
}
