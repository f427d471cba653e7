//! Records that were not read yet: each once, in the order of their transactions, none missed.
//!
//! A transaction has its number before it is committed, and one with a higher number may be committed earlier. So only
//! transactions below the `xmin` of a snapshot are read: all of them have ended, and no later one gets such a number.
//! <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT>

use std::ops::Range;

use futures_util::TryStreamExt as _;
use sqlx::{PgPool, Row as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes of records that are handed over together.
const CHUNK_BYTES: usize = 1024 * 1024;

/// Encoded records, one after the other.
#[derive(Debug, Default)]
pub struct EncodedRecords {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl EncodedRecords {
    fn push(&mut self, record: &[u8]) {
        self.bytes.extend_from_slice(record);
        self.ends.push(self.bytes.len());
    }

    /// The MessagePack of each record.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, end)| &self.bytes[start..*end])
    }
}

/// The number below which every transaction has ended.
///
/// # Errors
/// When the database fails.
pub async fn ended_before(pool: &PgPool) -> sqlx::Result<u64> {
    let number: i64 =
        sqlx::query_scalar("select pg_snapshot_xmin(pg_current_snapshot())::text::bigint").fetch_one(pool).await?;
    Ok(number.cast_unsigned())
}

/// Scopes that have records, sorted.
///
/// # Errors
/// When the database fails.
pub async fn scopes(pool: &PgPool) -> sqlx::Result<Vec<String>> {
    // One look into the index per scope, where `distinct` would read every record.
    sqlx::query_scalar(
        "with recursive scopes as (
             select min(scope) as scope from exchange_records
             union all
             select (select min(scope) from exchange_records where scope > scopes.scope) from scopes
             where scopes.scope is not null)
         select scope from scopes where scope is not null",
    )
    .fetch_all(pool)
    .await
}

/// Whether a scope has records of these transactions.
///
/// # Errors
/// When the database fails.
pub async fn exist(pool: &PgPool, scope: &str, transactions: Range<u64>) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from exchange_records
             where scope = $1 and transaction >= $2::text::xid8 and transaction < $3::text::xid8)",
    )
    .bind(scope)
    .bind(transactions.start.to_string())
    .bind(transactions.end.to_string())
    .fetch_one(pool)
    .await
}

/// Gives records whose transactions are not known to this server a number of its own, as after restoring a dump into a server
/// that counts from lower numbers. How many there were.
///
/// # Errors
/// When the database fails.
pub async fn renumber_restored(pool: &PgPool, scope: &str) -> sqlx::Result<u64> {
    // What is visible has a number below the snapshot's xmax.
    let renumbered = sqlx::query(
        "update exchange_records set transaction = pg_current_xact_id()
         where scope = $1 and transaction >= pg_snapshot_xmax(pg_current_snapshot())",
    )
    .bind(scope)
    .execute(pool)
    .await?;
    Ok(renumbered.rows_affected())
}

/// Sends the records of these transactions in order, those of one transaction in the order in which they were stored. Gives the
/// number below which all were sent: the end, or less when it was told to stop, which it does between transactions.
///
/// # Errors
/// When the database fails.
pub async fn read(
    pool: &PgPool,
    scope: &str,
    transactions: Range<u64>,
    stopping: &CancellationToken,
    chunks: mpsc::Sender<EncodedRecords>,
) -> sqlx::Result<u64> {
    let mut rows = sqlx::query(
        "select transaction::text::bigint as number, record from exchange_records
         where scope = $1 and transaction >= $2::text::xid8 and transaction < $3::text::xid8
         order by transaction",
    )
    .bind(scope)
    .bind(transactions.start.to_string())
    .bind(transactions.end.to_string())
    .fetch(pool);
    let mut chunk = EncodedRecords::default();
    let mut reading: Option<i64> = None;
    let mut sent_before = transactions.end;
    while let Some(row) = rows.try_next().await? {
        let number: i64 = row.try_get(0)?;
        if reading.is_some_and(|reading| reading != number) && stopping.is_cancelled() {
            sent_before = number.cast_unsigned();
            break;
        }
        reading = Some(number);
        chunk.push(row.try_get(1)?);
        // Nobody takes them any more only when the taker failed, which it tells itself.
        if chunk.bytes.len() >= CHUNK_BYTES && chunks.send(std::mem::take(&mut chunk)).await.is_err() {
            return Ok(transactions.start);
        }
    }
    let _ = chunks.send(chunk).await;
    Ok(sent_before)
}
