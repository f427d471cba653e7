//! `apiward payload-exceptions`.

use serde::Deserialize;
use serde_json::json;

use super::{OutputArgs, ServiceArgs, short_time, show, table};

/// List, add and remove what people decided about values that look like attacks
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct PayloadExceptionsArgs {
    #[command(subcommand)]
    command: PayloadExceptionsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum PayloadExceptionsCommand {
    /// The exceptions of a scope; of several that fit a value the last counts
    List {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Let values be, or raise or lower the threshold for them; what is not given stands for all
    Add {
        #[command(flatten)]
        terms: Terms,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Take an exception back
    Remove {
        /// Number of the exception, as listed
        id: i64,
        #[command(flatten)]
        service: ServiceArgs,
    },
}

#[derive(Debug, clap::Args)]
struct Terms {
    /// Id of the endpoint, as `apiward endpoints` lists it
    #[arg(long, value_name = "ID")]
    endpoint: Option<String>,
    /// Where the value is: path, query, form, body, multipart, xml, text, header, cookie or token
    #[arg(long)]
    location: Option<String>,
    /// Field, header or cookie, as reasons name it
    #[arg(long)]
    name: Option<String>,
    /// Kind of attack: sqli, nosqli, xss, command_injection, path_traversal, …
    #[arg(long)]
    class: Option<String>,
    /// Log-odds in nats above which such a value is taken for an attack, -3 to 50; never without it
    #[arg(long, value_name = "NATS", allow_hyphen_values = true)]
    threshold: Option<f32>,
}

#[derive(Deserialize)]
struct ExceptionList {
    exceptions: Vec<Exception>,
}

#[derive(Deserialize)]
struct Exception {
    id: i64,
    scope: String,
    endpoint: Option<String>,
    location: Option<String>,
    name: Option<String>,
    class: Option<String>,
    threshold: Option<f32>,
    created_at: String,
    created_by: String,
}

pub fn run(args: &PayloadExceptionsArgs) -> anyhow::Result<()> {
    match &args.command {
        PayloadExceptionsCommand::List { service, output } => {
            let client = service.client()?;
            show(client.get("/v1/payload-exceptions", &[("scope", client.scope())])?, output, list)
        }
        PayloadExceptionsCommand::Add { terms, service, output } => {
            let client = service.client()?;
            let body = json!({
                "scope": client.scope(),
                "endpoint": terms.endpoint,
                "location": terms.location,
                "name": terms.name,
                "class": terms.class,
                "threshold": terms.threshold,
            });
            show(client.post("/v1/payload-exceptions", &body)?, output, added)
        }
        PayloadExceptionsCommand::Remove { id, service } => {
            service.client()?.delete(&format!("/v1/payload-exceptions/{id}"))?;
            super::print(format!("exception {id} is removed; filters have it with their next poll"))
        }
    }
}

fn list(list: ExceptionList) -> String {
    if list.exceptions.is_empty() {
        return "there is no exception".to_owned();
    }
    let mut table = table(&["id", "endpoint", "location", "name", "class", "threshold", "created", "by"]);
    for exception in &list.exceptions {
        let or_all = |text: &Option<String>| text.clone().unwrap_or_else(|| "all".to_owned());
        table.add_row([
            exception.id.to_string(),
            or_all(&exception.endpoint),
            or_all(&exception.location),
            or_all(&exception.name),
            or_all(&exception.class),
            exception.threshold.map_or_else(|| "never".to_owned(), |nats| nats.to_string()),
            short_time(&exception.created_at),
            exception.created_by.clone(),
        ]);
    }
    table.to_string()
}

fn added(exception: Exception) -> String {
    format!("exception {} of scope {} is made; filters have it with their next poll", exception.id, exception.scope)
}
