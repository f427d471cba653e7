//! What the payload detector costs inside of Envoy, in microseconds of its processor time per request.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use apiward_e2e::harness::{Envoy, HttpClient, POLL, Secrets, ShopServer, Trainer, free_address};
use apiward_e2e::shop::Release;
use clap::Parser;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// Sends each value in the query of a request through two Envoys in turn: one whose filter has no model and only observes, and
/// one with the payload network that every scope starts with.
#[derive(Parser)]
struct Arguments {
    /// One value a line; those that begin with `## ` are comments
    #[arg(long, default_value = "tests/data/payload/hard_benign.txt")]
    values: PathBuf,
    /// How often all values are sent
    #[arg(long, default_value_t = 6)]
    rounds: usize,
}

/// How long the filter may take to fetch its first model.
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let file = arguments.values.display().to_string();
    let values = std::fs::read_to_string(&arguments.values).with_context(|| format!("read the values in {file}"))?;
    let values: Vec<&str> = values.lines().filter(|line| !line.is_empty() && !line.starts_with("## ")).collect();
    ensure!(!values.is_empty(), "{file} has no values");

    let secrets = Secrets::random()?;
    let shop = ShopServer::start(Release::default()).await?;
    let trainer = Trainer::builder(&secrets).start().await?;
    let observing = Envoy::builder(shop.address(), free_address()?, &secrets)?.workers(1).start().await?;
    let scoring = Envoy::builder(shop.address(), trainer.address(), &secrets)?.workers(1).start().await?;
    scoring.until_metric("apiward_bundle_loads_total", 1, PATIENCE).await?;

    let mut spent = [Duration::ZERO; 4];
    for round in 0..arguments.rounds {
        // A value with its round is new; sent again, its scores are known.
        for (new, again, envoy) in [(0, 1, &observing), (2, 3, &scoring)] {
            for place in [new, again] {
                spent[place] += time_of(envoy, &values, round).await?;
            }
        }
    }
    let requests = (arguments.rounds * values.len()) as f64;
    let [observed, observed_again, scored, scored_again] = spent.map(|time| 1e6 * time.as_secs_f64() / requests);
    println!("| one value in the query of {requests} requests | observed only | scored | ratio |");
    println!("| --- | --- | --- | --- |");
    for (name, without, with) in [("new", observed, scored), ("seen before", observed_again, scored_again)] {
        println!("| {name} | {without:.0} µs | {with:.0} µs | {:.2} |", with / without);
    }
    observing.stop().await?;
    scoring.stop().await
}

/// Processor time that Envoy takes for all values, in its worker and its other threads.
async fn time_of(envoy: &Envoy, values: &[&str], round: usize) -> Result<Duration> {
    let client = HttpClient::new(&envoy.url(), None);
    let before = envoy.cpu_time()?;
    for value in values {
        let value = utf8_percent_encode(value, NON_ALPHANUMERIC);
        client.get(&format!("/api/products?q={value}%20{round}")).await?;
    }
    // What was begun for the last request is done by then.
    tokio::time::sleep(POLL).await;
    Ok(envoy.cpu_time()? - before)
}
