//! Envoy's access log, with what the filter says of each exchange.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::Deserialize;
use uuid::Uuid;

use super::POLL;

/// One line. What the filter did not set is `None`.
#[derive(Debug, Clone, Deserialize)]
pub struct AccessLogEntry {
    pub request_id: Option<String>,
    pub method: Option<String>,
    pub path: Option<String>,
    pub status: u16,
    /// `normal`, `anomalous` or `unjudged`.
    pub verdict: Option<String>,
    pub score: Option<String>,
    pub endpoint: Option<String>,
    /// Why it is anomalous, joined by `; `.
    pub reasons: Option<String>,
    /// The last phase that was judged.
    pub phase: Option<String>,
    /// Of the model that judged.
    pub serial: Option<String>,
    pub blocked: Option<String>,
}

impl AccessLogEntry {
    pub fn is_anomalous(&self) -> bool {
        self.verdict.as_deref() == Some("anomalous")
    }

    pub fn serial(&self) -> Option<u64> {
        self.serial.as_deref()?.parse().ok()
    }
}

/// The log of one Envoy, read as it grows.
#[derive(Debug)]
pub struct AccessLog {
    path: PathBuf,
    read_bytes: usize,
    entries: HashMap<String, AccessLogEntry>,
}

impl AccessLog {
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned(), read_bytes: 0, entries: HashMap::new() }
    }

    /// The entries of these requests, in their order, once all of them are written: Envoy does so after the exchange.
    ///
    /// # Errors
    /// When some are missing after `patience`, or a line cannot be read.
    pub async fn of(&mut self, ids: &[Uuid], patience: Duration) -> anyhow::Result<Vec<AccessLogEntry>> {
        let started = Instant::now();
        let names: Vec<String> = ids.iter().map(Uuid::to_string).collect();
        loop {
            self.read_on()?;
            let missing = names.iter().filter(|name| !self.entries.contains_key(*name)).count();
            if missing == 0 {
                return Ok(names.iter().filter_map(|name| self.entries.get(name).cloned()).collect());
            }
            anyhow::ensure!(
                started.elapsed() < patience,
                "{missing} of {} requests are not in the access log after {} s",
                names.len(),
                patience.as_secs()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    fn read_on(&mut self) -> anyhow::Result<()> {
        let bytes = std::fs::read(&self.path).with_context(|| format!("read {}", self.path.display()))?;
        let new = &bytes[self.read_bytes.min(bytes.len())..];
        // The last line may be half written.
        let complete = new.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        for line in new[..complete].split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let entry: AccessLogEntry = serde_json::from_slice(line)
                .with_context(|| format!("read the access log line {}", String::from_utf8_lossy(line)))?;
            if let Some(id) = entry.request_id.clone() {
                self.entries.insert(id, entry);
            }
        }
        self.read_bytes += complete;
        Ok(())
    }
}
