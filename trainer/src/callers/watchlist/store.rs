//! The watchlist in the store.

use std::time::Duration;

use apiward_detector::limits::{WATCH_ENTRIES_MAX, WATCH_REASON_BYTES_MAX};
use apiward_detector::volume::SessionSubject;
use apiward_detector::watchlist::{WatchEntry, Watchlist};
use serde::Serialize;
use sqlx::{FromRow, PgConnection};
use time::OffsetDateTime;

use crate::callers::watch::WatchedAlarm;

/// How long what a person cleared is not put there again by itself.
const CLEARED_FOR: Duration = Duration::from_secs(3600);
/// Who put an entry there, where it was found out.
const DETECTED: &str = "detected";

/// One entry as people see it.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub scope: String,
    /// Keyed hash of the caller or the address: 16 hexadecimal digits.
    pub subject: String,
    /// `caller` or `address`.
    pub subject_kind: String,
    pub reason: String,
    /// The highest of its alarms, 0..1.
    pub score: f32,
    /// Exchanges with an alarm.
    pub alarms: i64,
    /// `detected`, or role and scope of the token that put it there.
    pub source: String,
    #[serde(with = "time::serde::rfc3339")]
    pub first_seen: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

#[derive(FromRow)]
struct Row {
    scope: String,
    subject: i64,
    subject_kind: String,
    reason: String,
    score: f32,
    alarms: i64,
    source: String,
    first_seen: OffsetDateTime,
    last_seen: OffsetDateTime,
    expires_at: OffsetDateTime,
}

/// What putting alarms there changed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Put {
    /// Entries that were not there, or had expired.
    pub new: usize,
}

const COLUMNS: &str =
    "select scope, subject, subject_kind, reason, score, alarms, source, first_seen, last_seen, expires_at
     from watchlist where expires_at > now()";

/// Puts callers and addresses on the list for so long since their last alarm. Filters hear of it when an entry is new, or when
/// one that is there would end in less than half of that.
///
/// # Errors
/// When the database fails.
pub async fn put(
    transaction: &mut PgConnection,
    scope: &str,
    alarms: &[WatchedAlarm],
    listed_for: Duration,
    now: OffsetDateTime,
) -> sqlx::Result<Put> {
    let (mut put, mut changed) = (Put::default(), false);
    for alarm in alarms {
        let expires_at = alarm.at + listed_for;
        if expires_at <= now {
            continue;
        }
        let subject = alarm.subject.hash.cast_signed();
        let kind = alarm.subject.subject.noun();
        let known: Option<(OffsetDateTime, Option<OffsetDateTime>)> = sqlx::query_as(
            "select expires_at, cleared_until from watchlist where scope = $1 and subject_kind = $2 and subject = $3
             for update",
        )
        .bind(scope)
        .bind(kind)
        .bind(subject)
        .fetch_optional(&mut *transaction)
        .await?;
        let expired_before = known.is_none_or(|(expires_at, _)| expires_at <= now);
        if known.is_some_and(|(_, cleared_until)| cleared_until.is_some_and(|until| until > now)) {
            continue;
        }
        // One that goes on for long is told of now and then, not with every batch.
        let ends_soon = known.is_none_or(|(expires_at, _)| expires_at - now < listed_for / 2);
        sqlx::query(
            "insert into watchlist as known (scope, subject_kind, subject, reason, score, alarms, source, last_seen, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
             on conflict (scope, subject_kind, subject) do update set
                 reason = case when $5 > known.score or known.expires_at <= $10 then $4 else known.reason end,
                 score = case when known.expires_at <= $10 then $5 else greatest(known.score, $5) end,
                 alarms = case when known.expires_at <= $10 then $6 else known.alarms + $6 end,
                 source = case when known.expires_at <= $10 then $7 else known.source end,
                 first_seen = case when known.expires_at <= $10 then $8 else known.first_seen end,
                 last_seen = greatest(known.last_seen, $8),
                 expires_at = case when $11 then greatest(known.expires_at, $9) else known.expires_at end,
                 cleared_until = null",
        )
        .bind(scope)
        .bind(kind)
        .bind(subject)
        .bind(bounded(&alarm.subject.reason))
        .bind(alarm.subject.score)
        .bind(i64::from(alarm.alarms))
        .bind(DETECTED)
        .bind(alarm.at)
        .bind(expires_at)
        .bind(now)
        .bind(ends_soon)
        .execute(&mut *transaction)
        .await?;
        put.new += usize::from(expired_before);
        changed |= ends_soon;
    }
    if changed {
        count_up(transaction, scope).await?;
    }
    Ok(put)
}

/// What an operator puts there.
#[derive(Debug)]
pub struct NewEntry<'e> {
    pub scope: &'e str,
    pub subject: SessionSubject,
    pub hash: u64,
    pub reason: &'e str,
    pub source: &'e str,
    pub expires_at: OffsetDateTime,
}

/// Puts one entry there by hand, in place of what is known of that subject.
///
/// # Errors
/// When the database fails.
pub async fn add(transaction: &mut PgConnection, entry: &NewEntry<'_>) -> sqlx::Result<()> {
    sqlx::query(
        "insert into watchlist (scope, subject_kind, subject, reason, score, alarms, source, expires_at)
         values ($1, $2, $3, $4, 1, 0, $5, $6)
         on conflict (scope, subject_kind, subject) do update set
             reason = excluded.reason, score = 1, alarms = 0, source = excluded.source, first_seen = now(),
             last_seen = now(), expires_at = excluded.expires_at, cleared_until = null",
    )
    .bind(entry.scope)
    .bind(entry.subject.noun())
    .bind(entry.hash.cast_signed())
    .bind(bounded(entry.reason))
    .bind(entry.source)
    .bind(entry.expires_at)
    .execute(&mut *transaction)
    .await?;
    count_up(transaction, entry.scope).await
}

/// Takes entries off, all of a scope or one, for good as far as what happened until now goes. How many there were.
///
/// # Errors
/// When the database fails.
pub async fn clear(
    transaction: &mut PgConnection,
    scope: &str,
    only: Option<(SessionSubject, u64)>,
) -> sqlx::Result<u64> {
    let cleared = sqlx::query(
        "update watchlist set expires_at = now(), cleared_until = now() + make_interval(secs => $4)
         where scope = $1 and expires_at > now() and ($2::text is null or (subject_kind = $2 and subject = $3))",
    )
    .bind(scope)
    .bind(only.map(|(subject, _)| subject.noun()))
    .bind(only.map(|(_, hash)| hash.cast_signed()))
    .bind(CLEARED_FOR.as_secs_f64())
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if cleared > 0 {
        count_up(transaction, scope).await?;
    }
    Ok(cleared)
}

/// The entries that hold now, those that end last first.
///
/// # Errors
/// When the database fails.
pub async fn list(connection: &mut PgConnection, scope: Option<&str>, limit: u32) -> sqlx::Result<Vec<Entry>> {
    let statement =
        format!("{COLUMNS} and ($1::text is null or scope = $1) order by expires_at desc, scope, subject limit $2");
    let rows: Vec<Row> =
        sqlx::query_as(sqlx::AssertSqlSafe(statement)).bind(scope).bind(i64::from(limit)).fetch_all(connection).await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The entries of a hash, as a caller or as an address.
///
/// # Errors
/// When the database fails.
pub async fn of_subject(connection: &mut PgConnection, scope: &str, hash: u64) -> sqlx::Result<Vec<Entry>> {
    let statement = format!("{COLUMNS} and scope = $1 and subject = $2 order by subject_kind");
    let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
        .bind(scope)
        .bind(hash.cast_signed())
        .fetch_all(connection)
        .await?;
    Ok(rows.into_iter().map(Entry::from).collect())
}

/// The list as filters get it, and its revision; 0 where nobody ever was on it.
///
/// # Errors
/// When the database fails.
pub async fn for_filters(connection: &mut PgConnection, scope: &str) -> sqlx::Result<Watchlist> {
    let revision = revision(&mut *connection, scope).await?;
    let rows: Vec<(String, i64, OffsetDateTime, f32, String)> = sqlx::query_as(
        "select subject_kind, subject, expires_at, score, reason from watchlist
         where scope = $1 and expires_at > now() order by expires_at desc limit $2",
    )
    .bind(scope)
    .bind(WATCH_ENTRIES_MAX as i64)
    .fetch_all(connection)
    .await?;
    let entry = |(kind, subject, expires_at, score, reason): (String, i64, OffsetDateTime, f32, String)| {
        let expires_ms = i64::try_from(expires_at.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
        let subject_kind = subject_of(&kind)?;
        Some(WatchEntry { subject: subject_kind, hash: subject.cast_unsigned(), expires_ms, score, reason })
    };
    Ok(Watchlist::new(scope.to_owned(), revision, rows.into_iter().filter_map(entry).collect()))
}

/// Counts the changes of a scope's list.
///
/// # Errors
/// When the database fails.
pub async fn revision(connection: &mut PgConnection, scope: &str) -> sqlx::Result<u64> {
    let revision: Option<i64> = sqlx::query_scalar("select revision from watchlist_revisions where scope = $1")
        .bind(scope)
        .fetch_optional(connection)
        .await?;
    Ok(revision.map_or(0, i64::cast_unsigned))
}

/// Deletes what ended long ago.
///
/// # Errors
/// When the database fails.
pub async fn drop_expired(connection: &mut PgConnection) -> sqlx::Result<()> {
    sqlx::query(
        "delete from watchlist where expires_at < now() - interval '1 day'
             and (cleared_until is null or cleared_until < now())",
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Whom `caller` or `address` names.
pub fn subject_of(noun: &str) -> Option<SessionSubject> {
    [SessionSubject::Caller, SessionSubject::Address].into_iter().find(|subject| subject.noun() == noun)
}

async fn count_up(connection: &mut PgConnection, scope: &str) -> sqlx::Result<()> {
    sqlx::query(
        "insert into watchlist_revisions as known (scope, revision) values ($1, 1)
         on conflict (scope) do update set revision = known.revision + 1",
    )
    .bind(scope)
    .execute(connection)
    .await?;
    Ok(())
}

fn bounded(reason: &str) -> &str {
    let end = (0..=WATCH_REASON_BYTES_MAX.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    &reason[..end.unwrap_or(0)]
}

impl From<Row> for Entry {
    fn from(row: Row) -> Self {
        Self {
            scope: row.scope,
            subject: format!("{:016x}", row.subject.cast_unsigned()),
            subject_kind: row.subject_kind,
            reason: row.reason,
            score: row.score,
            alarms: row.alarms,
            source: row.source,
            first_seen: row.first_seen,
            last_seen: row.last_seen,
            expires_at: row.expires_at,
        }
    }
}
