//! `apiward score`: a verdict per exchange, as JSON lines.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use apiward_detector::payload::PayloadClass;
use apiward_detector::verdict::{DetectorScores, Verdict};
use serde::Serialize;

use super::bundle_file::BundleArgs;
use super::reading::for_each_exchange;
use crate::traffic::{Format, STANDARD_INPUT};

/// Judge recorded traffic: one verdict per exchange, as JSON lines
///
/// Each output object has the `index` of its input line, or entry of an archive (from 0), the `endpoint`, the `verdict`
/// (normal or anomalous), a `score` from 0 to 1, the score of each detector (null where it had nothing to judge by), the
/// `attack_class` and the `reasons`. Lines that cannot be read are reported, skipped and counted.
#[derive(Debug, clap::Args)]
pub struct ScoreArgs {
    /// Traffic to judge, plain or gzip; `-` is standard input
    file: PathBuf,
    #[command(flatten)]
    bundle: BundleArgs,
    /// Where the verdicts go; `-` is standard output
    #[arg(long, short, value_name = "OUT", default_value = STANDARD_OUTPUT)]
    output: PathBuf,
    /// How the traffic was recorded
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

const STANDARD_OUTPUT: &str = "-";

/// One line of the output.
#[derive(Debug, Serialize)]
struct ScoredExchange<'v> {
    index: u64,
    endpoint: &'v str,
    verdict: &'static str,
    score: f32,
    detectors: DetectorScores,
    /// What attack the payload detector takes it for.
    attack_class: Option<&'v str>,
    reasons: Vec<&'v str>,
}

impl<'v> ScoredExchange<'v> {
    fn of(index: u64, verdict: &'v Verdict) -> Self {
        Self {
            index,
            endpoint: &verdict.endpoint,
            verdict: if verdict.anomalous { "anomalous" } else { "normal" },
            score: verdict.score,
            detectors: verdict.detectors,
            attack_class: verdict.attack_class().map(PayloadClass::name),
            reasons: verdict.reasons(),
        }
    }
}

pub fn run(args: &ScoreArgs) -> anyhow::Result<()> {
    let mut judge = args.bundle.load()?;
    refuse_same_file(&args.file, &args.output)?;
    let mut output = create(&args.output)?;
    let mut anomalous = 0_u64;
    let written = || format!("write {}", args.output.display());
    let counts = for_each_exchange(std::slice::from_ref(&args.file), args.format, "scoring", |labelled| {
        let judged = judge.judge(&labelled.exchange);
        anomalous += u64::from(judged.verdict.anomalous);
        serde_json::to_writer(&mut output, &ScoredExchange::of(labelled.index, &judged.verdict))
            .map_err(io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
            .with_context(written)
    })?;
    output.flush().with_context(written)?;
    eprintln!("{} exchanges, {anomalous} anomalous, {} lines skipped", counts.exchanges, counts.skipped_lines);
    Ok(())
}

fn create(path: &Path) -> anyhow::Result<Box<dyn Write>> {
    if path.as_os_str() == STANDARD_OUTPUT {
        return Ok(Box::new(BufWriter::new(io::stdout())));
    }
    let file = File::create(path).with_context(|| format!("create {}", path.display()))?;
    Ok(Box::new(BufWriter::new(file)))
}

/// Creating the output would empty the input.
fn refuse_same_file(input: &Path, output: &Path) -> anyhow::Result<()> {
    if input.as_os_str() == STANDARD_INPUT || output.as_os_str() == STANDARD_OUTPUT {
        return Ok(());
    }
    if let (Ok(input), Ok(output)) = (input.canonicalize(), output.canonicalize()) {
        anyhow::ensure!(input != output, "{} is input and output at once", input.display());
    }
    Ok(())
}
