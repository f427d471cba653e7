//! The trainer service: the real program with its private PostgreSQL.

use std::io::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_detector::bundle::PublicKey;
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ChildProcess, HttpClient, MemoryUse, POLL, SCOPE, Secrets, folder, programs};
use crate::traffic::{Exchange, write_lines};

/// Nothing takes longer, unless it hangs.
const START_MAX: Duration = Duration::from_secs(60);
const TRAINING_MAX: Duration = Duration::from_secs(180);
/// What the trainer logs with its address.
const LISTENS: &str = "the trainer listens";

/// What a trainer is started with.
#[derive(Debug)]
pub struct TrainerBuilder {
    secrets: Secrets,
    listen: Option<SocketAddr>,
    flags: Vec<String>,
    folder: Option<TempDir>,
}

impl TrainerBuilder {
    /// Instead of a free port.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = Some(address);
        self
    }

    /// Further flags of `apiward serve`, such as `["--promotion-windows", "1"]`.
    pub fn flags<const N: usize>(mut self, flags: [&str; N]) -> Self {
        self.flags.extend(flags.map(str::to_owned));
        self
    }

    /// Starts the program and waits until it is ready.
    ///
    /// # Errors
    /// When it is missing or does not start; the end of its log is shown.
    pub async fn start(self) -> anyhow::Result<Trainer> {
        let folder = match self.folder {
            Some(folder) => folder,
            None => new_folder(&self.secrets)?,
        };
        let listen = self.listen.map_or_else(|| "127.0.0.1:0".to_owned(), |address| address.to_string());
        let mut command = Command::new(programs::apiward()?);
        command
            .args(["serve", "--log-format", "json", "--train-interval", "off", "--listen", &listen, "--data-dir"])
            .arg(folder.path().join("data"))
            .arg("--signing-key")
            .arg(folder.path().join("signing.key"))
            .arg("--tokens-file")
            .arg(folder.path().join("tokens"))
            .args(&self.flags)
            .env_remove("DATABASE_URL");
        let mut child = ChildProcess::start("apiward serve", &mut command, folder.path().join("trainer.log"))?;
        let address =
            child.wait_for("listening", START_MAX, async |child| Ok(listening_address(&child.output()))).await?;
        let url = format!("http://{address}");
        let operator = HttpClient::new(&url, Some(&self.secrets.operator_token));
        child
            .wait_for("being ready", START_MAX, async |_| {
                Ok(operator.get("/readyz").await.ok().filter(|answer| answer.status.is_success()))
            })
            .await?;
        Ok(Trainer { child, address, operator, secrets: self.secrets, folder })
    }
}

fn new_folder(secrets: &Secrets) -> anyhow::Result<TempDir> {
    let folder = folder("trainer")?;
    write_secret(&folder.path().join("signing.key"), &format!("{}\n", secrets.signing.reveal()))?;
    write_secret(&folder.path().join("tokens"), &secrets.tokens_file())?;
    // Also entered by PostgreSQL's account.
    std::fs::create_dir(folder.path().join("data"))?;
    super::set_mode(&folder.path().join("data"), 0o711)?;
    Ok(folder)
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes())).with_context(|| format!("write {}", path.display()))
}

fn listening_address(log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains(LISTENS))?;
    serde_json::from_str::<Value>(line).ok()?["address"].as_str()?.parse().ok()
}

/// A running trainer.
#[derive(Debug)]
pub struct Trainer {
    child: ChildProcess,
    address: SocketAddr,
    operator: HttpClient,
    secrets: Secrets,
    folder: TempDir,
}

/// A training run as the service shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct TrainingRun {
    pub id: i64,
    /// `queued`, `running`, `succeeded`, `failed` or `rejected`.
    pub state: String,
    pub error: Option<String>,
    pub model: Option<String>,
    /// Figures of the learning.
    pub report: Option<Value>,
}

impl Trainer {
    pub fn builder(secrets: &Secrets) -> TrainerBuilder {
        TrainerBuilder { secrets: secrets.clone(), listen: None, flags: Vec::new(), folder: None }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Checks its bundles.
    pub fn public_key(&self) -> PublicKey {
        self.secrets.signing.public()
    }

    /// Lets people ask as operator.
    pub fn operator_token(&self) -> &str {
        &self.secrets.operator_token
    }

    /// Asks as operator.
    pub fn operator(&self) -> &HttpClient {
        &self.operator
    }

    /// Asks as a filter does.
    pub fn as_filter(&self) -> HttpClient {
        HttpClient::new(&self.url(), Some(&self.secrets.filter_token))
    }

    /// Answers of `GET` as JSON.
    ///
    /// # Errors
    /// When it does not answer with success.
    pub async fn get(&self, path: &str) -> anyhow::Result<Value> {
        self.operator.get(path).await?.successful()?.json()
    }

    /// Queues a training run.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn begin_training(&self) -> anyhow::Result<TrainingRun> {
        self.operator.post("/v1/training-runs", &json!({})).await?.successful()?.json()
    }

    /// # Errors
    /// When the service does not answer.
    pub async fn training_run(&self, id: i64) -> anyhow::Result<TrainingRun> {
        self.operator.get(&format!("/v1/training-runs/{id}")).await?.successful()?.json()
    }

    /// Trains from what is stored and waits for the published model.
    ///
    /// # Errors
    /// When the run does not succeed.
    pub async fn train(&self) -> anyhow::Result<TrainingRun> {
        let id = self.begin_training().await?.id;
        let started = Instant::now();
        loop {
            let run = self.training_run(id).await?;
            match run.state.as_str() {
                "succeeded" => return Ok(run),
                "queued" | "running" => {}
                state => anyhow::bail!("the training run is {state}: {}", run.error.unwrap_or_default()),
            }
            anyhow::ensure!(started.elapsed() < TRAINING_MAX, "no model after {} s", TRAINING_MAX.as_secs());
            tokio::time::sleep(POLL).await;
        }
    }

    /// Puts recorded traffic into the store, as if filters had reported it.
    ///
    /// # Errors
    /// When `apiward import` fails; what it wrote is shown.
    pub async fn import(&self, exchanges: &[Exchange]) -> anyhow::Result<()> {
        let (file, hash_key) = (self.folder.path().join("recorded.jsonl"), self.folder.path().join("hash.key"));
        write_lines(exchanges, std::io::BufWriter::new(std::fs::File::create(&file)?)).context("write the traffic")?;
        write_secret(&hash_key, &self.secrets.hash_key)?;
        let imported = tokio::process::Command::new(programs::apiward()?)
            .args(["import", "--scope", SCOPE, "--data-dir"])
            .arg(self.folder.path().join("data"))
            .arg("--hash-key-file")
            .arg(&hash_key)
            .arg(&file)
            .env_remove("DATABASE_URL")
            .output()
            .await
            .context("run apiward import")?;
        anyhow::ensure!(imported.status.success(), "apiward import: {}", String::from_utf8_lossy(&imported.stderr));
        Ok(())
    }

    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<MemoryUse> {
        self.child.memory()
    }

    /// All that it logged so far.
    pub fn log(&self) -> String {
        self.child.output()
    }

    /// The last lines of that.
    pub fn last_output(&self) -> String {
        self.child.last_output()
    }

    /// Stops it and its database.
    ///
    /// # Errors
    /// When it does not end in time or not with success.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.child.stop().await
    }

    /// Stops it and keeps its data for another one on the same address.
    ///
    /// # Errors
    /// As [`Trainer::stop`].
    pub async fn stop_for_restart(self) -> anyhow::Result<TrainerBuilder> {
        self.child.stop().await?;
        let (secrets, listen) = (self.secrets, Some(self.address));
        Ok(TrainerBuilder { secrets, listen, flags: Vec::new(), folder: Some(self.folder) })
    }
}
