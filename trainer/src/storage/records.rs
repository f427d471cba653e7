//! Exchange records in and out.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::Context as _;
use apiward_detector::hashing::stable_hash;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::SessionSubject;
use futures_util::TryStreamExt as _;
use sqlx::{PgConnection, PgPool, Row as _};
use time::{Date, OffsetDateTime};

use super::copy::CopyRows;
use super::partitions;

/// Records of an import that are copied in one transaction.
const IMPORT_ROWS: usize = 4096;

const COPY: &str = "copy exchange_records (scope, host, caller, at, address, network, distinct_caller, method, endpoint, \
                    status, failed, anomalous, weight, hash_key_id, record, sender) from stdin (format binary)";
const COLUMNS: i16 = 16;

/// Share of what is learned from that one sender may have, 0..1, where there are [`SENDERS_MIN`] or more: one that invents callers
/// is not to outvote all others.
const SENDER_SHARE_MAX: f64 = 0.5;
const SENDERS_MIN: usize = 3;
/// Times as many records are looked at as are learned from, to find those of others behind a sender's many.
const LOOKED_AT: i64 = 2;

/// A record with where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'r> {
    pub scope: &'r str,
    pub hash_key_id: &'r str,
    pub at: OffsetDateTime,
    pub record: &'r ExchangeRecord,
    /// Which filter reported it; `None` for imports.
    pub sender: Option<&'r str>,
}

/// The latest records of a scope, all made with one hash key.
#[derive(Debug, Default)]
pub struct LatestRecords {
    /// Hash key of the newest record; those of other keys cannot be compared with it and are left out.
    pub hash_key_id: String,
    /// In the order of time.
    pub records: Vec<ExchangeRecord>,
    /// Left out since their sender had its share.
    pub over_sender_share: u64,
}

/// The time of a record as the database keeps it; `None` without one or outside of what a date can be.
pub fn time_of(record: &ExchangeRecord) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(record.at_ms?) * 1_000_000).ok()
}

/// Copies records in the caller's transaction. Their days' partitions must exist.
///
/// # Errors
/// When a record cannot be encoded or the database refuses.
pub async fn copy_records<'r>(
    connection: &mut PgConnection,
    records: impl IntoIterator<Item = StoredRecord<'r>>,
) -> anyhow::Result<u64> {
    let mut rows = CopyRows::new(COLUMNS);
    for stored in records {
        write_row(&mut rows, &stored)?;
    }
    if rows.rows() == 0 {
        return Ok(0);
    }
    rows.send(connection, COPY).await.context("copy the records")
}

fn write_row(rows: &mut CopyRows, stored: &StoredRecord<'_>) -> anyhow::Result<()> {
    let record = stored.record;
    let caller = &record.caller;
    let response = record.observation.response.as_ref();
    let body = rmp_serde::to_vec(record).context("encode a record")?;
    let hash = |rows: &mut CopyRows, hash: u64| rows.bigint(hash.cast_signed());
    rows.begin_row();
    rows.text(stored.scope);
    rows.text(&record.observation.host);
    rows.optional(caller.identity, hash);
    rows.timestamp(stored.at);
    rows.optional(caller.address, hash);
    rows.optional(caller.network, hash);
    rows.optional(caller.distinct_by(), hash);
    rows.text(&record.observation.method);
    rows.optional(record.verdict.as_ref(), |rows, verdict| rows.text(&verdict.endpoint));
    rows.optional(response.and_then(|response| response.status), |rows, status| {
        rows.smallint(i16::try_from(status).unwrap_or(i16::MAX));
    });
    rows.boolean(response.is_some_and(|response| response.is_server_failure()));
    rows.optional(record.verdict.as_ref(), |rows, verdict| rows.boolean(verdict.anomalous));
    rows.real(record.weight);
    rows.text(stored.hash_key_id);
    rows.bytes(&body);
    rows.optional(stored.sender, |rows, sender| hash(rows, stable_hash(&[sender.as_bytes()])));
    Ok(())
}

/// Stores records of an import: also old ones, and ones without times, which get the time of the import in their order.
///
/// # Errors
/// When the database refuses; what was copied before stays.
pub async fn import(
    pool: &PgPool,
    scope: &str,
    hash_key_id: &str,
    records: &[ExchangeRecord],
    now: OffsetDateTime,
) -> anyhow::Result<u64> {
    let times: Vec<OffsetDateTime> = (0_u64..)
        .zip(records)
        .map(|(index, record)| time_of(record).unwrap_or(now + Duration::from_micros(index)))
        .collect();
    let days: BTreeSet<Date> = times.iter().map(|time| time.date()).collect();
    partitions::create(pool, &days).await?;
    let mut copied = 0;
    for (records, times) in records.chunks(IMPORT_ROWS).zip(times.chunks(IMPORT_ROWS)) {
        let rows = records.iter().zip(times).map(|(record, at)| StoredRecord {
            scope,
            hash_key_id,
            at: *at,
            record,
            sender: None,
        });
        let mut transaction = pool.begin().await?;
        copied += copy_records(&mut transaction, rows).await?;
        transaction.commit().await?;
    }
    Ok(copied)
}

/// The newest records of one caller or address that are not after a time, oldest first.
///
/// # Errors
/// When the database fails or a record is none of this version.
pub async fn latest_of(
    connection: &mut PgConnection,
    scope: &str,
    subject: SessionSubject,
    hash: u64,
    until: OffsetDateTime,
    records_max: u32,
) -> anyhow::Result<Vec<ExchangeRecord>> {
    let statement = match subject {
        SessionSubject::Endpoint => return Ok(Vec::new()),
        SessionSubject::Caller => {
            "select record from exchange_records where scope = $1 and caller = $2 and at <= $3 order by at desc limit $4"
        }
        SessionSubject::Address => {
            "select record from exchange_records where scope = $1 and address = $2 and at <= $3 order by at desc limit $4"
        }
    };
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(statement)
        .bind(scope)
        .bind(hash.cast_signed())
        .bind(until)
        .bind(i64::from(records_max))
        .fetch_all(connection)
        .await?;
    let newest_first =
        rows.iter().map(|record| rmp_serde::from_slice(record).context("a stored record cannot be read"));
    let mut records = newest_first.collect::<anyhow::Result<Vec<ExchangeRecord>>>()?;
    records.reverse();
    Ok(records)
}

/// The newest `records_max` records of a scope in the order of time, no sender's beyond its share.
///
/// # Errors
/// When the database fails or a record is none of this version.
pub async fn latest(pool: &PgPool, scope: &str, records_max: u32) -> anyhow::Result<LatestRecords> {
    let newest: Option<String> =
        sqlx::query_scalar("select hash_key_id from exchange_records where scope = $1 order by at desc limit 1")
            .bind(scope)
            .fetch_optional(pool)
            .await?;
    let Some(hash_key_id) = newest else {
        return Ok(LatestRecords::default());
    };
    let looked_at = i64::from(records_max) * LOOKED_AT;
    let of_senders: Vec<(Option<i64>, i64)> = sqlx::query_as(
        "select sender, count(*) from (
             select sender from exchange_records where scope = $1 and hash_key_id = $2 order by at desc limit $3) as newest
         group by sender",
    )
    .bind(scope)
    .bind(&hash_key_id)
    .bind(looked_at)
    .fetch_all(pool)
    .await?;
    let sender_max = sender_records_max(&of_senders, records_max);
    let mut rows = sqlx::query(
        "select record, sender from exchange_records where scope = $1 and hash_key_id = $2 order by at desc limit $3",
    )
    .bind(scope)
    .bind(&hash_key_id)
    .bind(looked_at)
    .fetch(pool);
    let mut latest = LatestRecords::default();
    let mut taken: HashMap<i64, u64> = HashMap::new();
    while let Some(row) = rows.try_next().await? {
        if latest.records.len() >= records_max as usize {
            break;
        }
        if let Some(sender) = row.try_get::<Option<i64>, _>(1)? {
            let taken = taken.entry(sender).or_default();
            if *taken >= sender_max {
                latest.over_sender_share += 1;
                continue;
            }
            *taken += 1;
        }
        let body: &[u8] = row.try_get(0)?;
        latest.records.push(rmp_serde::from_slice(body).context("a stored record cannot be read")?);
    }
    drop(rows);
    latest.records.reverse();
    Ok(LatestRecords { hash_key_id, ..latest })
}

/// How many records one sender may have, by how many each has; those without one are of imports.
fn sender_records_max(of_senders: &[(Option<i64>, i64)], records_max: u32) -> u64 {
    let senders = of_senders.iter().filter(|(sender, _)| sender.is_some()).count();
    if senders < SENDERS_MIN {
        return u64::MAX;
    }
    let all: i64 = of_senders.iter().map(|(_, records)| records).sum();
    (all.min(i64::from(records_max)) as f64 * SENDER_SHARE_MAX).ceil() as u64
}
