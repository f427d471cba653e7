//! Runs that nobody asked for: a scope with new traffic is trained again every train interval.

use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;

use crate::serve::Service;
use crate::storage::{LockName, try_lock_in_transaction};

/// How often the schedule looks, at most and at least.
const LOOK_MAX: Duration = Duration::from_secs(60);
const LOOK_MIN: Duration = Duration::from_secs(1);

/// Queues runs until the trainer stops.
pub async fn run(service: Service) {
    let Some(interval) = service.settings.train_interval else {
        return;
    };
    let look = (interval / 10).clamp(LOOK_MIN, LOOK_MAX);
    loop {
        tokio::select! {
            () = service.stopping.cancelled() => return,
            () = tokio::time::sleep(look) => {}
        }
        match enqueue_due(&service.pool, interval, service.settings.train_records_min).await {
            Ok(0) => {}
            Ok(runs) => {
                tracing::info!(runs, "scheduled training");
                service.runs_waiting.notify_one();
            }
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the schedule could not look for due runs"),
        }
    }
}

/// Queues a run for every scope whose last run is long enough ago and that got enough records since. Several trainers take
/// turns.
///
/// # Errors
/// When the database fails.
pub async fn enqueue_due(pool: &PgPool, interval: Duration, records_min: u32) -> anyhow::Result<u64> {
    let mut transaction = pool.begin().await?;
    if !try_lock_in_transaction(&mut transaction, LockName::Schedule).await? {
        return Ok(0);
    }
    let queued = sqlx::query(
        "insert into training_runs (scope, state, cause)
         select scope, 'queued', 'schedule' from (
             select batches.scope, sum(batches.records) as records from telemetry_batches batches
             where batches.received_at > coalesce(
                 (select max(created_at) from training_runs runs where runs.scope = batches.scope), '-infinity')
             group by batches.scope) as fresh
         where records >= $1 and not exists (
             select from training_runs runs where runs.scope = fresh.scope
                 and (runs.state in ('queued', 'running') or runs.created_at > now() - $2 * interval '1 second'))
         on conflict do nothing",
    )
    .bind(i64::from(records_min))
    .bind(interval.as_secs_f64())
    .execute(&mut *transaction)
    .await
    .context("queue due runs")?;
    transaction.commit().await?;
    Ok(queued.rows_affected())
}
