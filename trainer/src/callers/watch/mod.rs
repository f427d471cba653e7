//! Follows the records of all scopes as they are committed, and puts callers and addresses that alarm on the watchlist.
//!
//! No single proxy sees an attack that is spread over several of them; here their records come together, in sessions as the
//! filter keeps them and judged by the same code. Of the trainers of one database one does this, the holder of a lock; another
//! takes over when it is gone, beginning with the records of the last hours.

mod scope;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::Context as _;
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgPool};
use time::OffsetDateTime;

use crate::serve::Service;
use crate::storage::new_records;
use crate::storage::{LockName, try_lock_in_session};

use super::watchlist;
use scope::{Followed, ScopeWatch};

pub use scope::WatchedAlarm;

/// How often new records are looked for.
const EVERY: Duration = Duration::from_secs(1);

/// Follows until the trainer stops.
pub async fn run(service: Service) {
    let mut watch = None;
    loop {
        if let Err(error) = round(&service, &mut watch).await {
            tracing::warn!(error = format!("{error:#}"), "callers could not be followed, it is tried again");
            watch = None;
        }
        tokio::select! {
            () = service.stopping.cancelled() => return,
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}

/// The lock, and what is known by it.
struct Watch {
    /// Holds the lock as long as it is open.
    connection: PgConnection,
    scopes: HashMap<String, ScopeWatch>,
}

impl Watch {
    /// `None` while another trainer holds the lock.
    async fn begin(pool: &PgPool) -> anyhow::Result<Option<Self>> {
        let mut connection = pool.acquire().await?.detach();
        let held = try_lock_in_session(&mut connection, LockName::Callers).await?;
        Ok(held.then(|| Self { connection, scopes: HashMap::new() }))
    }
}

async fn round(service: &Service, watch: &mut Option<Watch>) -> anyhow::Result<()> {
    if watch.is_none() {
        *watch = Watch::begin(&service.pool).await.context("take the lock on following callers")?;
    }
    let Some(watch) = watch else { return Ok(()) };
    watch.connection.ping().await.context("keep the lock on following callers")?;
    for scope in new_records::scopes(&service.pool).await? {
        if service.stopping.is_cancelled() {
            return Ok(());
        }
        // What is wrong with one scope, such as records that cannot be read, is no reason to lose the sessions of the others.
        if let Err(error) = follow(service, watch, &scope).await {
            tracing::warn!(scope, error = format!("{error:#}"), "callers could not be followed, it is tried again");
        }
    }
    Ok(())
}

/// Takes in the new records of one scope, and tells of who alarmed in them.
async fn follow(service: &Service, watch: &mut Watch, scope: &str) -> anyhow::Result<()> {
    let followed = ScopeWatch::follow(service, scope, watch.scopes.remove(scope)).await?;
    let Some(Followed { watch: kept, alarms, unreadable, broken_off }) = followed else { return Ok(()) };
    service.metrics.watched_records_unreadable.inc_by(unreadable);
    if let Some(kept) = kept {
        watch.scopes.insert(scope.to_owned(), kept);
    }
    put(service, scope, &alarms).await.context("put callers on the watchlist")?;
    broken_off.map_or(Ok(()), |error| Err(error).context("read new records"))
}

async fn put(service: &Service, scope: &str, alarms: &[WatchedAlarm]) -> anyhow::Result<()> {
    if alarms.is_empty() {
        return Ok(());
    }
    let mut transaction = service.pool.begin().await?;
    let listed_for = service.settings.watchlist_for;
    let put = watchlist::put(&mut transaction, scope, alarms, listed_for, OffsetDateTime::now_utc()).await?;
    transaction.commit().await?;
    service.metrics.watchlist_alarms.inc_by(alarms.len() as u64);
    if put.new > 0 {
        tracing::info!(scope, entries = put.new, "put callers or addresses on the watchlist");
    }
    Ok(())
}
