//! A private PostgreSQL cluster, run from the installed server programs when no `DATABASE_URL` is given.
//!
//! It lives in one folder, listens on a Unix socket in that folder only, and is stopped with its owner. PostgreSQL refuses to
//! run as root, so a trainer that runs as root runs it as an unprivileged account.

mod account;
mod orphan;
mod place;
mod programs;
mod server;

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use sqlx::postgres::PgConnectOptions;

use place::Place;
use server::Server;

/// Where a private cluster lives and from which programs it runs.
#[derive(Debug, Clone)]
pub struct ClusterSettings {
    /// The trainer's data directory.
    pub data_dir: PathBuf,
    /// Folder of `initdb` and `postgres`; searched for when `None`.
    pub programs: Option<PathBuf>,
}

/// A running private cluster. Dropping it asks the server to stop without waiting; [`PrivateCluster::stop`] waits.
#[derive(Debug)]
pub struct PrivateCluster {
    server: Server,
    folder: PathBuf,
    connect_options: PgConnectOptions,
    /// Held as long as the server may run: whoever has it may stop a server that was left behind.
    _lock: File,
}

/// The role and the database of the private cluster.
const NAME: &str = "apiward";

impl PrivateCluster {
    /// Creates the cluster where there is none and starts it.
    ///
    /// # Errors
    /// When another trainer uses the data directory, the server programs are missing or of another version than the
    /// cluster, no unprivileged account exists for a trainer that runs as root, or the server does not start.
    pub async fn start(settings: &ClusterSettings) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.data_dir)
            .with_context(|| format!("create the data directory {}", settings.data_dir.display()))?;
        let lock = lock(&settings.data_dir)?;
        let account = account::for_server()?;
        let place = Place::prepare(&settings.data_dir, account.as_ref())?;
        let programs = programs::find(settings.programs.as_deref(), place.version()?.as_deref())?;
        if place.version()?.is_none() {
            server::initialise(&programs, &place, account.as_ref(), NAME).await?;
        }
        orphan::stop(&place.cluster).await?;
        let connect_options = connect_options(&place)?;
        let server = Server::start(&programs, &place, account.as_ref(), &connect_options).await?;
        server::create_database(&connect_options, NAME).await?;
        tracing::info!(folder = %place.base.display(), version = programs.version, "the private PostgreSQL cluster runs");
        Ok(Self { server, folder: place.base, connect_options: connect_options.database(NAME), _lock: lock })
    }

    /// Where it is kept: in the data directory, or elsewhere if the server's account cannot enter that.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How to connect to the cluster's database.
    pub fn connect_options(&self) -> PgConnectOptions {
        self.connect_options.clone()
    }

    /// Ends when the server ends by itself, which it never should.
    pub async fn died(&mut self) -> anyhow::Error {
        self.server.died().await
    }

    /// Stops the server fast: sessions are ended, what was committed is kept.
    ///
    /// # Errors
    /// When the server cannot be signalled.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.server.stop().await
    }
}

/// How to connect to the cluster that a running trainer has in this data directory; `None` when no trainer runs on it.
///
/// # Errors
/// When the data directory cannot be used.
pub fn of_running_trainer(settings: &ClusterSettings) -> anyhow::Result<Option<PgConnectOptions>> {
    if try_lock(&settings.data_dir)?.is_some() {
        return Ok(None);
    }
    let place = Place::prepare(&settings.data_dir, account::for_server()?.as_ref())?;
    Ok(Some(connect_options(&place)?.database(NAME)))
}

fn connect_options(place: &Place) -> anyhow::Result<PgConnectOptions> {
    Ok(PgConnectOptions::new_without_pgpass()
        .socket(&place.socket)
        .username(NAME)
        .password(&place.password()?)
        .application_name("apiward"))
}

fn lock(data_dir: &Path) -> anyhow::Result<File> {
    match try_lock(data_dir)? {
        Some(file) => Ok(file),
        None => {
            bail!("another trainer uses the data directory {}: stop it or give this one its own", data_dir.display())
        }
    }
}

/// `None` when another process holds it.
fn try_lock(data_dir: &Path) -> anyhow::Result<Option<File>> {
    let path = data_dir.join("cluster.lock");
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(|| format!("open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(std::fs::TryLockError::WouldBlock) => Ok(None),
        Err(std::fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("lock {}", path.display())),
    }
}
