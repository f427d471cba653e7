//! `apiward models`.

use serde::Deserialize;
use serde_json::json;

use super::{OutputArgs, ServiceArgs, segment, short_time, show, table};

/// List, show, activate and roll back the models of a service
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct ModelsArgs {
    #[command(subcommand)]
    command: ModelsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum ModelsCommand {
    /// The models, the newest first
    List {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// One model with the figures of its training
    Show {
        /// Id of the model, as listed
        id: String,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Publish a model under a new serial, so that the filters of its scope load it
    Activate {
        /// Id of the model, as listed
        id: String,
        /// Even if it was rejected after its training
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Publish the model that was active before the present one
    RollBack {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Deserialize)]
struct ModelList {
    models: Vec<Model>,
}

#[derive(Deserialize)]
struct Model {
    id: String,
    scope: String,
    state: String,
    reason: Option<String>,
    parent: Option<String>,
    created_at: String,
    hash_key_id: String,
    report: serde_json::Value,
    serial: Option<i64>,
    active: bool,
}

#[derive(Deserialize)]
struct Publication {
    scope: String,
    model: String,
    serial: u64,
}

pub fn run(args: &ModelsArgs) -> anyhow::Result<()> {
    match &args.command {
        ModelsCommand::List { service, output } => {
            let client = service.client()?;
            show(client.get("/v1/models", &[("scope", client.scope())])?, output, list)
        }
        ModelsCommand::Show { id, service, output } => {
            show(service.client()?.get(&format!("/v1/models/{}", segment(id)), &[])?, output, details)
        }
        ModelsCommand::Activate { id, force, service, output } => {
            let path = format!("/v1/models/{}/activate", segment(id));
            show(service.client()?.post(&path, &json!({ "force": force }))?, output, published)
        }
        ModelsCommand::RollBack { service, output } => {
            let client = service.client()?;
            let body = json!({ "scope": client.scope() });
            show(client.post("/v1/models/roll-back", &body)?, output, published)
        }
    }
}

fn list(list: ModelList) -> String {
    if list.models.is_empty() {
        return "there is no model yet".to_owned();
    }
    let mut table = table(&["model", "scope", "state", "serial", "created", ""]);
    for model in &list.models {
        table.add_row([
            model.id.as_str(),
            &model.scope,
            &model.state,
            &model.serial.map_or_else(|| "-".to_owned(), |serial| serial.to_string()),
            &short_time(&model.created_at),
            if model.active { "active" } else { model.reason.as_deref().unwrap_or("") },
        ]);
    }
    table.to_string()
}

fn details(model: Model) -> String {
    let mut table = table(&[]);
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    table.add_row(["model", &model.id]);
    table.add_row(["scope", &model.scope]);
    table.add_row(["state", if model.active { "active" } else { &model.state }]);
    if let Some(reason) = &model.reason {
        table.add_row(["reason", reason]);
    }
    table.add_row(["serial", &or_none(model.serial.map(|serial| serial.to_string()))]);
    table.add_row(["trained after", &or_none(model.parent)]);
    table.add_row(["created", &short_time(&model.created_at)]);
    table.add_row(["hash key", &model.hash_key_id]);
    format!("{table}\n\n{:#}", model.report)
}

fn published(publication: Publication) -> String {
    format!("model {} is published for scope {} as serial {}", publication.model, publication.scope, publication.serial)
}
