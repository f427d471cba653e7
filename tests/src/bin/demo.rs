//! `make demo`: the whole story once, and whether the targets are met.

use std::process::ExitCode;

use anyhow::Context as _;
use apiward_e2e::demo::{Narrator, Stage, Summary, tell};
use tokio::signal::unix::{SignalKind, signal};

/// Set to 1, everything is left running at the end.
const KEEP: &str = "KEEP";

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    // Whichever way it ends, dropping the parts stops them and removes their folders.
    let (stage, summary) = tokio::select! {
        played = play() => played?,
        ended = interrupted() => {
            ended?;
            eprintln!("interrupted, everything is stopped");
            return Ok(ExitCode::FAILURE);
        }
    };
    println!("\n{summary}");
    if std::env::var(KEEP).is_ok_and(|keep| keep == "1") {
        println!("\n{}\n\nEverything runs until Ctrl-C.", stage.addresses());
        interrupted().await?;
    }
    stage.stop().await?;
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play() -> anyhow::Result<(Stage, Summary)> {
    let narrator = Narrator::begin();
    let mut stage = Stage::start(narrator).await?;
    match tell(&mut stage).await {
        Ok(story) => Ok((stage, Summary::of(story, narrator.seconds()))),
        Err(error) => {
            eprintln!("{}", stage.last_output());
            Err(error)
        }
    }
}

async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
