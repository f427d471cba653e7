//! Measuring a program on one API: traffic into a temporary folder, discovery, figures, and how soon they are stable.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Serialize;
use tempfile::TempDir;

use super::discoverer::Discoverer;
use super::operations::{Api, Operation};
use super::quality::{Quality, TrueRequest};
use super::traffic::{TrafficGenerator, TrafficSettings};

/// The shortest beginning of the traffic that is looked at, requests.
const PREFIX_MIN: usize = 256;

/// The traffic of one API in a folder that goes with it.
#[derive(Debug)]
pub struct RecordedTraffic {
    folder: TempDir,
    file: PathBuf,
    pub requests: Vec<TrueRequest>,
}

/// What a program found after so many requests.
#[derive(Clone, Debug, Serialize)]
pub struct Prefix {
    pub requests: usize,
    pub discovered: usize,
    /// Against all operations, also those not yet seen.
    pub f1: f64,
}

/// How one program did on one API.
#[derive(Clone, Debug, Serialize)]
pub struct Measurement {
    pub api: String,
    pub program: String,
    pub took_s: f64,
    /// Requests after which the discovered templates no longer change, looked at after each power of two and at the end;
    /// `None` where this was not measured.
    pub stable_after: Option<usize>,
    pub prefixes: Vec<Prefix>,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub mapped_share: f64,
    #[serde(flatten)]
    pub quality: Quality,
}

impl RecordedTraffic {
    /// Makes the traffic of an API and writes it down.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn generate(api: &Api, settings: &TrafficSettings) -> Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a temporary folder")?;
        let file = folder.path().join(format!("{}.jsonl", api.host));
        let mut output = BufWriter::new(File::create(&file).context("cannot write traffic")?);
        let generator = TrafficGenerator::new(api, settings.clone());
        let mut requests = Vec::new();
        for generated in generator.exchanges() {
            serde_json::to_writer(&mut output, &generated.exchange)?;
            output.write_all(b"\n")?;
            requests.push(TrueRequest {
                method: generated.exchange.method,
                target: generated.exchange.path,
                operation: generated.operation,
            });
        }
        output.flush().context("cannot write traffic")?;
        Ok(Self { folder, file, requests })
    }

    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The first requests in a file of their own.
    fn prefix(&self, requests: usize) -> Result<PathBuf> {
        let path = self.folder.path().join(format!("first-{requests}.jsonl"));
        let mut output = BufWriter::new(File::create(&path).context("cannot write traffic")?);
        for line in BufReader::new(File::open(&self.file)?).split(b'\n').take(requests) {
            output.write_all(&line?)?;
            output.write_all(b"\n")?;
        }
        output.flush()?;
        Ok(path)
    }
}

impl Measurement {
    /// Requests per template of the traffic after which nothing changes any more.
    pub fn stable_after_per_template(&self) -> Option<f64> {
        self.stable_after.map(|requests| requests as f64 / self.quality.expected.max(1) as f64)
    }
}

/// Runs `discoverer` on the traffic of `api`; with `stability` also on its beginnings.
///
/// # Errors
/// When the program cannot be run or prints something else.
pub fn measure(api: &Api, traffic: &RecordedTraffic, discoverer: &Discoverer, stability: bool) -> Result<Measurement> {
    let discovery = discoverer.discover(traffic.file(), &api.host)?;
    let quality = Quality::of(api, &traffic.requests, &discovery.endpoints);
    let mut prefixes = Vec::new();
    let mut stable_after = None;
    if stability {
        let last = keys(&discovery.endpoints);
        let mut stable = traffic.requests.len();
        let mut sets = Vec::new();
        for requests in std::iter::successors(Some(PREFIX_MIN), |requests| Some(requests * 2))
            .take_while(|requests| *requests < traffic.requests.len())
        {
            let file = traffic.prefix(requests)?;
            let found = discoverer.discover(&file, &api.host)?.endpoints;
            std::fs::remove_file(file)?;
            let so_far = Quality::of(api, &traffic.requests, &found);
            prefixes.push(Prefix { requests, discovered: found.len(), f1: so_far.f1() });
            sets.push((requests, keys(&found)));
        }
        for (requests, set) in sets.into_iter().rev() {
            if set != last {
                break;
            }
            stable = requests;
        }
        prefixes.push(Prefix {
            requests: traffic.requests.len(),
            discovered: discovery.endpoints.len(),
            f1: quality.f1(),
        });
        stable_after = Some(stable);
    }
    Ok(Measurement {
        api: api.name.clone(),
        program: discoverer.name.clone(),
        took_s: discovery.took.as_secs_f64(),
        stable_after,
        prefixes,
        precision: quality.precision(),
        recall: quality.recall(),
        f1: quality.f1(),
        mapped_share: quality.mapped_share(),
        quality,
    })
}

fn keys(endpoints: &[Operation]) -> BTreeSet<(String, String)> {
    endpoints.iter().map(Operation::key).collect()
}
