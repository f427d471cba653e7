//! Training runs as jobs in the database: queued, claimed by one trainer, kept alive by a heartbeat.

use serde::Serialize;
use sqlx::{FromRow, PgConnection, PgPool};
use time::OffsetDateTime;

use crate::secret::random_hex;

/// Seconds without a heartbeat after which a run's trainer is taken for gone.
pub const STALE_AFTER_S: f64 = 30.0;
/// How often a run is begun before it fails.
const ATTEMPTS_MAX: i16 = 2;

const RUNS: &str =
    "select id, scope, state, cause, force, created_at, started_at, finished_at, attempts, progress, error,
         model, report from training_runs";

/// A run as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, FromRow)]
pub struct TrainingRun {
    pub id: i64,
    pub scope: String,
    /// `queued`, `running`, `succeeded`, `failed` or `rejected` (a model that the gate does not let out).
    pub state: String,
    /// `request`, `schedule` or `command`.
    pub cause: String,
    /// Publish the model although the gate would reject it, and do not bind its thresholds to the model in use.
    pub force: bool,
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339::option")]
    pub started_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub finished_at: Option<OffsetDateTime>,
    pub attempts: i16,
    pub progress: Option<serde_json::Value>,
    pub error: Option<String>,
    /// The model that came of it.
    pub model: Option<String>,
    pub report: Option<serde_json::Value>,
}

impl TrainingRun {
    pub fn is_over(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "running")
    }
}

/// Who asked for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunCause {
    Request,
    Command,
}

impl RunCause {
    fn name(self) -> &'static str {
        match self {
            RunCause::Request => "request",
            RunCause::Command => "command",
        }
    }
}

/// A run that this trainer works on.
#[derive(Debug, Clone, FromRow)]
pub struct Claim {
    pub id: i64,
    pub scope: String,
    pub force: bool,
    /// Fencing token: only its holder can change the run.
    pub claim: String,
}

/// Queues a run. A scope has at most one waiting run: a second request joins it.
///
/// # Errors
/// When the database fails.
pub async fn enqueue(pool: &PgPool, scope: &str, cause: RunCause, force: bool) -> sqlx::Result<TrainingRun> {
    sqlx::query_as(
        "insert into training_runs as waiting (scope, state, cause, force) values ($1, 'queued', $2, $3)
         on conflict (scope) where state = 'queued' do update set force = waiting.force or excluded.force
         returning id, scope, state, cause, force, created_at, started_at, finished_at, attempts, progress, error, model,
             report",
    )
    .bind(scope)
    .bind(cause.name())
    .bind(force)
    .fetch_one(pool)
    .await
}

/// The newest first, of one scope or of all.
///
/// # Errors
/// When the database fails.
pub async fn list(pool: &PgPool, scope: Option<&str>, limit: u32) -> sqlx::Result<Vec<TrainingRun>> {
    let statement = format!("{RUNS} where $1::text is null or scope = $1 order by id desc limit $2");
    sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(scope).bind(i64::from(limit)).fetch_all(pool).await
}

/// # Errors
/// When the database fails.
pub async fn find(pool: &PgPool, id: i64) -> sqlx::Result<Option<TrainingRun>> {
    sqlx::query_as(sqlx::AssertSqlSafe(format!("{RUNS} where id = $1"))).bind(id).fetch_optional(pool).await
}

/// Claims the oldest waiting run of a scope that has none at work.
///
/// # Errors
/// When the database fails.
pub async fn claim(pool: &PgPool) -> anyhow::Result<Option<Claim>> {
    let claimed = sqlx::query_as(
        "update training_runs set state = 'running', claim = $1, started_at = now(), heartbeat_at = now(),
             attempts = attempts + 1, progress = null
         where id = (
             select waiting.id from training_runs waiting
             where waiting.state = 'queued' and not exists (
                 select from training_runs working where working.scope = waiting.scope and working.state = 'running')
             order by waiting.id for update skip locked limit 1)
         returning id, scope, force, claim",
    )
    .bind(random_hex::<16>()?)
    .fetch_optional(pool)
    .await;
    match claimed {
        // Another trainer began a run of the scope in the meantime.
        Err(sqlx::Error::Database(error)) if error.is_unique_violation() => Ok(None),
        other => Ok(other?),
    }
}

/// Shows that the run is alive, and how far it is; `false` when the claim was lost.
///
/// # Errors
/// When the database fails.
pub async fn heartbeat(pool: &PgPool, claim: &Claim, progress: Option<&serde_json::Value>) -> sqlx::Result<bool> {
    let updated = sqlx::query(
        "update training_runs set heartbeat_at = now(), progress = coalesce($3, progress)
         where id = $1 and claim = $2 and state = 'running'",
    )
    .bind(claim.id)
    .bind(&claim.claim)
    .bind(progress)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// How a run ends.
#[derive(Debug)]
pub enum Ending<'e> {
    Succeeded { model: &'e str, report: &'e serde_json::Value },
    Rejected { model: &'e str, report: &'e serde_json::Value, reason: &'e str },
    Failed { error: &'e str },
}

impl Ending<'_> {
    pub fn state(&self) -> &'static str {
        match self {
            Ending::Succeeded { .. } => "succeeded",
            Ending::Rejected { .. } => "rejected",
            Ending::Failed { .. } => "failed",
        }
    }
}

/// Ends a run; `false` when the claim was lost, in which case the transaction must not be committed.
///
/// # Errors
/// When the database fails.
pub async fn finish(connection: &mut PgConnection, claim: &Claim, ending: &Ending<'_>) -> sqlx::Result<bool> {
    let (model, report, error) = match ending {
        Ending::Succeeded { model, report } => (Some(*model), Some(*report), None),
        Ending::Rejected { model, report, reason } => (Some(*model), Some(*report), Some(*reason)),
        Ending::Failed { error } => (None, None, Some(*error)),
    };
    let updated = sqlx::query(
        "update training_runs set state = $3, finished_at = now(), claim = null, heartbeat_at = null, model = $4,
             report = $5, error = $6
         where id = $1 and claim = $2 and state = 'running'",
    )
    .bind(claim.id)
    .bind(&claim.claim)
    .bind(ending.state())
    .bind(model)
    .bind(report)
    .bind(error)
    .execute(connection)
    .await?;
    Ok(updated.rows_affected() == 1)
}

/// Gives an interrupted run back to the queue; the attempt does not count. Where another run of the scope waits already, that
/// one does the work.
///
/// # Errors
/// When the database fails.
pub async fn release(pool: &PgPool, claim: &Claim) -> sqlx::Result<()> {
    sqlx::query(
        "update training_runs run set claim = null, heartbeat_at = null, progress = null, attempts = attempts - 1,
             state = case when waits then 'failed' else 'queued' end,
             finished_at = case when waits then now() end,
             error = case when waits then 'interrupted, and another run of the scope was waiting already' end
         from (select exists (select from training_runs where scope = $3 and state = 'queued') as waits) as queue
         where id = $1 and claim = $2 and state = 'running'",
    )
    .bind(claim.id)
    .bind(&claim.claim)
    .bind(&claim.scope)
    .execute(pool)
    .await?;
    Ok(())
}

/// Takes runs back whose trainer is gone: once more into the queue, then given up. Gives how many there were.
///
/// # Errors
/// When the database fails.
pub async fn reclaim_stale(pool: &PgPool) -> sqlx::Result<u64> {
    let updated = sqlx::query(
        "update training_runs run set claim = null, heartbeat_at = null,
             state = case when over then 'failed' else 'queued' end,
             finished_at = case when over then now() end,
             error = case when over then 'the trainer that worked on it went away' end
         from (select id, attempts >= $1 or exists (
                   select from training_runs waiting where waiting.scope = stale.scope and waiting.state = 'queued') as over
               from training_runs stale
               where state = 'running' and heartbeat_at < now() - $2 * interval '1 second'
               for update skip locked) as stale
         where run.id = stale.id",
    )
    .bind(ATTEMPTS_MAX)
    .bind(STALE_AFTER_S)
    .execute(pool)
    .await?;
    Ok(updated.rows_affected())
}
