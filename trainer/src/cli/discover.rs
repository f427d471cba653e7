//! `apiward discover`: endpoints and templates from recorded traffic.

use std::path::PathBuf;

use anyhow::Context as _;
use serde::Serialize;

use super::extraction::Extractor;
use super::hash_key::HashKeyArgs;
use super::onnx_runtime::load_from_beside_the_program;
use super::reading::for_each_exchange;
use crate::discovery::component_network::ComponentNetwork;
use crate::discovery::{
    Corrections, DiscoveredEndpoint, EndpointsNeeded, Evidence, RuleOfThumb, UrlGraph, endpoints, fold,
};
use crate::learning::LearningSettings;
use crate::traffic::Format;

/// Find the endpoints in recorded traffic
#[derive(Debug, clap::Args)]
pub struct DiscoverArgs {
    /// Recorded traffic, plain or gzip; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the endpoints as one JSON document
    #[arg(long)]
    json: bool,
    /// Distinct callers that an endpoint needs; without callers in the traffic none are asked for
    #[arg(long, value_name = "N", default_value_t = LearningSettings::default().promotion.callers)]
    callers: usize,
    #[command(flatten)]
    hash_key: HashKeyArgs,
    /// How the traffic was recorded
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// What decides, for comparison: `graph`, `looks`, or both
    #[arg(long, value_enum, hide = true, default_value_t = Deciding::Both)]
    deciding: Deciding,
}

/// The evidence of an ablation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Deciding {
    Looks,
    Graph,
    Both,
}

#[derive(Debug, Serialize)]
struct EndpointList<'e> {
    endpoints: Vec<ShownEndpoint<'e>>,
}

#[derive(Debug, Serialize)]
struct ShownEndpoint<'e> {
    host: &'e str,
    method: &'e str,
    template: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'e str>,
    exchanges: u64,
}

pub fn run(args: &DiscoverArgs) -> anyhow::Result<()> {
    let extractor = Extractor::new(args.hash_key.hasher()?);
    let mut graph = UrlGraph::new(LearningSettings::default().promotion.window_ms);
    for_each_exchange(&args.files, args.format, "discovering", |labelled| {
        graph.add(&extractor.record(&labelled.exchange));
        Ok(())
    })?;
    let evidence = Evidence { graph: args.deciding != Deciding::Looks, looks: args.deciding != Deciding::Graph };
    let none = Corrections::default();
    let hosts = match args.deciding {
        Deciding::Looks | Deciding::Graph => fold(&graph, &mut RuleOfThumb, &none, evidence)?,
        Deciding::Both => {
            load_from_beside_the_program()?;
            fold(&graph, &mut ComponentNetwork::open()?, &none, evidence)?
        }
    };
    let needed =
        EndpointsNeeded { callers: if graph.with_callers { args.callers } else { 0 }, ..EndpointsNeeded::default() };
    let found = endpoints(&graph, &hosts, &needed);
    let shown = EndpointList { endpoints: found.iter().map(ShownEndpoint::of).collect() };
    println!("{}", serde_json::to_string(&shown).context("write the endpoints")?);
    Ok(())
}

impl<'e> ShownEndpoint<'e> {
    fn of(found: &'e DiscoveredEndpoint) -> Self {
        let endpoint = &found.endpoint;
        Self {
            host: &endpoint.host,
            method: &endpoint.method,
            template: &endpoint.template,
            operation: endpoint.operation.as_deref(),
            exchanges: found.summary.exchanges,
        }
    }
}
