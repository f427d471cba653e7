//! What a batch tells beside its records: exact counts, what its sender uses, refused bundles, captured exchanges.

use std::collections::BTreeMap;

use anyhow::Context as _;
use apiward_detector::telemetry::Batch;
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::detections::storable;

/// Adds exact counts to those of their endpoints, in a fixed order so that transactions never deadlock.
pub async fn store_counts(connection: &mut PgConnection, batches: &[&Batch]) -> sqlx::Result<()> {
    let mut counts: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for batch in batches {
        for count in &batch.counts {
            let (exchanges, anomalous) = counts.entry((&batch.scope, &count.endpoint)).or_default();
            *exchanges = exchanges.saturating_add(count.exchanges);
            *anomalous = anomalous.saturating_add(count.anomalous);
        }
    }
    if counts.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into endpoint_counts as stored (scope, endpoint, exchanges, anomalous)
         select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])
         on conflict (scope, endpoint) do update set
             exchanges = stored.exchanges + excluded.exchanges,
             anomalous = stored.anomalous + excluded.anomalous,
             last_seen = now()",
    )
    .bind(counts.keys().map(|(scope, _)| *scope).collect::<Vec<_>>())
    .bind(counts.keys().map(|(_, endpoint)| storable(endpoint)).collect::<Vec<_>>())
    .bind(counts.values().map(|(exchanges, _)| countable(*exchanges)).collect::<Vec<_>>())
    .bind(counts.values().map(|(_, anomalous)| countable(*anomalous)).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Remembers what each sender uses and has lost.
pub async fn store_senders(connection: &mut PgConnection, batches: &[&Batch]) -> sqlx::Result<()> {
    let mut senders: BTreeMap<(&str, &str), Vec<&Batch>> = BTreeMap::new();
    for batch in batches {
        senders.entry((&batch.scope, &batch.sender)).or_default().push(batch);
    }
    for ((scope, sender), mut batches) in senders {
        batches.sort_by_key(|batch| batch.sequence);
        let bundle = batches.last().and_then(|batch| batch.bundle.as_ref());
        let dropped: u64 = batches.iter().fold(0, |sum, batch| sum.saturating_add(batch.records_dropped));
        let refusals: usize = batches.iter().map(|batch| batch.refusals.len()).sum();
        sqlx::query(
            "insert into senders as stored (scope, sender, bundle, bundle_serial, records_dropped, refusals)
             values ($1, $2, $3, $4, $5, $6)
             on conflict (scope, sender) do update set
                 bundle = excluded.bundle,
                 bundle_serial = excluded.bundle_serial,
                 records_dropped = stored.records_dropped + excluded.records_dropped,
                 refusals = stored.refusals + excluded.refusals,
                 last_seen = now()",
        )
        .bind(scope)
        .bind(sender)
        .bind(bundle.map(|bundle| storable(&bundle.id)))
        .bind(bundle.map(|bundle| countable(bundle.serial)))
        .bind(countable(dropped))
        .bind(i64::try_from(refusals).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

pub async fn store_refusals(connection: &mut PgConnection, batches: &[&Batch]) -> sqlx::Result<()> {
    for batch in batches {
        for refusal in &batch.refusals {
            tracing::warn!(
                scope = batch.scope,
                sender = batch.sender,
                serial = refusal.serial,
                reason = refusal.reason,
                "a filter refused a bundle"
            );
            sqlx::query("insert into bundle_refusals (scope, sender, serial, reason) values ($1, $2, $3, $4)")
                .bind(&batch.scope)
                .bind(&batch.sender)
                .bind(refusal.serial.map(countable))
                .bind(storable(&refusal.reason))
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// Keeps captured exchanges, values included: the operator turned capture on.
pub async fn store_captures(
    connection: &mut PgConnection,
    batches: &[&Batch],
    received: OffsetDateTime,
) -> anyhow::Result<()> {
    for batch in batches {
        for capture in &batch.captures {
            let captured_at = capture
                .exchange
                .at_ms
                .and_then(|at_ms| OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok())
                .unwrap_or(received);
            let bytes = rmp_serde::to_vec(capture).context("encode a captured exchange")?;
            sqlx::query("insert into captures (scope, captured_at, request_id, capture) values ($1, $2, $3, $4)")
                .bind(&batch.scope)
                .bind(captured_at)
                .bind(capture.request_id.as_deref().map(storable))
                .bind(bytes)
                .execute(&mut *connection)
                .await?;
        }
    }
    Ok(())
}

/// A count that a filter sent, as the database can add it up for a long time.
fn countable(count: u64) -> i64 {
    const COUNT_MAX: u64 = 1 << 48;
    count.min(COUNT_MAX).cast_signed()
}
