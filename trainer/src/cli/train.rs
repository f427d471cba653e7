//! `apiward train`: from files to a bundle, or a run of the service.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use apiward_detector::bundle::{PublicKey, SecretKey, bundle_id, open, seal};
use apiward_detector::detector::Detector;
use time::OffsetDateTime;

use super::bundle_file::{public_key_beside, with_suffix};
use super::extraction::{Extractor, LABELLED_ATTACK};
use super::hash_key::HashKeyArgs;
use super::onnx_runtime::load_from_beside_the_program;
use super::reading::for_each_exchange;
use super::service::{ServiceArgs, training};
use super::training_meter::TrainingMeter;
use crate::evaluation::attack_of;
use crate::learning::{LearnedModel, LearningSettings, learn};
use crate::signing::{create_key, read_key};
use crate::traffic::Format;

/// Serial of a bundle from files where none is given.
const SERIAL_DEFAULT: u64 = 1;

/// Learn a model: from files to a bundle, or from the store of a running service
///
/// With --input and --output, learns from recorded traffic without any service and writes a signed bundle, and its public key
/// beside it as BUNDLE.pub. Needs ONNX Runtime: ORT_DYLIB_PATH names libonnxruntime.so, if it is not beside this program.
///
/// Without --input, starts a training run at the service, follows it and ends with its outcome.
#[derive(Debug, clap::Args)]
pub struct TrainArgs {
    /// Traffic to learn from, plain or gzip; `-` is standard input. Exchanges labelled as attacks are left out
    #[arg(long, short, value_name = "FILE", num_args = 1.., requires = "output", help_heading = "From files")]
    input: Vec<PathBuf>,
    /// Where the bundle goes
    #[arg(long, short, value_name = "BUNDLE", requires = "input", help_heading = "From files")]
    output: Option<PathBuf>,
    /// Secret key to sign with, as `apiward keygen` makes it [default: BUNDLE.key, made if there is none]
    #[arg(long, value_name = "FILE", requires = "input", help_heading = "From files")]
    key: Option<PathBuf>,
    /// Number from which all chance in training comes; the same files and seed give the same model [default: 1]
    #[arg(long, value_name = "NUMBER", requires = "input", help_heading = "From files")]
    seed: Option<u64>,
    /// Accepted share of normal exchanges that are flagged [default: 0.001]
    #[arg(long, value_name = "SHARE", requires = "input", value_parser = share, help_heading = "From files")]
    false_alarm_budget: Option<f64>,
    /// Serial of the bundle; filters take only higher ones than they had [default: 1]
    #[arg(long, value_name = "NUMBER", requires = "input", help_heading = "From files")]
    serial: Option<u64>,
    /// How the traffic was recorded [default: auto]
    #[arg(long, value_enum, requires = "input", help_heading = "From files")]
    format: Option<Format>,
    /// Also write the figures of the training as JSON
    #[arg(long, value_name = "FILE", requires = "input", help_heading = "From files")]
    report: Option<PathBuf>,
    #[command(flatten)]
    hash_key: HashKeyArgs,
    /// Publish the model even if it raises more false alarms than accepted or moves its alarm thresholds far
    #[arg(long, conflicts_with = "input", help_heading = "At the service")]
    force: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

pub fn run(args: &TrainArgs) -> anyhow::Result<()> {
    match &args.output {
        Some(output) => train_from_files(args, output),
        None => training::start_and_follow(&args.service, args.force),
    }
}

fn train_from_files(args: &TrainArgs, output: &Path) -> anyhow::Result<()> {
    let folder = output.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    ensure!(folder.is_dir(), "the folder {} does not exist", folder.display());
    let key = args.key.as_deref().map(read_key).transpose()?;
    load_from_beside_the_program()?;
    let LearnedModel { mut bundle, report } = learn_from_files(args)?;
    bundle.manifest.serial = args.serial.unwrap_or(SERIAL_DEFAULT);
    let (key, key_note) = match key {
        Some(key) => (key, None),
        None => key_beside(output)?,
    };
    let sealed = seal(&bundle, &key)?;
    check_as_a_filter_would(&sealed, &key.public())?;
    write_whole(output, &sealed)?;
    let public_path = public_key_beside(output);
    write_whole(&public_path, format!("{}\n", key.public()).as_bytes())?;
    if let Some(path) = &args.report {
        let json = serde_json::to_string_pretty(&report).context("write the figures as JSON")?;
        write_whole(path, format!("{json}\n").as_bytes())?;
    }
    println!("{report}");
    println!(
        "bundle               {} (model {}, file {}, {} kB)",
        output.display(),
        bundle.manifest.model,
        bundle_id(&sealed),
        sealed.len().div_ceil(1000)
    );
    println!("public key           {}", public_path.display());
    if let Some(note) = key_note {
        println!("secret key           {note}");
    }
    if !report.keeps_budget() {
        eprintln!("warning: more false alarms than accepted; a service would not publish this model");
    }
    Ok(())
}

fn learn_from_files(args: &TrainArgs) -> anyhow::Result<LearnedModel> {
    let extractor = Extractor::new(args.hash_key.hasher()?)?;
    let mut records = Vec::new();
    let mut left_out = 0_u64;
    for_each_exchange(&args.input, args.format.unwrap_or_default(), "reading", |labelled| {
        if attack_of(labelled.label.as_deref()).is_some() {
            left_out += 1;
        } else {
            records.push(extractor.record(&labelled.exchange));
        }
        Ok(())
    })?;
    if left_out > 0 {
        eprintln!("{left_out} {LABELLED_ATTACK}");
    }
    let defaults = LearningSettings::default();
    let settings = LearningSettings {
        scope: args.service.scope().unwrap_or(&defaults.scope).to_owned(),
        seed: args.seed.unwrap_or(defaults.seed),
        false_alarm_budget: args.false_alarm_budget.unwrap_or(defaults.false_alarm_budget),
        hash_key_id: extractor.hash_key_id().to_owned(),
        now_ms: i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000)
            .context("the clock of this machine is far off")?,
        ..defaults
    };
    let mut meter = TrainingMeter::start();
    let learned = learn(records, None, &settings, &mut |progress| {
        if let Ok(progress) = serde_json::to_value(&progress) {
            meter.show(&progress);
        }
        ControlFlow::Continue(())
    });
    meter.finish();
    Ok(learned?)
}

/// The key in BUNDLE.key, made when there is none, and what to tell of it.
fn key_beside(output: &Path) -> anyhow::Result<(SecretKey, Option<String>)> {
    let path = with_suffix(output, ".key");
    if path.exists() {
        let note = format!("{} (made earlier; use --key for one of your own)", path.display());
        return Ok((read_key(&path)?, Some(note)));
    }
    let note = format!("{} (made now, since no --key was given; keep it to sign later bundles)", path.display());
    Ok((create_key(&path)?, Some(note)))
}

fn check_as_a_filter_would(sealed: &[u8], key: &PublicKey) -> anyhow::Result<()> {
    open(sealed, std::slice::from_ref(key))
        .and_then(Detector::load)
        .map(|_| ())
        .context("a filter would refuse the new bundle, so it was not written")
}

/// Writes beside and renames, so that nobody ever reads half a file.
fn write_whole(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let partial = with_suffix(path, ".partial");
    std::fs::write(&partial, bytes)
        .and_then(|()| std::fs::rename(&partial, path))
        .with_context(|| format!("write {}", path.display()))
}

fn share(text: &str) -> Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "it must be a number such as 0.001".to_owned())?;
    if share > 0.0 && share < 0.5 { Ok(share) } else { Err("it must be above 0 and below 0.5".to_owned()) }
}
