//! `/v1/callers/{id}`: what one caller, or one address, did last, how it was judged, and how it stands.

use std::time::Duration;

use apiward_detector::calls::CallContext;
use apiward_detector::detector::Detector;
use apiward_detector::session::{Activity, CallSymbol, Horizon, Measure, MemorySessions};
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::SessionSubject;
use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::auth::ViewerToken;
use crate::problem::Problem;
use crate::problem::extract::{Path, Query};
use crate::serve::{ApiRouter, Service};
use crate::storage::records;

use super::shown_call::ShownCall;
use super::watchlist::{self, Entry};

/// Calls that are shown.
const CALLS_DEFAULT: u32 = 50;
const CALLS_MAX: u32 = 1000;
/// Records by which it is told how a caller stands.
const REPLAYED_MAX: u32 = 2000;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/callers/{id}", get(show))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallerQuery {
    scope: Option<String>,
    /// Calls of the sequence, the latest; 50 without it.
    calls: Option<u32>,
}

#[derive(Debug, Serialize)]
struct CallerProfile {
    /// Keyed hash: 16 hexadecimal digits.
    id: String,
    scope: String,
    /// `caller` where somebody calls under that identity, else `address`.
    subject_kind: &'static str,
    /// The latest calls, oldest first.
    sequence: Vec<ShownCall>,
    /// What it did lately beside what is usual, as the records of all proxies tell; empty without a model.
    activity: Vec<ShownActivity>,
    /// Where it is on the watchlist.
    watchlist: Vec<Entry>,
}

#[derive(Debug, Serialize)]
struct ShownActivity {
    /// `calls`, `failures`, `response_bytes`, `others`, `logins`, `endpoint_calls` or `endpoint_objects`.
    measure: Measure,
    /// `minute` or `hour`: half of what was so long ago is forgotten.
    horizon: Horizon,
    /// Of measures that are kept by endpoint.
    endpoint: Option<String>,
    count: f32,
    /// What half of all reach at their busiest.
    usual: f32,
    /// Above this it alarms.
    alarm: f32,
}

async fn show(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<String>,
    Query(query): Query<CallerQuery>,
) -> Result<Json<CallerProfile>, Problem> {
    let scope = token.one(query.scope.as_deref())?;
    let hash = super::read_hash(&id)?;
    let mut connection = service.pool.acquire().await?;
    let (subject, latest) = latest(&mut connection, &scope, hash).await?;
    let watchlist = watchlist::of_subject(&mut connection, &scope, hash).await?;
    drop(connection);
    if latest.is_empty() && watchlist.is_empty() {
        return Err(Problem::NotFound(format!("scope {scope:?} has no records of a caller or address {id}")));
    }
    let calls = query.calls.unwrap_or(CALLS_DEFAULT).clamp(1, CALLS_MAX) as usize;
    let sequence = latest.iter().skip(latest.len().saturating_sub(calls)).map(ShownCall::of).collect();
    let activity = match service.active_detectors.of(&service.pool, &scope).await? {
        Some(detector) => {
            let replayed = tokio::task::spawn_blocking(move || activity(&detector, subject, hash, &latest));
            replayed.await.map_err(|error| Problem::Internal(error.into()))?
        }
        None => Vec::new(),
    };
    Ok(Json(CallerProfile { id, scope, subject_kind: subject.noun(), sequence, activity, watchlist }))
}

/// The newest records of a caller, or of an address where no caller has that hash, oldest first.
async fn latest(
    connection: &mut PgConnection,
    scope: &str,
    hash: u64,
) -> Result<(SessionSubject, Vec<ExchangeRecord>), Problem> {
    // Clocks of proxies may be a little ahead.
    let until = OffsetDateTime::now_utc() + Duration::from_secs(3600);
    let of_caller = records::latest_of(connection, scope, SessionSubject::Caller, hash, until, REPLAYED_MAX).await?;
    if !of_caller.is_empty() {
        return Ok((SessionSubject::Caller, of_caller));
    }
    let of_address = records::latest_of(connection, scope, SessionSubject::Address, hash, until, REPLAYED_MAX).await?;
    Ok((SessionSubject::Address, of_address))
}

/// How the subject stands after its records, beside what is usual.
fn activity(detector: &Detector, subject: SessionSubject, hash: u64, records: &[ExchangeRecord]) -> Vec<ShownActivity> {
    let mut sessions = MemorySessions::new(records.len().max(2));
    for record in records {
        let context = CallContext { caller: record.caller, at_ms: record.at_ms, weight: record.weight };
        let call = detector.begin_call(&record.observation, context, &mut sessions);
        if let Some((call, response)) = call.as_ref().zip(record.observation.response.as_ref()) {
            detector.answer_call(call, response, &mut sessions);
        }
    }
    let reached = match subject {
        SessionSubject::Caller => sessions.caller(hash).map(|session| &session.activity),
        SessionSubject::Address | SessionSubject::Endpoint => sessions.address(hash).map(|session| &session.activity),
    };
    reached.map(|reached| beside_usual(detector, subject, hash, reached)).unwrap_or_default()
}

fn beside_usual(detector: &Detector, subject: SessionSubject, hash: u64, reached: &Activity) -> Vec<ShownActivity> {
    let endpoints = &detector.bundle().routes.endpoints;
    let label = |symbol: CallSymbol| {
        let known = endpoints.iter().find(|endpoint| CallSymbol::of(endpoint.id) == symbol);
        known.map_or_else(|| "unknown endpoints".to_owned(), |endpoint| endpoint.label())
    };
    let mut shown = Vec::new();
    for measure in Measure::ALL {
        let counted: Vec<CallSymbol> = match measure.is_by_endpoint() {
            true => reached.endpoints.iter().map(|known| known.endpoint).collect(),
            false => vec![CallSymbol::UNKNOWN],
        };
        for endpoint in counted {
            for horizon in Horizon::ALL {
                let count = reached.measure(measure, endpoint, horizon);
                let (usual, alarm) = detector.bundle().volume.bounds(subject, hash, measure, horizon, endpoint);
                let endpoint = measure.is_by_endpoint().then(|| label(endpoint));
                let (usual, alarm) = (usual.exp_m1(), alarm.exp_m1());
                shown.push(ShownActivity { measure, horizon, endpoint, count, usual, alarm });
            }
        }
    }
    shown
}
