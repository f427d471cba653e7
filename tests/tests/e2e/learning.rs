//! A model of what Envoy captured, by `apiward train` on exchange JSONL.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use apiward_detector::bundle::{Bundle, open, seal};
use apiward_detector::telemetry::CapturedExchange;
use apiward_e2e::harness::{Envoy, SCOPE, Secrets, apiward};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::datetime;
use tokio::process::Command;
use uuid::Uuid;

use super::{Client, HostileTrainer, NoteRequest, until};

/// Wide enough that what was never seen alarms after the few exchanges of a test.
const FALSE_ALARM_BUDGET: &str = "0.05";

/// When simulated traffic begins, and how often an exchange comes.
const FIRST_AT: OffsetDateTime = datetime!(2026-01-05 08:00 UTC);
const EXCHANGE_EVERY: Duration = Duration::from_secs(24);

/// A learned model.
#[derive(Debug, Clone)]
pub struct Learned {
    pub bundle: Bundle,
    secrets: Secrets,
}

impl Learned {
    /// Signed under another serial.
    ///
    /// # Errors
    /// When it is too large.
    pub fn sealed(&self, serial: u64) -> anyhow::Result<Vec<u8>> {
        self.changed(serial, |_| {})
    }

    /// Signed by the right key after a change.
    ///
    /// # Errors
    /// When it is too large.
    pub fn changed(&self, serial: u64, change: impl FnOnce(&mut Bundle)) -> anyhow::Result<Vec<u8>> {
        let mut bundle = self.bundle.clone();
        bundle.manifest.serial = serial;
        change(&mut bundle);
        Ok(seal(&bundle, &self.secrets.signing)?)
    }
}

/// Bytes of bodies sent before their captures are waited for.
const PORTION_BYTES: usize = 1024 * 1024;

/// Sends requests through an Envoy that captures, and waits until the trainer has them all.
///
/// # Errors
/// When an answer or a capture is missing.
pub async fn capture(
    envoy: &Envoy,
    trainer: &HostileTrainer,
    requests: &[NoteRequest],
) -> anyhow::Result<Vec<CapturedExchange>> {
    let client = Client::new(envoy);
    let mut captures = Vec::with_capacity(requests.len());
    let mut portion = Vec::new();
    let mut portion_bytes = 0;
    for (number, request) in requests.iter().enumerate() {
        client.send(request).await?;
        portion.push(request.id);
        portion_bytes += request.body.len();
        // A worker keeps only so many bytes of captures until they are sent.
        if portion_bytes >= PORTION_BYTES || number + 1 == requests.len() {
            captures.extend(captures_of(trainer, portion.drain(..)).await?);
            portion_bytes = 0;
        }
    }
    Ok(captures)
}

/// Waits until the trainer has the captures of these requests.
///
/// # Errors
/// When one is missing.
pub async fn captures_of(
    trainer: &HostileTrainer,
    ids: impl Iterator<Item = Uuid>,
) -> anyhow::Result<Vec<CapturedExchange>> {
    let ids: BTreeSet<String> = ids.map(|id| id.to_string()).collect();
    until("the captures", async || {
        let found = trainer.captures_of(&ids);
        Ok((found.len() >= ids.len()).then_some(found))
    })
    .await
    .map(|found| found.into_iter().map(|captured| (*captured).clone()).collect())
}

/// Learns from captures in their order, without callers and times.
///
/// # Errors
/// When the program fails; what it wrote is shown.
pub async fn learn(captures: &[CapturedExchange], secrets: &Secrets, seed: u64) -> anyhow::Result<Learned> {
    learn_lines(captures, |_, captured| line_of(captured), secrets, seed).await
}

/// The same with callers, and with times as if the exchanges had come over hours: what an hour brings, seconds do not tell.
///
/// # Errors
/// When the program fails; what it wrote is shown.
pub async fn learn_over_time(captures: &[CapturedExchange], secrets: &Secrets, seed: u64) -> anyhow::Result<Learned> {
    learn_lines(captures, timed_line_of, secrets, seed).await
}

async fn learn_lines(
    captures: &[CapturedExchange],
    line_of: impl Fn(usize, &CapturedExchange) -> Value,
    secrets: &Secrets,
    seed: u64,
) -> anyhow::Result<Learned> {
    let folder = tempfile::tempdir()?;
    let (traffic, output) = (folder.path().join("traffic.jsonl"), folder.path().join("bundle"));
    let (key, hash_key) = (folder.path().join("signing.key"), folder.path().join("hash.key"));
    let mut ordered: Vec<_> = captures.iter().collect();
    ordered.sort_by_key(|captured| (captured.exchange.at_ms, captured.request_id.clone()));
    let lines = ordered.into_iter().enumerate();
    let lines: Vec<String> = lines.map(|(number, captured)| line_of(number, captured).to_string() + "\n").collect();
    std::fs::write(&traffic, lines.concat())?;
    write_secret(&key, &secrets.signing.reveal())?;
    write_secret(&hash_key, &secrets.hash_key)?;
    let trained = Command::new(apiward()?)
        .args(["train", "--scope", SCOPE, "--false-alarm-budget", FALSE_ALARM_BUDGET])
        .args(["--seed", &seed.to_string(), "--input"])
        .arg(&traffic)
        .arg("--output")
        .arg(&output)
        .arg("--key")
        .arg(&key)
        .arg("--hash-key-file")
        .arg(&hash_key)
        .output()
        .await
        .context("run apiward train")?;
    anyhow::ensure!(trained.status.success(), "apiward train: {}", String::from_utf8_lossy(&trained.stderr));
    let bundle = open(&std::fs::read(&output)?, &[secrets.signing.public()])?;
    Ok(Learned { bundle, secrets: secrets.clone() })
}

fn write_secret(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(writeln!(file, "{text}")?)
}

fn line_of(captured: &CapturedExchange) -> Value {
    let (request, response) = (&captured.exchange.request, captured.exchange.response.as_ref());
    json!({
        "host": request.host,
        "method": request.method,
        "path": request.target,
        "request_headers": header_lists(&request.headers),
        "request_body_base64": STANDARD.encode(&request.body),
        "request_bytes": request.body_bytes,
        "status": response.and_then(|response| response.status),
        "response_headers": response.map(|response| header_lists(&response.headers)),
        "response_bytes": response.and_then(|response| response.bytes),
        "duration_us": response.and_then(|response| response.duration_us),
    })
}

fn timed_line_of(number: usize, captured: &CapturedExchange) -> Value {
    let caller = &captured.exchange.caller;
    let at = FIRST_AT + EXCHANGE_EVERY * number as u32;
    let mut line = line_of(captured);
    line["ts"] = json!(at.format(&Rfc3339).ok());
    line["caller"] = json!(caller.identity);
    line["address"] = json!(caller.address);
    line["caller_kinds"] = json!(caller.kinds);
    line
}

fn header_lists(headers: &[(String, String)]) -> BTreeMap<&str, Vec<&str>> {
    let mut lists: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (name, value) in headers {
        lists.entry(name).or_default().push(value);
    }
    lists
}
