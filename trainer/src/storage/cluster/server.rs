//! The server process.

use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tokio::process::{Child, Command};

use super::account::Account;
use super::place::Place;
use super::programs::Programs;

/// How long the server may take to start, recovery after a crash included.
const START_MAX: Duration = Duration::from_secs(300);
const START_POLL: Duration = Duration::from_millis(50);
/// How long a fast stop may take before the server is stopped at once.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Lines of the server's log that a failed start shows.
const LOG_LINES_SHOWN: usize = 12;
/// The server's log is begun anew at a start when it is larger.
const LOG_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// What is set for a private server beside PostgreSQL's defaults.
const PARAMETERS: [(&str, &str); 6] = [
    ("listen_addresses", ""),
    ("port", "5432"),
    ("unix_socket_permissions", "0700"),
    ("max_connections", "64"),
    ("max_wal_size", "512MB"),
    ("timezone", "UTC"),
];

#[derive(Debug)]
pub struct Server {
    child: Child,
    pid: Pid,
}

/// Makes the cluster's files: beside their final place, so that an interrupted start leaves no half of a cluster there.
pub async fn initialise(
    programs: &Programs,
    place: &Place,
    account: Option<&Account>,
    superuser: &str,
) -> anyhow::Result<()> {
    tracing::info!(folder = %place.cluster.display(), version = programs.version, "creating a private PostgreSQL cluster");
    let unfinished = place.base.join("cluster.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).with_context(|| format!("remove {}", unfinished.display()))?;
    }
    let output = command(&programs.initdb, place, account)
        .args(["--username", superuser, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-locale", "--pgdata"])
        .arg(&unfinished)
        .arg("--pwfile")
        .arg(place.password_file())
        .stdin(Stdio::null())
        .output()
        .await
        .with_context(|| format!("run {}", programs.initdb.display()))?;
    if !output.status.success() {
        bail!("initdb failed: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    std::fs::rename(&unfinished, &place.cluster).with_context(|| format!("rename {}", unfinished.display()))
}

/// Creates a database where there is none of that name, which must be a plain word.
pub async fn create_database(server: &PgConnectOptions, name: &'static str) -> anyhow::Result<()> {
    let mut connection =
        server.clone().database("postgres").connect().await.context("connect to the private cluster")?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await?;
    }
    connection.close().await?;
    Ok(())
}

impl Server {
    /// Starts the server and waits until it answers.
    pub async fn start(
        programs: &Programs,
        place: &Place,
        account: Option<&Account>,
        connect_options: &PgConnectOptions,
    ) -> anyhow::Result<Self> {
        let log = open_log(&place.log)?;
        let mut command = command(&programs.postgres, place, account);
        command.arg("-D").arg(&place.cluster).arg("-k").arg(&place.socket);
        for (name, value) in PARAMETERS {
            command.arg("-c").arg(format!("{name}={value}"));
        }
        // Its own process group: an interrupt typed at the terminal is for the trainer, which stops the server last.
        command.process_group(0).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("run {}", programs.postgres.display()))?;
        let pid = child.id().and_then(|id| i32::try_from(id).ok()).context("the server ended at once")?;
        let mut server = Self { child, pid: Pid::from_raw(pid) };
        let answered = tokio::time::timeout(START_MAX, server.answers(connect_options)).await;
        match answered {
            Ok(Ok(())) => Ok(server),
            Ok(Err(error)) => Err(error.context(format!("its log ends with:\n{}", last_lines(&place.log)))),
            Err(_) => bail!("the private PostgreSQL does not answer:\n{}", last_lines(&place.log)),
        }
    }

    async fn answers(&mut self, connect_options: &PgConnectOptions) -> anyhow::Result<()> {
        let options = connect_options.clone().database("postgres");
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("the private PostgreSQL did not start ({status})");
            }
            if let Ok(connection) = options.connect().await {
                return connection.close().await.context("close the first connection");
            }
            tokio::time::sleep(START_POLL).await;
        }
    }

    pub async fn died(&mut self) -> anyhow::Error {
        match self.child.wait().await {
            Ok(status) => anyhow!("the private PostgreSQL ended ({status})"),
            Err(error) => anyhow!(error).context("wait for the private PostgreSQL"),
        }
    }

    /// Stops fast, and at once if that takes too long.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        for (signal, patience) in [(Signal::SIGINT, STOP_MAX), (Signal::SIGQUIT, STOP_MAX)] {
            if self.child.try_wait()?.is_some() {
                return Ok(());
            }
            kill(self.pid, signal).context("signal the private PostgreSQL")?;
            if let Ok(status) = tokio::time::timeout(patience, self.child.wait()).await {
                return stopped(status?);
            }
        }
        self.child.kill().await.context("end the private PostgreSQL")
    }
}

fn stopped(status: ExitStatus) -> anyhow::Result<()> {
    tracing::info!(%status, "the private PostgreSQL stopped");
    Ok(())
}

impl Drop for Server {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None))
            && let Err(error) = kill(self.pid, Signal::SIGINT)
        {
            tracing::warn!(%error, "the private PostgreSQL could not be stopped");
        }
    }
}

/// A command in the cluster's folder with nothing of the trainer's environment, run as the account.
fn command(program: &Path, place: &Place, account: Option<&Account>) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&place.base).env_clear().env("LC_ALL", "C");
    if let Some(path) = std::env::var_os("PATH") {
        command.env("PATH", path);
    }
    // A server that is not installed in the system's folders finds its libraries through this.
    if let Some(libraries) = std::env::var_os("LD_LIBRARY_PATH") {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    if let Some(account) = account {
        command.uid(account.uid.as_raw()).gid(account.gid.as_raw());
    }
    command
}

fn open_log(path: &Path) -> anyhow::Result<std::fs::File> {
    let full = std::fs::metadata(path).is_ok_and(|metadata| metadata.len() > LOG_BYTES_MAX);
    let mut options = std::fs::OpenOptions::new();
    options.create(true);
    if full {
        options.write(true).truncate(true);
    } else {
        options.append(true);
    }
    options.open(path).with_context(|| format!("open {}", path.display()))
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
}
