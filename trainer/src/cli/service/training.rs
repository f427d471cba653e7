//! A training run at the service, followed to its end.

use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{ServiceArgs, ServiceClient};
use crate::cli::training_meter::TrainingMeter;

/// How often the run is asked for.
const LOOK: Duration = Duration::from_millis(500);
/// Looks in a row that may fail, as while the service restarts, before following it ends.
const FAILED_LOOKS_MAX: u32 = 60;

#[derive(Debug, Deserialize)]
struct TrainingRun {
    id: i64,
    scope: String,
    state: String,
    progress: Option<Value>,
    error: Option<String>,
    model: Option<String>,
    report: Option<Value>,
}

/// Starts a run and follows it.
///
/// # Errors
/// When the service cannot be reached or refuses, the run fails, or its model is rejected.
pub fn start_and_follow(service: &ServiceArgs, force: bool) -> anyhow::Result<()> {
    let client = service.client()?;
    let request = json!({ "scope": client.scope(), "force": force });
    let run = read(client.post("/v1/training-runs", &request)?)?;
    eprintln!("training run {} of scope {} is {}", run.id, run.scope, run.state);
    let ended = follow(&client, run)?;
    match ended.state.as_str() {
        "succeeded" => {
            println!("run {} succeeded: model {} is published", ended.id, ended.model.as_deref().unwrap_or("-"));
            if let Some(report) = &ended.report {
                println!("{report:#}");
            }
            Ok(())
        }
        state => bail!("run {} {state}: {}", ended.id, ended.error.as_deref().unwrap_or("the service gives no reason")),
    }
}

fn follow(client: &ServiceClient, started: TrainingRun) -> anyhow::Result<TrainingRun> {
    let mut meter = TrainingMeter::start();
    let mut run = started;
    let mut failed_looks = 0;
    while matches!(run.state.as_str(), "queued" | "running") {
        if let Some(progress) = &run.progress {
            meter.show(progress);
        }
        std::thread::sleep(LOOK);
        match client.get(&format!("/v1/training-runs/{}", run.id), &[]).and_then(read) {
            Ok(newer) => {
                run = newer;
                failed_looks = 0;
            }
            Err(error) => {
                failed_looks += 1;
                if failed_looks > FAILED_LOOKS_MAX {
                    return Err(error.context(format!("follow run {}, which may still go on", run.id)));
                }
            }
        }
    }
    meter.finish();
    Ok(run)
}

fn read(answer: Value) -> anyhow::Result<TrainingRun> {
    serde_json::from_value(answer).context("the service is of another version: its training runs have other fields")
}
