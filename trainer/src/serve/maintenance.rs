//! Housekeeping of the store: partitions ahead of time, and nothing kept longer than the retention says.

use std::time::Duration;

use sqlx::PgPool;
use time::OffsetDateTime;

use crate::callers;
use crate::metrics::Metrics;
use crate::storage::partitions;

use super::{Service, Settings};

/// How often it is looked after.
const EVERY: Duration = Duration::from_secs(15 * 60);
/// A batch can only be repeated with records that are accepted, which are at most a day old.
const BATCH_KEYS_KEPT: time::Duration = time::Duration::days(2);
/// Models kept per scope, beside those of as many latest publications.
const MODELS_MAX: i64 = 50;

/// Looks after the store until the trainer stops; it was looked after when the trainer started.
pub async fn run(service: Service) {
    loop {
        tokio::select! {
            () = service.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) =
            look_after(&service.pool, &service.settings, &service.metrics, OffsetDateTime::now_utc()).await
        {
            tracing::warn!(error = format!("{error:#}"), "housekeeping of the store failed, it is tried again");
        }
    }
}

/// Makes and drops partitions and deletes what is over its time.
///
/// # Errors
/// When the database fails.
pub async fn look_after(
    pool: &PgPool,
    settings: &Settings,
    metrics: &Metrics,
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    partitions::create(pool, &partitions::days_around(now)).await?;
    let oldest = now - time::Duration::days(i64::from(settings.retention_days));
    let dropped = partitions::drop_before(pool, oldest).await?;
    if !dropped.is_empty() {
        metrics.partitions_dropped.inc_by(dropped.len() as u64);
        tracing::info!(days = dropped.len(), %oldest, "dropped records that are over their retention");
    }
    sqlx::query("delete from telemetry_batches where received_at < $1")
        .bind(now - BATCH_KEYS_KEPT)
        .execute(pool)
        .await?;
    for statement in [
        "delete from detections where last_seen < $1",
        "delete from captures where received_at < $1",
        "delete from bundle_refusals where reported_at < $1",
        "delete from senders where last_seen < $1",
        "delete from endpoint_counts where last_seen < $1",
    ] {
        sqlx::query(statement).bind(oldest).execute(pool).await?;
    }
    callers::drop_expired(&mut *pool.acquire().await?).await?;
    sqlx::query(
        "delete from captures using (
             select id, row_number() over (partition by scope order by id desc) as position from captures) as ranked
         where captures.id = ranked.id and ranked.position > $1",
    )
    .bind(i64::from(settings.captures_max))
    .execute(pool)
    .await?;
    drop_old_models(pool).await
}

/// Old models go, with their publications.
async fn drop_old_models(pool: &PgPool) -> anyhow::Result<()> {
    let mut transaction = pool.begin().await?;
    let old: Vec<String> = sqlx::query_scalar(
        "select id from (
             select id, scope, row_number() over (partition by scope order by created_at desc) as position from models) as ranked
         where position > $1 and id not in (
             select model from (
                 select model, row_number() over (partition by scope order by serial desc) as recent from publications) as published
             where recent <= $1)",
    )
    .bind(MODELS_MAX)
    .fetch_all(&mut *transaction)
    .await?;
    for statement in [
        "update training_runs set model = null where model = any($1)",
        "delete from publications where model = any($1)",
        "delete from models where id = any($1)",
    ] {
        sqlx::query(statement).bind(&old).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}
