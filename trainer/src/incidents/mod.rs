//! Outages: when most exchanges of a host or an endpoint fail, whoever sends them, that is one incident of the service and
//! no anomaly of its callers.

mod assessment;

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row as _};
use time::{Duration, OffsetDateTime};

use crate::detections::storable;
use crate::storage::records::StoredRecord;
use crate::storage::{LockName, lock_in_transaction};
use assessment::{FAILURES_MIN, Outage, Slot, WINDOW};

/// Pause after which further failures are a new incident.
const GAP: Duration = Duration::seconds(120);
/// How far back from the latest failure of a transaction outages are looked for.
const REACH: Duration = Duration::minutes(15);

/// Latest records that are looked through, of a host so busy that the window has more: as many tell enough.
const RECORDS_MAX: i64 = 20_000;

/// The exchanges of one host in a transaction.
#[derive(Debug, Default)]
struct HostTraffic<'r> {
    slots: BTreeMap<(i64, Option<&'r str>), Slot>,
    /// When the first and the last failed.
    failures: Option<(OffsetDateTime, OffsetDateTime)>,
}

/// The traffic of a transaction by scope and host, in a fixed order so that transactions lock in the same one.
#[derive(Debug, Default)]
pub struct Traffic<'r>(BTreeMap<(&'r str, &'r str), HostTraffic<'r>>);

impl<'r> Traffic<'r> {
    pub fn add(&mut self, stored: &StoredRecord<'r>) {
        let record = stored.record;
        let observation = &record.observation;
        let host = self.0.entry((stored.scope, &observation.host)).or_default();
        let endpoint = record.verdict.as_ref().map(|verdict| verdict.endpoint.as_str());
        let number = stored.at.unix_timestamp().div_euclid(assessment::SLOT_S);
        let slot = host.slots.entry((number, endpoint)).or_insert_with(|| Slot::new(number, endpoint));
        let failed = observation.response.as_ref().is_some_and(|response| response.is_server_failure());
        slot.add(stored.at, f64::from(record.weight), failed, record.caller.distinct_by().map(u64::cast_signed));
        if failed {
            let (first, last) = host.failures.unwrap_or((stored.at, stored.at));
            host.failures = Some((first.min(stored.at), last.max(stored.at)));
        }
    }

    /// Opens or extends the incidents that the stored records, those of this transaction included, make up.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn store(self, connection: &mut PgConnection) -> sqlx::Result<()> {
        for ((scope, host), traffic) in self.0 {
            let Some((earliest, latest)) = traffic.failures else {
                continue;
            };
            let slots: Vec<Slot> = traffic.slots.into_values().collect();
            // An outage fails most of what comes; single failures of a busy host cost nothing.
            if !assessment::is_suspicious(&slots) {
                continue;
            }
            let host = storable(host);
            lock_in_transaction(connection, LockName::Incidents { scope, host: &host }).await?;
            let new_failures = slots.iter().map(|slot| slot.failed_records).sum();
            // While an incident goes on, a transaction that shows the outage by itself extends it: what is stored is looked
            // through only when that is not enough.
            if let Some(outage) = assessment::assess(&slots)
                && extend(connection, scope, &host, &outage, new_failures).await?
            {
                continue;
            }
            if let Some(outage) = find_outage(connection, scope, &host, earliest, latest).await?
                && !extend(connection, scope, &host, &outage, new_failures).await?
            {
                open(connection, scope, &host, &outage).await?;
            }
        }
        Ok(())
    }
}

async fn find_outage(
    connection: &mut PgConnection,
    scope: &str,
    host: &str,
    earliest: OffsetDateTime,
    latest: OffsetDateTime,
) -> sqlx::Result<Option<Outage>> {
    let from = earliest.max(latest - REACH) - WINDOW;
    let to = latest + WINDOW;
    // The index of failures answers this cheaply.
    let enough: i64 = sqlx::query_scalar(
        "select count(*) from (select 1 from exchange_records
         where scope = $1 and host = $2 and failed and at >= $3 and at < $4 limit $5) as failures",
    )
    .bind(scope)
    .bind(host)
    .bind(from)
    .bind(to)
    .bind(FAILURES_MIN)
    .fetch_one(&mut *connection)
    .await?;
    if enough < FAILURES_MIN {
        return Ok(None);
    }
    let rows = sqlx::query(
        "select floor(extract(epoch from at) / $5)::bigint, endpoint, sum(weight)::float8,
             coalesce(sum(weight) filter (where failed), 0)::float8, count(*) filter (where failed),
             coalesce((array_agg(distinct distinct_caller) filter (where failed and distinct_caller is not null))[1:$6],
                 array[]::bigint[]),
             min(at) filter (where failed), max(at) filter (where failed)
         from (select at, endpoint, weight, failed, distinct_caller from exchange_records
             where scope = $1 and host = $2 and at >= $3 and at < $4 order by at desc limit $7) as recent
         group by 1, 2",
    )
    .bind(scope)
    .bind(host)
    .bind(from)
    .bind(to)
    .bind(assessment::SLOT_S)
    .bind(i32::from(assessment::CALLERS_COUNTED))
    .bind(RECORDS_MAX)
    .fetch_all(connection)
    .await?;
    let slots = rows
        .iter()
        .map(|row| {
            Ok(Slot {
                number: row.try_get(0)?,
                endpoint: row.try_get(1)?,
                exchanges: row.try_get(2)?,
                failed: row.try_get(3)?,
                failed_records: row.try_get(4)?,
                failed_callers: row.try_get(5)?,
                first_failure: row.try_get(6)?,
                last_failure: row.try_get(7)?,
            })
        })
        .collect::<sqlx::Result<Vec<Slot>>>()?;
    Ok(assessment::assess(&slots))
}

/// Adds an outage next to or within a known incident to it: a host has one at a time. Each failure counts once: an incident
/// begins with those that were looked through, later transactions add their own. `false` when there is none.
async fn extend(
    connection: &mut PgConnection,
    scope: &str,
    host: &str,
    outage: &Outage,
    new_failures: i64,
) -> sqlx::Result<bool> {
    let extended = sqlx::query(
        "update detections set
             endpoint = case when endpoint = $3 then endpoint else host end,
             exchanges = exchanges + $4,
             callers = greatest(callers, $5),
             first_seen = least(first_seen, $6),
             last_seen = greatest(last_seen, $7)
         where id = (select id from detections where kind = 'incident' and scope = $1 and host = $2
             and last_seen >= $6 - $8 * interval '1 second' and first_seen <= $7 + $8 * interval '1 second'
             order by last_seen desc limit 1)",
    )
    .bind(scope)
    .bind(host)
    .bind(affected(outage, host))
    .bind(new_failures)
    .bind(outage.callers)
    .bind(outage.first)
    .bind(outage.last)
    .bind(GAP.as_seconds_f64())
    .execute(connection)
    .await?;
    Ok(extended.rows_affected() > 0)
}

async fn open(connection: &mut PgConnection, scope: &str, host: &str, outage: &Outage) -> sqlx::Result<()> {
    let endpoint = affected(outage, host);
    let reason = outage.reason(&endpoint);
    tracing::warn!(scope, host, endpoint, reason, "an incident began");
    sqlx::query(
        "insert into detections (scope, kind, host, endpoint, finding_key, finding, phase, reason, exchanges, callers,
             score, first_seen, last_seen)
         values ($1, 'incident', $2, $3, 0, 'outage', 'response', $4, $5, $6, 1, $7, $8)",
    )
    .bind(scope)
    .bind(host)
    .bind(&endpoint)
    .bind(&reason)
    .bind(outage.failures)
    .bind(outage.callers)
    .bind(outage.first)
    .bind(outage.last)
    .execute(connection)
    .await?;
    Ok(())
}

/// What fails: one endpoint, or the host.
fn affected(outage: &Outage, host: &str) -> String {
    outage.endpoint.as_deref().map_or_else(|| host.to_owned(), storable)
}
