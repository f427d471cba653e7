//! Exchange JSONL of APIs whose operations are known, to discover them from.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};
use apiward_e2e::discovery::{TrafficGenerator, TrafficSettings, read_operations};
use clap::Parser;

/// Seeded traffic of the operations in a file: scanner noise is labelled `scanner`, all else `normal`.
#[derive(Parser)]
struct Arguments {
    /// Tab-separated API, method and template
    #[arg(long)]
    operations: PathBuf,
    /// Only this API; all unless given
    #[arg(long)]
    api: Option<String>,
    /// Requests per template on average
    #[arg(long, default_value_t = 200)]
    requests_per_template: u64,
    /// Requests that every template gets
    #[arg(long, default_value_t = 20)]
    minimum: u64,
    /// The same seed gives the same traffic
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many callers there are, scanners not counted
    #[arg(long, default_value_t = 400)]
    callers: usize,
    /// File to write
    #[arg(short, long)]
    output: PathBuf,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let apis = read_operations(&arguments.operations)
        .with_context(|| format!("the operations in {} cannot be used", arguments.operations.display()))?;
    let settings = TrafficSettings {
        seed: arguments.seed,
        mean: arguments.requests_per_template,
        minimum: arguments.minimum,
        callers: arguments.callers,
        ..TrafficSettings::default()
    };
    let output =
        File::create(&arguments.output).with_context(|| format!("cannot create {}", arguments.output.display()))?;
    let mut output = BufWriter::new(output);
    let mut found = false;
    for api in apis.iter().filter(|api| arguments.api.as_ref().is_none_or(|name| *name == api.name)) {
        found = true;
        let generator = TrafficGenerator::new(api, settings.clone());
        let mut count = 0_u64;
        for generated in generator.exchanges() {
            serde_json::to_writer(&mut output, &generated.exchange)?;
            output.write_all(b"\n")?;
            count += 1;
        }
        println!("{count:>8} exchanges of {} with {} operations", api.host, api.operations.len());
    }
    anyhow::ensure!(found, "there is no such API in the file; it has {}", names(&apis));
    output.flush().with_context(|| format!("cannot write {}", arguments.output.display()))
}

fn names(apis: &[apiward_e2e::discovery::Api]) -> String {
    apis.iter().map(|api| api.name.as_str()).collect::<Vec<_>>().join(", ")
}
