//! Envoy with the filter.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::access_log::AccessLog;
use super::bootstrap::{self, LISTENER, MUTUAL_TLS_LISTENER, Places};
use super::{ChildProcess, HttpClient, MemoryUse, POLL, Secrets, folder, programs};

/// Nothing takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often Envoy writes its access log out.
const LOG_FLUSH_MS: u32 = 100;
const WORKERS: u32 = 2;
/// A request without a host: Envoy's worker answers it by itself, and no filter sees it.
const HOSTLESS_REQUEST: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

/// What an Envoy is started with.
#[derive(Debug, Clone)]
pub struct EnvoyBuilder {
    upstream: SocketAddr,
    trainer: SocketAddr,
    workers: u32,
    http2_upstream: bool,
    module: Option<PathBuf>,
    filter: Value,
    filters_before: Vec<Value>,
    certificates: Option<PathBuf>,
    /// Name and `json_format` of each.
    more_access_logs: Vec<(String, Value)>,
}

impl EnvoyBuilder {
    /// Worker threads, 2 unless told otherwise.
    pub fn workers(mut self, workers: u32) -> Self {
        self.workers = workers;
        self
    }

    /// Speaks HTTP/2 to the service, as gRPC needs.
    pub fn http2_upstream(mut self) -> Self {
        self.http2_upstream = true;
        self
    }

    /// Another module than the built one.
    pub fn module(mut self, module: PathBuf) -> Self {
        self.module = Some(module);
        self
    }

    /// Changes keys of the filter's configuration, object by object: `json!({"mode": "enforce"})`.
    pub fn filter(mut self, changes: &Value) -> Self {
        bootstrap::merge(&mut self.filter, changes);
        self
    }

    /// Puts an HTTP filter before apiward, after those that are there already.
    pub fn filter_before(mut self, filter: Value) -> Self {
        self.filters_before.push(filter);
        self
    }

    /// Listens a second time, there with TLS and for clients whose certificate is of the folder's authority: see
    /// [`Envoy::mutual_tls_address`]. The folder has `server.pem`, `server.key` and `authority.pem`.
    pub fn client_certificates(mut self, folder: PathBuf) -> Self {
        self.certificates = Some(folder);
        self
    }

    /// Writes one more access log, in this `json_format`: see [`Envoy::access_log_file`].
    pub fn access_log(mut self, name: &str, json_format: Value) -> Self {
        self.more_access_logs.push((name.to_owned(), json_format));
        self
    }

    /// Starts Envoy and waits until a worker answers.
    ///
    /// # Errors
    /// When a program is missing, or Envoy refuses its configuration or does not start.
    pub async fn start(self) -> anyhow::Result<Envoy> {
        let folder = folder("envoy")?;
        let module = match &self.module {
            Some(module) => module.clone(),
            None => programs::filter_module()?,
        };
        let access_log = log_file(folder.path(), "access");
        let more_access_logs: Vec<(PathBuf, Value)> = self
            .more_access_logs
            .iter()
            .map(|(name, json_format)| (log_file(folder.path(), name), json_format.clone()))
            .collect();
        let places = Places {
            upstream: self.upstream,
            http2_upstream: self.http2_upstream,
            trainer: self.trainer,
            module: &module,
            access_log: &access_log,
            more_access_logs: &more_access_logs,
            filter: &self.filter,
            filters_before: &self.filters_before,
            certificates: self.certificates.as_deref(),
        };
        let configuration = folder.path().join("envoy.json");
        std::fs::write(&configuration, bootstrap::bootstrap(&places)?.to_string()).context("write envoy.json")?;
        let admin_address = folder.path().join("admin");
        let mut command = Command::new(programs::envoy()?);
        command
            .arg("--config-path")
            .arg(&configuration)
            .arg("--admin-address-path")
            .arg(&admin_address)
            .args(["--concurrency", &self.workers.to_string()])
            .args(["--file-flush-interval-msec", &LOG_FLUSH_MS.to_string()])
            // Several Envoys run on one machine.
            .args(["--use-dynamic-base-id", "--log-level", "warning", "--component-log-level", "wasm:info"]);
        let started = Instant::now();
        let mut child = ChildProcess::start("Envoy", &mut command, folder.path().join("envoy.log"))?;
        let admin = child
            .wait_for("its admin port", PATIENCE, async |_| Ok(written_address(&admin_address)))
            .await
            .map(|address| HttpClient::new(&format!("http://{address}"), None))?;
        let address = child.wait_for("serving", PATIENCE, async |_| Ok(serving_address(&admin).await)).await?;
        let mutual_tls_address = listener_address(&admin, MUTUAL_TLS_LISTENER).await;
        Ok(Envoy {
            child,
            admin,
            address,
            mutual_tls_address,
            workers: self.workers,
            start_time: started.elapsed(),
            access_log: AccessLog::at(&access_log),
            folder,
        })
    }
}

/// A running Envoy.
#[derive(Debug)]
pub struct Envoy {
    child: ChildProcess,
    admin: HttpClient,
    address: SocketAddr,
    mutual_tls_address: Option<SocketAddr>,
    workers: u32,
    start_time: Duration,
    /// What was answered to whom, and what the filter says of it.
    pub access_log: AccessLog,
    folder: TempDir,
}

impl Envoy {
    /// In front of a service, with the secrets that it shares with the trainer.
    ///
    /// # Errors
    /// When the shipped configuration cannot be read.
    pub fn builder(upstream: SocketAddr, trainer: SocketAddr, secrets: &Secrets) -> anyhow::Result<EnvoyBuilder> {
        let filter = bootstrap::filter_configuration(secrets)?;
        Ok(EnvoyBuilder {
            upstream,
            trainer,
            workers: WORKERS,
            http2_upstream: false,
            module: None,
            filter,
            filters_before: Vec::new(),
            certificates: None,
            more_access_logs: Vec::new(),
        })
    }

    /// Where clients go.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where clients with certificates go, if it was asked for them.
    pub fn mutual_tls_address(&self) -> Option<SocketAddr> {
        self.mutual_tls_address
    }

    /// Where an access log is that was asked for with [`EnvoyBuilder::access_log`]; the shipped one is called `access`.
    pub fn access_log_file(&self, name: &str) -> PathBuf {
        log_file(self.folder.path(), name)
    }

    /// The administration interface.
    pub fn admin(&self) -> &HttpClient {
        &self.admin
    }

    pub fn workers(&self) -> u32 {
        self.workers
    }

    /// From its start until a worker answered.
    pub fn start_time(&self) -> Duration {
        self.start_time
    }

    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<MemoryUse> {
        self.child.memory()
    }

    /// Processor time that its threads have taken so far, in steps of the system's clock (10 ms).
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        self.child.cpu_time()
    }

    /// All that it and the filter logged so far.
    pub fn log(&self) -> String {
        self.child.output()
    }

    /// The last lines of that.
    pub fn last_output(&self) -> String {
        self.child.last_output()
    }

    /// The value of a counter or gauge of the filter, such as `apiward_bundle_loads_total`; 0 for one that was never set.
    ///
    /// # Errors
    /// When Envoy does not answer.
    pub async fn metric(&self, name: &str) -> anyhow::Result<u64> {
        let stats = self.admin.get(&format!("/stats?filter={name}")).await?.successful()?.text();
        let value = stats.lines().find_map(|line| line.split_once(": ").filter(|(found, _)| found.ends_with(name)));
        value.map_or(Ok(0), |(_, value)| value.parse().with_context(|| format!("read {name}")))
    }

    /// Bytes that Envoy has allocated now; its metric of that name is up to five seconds old.
    ///
    /// # Errors
    /// When Envoy does not answer.
    pub async fn memory_allocated(&self) -> anyhow::Result<u64> {
        let memory = self.admin.get("/memory").await?.successful()?.text();
        let memory: Value = serde_json::from_str(&memory).context("read Envoy's memory")?;
        let allocated = memory["allocated"].as_str().and_then(|bytes| bytes.parse().ok());
        allocated.context("Envoy tells no allocated memory")
    }

    /// Waits until a metric has at least this value.
    ///
    /// # Errors
    /// When it does not in time, or Envoy does not answer.
    pub async fn until_metric(&self, name: &str, at_least: u64, patience: Duration) -> anyhow::Result<()> {
        let started = Instant::now();
        loop {
            let value = self.metric(name).await?;
            if value >= at_least {
                return Ok(());
            }
            anyhow::ensure!(
                started.elapsed() < patience,
                "{name} is {value} after {} s instead of {at_least}:\n{}",
                patience.as_secs(),
                self.child.last_output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Stops it.
    ///
    /// # Errors
    /// When it does not end in time or not with success.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.child.stop().await
    }
}

fn log_file(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{name}.log"))
}

/// `None` as long as Envoy has not written it.
fn written_address(path: &Path) -> Option<SocketAddr> {
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Where the listener is, once Envoy says that it is live and a worker answers.
async fn serving_address(admin: &HttpClient) -> Option<SocketAddr> {
    if admin.get("/ready").await.ok()?.successful().is_err() {
        return None;
    }
    let address = listener_address(admin, LISTENER).await?;
    answers(address).await.ok()?.then_some(address)
}

/// Where the listener of that name is, once it listens.
async fn listener_address(admin: &HttpClient, name: &str) -> Option<SocketAddr> {
    let listeners: Listeners = admin.get("/listeners?format=json").await.ok()?.json().ok()?;
    let listener = listeners.listener_statuses.into_iter().find(|listener| listener.name == name)?;
    let socket = listener.local_address.socket_address;
    Some(SocketAddr::new(socket.address.parse().ok()?, socket.port_value))
}

async fn answers(address: SocketAddr) -> std::io::Result<bool> {
    let mut connection = TcpStream::connect(address).await?;
    connection.write_all(HOSTLESS_REQUEST).await?;
    let mut beginning = [0; 5];
    connection.read_exact(&mut beginning).await?;
    Ok(&beginning == b"HTTP/")
}

#[derive(Deserialize)]
struct Listeners {
    listener_statuses: Vec<ListenerStatus>,
}

#[derive(Deserialize)]
struct ListenerStatus {
    name: String,
    local_address: LocalAddress,
}

#[derive(Deserialize)]
struct LocalAddress {
    socket_address: SocketAddressJson,
}

#[derive(Deserialize)]
struct SocketAddressJson {
    address: String,
    port_value: u16,
}
