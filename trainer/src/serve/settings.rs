//! Settings: flags, or environment variables of the same name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use apiward_detector::bundle::SecretKey;
use clap::{Args, ValueEnum};

use crate::auth::{Role, Tokens};
use crate::discovery::inventory::StateSettings;
use crate::learning::{LearningSettings, Promotion, THRESHOLD_STEP_MAX};
use crate::secret::{random_hex, write_secret_file};
use crate::signing::{create_key, read_key};
use crate::storage::DatabaseSource;
use crate::storage::cluster::ClusterSettings;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// `apiward serve`: the trainer service.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    /// Address and port to listen on
    #[arg(long, env = "APIWARD_LISTEN", default_value = "127.0.0.1:8470")]
    pub listen: SocketAddr,

    /// PostgreSQL to use; without one, the trainer runs a private cluster in the data directory
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<String>,

    /// Folder of the private cluster, the signing key and the tokens
    #[arg(long, env = "APIWARD_DATA_DIR", default_value = "apiward-data")]
    pub data_dir: PathBuf,

    /// Folder of PostgreSQL's server programs (initdb, postgres), for the private cluster
    #[arg(long, env = "APIWARD_PG_BIN")]
    pub pg_bin: Option<PathBuf>,

    /// File of the key that signs bundles, as `apiward keygen` makes it [default: signing.key in the data directory, made at
    /// the first start]
    #[arg(long, env = "APIWARD_SIGNING_KEY")]
    pub signing_key: Option<PathBuf>,

    /// API tokens: role:scope:token, separated by commas; roles are filter, viewer and operator, scope * is every scope
    #[arg(long, env = "APIWARD_TOKENS", hide_env_values = true, conflicts_with = "tokens_file")]
    pub tokens: Option<String>,

    /// File of API tokens, one role:scope:token a line [default: tokens in the data directory, made at the first start]
    #[arg(long, env = "APIWARD_TOKENS_FILE")]
    pub tokens_file: Option<PathBuf>,

    /// How often a scope with new traffic is trained again, such as 30m or 6h; off for never
    #[arg(long, env = "APIWARD_TRAIN_INTERVAL", default_value = "1h", value_parser = interval)]
    pub train_interval: Interval,

    /// Fewest new records for which a scheduled training is worth it
    #[arg(long, env = "APIWARD_TRAIN_RECORDS_MIN", default_value_t = 1000)]
    pub train_records_min: u32,

    /// Most records that a training loads, the newest
    #[arg(long, env = "APIWARD_TRAIN_RECORDS_MAX", default_value_t = 400_000, value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    pub train_records_max: u32,

    /// Accepted share of normal exchanges that are flagged
    #[arg(long, env = "APIWARD_FALSE_ALARM_BUDGET", default_value_t = 0.001, value_parser = share)]
    pub false_alarm_budget: f64,

    /// Established callers that must use something new successfully before it is normal
    #[arg(long, env = "APIWARD_PROMOTION_CALLERS", default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub promotion_callers: u32,

    /// Windows of time in which they must do so
    #[arg(long, env = "APIWARD_PROMOTION_WINDOWS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub promotion_windows: u32,

    /// Length of such a window
    #[arg(long, env = "APIWARD_PROMOTION_WINDOW", default_value = "1h", value_parser = duration)]
    pub promotion_window: Duration,

    /// Furthest that a training moves an alarm threshold from the one in use, in nats: 2.3 is a factor of ten in rareness. A
    /// forced run is not bound
    #[arg(long, env = "APIWARD_THRESHOLD_STEP_MAX", default_value_t = THRESHOLD_STEP_MAX, value_parser = step)]
    pub threshold_step_max: f32,

    /// How long a caller or address that alarms over all proxies stays on the watchlist after its last alarm
    #[arg(long, env = "APIWARD_WATCHLIST_FOR", default_value = "15m", value_parser = duration)]
    pub watchlist_for: Duration,

    /// Days that records, detections and captures are kept
    #[arg(long, env = "APIWARD_RETENTION_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub retention_days: u32,

    /// How long a discovered endpoint is called new
    #[arg(long, env = "APIWARD_ENDPOINT_NEW_FOR", default_value = "7d", value_parser = duration)]
    pub endpoint_new_for: Duration,

    /// How long a discovered endpoint may be without traffic before it is called stale
    #[arg(long, env = "APIWARD_ENDPOINT_STALE_AFTER", default_value = "30d", value_parser = duration)]
    pub endpoint_stale_after: Duration,

    /// Most captured exchanges that are kept per scope
    #[arg(long, env = "APIWARD_CAPTURES_MAX", default_value_t = 10_000)]
    pub captures_max: u32,

    /// Telemetry batches that may wait for the database; more are answered with 429
    #[arg(long, env = "APIWARD_INGEST_QUEUE_BATCHES", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub ingest_queue_batches: u32,

    /// Serial of a scope's first bundle; set it higher than any before after the store was lost
    #[arg(long, env = "APIWARD_SERIAL_FLOOR", default_value_t = 1)]
    pub serial_floor: u64,

    /// How log lines are written
    #[arg(long, env = "APIWARD_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,

    /// What is logged: a level, or targets with levels as in apiward_trainer=debug,sqlx=warn
    #[arg(long, env = "APIWARD_LOG", default_value = "info,sqlx=warn")]
    pub log: String,
}

/// A duration, or `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(pub Option<Duration>);

/// Shortest train interval.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// What the running service goes by.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `None` when nothing is trained by schedule.
    pub train_interval: Option<Duration>,
    pub train_records_min: u32,
    pub train_records_max: u32,
    /// 0..1.
    pub false_alarm_budget: f64,
    pub watchlist_for: Duration,
    pub retention_days: u32,
    pub captures_max: u32,
    pub endpoint_states: StateSettings,
    pub learning: LearningSettings,
}

impl ServeArgs {
    pub fn database(&self) -> DatabaseSource {
        match &self.database_url {
            Some(url) => DatabaseSource::Url(url.clone()),
            None => DatabaseSource::Private(ClusterSettings {
                data_dir: self.data_dir.clone(),
                programs: self.pg_bin.clone(),
            }),
        }
    }

    /// The signing key; made in the data directory if none is named and none is there.
    ///
    /// # Errors
    /// When it cannot be read or made.
    pub fn signing_key(&self) -> anyhow::Result<SecretKey> {
        if let Some(path) = &self.signing_key {
            return read_key(path);
        }
        let path = self.data_dir.join("signing.key");
        if path.exists() {
            return read_key(&path);
        }
        self.create_data_dir()?;
        let key = create_key(&path)?;
        tracing::info!(file = %path.display(), public_key = %key.public(), "made a signing key: give filters the public key");
        Ok(key)
    }

    /// The API tokens; made in the data directory if none are named and none are there.
    ///
    /// # Errors
    /// When they cannot be read, are malformed or cannot be made.
    pub fn tokens(&self) -> anyhow::Result<Tokens> {
        let tokens = match (&self.tokens, &self.tokens_file) {
            (Some(text), _) => Tokens::parse(text).context("--tokens or APIWARD_TOKENS")?,
            (None, Some(path)) => Tokens::read(path)?,
            (None, None) => Tokens::read(&self.default_tokens_file()?)?,
        };
        if tokens.is_empty() {
            bail!("there is no API token: nobody could use the trainer");
        }
        Ok(tokens)
    }

    fn default_tokens_file(&self) -> anyhow::Result<PathBuf> {
        let path = self.data_dir.join("tokens");
        if path.exists() {
            return Ok(path);
        }
        self.create_data_dir()?;
        let mut text = String::from("# role:scope:token, one a line; scope * is every scope\n");
        for role in Role::ALL {
            text.push_str(&format!("{}:*:{}\n", role.name(), random_hex::<24>()?));
        }
        write_secret_file(&path, &text)?;
        tracing::info!(file = %path.display(), "made API tokens, one for each role");
        Ok(path)
    }

    fn create_data_dir(&self) -> anyhow::Result<()> {
        create_folder(&self.data_dir)
    }

    pub fn settings(&self) -> Settings {
        Settings {
            train_interval: self.train_interval.0,
            train_records_min: self.train_records_min,
            train_records_max: self.train_records_max,
            false_alarm_budget: self.false_alarm_budget,
            watchlist_for: self.watchlist_for,
            retention_days: self.retention_days,
            captures_max: self.captures_max,
            endpoint_states: StateSettings {
                new_for_ms: milliseconds(self.endpoint_new_for),
                stale_after_ms: milliseconds(self.endpoint_stale_after),
            },
            learning: self.learning(),
        }
    }

    fn learning(&self) -> LearningSettings {
        LearningSettings {
            false_alarm_budget: self.false_alarm_budget,
            promotion: Promotion {
                callers: self.promotion_callers as usize,
                windows: self.promotion_windows as usize,
                window_ms: milliseconds(self.promotion_window),
            },
            threshold_step_max: Some(self.threshold_step_max),
            ..LearningSettings::default()
        }
    }
}

fn milliseconds(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn create_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("create the data directory {}", path.display()))
}

fn interval(text: &str) -> Result<Interval, String> {
    if text == "off" {
        return Ok(Interval(None));
    }
    duration(text).map(|duration| Interval(Some(duration)))
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if duration < INTERVAL_MIN {
        return Err(format!("it must be at least {} s", INTERVAL_MIN.as_secs()));
    }
    Ok(duration)
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it must be a number such as 0.001".to_owned())?;
    if share > 0.0 && share < 0.5 { Ok(share) } else { Err("it must be above 0 and below 0.5".to_owned()) }
}

fn step(text: &str) -> Result<f32, String> {
    let step: f32 = text.parse().map_err(|_| "it must be a number such as 2.3".to_owned())?;
    if (0.0..=100.0).contains(&step) { Ok(step) } else { Err("it must be from 0 to 100".to_owned()) }
}
