//! Corrections of templates: `apiward endpoints pin|split|merge|corrections`.

use serde::Deserialize;
use serde_json::json;

use crate::cli::service::{OutputArgs, ServiceArgs, short_time, show, table};

/// What is corrected.
#[derive(Debug, clap::Args)]
pub struct CorrectArgs {
    /// The template, as listed or as it should be
    template: String,
    /// Host of the template, as listed
    #[arg(long)]
    host: String,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct CorrectionsArgs {
    #[command(subcommand)]
    command: CorrectionsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CorrectionsCommand {
    /// The corrections in the order in which they were made
    List {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Leave a template to the traffic again
    Remove {
        /// Number of the correction, as listed
        id: u64,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

#[derive(Deserialize)]
struct CorrectionList {
    corrections: Vec<Correction>,
}

#[derive(Deserialize)]
struct Correction {
    id: i64,
    kind: String,
    host: String,
    template: String,
    created_at: String,
    created_by: String,
}

pub fn add(kind: &str, args: &CorrectArgs) -> anyhow::Result<()> {
    let client = args.service.client()?;
    let body = json!({ "scope": client.scope(), "kind": kind, "host": args.host, "template": args.template });
    show(client.post("/v1/endpoints/corrections", &body)?, &args.output, |correction: Correction| {
        format!("correction {} holds from now on and in every training: {kind} {}", correction.id, correction.template)
    })
}

pub fn run(args: &CorrectionsArgs) -> anyhow::Result<()> {
    match &args.command {
        CorrectionsCommand::List { service, output } => {
            let client = service.client()?;
            show(client.get("/v1/endpoints/corrections", &[("scope", client.scope())])?, output, list)
        }
        CorrectionsCommand::Remove { id, service } => {
            service.client()?.delete(&format!("/v1/endpoints/corrections/{id}"))?;
            println!("correction {id} is removed");
            Ok(())
        }
    }
}

fn list(list: CorrectionList) -> String {
    if list.corrections.is_empty() {
        return "nothing is corrected".to_owned();
    }
    let mut table = table(&["id", "kind", "host", "template", "made", "by"]);
    for correction in &list.corrections {
        table.add_row([
            &correction.id.to_string(),
            &correction.kind,
            &correction.host,
            &correction.template,
            &short_time(&correction.created_at),
            &correction.created_by,
        ]);
    }
    table.to_string()
}
