//! The store: PostgreSQL, the trainer's own or one that `DATABASE_URL` names.

pub mod cluster;
mod copy;
mod lock;
pub mod new_records;
pub mod partitions;
pub mod records;

use std::time::Duration;

use anyhow::Context as _;
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use cluster::{ClusterSettings, PrivateCluster};

pub use lock::{LockName, lock_in_transaction, try_lock_in_session, try_lock_in_transaction};

/// The schema, embedded.
pub static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// Connections to the database.
const CONNECTIONS_MAX: u32 = 16;
/// How long a request waits for a connection.
const ACQUIRE_MAX: Duration = Duration::from_secs(5);

/// Which database to use.
#[derive(Debug, Clone)]
pub enum DatabaseSource {
    /// A server of the operator's: a PostgreSQL URL.
    Url(String),
    /// A private cluster.
    Private(ClusterSettings),
}

/// An open database at the newest schema.
#[derive(Debug)]
pub struct Database {
    pub pool: PgPool,
    /// The server, when it is the trainer's own.
    pub cluster: Option<PrivateCluster>,
}

impl Database {
    /// Starts the private cluster if need be, connects and migrates.
    ///
    /// # Errors
    /// When the cluster does not start, the database cannot be reached, or a migration fails.
    pub async fn open(source: &DatabaseSource) -> anyhow::Result<Self> {
        let (options, cluster) = match source {
            DatabaseSource::Url(url) => {
                let options = url.parse::<PgConnectOptions>().context("DATABASE_URL is no PostgreSQL URL")?;
                (options.application_name("apiward"), None)
            }
            DatabaseSource::Private(settings) => {
                let cluster = PrivateCluster::start(settings).await.context("start the private PostgreSQL cluster")?;
                (cluster.connect_options(), Some(cluster))
            }
        };
        let pool = connect(options).await?;
        Ok(Self { pool, cluster })
    }

    /// The same beside a trainer that may be running: its private cluster is then shared and left running.
    ///
    /// # Errors
    /// As [`Database::open`].
    pub async fn open_shared(source: &DatabaseSource) -> anyhow::Result<Self> {
        if let DatabaseSource::Private(settings) = source
            && let Some(options) = cluster::of_running_trainer(settings)?
        {
            return Ok(Self { pool: connect(options).await?, cluster: None });
        }
        Self::open(source).await
    }

    /// Closes the connections and stops the private cluster.
    ///
    /// # Errors
    /// When the server cannot be stopped.
    pub async fn close(self) -> anyhow::Result<()> {
        self.pool.close().await;
        match self.cluster {
            Some(cluster) => cluster.stop().await,
            None => Ok(()),
        }
    }
}

/// Connects to a database and brings its schema up to date.
///
/// # Errors
/// When it cannot be reached or a migration fails.
pub async fn connect(options: PgConnectOptions) -> anyhow::Result<PgPool> {
    let pool = PgPoolOptions::new()
        .max_connections(CONNECTIONS_MAX)
        .acquire_timeout(ACQUIRE_MAX)
        .connect_with(options)
        .await
        .context("connect to the database")?;
    MIGRATIONS.run(&pool).await.context("bring the database's schema up to date")?;
    Ok(pool)
}

/// Whether the database answers and has exactly the schema of this trainer.
pub async fn is_ready(pool: &PgPool) -> sqlx::Result<bool> {
    let newest: Option<i64> =
        sqlx::query_scalar("select max(version) from _sqlx_migrations where success").fetch_one(pool).await?;
    Ok(newest == MIGRATIONS.iter().map(|migration| migration.version).max())
}
