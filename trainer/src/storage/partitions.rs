//! Daily partitions of the exchange records: made ahead and on demand, dropped when their retention is over.

use std::collections::BTreeSet;

use anyhow::Context as _;
use sqlx::{AssertSqlSafe, PgPool};
use time::{Date, Duration, OffsetDateTime};

use super::{LockName, lock_in_transaction};

/// Days for which partitions are made ahead; yesterday's is made too, since telemetry may be a day late.
const DAYS_AHEAD: i64 = 2;
const PREFIX: &str = "exchange_records_";

/// The partitions from yesterday to a few days ahead.
pub fn days_around(now: OffsetDateTime) -> BTreeSet<Date> {
    (-1..=DAYS_AHEAD).map(|days| (now + Duration::days(days)).date()).collect()
}

/// Makes the partitions of these days (UTC) where there are none.
///
/// # Errors
/// When the database refuses.
pub async fn create(pool: &PgPool, days: &BTreeSet<Date>) -> anyhow::Result<()> {
    let existing = existing(pool).await?;
    let missing: Vec<Date> = days.iter().copied().filter(|day| !existing.contains(day)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut transaction = pool.begin().await?;
    lock_in_transaction(&mut transaction, LockName::Partitions).await?;
    for day in missing {
        let next = day.next_day().with_context(|| format!("no day follows {day}"))?;
        let name = name_of(day);
        // Another trainer may have made it since the look before the lock.
        let exists: bool =
            sqlx::query_scalar("select to_regclass($1) is not null").bind(&name).fetch_one(&mut *transaction).await?;
        if exists {
            continue;
        }
        // Made apart and attached: that waits for no reader and no writer of the other partitions.
        for statement in [
            format!("create table {name} (like exchange_records including all)"),
            format!(
                "alter table exchange_records attach partition {name} for values from ('{day} 00:00:00Z') to ('{next} 00:00:00Z')"
            ),
        ] {
            sqlx::query(AssertSqlSafe(statement))
                .execute(&mut *transaction)
                .await
                .with_context(|| format!("make the partition of {day}"))?;
        }
    }
    transaction.commit().await?;
    Ok(())
}

/// Drops the partitions of days that ended before `oldest`; gives their days.
///
/// # Errors
/// When the database refuses.
pub async fn drop_before(pool: &PgPool, oldest: OffsetDateTime) -> anyhow::Result<Vec<Date>> {
    let over: Vec<Date> = existing(pool).await?.into_iter().filter(|day| *day < oldest.date()).collect();
    if over.is_empty() {
        return Ok(over);
    }
    let mut transaction = pool.begin().await?;
    lock_in_transaction(&mut transaction, LockName::Partitions).await?;
    // Dropping waits for readers, and everybody else would wait behind it: rather give up and come back.
    sqlx::query("set local lock_timeout = '3s'").execute(&mut *transaction).await?;
    for day in &over {
        sqlx::query(AssertSqlSafe(format!("drop table if exists {}", name_of(*day))))
            .execute(&mut *transaction)
            .await?;
    }
    transaction.commit().await?;
    Ok(over)
}

/// The days that have a partition.
pub async fn existing(pool: &PgPool) -> sqlx::Result<BTreeSet<Date>> {
    let names: Vec<String> = sqlx::query_scalar(
        "select child.relname::text from pg_inherits join pg_class child on child.oid = inhrelid
         where inhparent = 'exchange_records'::regclass",
    )
    .fetch_all(pool)
    .await?;
    Ok(names.iter().filter_map(|name| day_of(name)).collect())
}

fn name_of(day: Date) -> String {
    format!("{PREFIX}{:04}{:02}{:02}", day.year(), u8::from(day.month()), day.day())
}

fn day_of(name: &str) -> Option<Date> {
    let digits = name.strip_prefix(PREFIX).filter(|digits| digits.len() == 8 && digits.is_ascii())?;
    let year = digits[..4].parse().ok()?;
    let month: u8 = digits[4..6].parse().ok()?;
    Date::from_calendar_date(year, month.try_into().ok()?, digits[6..].parse().ok()?).ok()
}

#[cfg(test)]
mod tests {
    use time::macros::{date, datetime};

    use super::*;

    #[test]
    fn a_partition_is_named_by_its_day() {
        for day in [date!(2026 - 11 - 23), date!(2027 - 01 - 01)] {
            assert_eq!(day_of(&name_of(day)), Some(day));
        }
        assert_eq!(day_of("exchange_records_default"), None);
        assert_eq!(day_of("exchange_records_20261399"), None);
    }

    #[test]
    fn late_and_coming_days_have_partitions() {
        let days = days_around(datetime!(2026-12-31 23:59:59 UTC));
        assert!(days.contains(&date!(2026 - 12 - 30)) && days.contains(&date!(2027 - 01 - 01)));
    }
}
