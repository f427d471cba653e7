//! `apiward endpoints`.

use serde::Deserialize;

use super::{OutputArgs, ServiceArgs, short_time, show, table};

/// List the endpoints that the active model knows, and what else was called
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct EndpointsArgs {
    #[command(subcommand)]
    command: EndpointsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EndpointsCommand {
    /// The endpoints with what was seen of them
    List {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Deserialize)]
struct EndpointList {
    model: Option<String>,
    endpoints: Vec<KnownEndpoint>,
    unknown: Vec<UnknownEndpoint>,
}

#[derive(Deserialize)]
struct KnownEndpoint {
    host: String,
    method: String,
    template: String,
    learned_from: u64,
    fields: u64,
    exchanges: Option<i64>,
    anomalous: Option<i64>,
    last_seen: Option<String>,
}

#[derive(Deserialize)]
struct UnknownEndpoint {
    endpoint: String,
    exchanges: i64,
    anomalous: i64,
    last_seen: String,
}

pub fn run(args: &EndpointsArgs) -> anyhow::Result<()> {
    let EndpointsCommand::List { service, output } = &args.command;
    let client = service.client()?;
    show(client.get("/v1/endpoints", &[("scope", client.scope())])?, output, list)
}

fn list(list: EndpointList) -> String {
    let mut text = match &list.model {
        Some(model) => format!("known to model {model}:\n{}\n", known(&list.endpoints)),
        None => "there is no model yet\n".to_owned(),
    };
    if !list.unknown.is_empty() {
        let mut table = table(&["endpoint", "exchanges", "flagged", "last seen"]);
        for endpoint in &list.unknown {
            table.add_row([
                &endpoint.endpoint,
                &endpoint.exchanges.to_string(),
                &endpoint.anomalous.to_string(),
                &short_time(&endpoint.last_seen),
            ]);
        }
        text.push_str(&format!("\ncalled, but not in the model:\n{table}\n"));
    }
    text
}

fn known(endpoints: &[KnownEndpoint]) -> String {
    let mut table = table(&["host", "method", "path", "learned from", "fields", "exchanges", "flagged", "last seen"]);
    for endpoint in endpoints {
        table.add_row([
            &endpoint.host,
            &endpoint.method,
            &endpoint.template,
            &endpoint.learned_from.to_string(),
            &endpoint.fields.to_string(),
            &endpoint.exchanges.unwrap_or(0).to_string(),
            &endpoint.anomalous.unwrap_or(0).to_string(),
            &endpoint.last_seen.as_deref().map_or_else(|| "-".to_owned(), short_time),
        ]);
    }
    table.to_string()
}
