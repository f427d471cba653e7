//! Whose model judges, on which workers.

use std::collections::BTreeSet;

use anyhow::Context as _;
use apiward_e2e::harness::Envoy;
use axum::http::HeaderMap;

use super::{Client, HostileTrainer, NoteRequest, until};

/// The response header that carries the verdict.
pub const VERDICT_HEADER: &str = "x-apiward-verdict";
/// Connections opened before the workers are counted; the system spreads them over the workers at random.
const ROUND_CONNECTIONS: usize = 8;
/// Rounds after which a worker that got nothing is not merely unlucky.
const ROUNDS_MAX: usize = 8;

/// Serial of the model that judged.
pub fn serial_of(headers: &HeaderMap) -> Option<u64> {
    let verdict = headers.get(VERDICT_HEADER)?.to_str().ok()?;
    verdict.split(';').find_map(|part| part.strip_prefix("serial="))?.parse().ok()
}

/// Asks for what nobody has, until each worker has reported such a request as anomalous by the model of this serial.
///
/// # Errors
/// When any answer is not such a verdict, or a worker gets none of the requests.
pub async fn assert_judged_on_all_workers(envoy: &Envoy, trainer: &HostileTrainer, serial: u64) -> anyhow::Result<()> {
    let client = Client::with_new_connections(envoy);
    let mut senders = BTreeSet::new();
    for _ in 0..ROUNDS_MAX {
        let mut ids = BTreeSet::new();
        for _ in 0..ROUND_CONNECTIONS {
            let request = NoteRequest::get("/api/backup/database");
            let reply = client.send(&request).await?;
            let verdict = reply.headers.get(VERDICT_HEADER).context("there is no verdict")?.to_str()?;
            anyhow::ensure!(verdict.starts_with("anomalous;"), "the verdict is {verdict:?}");
            anyhow::ensure!(serial_of(&reply.headers) == Some(serial), "{verdict:?} is not by serial {serial}");
            ids.insert(request.id.to_string());
        }
        let found = until("the records of these requests", async || {
            let found = trainer.records_of(&ids);
            Ok((found.len() >= ids.len()).then_some(found))
        })
        .await?;
        for (sender, record) in found {
            let verdict = record.verdict.context("a record has no verdict")?;
            anyhow::ensure!(verdict.anomalous && verdict.bundle_serial == serial, "recorded {verdict:?}");
            senders.insert(sender);
        }
        if senders.len() >= envoy.workers() as usize {
            return Ok(());
        }
    }
    anyhow::bail!("only {} of {} workers judge", senders.len(), envoy.workers())
}

/// Waits until the model of this serial answers on many connections in a row, which the system spreads over the workers.
///
/// # Errors
/// When it does not come.
pub async fn until_in_use(envoy: &Envoy, serial: u64) -> anyhow::Result<()> {
    let client = Client::with_new_connections(envoy);
    until(&format!("a model of serial {serial}"), async || {
        for _ in 0..3 * ROUND_CONNECTIONS {
            let reply = client.send(&NoteRequest::get("/api/backup/database")).await?;
            if serial_of(&reply.headers) != Some(serial) {
                return Ok(None);
            }
        }
        Ok(Some(()))
    })
    .await
}

/// Waits until the model has come to all workers, and has each of them judge with it.
///
/// # Errors
/// When it does not come or judges otherwise than [`assert_judged_on_all_workers`] expects.
pub async fn until_judged_on_all_workers(envoy: &Envoy, trainer: &HostileTrainer, serial: u64) -> anyhow::Result<()> {
    until_in_use(envoy, serial).await?;
    assert_judged_on_all_workers(envoy, trainer, serial).await
}
