//! How well the sequence detector predicts and detects, beside Markov models.

use std::path::PathBuf;

use anyhow::Result;
use apiward_e2e::sequence::{
    Part, WorkflowSettings, applications, injection_table, measure_browsing, measure_workflows, prediction_table,
    read_sessions, workflow_table,
};
use apiward_trainer::sequence::SequenceSettings;
use clap::{Parser, ValueEnum};

/// Learns from sessions, and measures on others, with and without something injected.
#[derive(Parser)]
struct Arguments {
    /// Recorded sessions, gzip: one per line, page numbers in order
    #[arg(long)]
    fifa: Option<PathBuf>,
    /// What is measured on: development leaves the last 20 % of the file untouched
    #[arg(long, value_enum, default_value = "development")]
    part: MeasuredPart,
    /// Measure on generated sessions of applications with workflows
    #[arg(long)]
    workflows: bool,
    /// Train a network beside the counts; it is used where it says more
    #[arg(long)]
    network: bool,
    /// Seed of learning, of generated sessions and of what is injected
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

#[derive(Clone, Copy, ValueEnum)]
enum MeasuredPart {
    Development,
    Test,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    anyhow::ensure!(arguments.workflows || arguments.fifa.is_some(), "name what to measure on: --fifa or --workflows");
    let settings = SequenceSettings { network: arguments.network, ..SequenceSettings::default() };
    if arguments.workflows {
        let learning = settings.clone();
        let settings = WorkflowSettings { seed: arguments.seed, learning, ..WorkflowSettings::default() };
        let measured = measure_workflows(&applications(), &settings)?;
        println!("ROC AUC and share of sessions that alarmed:\n{}", workflow_table(&measured));
    }
    if let Some(path) = &arguments.fifa {
        let part = match arguments.part {
            MeasuredPart::Development => Part::Development,
            MeasuredPart::Test => Part::Test,
        };
        let sessions = read_sessions(path)?;
        let quality = measure_browsing(&sessions, part, &settings, arguments.seed)?;
        println!("{} steps of {} sessions:\n{}", quality.steps, quality.sessions, prediction_table(&quality));
        println!("ROC AUC and share detected at 10 alarms in 10,000 normal sessions:\n{}", injection_table(&quality));
        println!("{} of {} normal sessions alarm", quality.false_alarms, quality.sessions);
        println!("judging a call takes {:.1} µs", quality.per_call.as_secs_f64() * 1e6);
        println!("learning took {:.1} s: {}", quality.learning_took.as_secs_f64(), to_json(&quality.report)?);
    }
    Ok(())
}

fn to_json(report: &impl serde::Serialize) -> Result<String> {
    Ok(serde_json::to_string(report)?)
}
