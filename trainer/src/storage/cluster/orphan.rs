//! A server that was left behind by a trainer that could not stop it.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// How long an orphaned server may take to stop.
const STOP_MAX: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(50);

/// Stops the server that `postmaster.pid` names, if it is still this cluster's; removes the file if the number was given to
/// another process since (in a container, numbers are few), which would keep a new server from starting. Call it only with
/// the data directory locked.
pub async fn stop(cluster: &Path) -> anyhow::Result<()> {
    let file = cluster.join("postmaster.pid");
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("read {}", file.display())),
    };
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse().ok()).filter(|pid| *pid > 1) else {
        return std::fs::remove_file(&file).with_context(|| format!("remove the damaged {}", file.display()));
    };
    let pid = Pid::from_raw(pid);
    if !is_alive(pid) {
        return Ok(());
    }
    if !serves(pid, cluster) {
        return std::fs::remove_file(&file).with_context(|| format!("remove the stale {}", file.display()));
    }
    tracing::warn!(%pid, "a PostgreSQL server was left behind by an earlier trainer, stopping it");
    kill(pid, Signal::SIGINT).with_context(|| format!("stop the server {pid}"))?;
    let gone = async {
        while is_alive(pid) && serves(pid, cluster) {
            tokio::time::sleep(POLL).await;
        }
    };
    if tokio::time::timeout(STOP_MAX, gone).await.is_err() {
        bail!("the PostgreSQL server {pid} of an earlier trainer does not stop: stop it by hand");
    }
    Ok(())
}

fn is_alive(pid: Pid) -> bool {
    !matches!(kill(pid, None), Err(Errno::ESRCH))
}

/// Whether the process is a server of this cluster: it works in the cluster's folder. Where processes cannot be looked at,
/// it is taken for one.
fn serves(pid: Pid, cluster: &Path) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    if !Path::new("/proc/self").exists() {
        return true;
    }
    match (std::fs::read_link(process.join("cwd")), std::fs::canonicalize(cluster)) {
        (Ok(cwd), Ok(cluster)) => cwd == cluster,
        _ => false,
    }
}
