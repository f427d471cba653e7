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
    tokio::select! {
        code = play() => code,
        ended = interrupted() => {
            ended?;
            eprintln!("interrupted, everything is stopped");
            Ok(ExitCode::FAILURE)
        }
    }
}

async fn play() -> anyhow::Result<ExitCode> {
    let narrator = Narrator::begin();
    let mut stage = Stage::start(narrator).await?;
    let story = match tell(&mut stage).await {
        Ok(story) => story,
        Err(error) => {
            eprintln!("{}", stage.last_output());
            return Err(error);
        }
    };
    let summary = Summary::of(story, narrator.seconds());
    println!("\n{summary}");
    if std::env::var(KEEP).is_ok_and(|keep| keep == "1") {
        println!("\n{}\n\nEverything runs until Ctrl-C.", stage.addresses());
        std::future::pending::<()>().await;
    }
    stage.stop().await?;
    Ok(if summary.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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
