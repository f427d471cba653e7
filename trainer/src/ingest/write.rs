//! Batches into the store: all of a batch or nothing of it, and each batch once.

use std::collections::BTreeSet;

use anyhow::Context as _;
use apiward_detector::limits::{RECORD_AGE_MAX_MS, RECORD_AHEAD_MAX_MS};
use apiward_detector::telemetry::{Batch, ExchangeRecord};
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;

use crate::detections::Groups;
use crate::incidents::Traffic;
use crate::storage::partitions;
use crate::storage::records::{self, StoredRecord};

use super::reports;

/// What became of a batch: the answer to its sender.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The batch had been accepted before; nothing was stored now.
    pub duplicate: bool,
    /// Records stored, now or, for a duplicate, then.
    pub accepted: u64,
    pub refused: Refused,
}

/// Records that were not stored.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Older than 24 hours.
    pub too_old: u64,
    /// More than 5 minutes ahead of the trainer's clock.
    pub too_new: u64,
    pub without_time: u64,
}

impl Refused {
    pub fn total(&self) -> u64 {
        self.too_old + self.too_new + self.without_time
    }
}

/// Stores batches in one transaction. The receipts are in the order of the batches.
///
/// # Errors
/// When the database refuses; then nothing of any batch is stored.
pub async fn write(pool: &PgPool, batches: &[&Batch], now: OffsetDateTime) -> anyhow::Result<Vec<Receipt>> {
    let sorted: Vec<(Vec<StoredRecord<'_>>, Refused)> = batches.iter().map(|batch| by_age(batch, now)).collect();
    let days: BTreeSet<_> = sorted.iter().flat_map(|(records, _)| records).map(|stored| stored.at.date()).collect();
    partitions::create(pool, &days).await?;

    let mut transaction = pool.begin().await?;
    let mut receipts = Vec::with_capacity(batches.len());
    let mut fresh = Vec::new();
    let mut rows = Vec::new();
    for (batch, (records, refused)) in batches.iter().zip(sorted) {
        let accepted = records.len() as u64;
        let receipt = match earlier_receipt(&mut transaction, batch, accepted, refused).await? {
            Some(earlier) => earlier,
            None => {
                fresh.push(*batch);
                rows.extend(records);
                Receipt { duplicate: false, accepted, refused }
            }
        };
        receipts.push(receipt);
    }
    store(&mut transaction, &fresh, &rows, now).await?;
    transaction.commit().await.context("commit the batches")?;
    Ok(receipts)
}

async fn store(
    connection: &mut PgConnection,
    fresh: &[&Batch],
    rows: &[StoredRecord<'_>],
    now: OffsetDateTime,
) -> anyhow::Result<()> {
    records::copy_records(connection, rows.iter().copied()).await?;
    let mut groups = Groups::default();
    let mut traffic = Traffic::default();
    for stored in rows {
        groups.add(stored);
        traffic.add(stored);
    }
    reports::store_counts(connection, fresh).await.context("store the counts")?;
    reports::store_senders(connection, fresh).await.context("store what the senders use")?;
    reports::store_refusals(connection, fresh).await.context("store the refusals")?;
    reports::store_captures(connection, fresh, now).await.context("store the captures")?;
    groups.store(connection).await.context("group the detections")?;
    traffic.store(connection).await.context("look for incidents")
}

/// Takes the batch's key. Another transaction that holds it is waited for, so that a repeated batch is never stored twice.
/// Gives the receipt of the first time if there was one.
async fn earlier_receipt(
    connection: &mut PgConnection,
    batch: &Batch,
    accepted: u64,
    refused: Refused,
) -> anyhow::Result<Option<Receipt>> {
    let inserted = sqlx::query(
        "insert into telemetry_batches (scope, sender, sequence, records, records_refused, records_dropped)
         values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
    )
    .bind(&batch.scope)
    .bind(&batch.sender)
    .bind(batch.sequence.cast_signed())
    .bind(i32::try_from(accepted).unwrap_or(i32::MAX))
    .bind(i32::try_from(refused.total()).unwrap_or(i32::MAX))
    .bind(i64::try_from(batch.records_dropped).unwrap_or(i64::MAX))
    .execute(&mut *connection)
    .await?;
    if inserted.rows_affected() == 1 {
        return Ok(None);
    }
    let records: i32 =
        sqlx::query_scalar("select records from telemetry_batches where scope = $1 and sender = $2 and sequence = $3")
            .bind(&batch.scope)
            .bind(&batch.sender)
            .bind(batch.sequence.cast_signed())
            .fetch_one(connection)
            .await?;
    Ok(Some(Receipt { duplicate: true, accepted: u64::try_from(records).unwrap_or(0), refused: Refused::default() }))
}

/// The records whose time is accepted, and how many are not.
fn by_age(batch: &Batch, now: OffsetDateTime) -> (Vec<StoredRecord<'_>>, Refused) {
    let mut refused = Refused::default();
    let mut accepted = Vec::with_capacity(batch.records.len());
    for record in &batch.records {
        match age_of(record, now) {
            Age::Accepted(at) => {
                let sender = Some(batch.sender.as_str());
                accepted.push(StoredRecord {
                    scope: &batch.scope,
                    hash_key_id: &batch.hash_key_id,
                    at,
                    record,
                    sender,
                });
            }
            Age::TooOld => refused.too_old += 1,
            Age::TooNew => refused.too_new += 1,
            Age::Unknown => refused.without_time += 1,
        }
    }
    (accepted, refused)
}

enum Age {
    Accepted(OffsetDateTime),
    TooOld,
    TooNew,
    Unknown,
}

fn age_of(record: &ExchangeRecord, now: OffsetDateTime) -> Age {
    let Some(at_ms) = record.at_ms else {
        return Age::Unknown;
    };
    let now_ms = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    if at_ms < now_ms.saturating_sub(RECORD_AGE_MAX_MS) {
        return Age::TooOld;
    }
    if at_ms > now_ms.saturating_add(RECORD_AHEAD_MAX_MS) {
        return Age::TooNew;
    }
    records::time_of(record).map_or(Age::Unknown, Age::Accepted)
}
