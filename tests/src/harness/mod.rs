//! Every part for real, started and stopped by tests and by the demo: the shop on a socket, `apiward serve` with its private
//! PostgreSQL, and Envoy with the filter.
//!
//! Everything listens on free loopback ports, keeps its files and logs in a temporary folder, and is ended when it is dropped;
//! when that happens in a panic, the ends of the logs are printed.

mod access_log;
mod bootstrap;
mod child;
mod envoy;
mod http;
mod memory;
mod programs;
mod secrets;
mod shop_server;
mod trainer;

pub use access_log::{AccessLog, AccessLogEntry};
pub use child::ChildProcess;
pub use envoy::{Envoy, EnvoyBuilder};
pub use http::{Answer, HttpClient};
pub use memory::MemoryUse;
pub use programs::{apiward, filter_module};
pub use secrets::{SCOPE, Secrets};
pub use shop_server::ShopServer;
pub use trainer::{Trainer, TrainerBuilder, TrainingRun};

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;

/// How often is looked whether something has happened.
pub const POLL: Duration = Duration::from_millis(20);

/// An address of this machine on which nothing listens now, for what must be known before it is started, or never is.
///
/// # Errors
/// When the system has no free port.
pub fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    Ok(listener.local_addr()?)
}

/// A temporary folder that the unprivileged account of a private PostgreSQL can pass through.
fn folder(name: &str) -> anyhow::Result<TempDir> {
    let folder = tempfile::Builder::new().prefix(&format!("apiward-{name}-")).tempdir().context("make a folder")?;
    set_mode(folder.path(), 0o711)?;
    Ok(folder)
}

fn set_mode(path: &Path, mode: u32) -> anyhow::Result<()> {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .with_context(|| format!("set the mode of {}", path.display()))
}
