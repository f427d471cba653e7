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

/// The failed exchanges of one host in a transaction.
#[derive(Debug)]
struct Failures {
    count: i64,
    earliest: OffsetDateTime,
    latest: OffsetDateTime,
}

/// Failures of some records by scope and host, in a fixed order so that transactions lock in the same one.
#[derive(Debug, Default)]
pub struct FailedHosts<'r>(BTreeMap<(&'r str, &'r str), Failures>);

impl<'r> FailedHosts<'r> {
    pub fn add(&mut self, stored: &StoredRecord<'r>) {
        let observation = &stored.record.observation;
        if !observation.response.as_ref().is_some_and(|response| response.is_server_failure()) {
            return;
        }
        let failures = self.0.entry((stored.scope, &observation.host)).or_insert(Failures {
            count: 0,
            earliest: stored.at,
            latest: stored.at,
        });
        failures.count += 1;
        failures.earliest = failures.earliest.min(stored.at);
        failures.latest = failures.latest.max(stored.at);
    }

    /// Opens or extends the incidents that the stored records, those of this transaction included, make up.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn store(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        for ((scope, host), failures) in &self.0 {
            lock_in_transaction(connection, LockName::Incidents { scope, host }).await?;
            if let Some(outage) = find_outage(connection, scope, host, failures).await? {
                record(connection, scope, host, &outage, failures.count).await?;
            }
        }
        Ok(())
    }
}

async fn find_outage(
    connection: &mut PgConnection,
    scope: &str,
    host: &str,
    failures: &Failures,
) -> sqlx::Result<Option<Outage>> {
    let from = failures.earliest.max(failures.latest - REACH) - WINDOW;
    let to = failures.latest + WINDOW;
    // The index of failures answers this cheaply; single failures of a busy host stop here.
    let enough: i64 = sqlx::query_scalar(
        "select count(*) from (select 1 from exchange_records
         where scope = $1 and host = $2 and failed and at >= $3 and at < $4 limit $5) as failures",
    )
    .bind(scope)
    .bind(storable(host))
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
         from exchange_records where scope = $1 and host = $2 and at >= $3 and at < $4
         group by 1, 2 order by 1",
    )
    .bind(scope)
    .bind(storable(host))
    .bind(from)
    .bind(to)
    .bind(assessment::SLOT_S)
    .bind(assessment::CALLERS_COUNTED)
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

/// One incident at a time per host: an outage next to or within a known one extends it. Each failure counts once: an incident
/// begins with all that the outage has, later transactions add their own.
async fn record(
    connection: &mut PgConnection,
    scope: &str,
    host: &str,
    outage: &Outage,
    new_failures: i64,
) -> sqlx::Result<()> {
    let host = storable(host);
    let endpoint = outage.endpoint.as_deref().map_or_else(|| host.clone(), storable);
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
    .bind(&host)
    .bind(&endpoint)
    .bind(new_failures)
    .bind(outage.callers)
    .bind(outage.first)
    .bind(outage.last)
    .bind(GAP.as_seconds_f64())
    .execute(&mut *connection)
    .await?;
    if extended.rows_affected() > 0 {
        return Ok(());
    }
    tracing::warn!(scope, host, endpoint, reason = outage.reason(&endpoint), "an incident began");
    sqlx::query(
        "insert into detections (scope, kind, host, endpoint, finding_key, finding, phase, reason, exchanges, callers,
             score, first_seen, last_seen)
         values ($1, 'incident', $2, $3, 0, 'outage', 'response', $4, $5, $6, 1, $7, $8)",
    )
    .bind(scope)
    .bind(&host)
    .bind(&endpoint)
    .bind(outage.reason(&endpoint))
    .bind(outage.failures)
    .bind(outage.callers)
    .bind(outage.first)
    .bind(outage.last)
    .execute(connection)
    .await?;
    Ok(())
}
