//! `apiward eval`: how well a bundle tells the labelled attacks from the normals.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use apiward_detector::detector::JudgedExchange;
use apiward_detector::verdict::Verdict;
use serde::Serialize;

use super::bundle_file::{BundleArgs, Judge};
use super::reading::{ReadCounts, for_each_exchange};
use crate::evaluation::{EvaluationReport, KnownRequests, NetworkScores, Outcome, SessionOutcomes, SessionReport};
use crate::traffic::Format;

const STANDARD_OUTPUT: &str = "-";

/// Measure a bundle on labelled traffic
///
/// An exchange without `label`, or labelled `normal`, is normal; any other label is the name of an attack. Prints confusion
/// counts, precision, recall and false-positive rate with 95 % bounds, ROC and PR AUC, each detector alone, each attack, the
/// reasons of false alarms, and the autoencoder beside its baseline. Where exchanges name callers the same is told per session: how
/// many sessions with an attack were found, after how many requests and seconds, and how many normal ones alarmed.
#[derive(Debug, clap::Args)]
pub struct EvalArgs {
    /// Labelled traffic, plain or gzip; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Write the figures as JSON to OUT, or to standard output in place of the table
    #[arg(long, value_name = "OUT", num_args = 0..=1, default_missing_value = STANDARD_OUTPUT)]
    json: Option<PathBuf>,
    /// The files that the bundle was trained on: normals that are not in them word for word are also measured apart
    #[arg(long, value_name = "FILE", num_args = 1..)]
    train_input: Vec<PathBuf>,
    /// Also list so many missed attacks and so many false alarms, with scores and reasons
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    examples: usize,
    /// How the traffic was recorded
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The JSON form.
#[derive(Debug, Serialize)]
struct EvaluationFile<'r> {
    model: &'r str,
    scope: &'r str,
    serial: u64,
    skipped_lines: u64,
    #[serde(flatten)]
    report: &'r EvaluationReport,
    /// `null` where no exchange has a caller.
    sessions: Option<&'r SessionReport>,
}

/// What was measured: of exchanges, and of sessions.
struct Figures {
    report: EvaluationReport,
    sessions: Option<SessionReport>,
}

pub fn run(args: &EvalArgs) -> anyhow::Result<()> {
    if let Some(path) = &args.json {
        refuse_foreign_file(path)?;
    }
    let mut judge = args.bundle.load()?;
    let known = known_requests(args)?;
    let mut outcomes = Vec::new();
    let mut sessions = SessionOutcomes::default();
    let mut examples = Examples { wanted: args.examples, ..Examples::default() };
    let started = Instant::now();
    let counts = for_each_exchange(std::slice::from_ref(&args.file), args.format, "judging", |labelled| {
        let judged = judge.judge(&labelled.exchange);
        let seen = known.as_ref().map(|known| known.contains(&labelled.exchange.request));
        let outcome = Outcome::new(labelled.label.as_deref(), seen, &judged.verdict, network_scores(&judged));
        examples.consider(labelled.index, &outcome, &judged.verdict);
        sessions.add(&labelled.exchange, &outcome);
        outcomes.push(outcome);
        Ok(())
    })?;
    eprintln!("judged {} exchanges in {:.1} s", counts.exchanges, started.elapsed().as_secs_f64());
    let report = EvaluationReport::of(&outcomes);
    write_report(args, &judge, counts, &Figures { report, sessions: sessions.report() }, &examples)
}

fn network_scores(judged: &JudgedExchange) -> Option<NetworkScores> {
    let (autoencoder, ecod) = judged.reconstruction_score.zip(judged.baseline_score)?;
    Some(NetworkScores { autoencoder, ecod })
}

fn known_requests(args: &EvalArgs) -> anyhow::Result<Option<KnownRequests>> {
    if args.train_input.is_empty() {
        return Ok(None);
    }
    let mut known = KnownRequests::default();
    for_each_exchange(&args.train_input, args.format, "reading", |labelled| {
        known.add(&labelled.exchange.request);
        Ok(())
    })?;
    Ok(Some(known))
}

fn write_report(
    args: &EvalArgs,
    judge: &Judge,
    counts: ReadCounts,
    figures: &Figures,
    examples: &Examples,
) -> anyhow::Result<()> {
    let manifest = judge.manifest();
    let file = EvaluationFile {
        model: &manifest.model,
        scope: &manifest.scope,
        serial: manifest.serial,
        skipped_lines: counts.skipped_lines,
        report: &figures.report,
        sessions: figures.sessions.as_ref(),
    };
    let mut json = serde_json::to_string_pretty(&file).context("write the figures as JSON")?;
    json.push('\n');
    let mut text = figures.report.to_string();
    if let Some(sessions) = &figures.sessions {
        write!(text, "\n{sessions}")?;
    }
    text.push_str(&examples.list()?);
    if counts.skipped_lines > 0 {
        writeln!(text, "\n{} lines could not be read and were skipped", counts.skipped_lines)?;
    }
    match &args.json {
        Some(path) if path.as_os_str() == STANDARD_OUTPUT => print(&json),
        Some(path) => {
            std::fs::write(path, json).with_context(|| format!("write {}", path.display()))?;
            print(&text)
        }
        None => print(&text),
    }
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout().write_all(text.as_bytes()).context("write to standard output")
}

/// `--json a.jsonl b.jsonl` takes the first file for the output; it must not be lost to that.
fn refuse_foreign_file(path: &Path) -> anyhow::Result<()> {
    if path.as_os_str() == STANDARD_OUTPUT || !path.exists() {
        return Ok(());
    }
    let is_report = std::fs::File::open(path)
        .ok()
        .and_then(|file| serde_json::from_reader::<_, serde_json::Value>(io::BufReader::new(file)).ok())
        .is_some_and(|value| value.get("confusion").is_some());
    ensure!(is_report, "{} exists and is no report of `apiward eval`: it is not overwritten", path.display());
    Ok(())
}

/// Wrong verdicts for a person to look at.
#[derive(Debug, Default)]
struct Examples {
    wanted: usize,
    missed: Vec<String>,
    false_alarms: Vec<String>,
}

impl Examples {
    fn consider(&mut self, index: u64, outcome: &Outcome, verdict: &Verdict) {
        let (list, label) = match (&outcome.attack, outcome.anomalous) {
            (Some(attack), false) => (&mut self.missed, attack.as_str()),
            (None, true) => (&mut self.false_alarms, "normal"),
            _ => return,
        };
        if list.len() < self.wanted {
            let reasons = verdict.reasons().join("; ");
            list.push(format!(
                "  line {}: {label}, {}, score {:.6}: {reasons}",
                index + 1,
                verdict.endpoint,
                verdict.score
            ));
        }
    }

    fn list(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for (title, list) in [("missed attacks", &self.missed), ("false alarms", &self.false_alarms)] {
            if !list.is_empty() {
                writeln!(text, "\n{title}, the first {}:\n{}", list.len(), list.join("\n"))?;
            }
        }
        Ok(text)
    }
}
