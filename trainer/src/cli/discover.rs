//! `apiward discover`: endpoints and templates from recorded traffic.

mod output;
mod tree;

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use indicatif::HumanCount;

use super::difference::refuse_difference;
use super::extraction::Extractor;
use super::hash_key::HashKeyArgs;
use super::onnx_runtime::load_from_beside_the_program;
use super::reading::for_each_exchange;
use crate::discovery::comparison::{Comparison, compare};
use crate::discovery::component_network::ComponentNetwork;
use crate::discovery::inventory::{Inventory, StateSettings, Timeframe};
use crate::discovery::{
    Corrections, DiscoveredEndpoint, EndpointsNeeded, Evidence, FoldedHost, RuleOfThumb, UrlGraph, endpoints, fold,
    openapi,
};
use crate::learning::LearningSettings;
use crate::traffic::Format;
use output::Output;
use tree::{Overview, write_tree};

/// Find the endpoints in recorded traffic: what they take, what they return, who calls them
///
/// Prints a tree of the paths, with the methods, how often each was called, and what it takes. Marks: `new` (first seen in the
/// last week of traffic that goes back further), `stale` (not seen for a month), `unauthenticated` (works without credentials),
/// `sensitive` (personal or secret data goes in or out, with its classes), `unsure` (little speaks for this template). Values
/// are never shown, since none are kept.
#[derive(Debug, clap::Args)]
pub struct DiscoverArgs {
    /// Recorded traffic, plain or gzip; `-` is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Write the whole inventory, or with --against the comparison, as one JSON document
    #[arg(long)]
    json: bool,
    /// Write an OpenAPI 3.1 document of one host
    #[arg(long, conflicts_with_all = ["json", "against"])]
    openapi: bool,
    /// Compare with a specification (OpenAPI 3.0 or 3.1, Swagger 2.0; JSON or YAML): endpoints that it lacks, that are deprecated
    /// or unused, and what is not as declared
    #[arg(long, value_name = "SPEC")]
    against: Option<PathBuf>,
    /// Exit with code 3 when the traffic is not as declared: shadow or zombie endpoints, or mismatches. Unused operations are no
    /// difference, since traffic shows only what is used
    #[arg(long, requires = "against")]
    fail_on_difference: bool,
    /// Only this host
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Where the result goes; `-` is standard output
    #[arg(long, short, value_name = "OUT", default_value = output::STANDARD_OUTPUT)]
    output: PathBuf,
    /// Distinct callers that an endpoint needs; without callers in the traffic none are asked for
    #[arg(long, value_name = "N", default_value_t = LearningSettings::default().promotion.callers)]
    callers: usize,
    /// How long before the end of the traffic an endpoint was first seen, at most, to be new
    #[arg(long, value_name = "TIME", default_value = "7d", value_parser = milliseconds)]
    new_for: i64,
    /// How long before the end of the traffic an endpoint was last seen, at least, to be stale
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = milliseconds)]
    stale_after: i64,
    #[command(flatten)]
    hash_key: HashKeyArgs,
    /// How the traffic was recorded
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What decides, for comparison: `recognisers` of clear types only, these with the `graph` or the `looks` of words, or all
    #[arg(long, value_enum, hide = true, default_value_t = Deciding::All)]
    deciding: Deciding,
}

/// The evidence of an ablation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deciding {
    Recognisers,
    Looks,
    Graph,
    All,
}

pub fn run(args: &DiscoverArgs) -> anyhow::Result<()> {
    // What is wrong with the specification or the output is said before hours of traffic are read.
    let specification = args.against.as_ref().map(output::read_specification).transpose()?;
    output::refuse_inputs(&args.output, args.files.iter().chain(&args.against))?;
    let graph = read_traffic(args)?;
    let found = discovered(args, &graph)?;
    let settings = StateSettings { new_for_ms: args.new_for, stale_after_ms: args.stale_after };
    let mut inventory = Inventory::of(&found, &Timeframe::of_traffic(&found), &settings);
    inventory.distrust_absent_credentials();
    let inventory = of_chosen_host(args, inventory)?;
    if inventory.endpoints.is_empty() && graph.names_callers() && args.callers > 1 {
        eprintln!("no endpoint was used by {} callers with success; ask for fewer with --callers", args.callers);
    }
    match specification {
        Some(specification) => {
            let comparison = compare(&inventory, &specification, args.host.as_deref())
                .map_err(|error| with_host_option(error, args.host.is_none()))?;
            write_comparison(args, &comparison)?;
            if args.fail_on_difference { Ok(refuse_difference(&comparison)?) } else { Ok(()) }
        }
        None if args.openapi => {
            let host = openapi::chosen_host(&inventory, args.host.as_deref())
                .map_err(|error| with_host_option(error, args.host.is_none()))?;
            let document = openapi::document(&inventory, host)?;
            write_json(args, &document)
        }
        None if args.json => {
            let mut output = Output::create(&args.output)?;
            serde_json::to_writer(&mut output, &inventory).context("write the inventory")?;
            output.finish()
        }
        None => {
            let mut output = Output::create(&args.output)?;
            let overview = Overview { exchanges: graph.exchanges, is_one_host: args.host.is_some() };
            write_tree(&mut output, &inventory, &overview).context("write the tree")?;
            output.finish()
        }
    }
}

fn read_traffic(args: &DiscoverArgs) -> anyhow::Result<UrlGraph> {
    let extractor = Extractor::new(args.hash_key.hasher()?)?;
    let mut graph = UrlGraph::new(LearningSettings::default().promotion.window_ms);
    let counts = for_each_exchange(&args.files, args.format, "discovering", |labelled| {
        graph.add(&extractor.record(&labelled.exchange));
        Ok(())
    })?;
    if counts.skipped_lines > 0 {
        eprintln!("{} lines skipped", HumanCount(counts.skipped_lines));
    }
    Ok(graph)
}

fn discovered(args: &DiscoverArgs, graph: &UrlGraph) -> anyhow::Result<Vec<DiscoveredEndpoint>> {
    let hosts = folded(args, graph)?;
    let needed = EndpointsNeeded { callers: args.callers, ..EndpointsNeeded::default() };
    Ok(endpoints(graph, &hosts, &needed))
}

fn folded(args: &DiscoverArgs, graph: &UrlGraph) -> anyhow::Result<Vec<FoldedHost>> {
    let evidence = Evidence {
        graph: matches!(args.deciding, Deciding::Graph | Deciding::All),
        looks: matches!(args.deciding, Deciding::Looks | Deciding::All),
    };
    let none = Corrections::default();
    Ok(match args.deciding {
        Deciding::Recognisers | Deciding::Looks | Deciding::Graph => fold(graph, &mut RuleOfThumb, &none, evidence)?,
        Deciding::All => {
            load_from_beside_the_program()?;
            fold(graph, &mut ComponentNetwork::open()?, &none, evidence)?
        }
    })
}

fn of_chosen_host(args: &DiscoverArgs, inventory: Inventory) -> anyhow::Result<Inventory> {
    let Some(host) = &args.host else {
        return Ok(inventory);
    };
    let of_host = inventory.of_host(host);
    ensure!(
        !of_host.endpoints.is_empty(),
        "no endpoint was discovered at host {host}; there are some at: {}",
        inventory.hosts().join(", ")
    );
    Ok(of_host)
}

fn with_host_option(error: impl std::error::Error + Send + Sync + 'static, is_open: bool) -> anyhow::Error {
    let error = anyhow::Error::new(error);
    if is_open { error.context("which host? see --host") } else { error }
}

fn write_comparison(args: &DiscoverArgs, comparison: &Comparison) -> anyhow::Result<()> {
    if args.json {
        return write_json(args, comparison);
    }
    let mut output = Output::create(&args.output)?;
    write!(output, "{comparison}").context("write the comparison")?;
    output.finish()
}

fn write_json(args: &DiscoverArgs, document: &impl serde::Serialize) -> anyhow::Result<()> {
    let mut output = Output::create(&args.output)?;
    serde_json::to_writer_pretty(&mut output, document).context("write the document")?;
    output.finish()
}

fn milliseconds(text: &str) -> Result<i64, String> {
    let duration: Duration = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    i64::try_from(duration.as_millis()).map_err(|_| "it is too long".to_owned())
}
