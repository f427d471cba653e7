//! Advisory locks, by which several trainers on one database take turns.

use apiward_detector::hashing::stable_hash;
use sqlx::PgConnection;

/// What is locked. Each gives a number of its own in the database.
#[derive(Debug, Clone, Copy)]
pub enum LockName<'a> {
    /// Creating and dropping partitions.
    Partitions,
    /// Deciding on scheduled training runs.
    Schedule,
    /// The next serial of a scope.
    Publication { scope: &'a str },
    /// Following callers across proxies.
    Callers,
    /// Incidents of a host.
    Incidents { scope: &'a str, host: &'a str },
}

impl LockName<'_> {
    fn number(self) -> i64 {
        let parts: [&str; 3] = match self {
            LockName::Partitions => ["partitions", "", ""],
            LockName::Schedule => ["schedule", "", ""],
            LockName::Callers => ["callers", "", ""],
            LockName::Publication { scope } => ["publication", scope, ""],
            LockName::Incidents { scope, host } => ["incidents", scope, host],
        };
        stable_hash(&parts.map(str::as_bytes)).cast_signed()
    }
}

/// Waits for the lock; it is held to the end of the transaction.
pub async fn lock_in_transaction(connection: &mut PgConnection, name: LockName<'_>) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_xact_lock($1)").bind(name.number()).execute(connection).await?;
    Ok(())
}

/// Takes the lock to the end of the transaction if it is free.
pub async fn try_lock_in_transaction(connection: &mut PgConnection, name: LockName<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar("select pg_try_advisory_xact_lock($1)").bind(name.number()).fetch_one(connection).await
}

/// Takes the lock, if it is free, until the connection is closed.
pub async fn try_lock_in_session(connection: &mut PgConnection, name: LockName<'_>) -> sqlx::Result<bool> {
    sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(name.number()).fetch_one(connection).await
}
