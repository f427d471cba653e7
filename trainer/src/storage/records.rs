//! Exchange records in and out.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::Context as _;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::VolumeSubject;
use futures_util::TryStreamExt as _;
use sqlx::{PgConnection, PgPool, Row as _};
use time::{Date, OffsetDateTime};

use super::copy::CopyRows;
use super::partitions;

/// Records of an import that are copied in one transaction.
const IMPORT_ROWS: usize = 4096;

const COPY: &str = "copy exchange_records (scope, host, caller, at, address, network, distinct_caller, method, endpoint, \
                    status, failed, anomalous, weight, hash_key_id, record) from stdin (format binary)";
const COLUMNS: i16 = 15;

/// A record with where it belongs.
#[derive(Debug, Clone, Copy)]
pub struct StoredRecord<'r> {
    pub scope: &'r str,
    pub hash_key_id: &'r str,
    pub at: OffsetDateTime,
    pub record: &'r ExchangeRecord,
}

/// The latest records of a scope, all made with one hash key.
#[derive(Debug, Default)]
pub struct LatestRecords {
    /// Hash key of the newest record; those of other keys cannot be compared with it and are left out.
    pub hash_key_id: String,
    /// In the order of time.
    pub records: Vec<ExchangeRecord>,
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
        let rows = records.iter().zip(times).map(|(record, at)| StoredRecord { scope, hash_key_id, at: *at, record });
        let mut transaction = pool.begin().await?;
        copied += copy_records(&mut transaction, rows).await?;
        transaction.commit().await?;
    }
    Ok(copied)
}

/// The newest records of one caller or address, oldest first.
///
/// # Errors
/// When the database fails or a record is none of this version.
pub async fn latest_of(
    connection: &mut PgConnection,
    scope: &str,
    subject: VolumeSubject,
    hash: u64,
    records_max: u32,
) -> anyhow::Result<Vec<ExchangeRecord>> {
    let statement = match subject {
        VolumeSubject::Endpoint => return Ok(Vec::new()),
        VolumeSubject::Caller => {
            "select record from exchange_records where scope = $1 and caller = $2 order by at desc limit $3"
        }
        VolumeSubject::Address => {
            "select record from exchange_records where scope = $1 and address = $2 order by at desc limit $3"
        }
    };
    let rows: Vec<Vec<u8>> = sqlx::query_scalar(statement)
        .bind(scope)
        .bind(hash.cast_signed())
        .bind(i64::from(records_max))
        .fetch_all(connection)
        .await?;
    let newest_first =
        rows.iter().map(|record| rmp_serde::from_slice(record).context("a stored record cannot be read"));
    let mut records = newest_first.collect::<anyhow::Result<Vec<ExchangeRecord>>>()?;
    records.reverse();
    Ok(records)
}

/// The newest `records_max` records of a scope in the order of time.
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
    let mut rows = sqlx::query(
        "select record from exchange_records where scope = $1 and hash_key_id = $2 order by at desc limit $3",
    )
    .bind(scope)
    .bind(&hash_key_id)
    .bind(i64::from(records_max))
    .fetch(pool);
    let mut records = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let body: &[u8] = row.try_get(0)?;
        records.push(rmp_serde::from_slice(body).context("a stored record cannot be read")?);
    }
    drop(rows);
    records.reverse();
    Ok(LatestRecords { hash_key_id, records })
}
