//! Records that were not read yet: each once, none missed, whatever the order in which transactions are committed.
//!
//! A number from a sequence, or a time, is given before its transaction is committed: who reads up to the highest one passes
//! over those that are committed later. So a reader remembers the snapshot under which it read. New is what that snapshot did
//! not show: transactions that began after it, and those that were running.
//! <https://www.postgresql.org/docs/current/functions-info.html#FUNCTIONS-PG-SNAPSHOT>

use std::fmt;
use std::str::FromStr;

use futures_util::TryStreamExt as _;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Postgres, Row as _, Transaction};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Bytes of records that are handed over together.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Rows of a cursor that are fetched at once.
const FETCH: &str = "fetch forward 4096 from new_records";
const FETCH_ROWS: usize = 4096;

/// Which transactions can be seen: all with numbers below `end` that are not among `running`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub end: u64,
    /// Sorted, all below `end`.
    pub running: Vec<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no snapshot of PostgreSQL")]
pub struct SnapshotError {
    text: String,
}

/// Encoded records, one after the other.
#[derive(Debug, Default)]
pub struct EncodedRecords {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

/// A transaction in which all statements see what its snapshot shows.
#[derive(Debug)]
pub struct Reading {
    transaction: Transaction<'static, Postgres>,
    now: Snapshot,
}

impl Snapshot {
    /// The present one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn now(connection: &mut PgConnection) -> sqlx::Result<Self> {
        let text: String = sqlx::query_scalar("select pg_current_snapshot()::text").fetch_one(connection).await?;
        text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))
    }

    /// Only what transactions below that number did.
    fn cut(mut self, end: u64) -> Self {
        self.end = self.end.min(end);
        self.running.retain(|running| *running < end);
        self
    }

    fn running_texts(&self) -> Vec<String> {
        self.running.iter().map(u64::to_string).collect()
    }
}

impl FromStr for Snapshot {
    type Err = SnapshotError;

    /// `xmin:xmax:running,running`
    fn from_str(text: &str) -> Result<Self, SnapshotError> {
        let read = || {
            let (_, rest) = text.split_once(':')?;
            let (end, running) = rest.split_once(':')?;
            let running = running.split(',').filter(|number| !number.is_empty()).map(|number| number.parse().ok());
            Some(Self { end: end.parse().ok()?, running: running.collect::<Option<Vec<u64>>>()? })
        };
        read().ok_or_else(|| SnapshotError { text: text.to_owned() })
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begin = self.running.first().unwrap_or(&self.end);
        write!(formatter, "{begin}:{}:{}", self.end, self.running_texts().join(","))
    }
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

/// Whether a scope has records that a snapshot did not show.
///
/// # Errors
/// When the database fails.
pub async fn exist(pool: &PgPool, scope: &str, seen: &Snapshot) -> sqlx::Result<bool> {
    sqlx::query_scalar(
        "select exists (select from exchange_records where scope = $1 and transaction >= $2::text::xid8)
             or exists (select from exchange_records where scope = $1 and transaction = any($3::text[]::xid8[]))",
    )
    .bind(scope)
    .bind(seen.end.to_string())
    .bind(seen.running_texts())
    .fetch_one(pool)
    .await
}

/// The newest records of a scope since a time, in the order of time, and the snapshot that shows them.
///
/// # Errors
/// When the database fails.
pub async fn recent(
    pool: &PgPool,
    scope: &str,
    since: time::OffsetDateTime,
    records_max: i64,
) -> sqlx::Result<(EncodedRecords, Snapshot)> {
    let mut transaction = pool.begin_with("begin isolation level repeatable read, read only").await?;
    let now = Snapshot::now(&mut transaction).await?;
    let mut records = EncodedRecords::default();
    let mut rows = sqlx::query(
        "select record from (
             select at, record from exchange_records where scope = $1 and at >= $2 order by at desc limit $3) as newest
         order by at",
    )
    .bind(scope)
    .bind(since)
    .bind(records_max)
    .fetch(&mut *transaction);
    while let Some(row) = rows.try_next().await? {
        records.push(row.try_get(0)?);
    }
    drop(rows);
    transaction.commit().await?;
    Ok((records, now))
}

/// Gives records whose transactions this server does not know numbers of its own, as after restoring a dump into a server that
/// counts from lower numbers. How many there were.
///
/// # Errors
/// When the database fails.
pub async fn renumber_restored(pool: &PgPool, scope: &str) -> sqlx::Result<u64> {
    // What is visible has a number below the snapshot's end, or comes from elsewhere.
    let renumbered = sqlx::query(
        "update exchange_records set transaction = pg_current_xact_id()
         where scope = $1 and transaction >= pg_snapshot_xmax(pg_current_snapshot())",
    )
    .bind(scope)
    .execute(pool)
    .await?;
    Ok(renumbered.rows_affected())
}

impl Reading {
    /// # Errors
    /// When the database fails.
    pub async fn begin(pool: &PgPool) -> sqlx::Result<Self> {
        let mut transaction = pool.begin_with("begin isolation level repeatable read, read only").await?;
        let now = Snapshot::now(&mut transaction).await?;
        // Everything read is new and comes in the order of the index. Before a table was analysed, or when many rows were added
        // since, the planner would rather read all of it and sort.
        for setting in
            ["set local enable_seqscan = off", "set local enable_bitmapscan = off", "set local enable_sort = off"]
        {
            sqlx::query(setting).execute(&mut *transaction).await?;
        }
        Ok(Self { transaction, now })
    }

    /// Sends the records of a scope that a snapshot did not show, in the order of their transactions, those of one transaction
    /// in the order in which they were stored. Gives the snapshot that shows all that was sent: the present one, or less when
    /// it was told to stop, which it does between transactions.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn read(
        mut self,
        scope: &str,
        seen: &Snapshot,
        stopping: &CancellationToken,
        chunks: mpsc::Sender<EncodedRecords>,
    ) -> sqlx::Result<Snapshot> {
        let mut sender = ChunkSender { chunk: EncodedRecords::default(), chunks };
        let mut sent = self.now.clone();
        let mut last = None;
        // One by one, so that each comes from its place in the index.
        let running = seen.running.iter().map(|number| (*number, "transaction = $2::text::xid8"));
        for (number, condition) in running.chain([(seen.end, "transaction >= $2::text::xid8")]) {
            // A cursor, of which nothing is left to receive when it is told to stop.
            let statement = format!(
                "declare new_records no scroll cursor for
                 select transaction::text::bigint as number, record from exchange_records
                 where scope = $1 and {condition} order by transaction"
            );
            let declared = sqlx::query(AssertSqlSafe(statement)).bind(scope).bind(number.to_string()).persistent(false);
            declared.execute(&mut *self.transaction).await?;
            let stopped_before = send_rows(&mut self.transaction, stopping, &mut last, &mut sender).await?;
            sqlx::query("close new_records").execute(&mut *self.transaction).await?;
            if let Some(end) = stopped_before {
                sent = seen_before(sent, seen, end);
                break;
            }
        }
        sender.flush().await;
        self.transaction.commit().await?;
        Ok(sent)
    }
}

/// Sends the rows of the open cursor. When it is told to stop, it gives the transaction before which it did.
async fn send_rows(
    connection: &mut PgConnection,
    stopping: &CancellationToken,
    last: &mut Option<i64>,
    sender: &mut ChunkSender,
) -> sqlx::Result<Option<u64>> {
    loop {
        let mut rows = sqlx::query(FETCH).persistent(false).fetch(&mut *connection);
        let mut fetched = 0;
        let mut stopped_before = None;
        while let Some(row) = rows.try_next().await? {
            fetched += 1;
            if stopped_before.is_some() {
                continue;
            }
            let number: i64 = row.try_get(0)?;
            if last.is_some_and(|last| last != number) && stopping.is_cancelled() {
                stopped_before = Some(number.cast_unsigned());
                continue;
            }
            *last = Some(number);
            sender.push(&row).await?;
        }
        if stopped_before.is_some() || fetched < FETCH_ROWS {
            return Ok(stopped_before);
        }
    }
}

/// What was seen when reading `now` on top of `seen` ended before a transaction.
fn seen_before(now: Snapshot, seen: &Snapshot, end: u64) -> Snapshot {
    // Those that were running are read first: the rest of them is still to come, and all that began since.
    if end < seen.end {
        let running = seen.running.iter().copied().filter(|number| *number >= end || now.running.contains(number));
        return Snapshot { end: seen.end, running: running.collect() };
    }
    now.cut(end)
}

struct ChunkSender {
    chunk: EncodedRecords,
    chunks: mpsc::Sender<EncodedRecords>,
}

impl ChunkSender {
    async fn push(&mut self, row: &PgRow) -> sqlx::Result<()> {
        self.chunk.push(row.try_get(1)?);
        if self.chunk.bytes.len() >= CHUNK_BYTES {
            self.flush().await;
        }
        Ok(())
    }

    /// Nobody takes a chunk only when the taker failed, which it tells itself.
    async fn flush(&mut self) {
        let _ = self.chunks.send(std::mem::take(&mut self.chunk)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn snapshots_are_read_and_written_as_the_database_does() {
        let check = |text: &str, end: u64, running: &[u64]| {
            let snapshot: Snapshot = text.parse().unwrap();
            assert_eq!(snapshot, Snapshot { end, running: running.to_vec() });
            assert_eq!(snapshot.to_string(), text);
        };
        check("10:20:10,14,15", 20, &[10, 14, 15]);
        check("20:20:", 20, &[]);
        for malformed in ["", "20", "20:20", "a:b:c", "1:2:3,x"] {
            assert!(malformed.parse::<Snapshot>().is_err(), "{malformed}");
        }
        let cut = Snapshot { end: 20, running: vec![10, 15] }.cut(12);
        assert_eq!(cut, Snapshot { end: 12, running: vec![10] });
    }

    #[test]
    fn who_stops_half_way_has_seen_what_was_sent() {
        let seen = Snapshot { end: 20, running: vec![10, 14, 15] };
        let now = Snapshot { end: 30, running: vec![14, 25] };
        // 10 and 15 ended meanwhile, 14 still runs.
        let check = |end: u64, expected: Snapshot| assert_eq!(seen_before(now.clone(), &seen, end), expected, "{end}");
        check(15, Snapshot { end: 20, running: vec![14, 15] });
        check(22, Snapshot { end: 22, running: vec![14] });
        check(28, Snapshot { end: 28, running: vec![14, 25] });
    }
}
