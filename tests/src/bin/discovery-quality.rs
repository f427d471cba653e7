//! How well API discovery finds known operations again, beside public tools.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result};
use apiward_e2e::discovery::{
    Discoverer, Measurement, RecordedTraffic, TrafficSettings, errors, figures, measure, public_tools, read_operations,
};
use clap::Parser;

/// Names, and what decides: the program as it is has the network too.
const PARTS_OF_EVIDENCE: [(&str, &str); 2] = [("recognisers", "recognisers"), ("… and graph", "graph")];

/// Makes traffic of each API in the operations file, runs the program on it, and compares what it found with the truth.
#[derive(Parser)]
struct Arguments {
    /// Tab-separated API, method and template
    #[arg(long)]
    operations: PathBuf,
    /// Only these APIs, comma-separated; all unless given
    #[arg(long, value_delimiter = ',')]
    api: Vec<String>,
    /// Requests per template on average
    #[arg(long, default_value_t = 200)]
    mean: u64,
    /// Requests that every template gets
    #[arg(long, default_value_t = 20)]
    minimum: u64,
    /// Seeds of the traffic, comma-separated: each is measured
    #[arg(long, value_delimiter = ',', default_value = "1")]
    seed: Vec<u64>,
    /// The program to measure; the traffic's file is added to it
    #[arg(long, default_value = "dist/apiward discover --json")]
    discover: String,
    /// Measure public tools on the same traffic, with the Python in APIWARD_COMPARISON_PYTHON
    #[arg(long)]
    compare: bool,
    /// Measure the program with part of its evidence too: recognisers of clear types only, and these with the graph
    #[arg(long)]
    ablation: bool,
    /// Leave out how many requests it takes until nothing changes, which runs the program on every power of two
    #[arg(long)]
    skip_stability: bool,
    /// List what is missing and what is spurious
    #[arg(long)]
    show_errors: bool,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
    /// Seconds that one run of a program may take
    #[arg(long, default_value_t = 900)]
    time_limit: u64,
    /// Fail when an API's F1 is below this (0 to 1)
    #[arg(long)]
    f1_at_least: Option<f64>,
    /// Fail when an API's share of rightly mapped requests is below this (0 to 1)
    #[arg(long)]
    mapped_at_least: Option<f64>,
}

impl Arguments {
    fn shortfalls(&self, measurement: &Measurement) -> Vec<String> {
        let checks = [
            ("F1", measurement.f1, self.f1_at_least),
            ("share of requests mapped", measurement.mapped_share, self.mapped_at_least),
        ];
        checks
            .into_iter()
            .filter_map(|(name, measured, wanted)| Some((name, measured, wanted?)))
            .filter(|(_, measured, wanted)| measured < wanted)
            .map(|(name, measured, wanted)| {
                format!("{}: {name} is {measured:.4}, at least {wanted} is wanted", measurement.api)
            })
            .collect()
    }
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let apis = read_operations(&arguments.operations)
        .with_context(|| format!("the operations in {} cannot be used", arguments.operations.display()))?;
    for wanted in &arguments.api {
        let names: Vec<&str> = apis.iter().map(|api| api.name.as_str()).collect();
        anyhow::ensure!(names.contains(&wanted.as_str()), "no API is called {wanted}; there are {}", names.join(", "));
    }
    let time_limit = Duration::from_secs(arguments.time_limit);
    let product = Discoverer::new("apiward", &arguments.discover, time_limit);
    let mut tools = if arguments.compare { public_tools(time_limit)? } else { Vec::new() };
    if arguments.ablation {
        tools.extend(PARTS_OF_EVIDENCE.map(|(name, deciding)| {
            Discoverer::new(name, &format!("{} --deciding {deciding}", arguments.discover), time_limit)
        }));
    }
    let chosen = || apis.iter().filter(|api| arguments.api.is_empty() || arguments.api.contains(&api.name));

    let mut all: Vec<Measurement> = Vec::new();
    let mut shortfalls = Vec::new();
    for seed in &arguments.seed {
        let mut measurements = Vec::new();
        for api in chosen() {
            let settings = TrafficSettings {
                seed: *seed,
                mean: arguments.mean,
                minimum: arguments.minimum,
                ..TrafficSettings::default()
            };
            let traffic = RecordedTraffic::generate(api, &settings)?;
            let measured = measure(api, &traffic, &product, !arguments.skip_stability)
                .with_context(|| format!("{} cannot be discovered", api.name))?;
            shortfalls.extend(arguments.shortfalls(&measured));
            measurements.push(measured);
            for tool in &tools {
                match measure(api, &traffic, tool, false) {
                    Ok(measured) => measurements.push(measured),
                    // A tool that cannot cope with the traffic has no figures; the others' still count.
                    Err(error) => eprintln!("{} on {}: {error:#}", tool.name, api.name),
                }
            }
        }
        if !arguments.json {
            print(&arguments, *seed, &measurements);
        }
        all.extend(measurements);
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    }
    for shortfall in &shortfalls {
        eprintln!("{shortfall}");
    }
    Ok(if shortfalls.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(arguments: &Arguments, seed: u64, measurements: &[Measurement]) {
    println!("mean {} requests per template, minimum {}, seed {seed}", arguments.mean, arguments.minimum);
    println!("{}", figures(measurements));
    if !arguments.show_errors {
        return;
    }
    for measurement in measurements {
        let errors = errors(measurement);
        if !errors.is_empty() {
            println!("\n{} on {}:", measurement.program, measurement.api);
        }
        for error in errors {
            println!("  {error}");
        }
    }
}
