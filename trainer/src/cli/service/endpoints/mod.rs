//! `apiward endpoints`.

mod corrections;
mod list;
mod show;

use std::path::PathBuf;

use anyhow::Context as _;

use super::{OutputArgs, ServiceArgs, read_answer, segment, show as show_answer, show_json};
use crate::cli::difference::refuse_difference;
use crate::discovery::SPECIFICATION_BYTES_MAX;
use crate::discovery::comparison::Comparison;
use crate::discovery::inventory::EndpointState;

/// The API inventory of a service: list and show endpoints, export and compare OpenAPI, correct templates
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct EndpointsArgs {
    #[command(subcommand)]
    command: EndpointsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum EndpointsCommand {
    /// The endpoints, what the active model knows of them, and what else was called
    List {
        /// Only of this host
        #[arg(long)]
        host: Option<String>,
        /// Only in this state
        #[arg(long, value_enum)]
        state: Option<State>,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// One endpoint: parameters, bodies, statuses, callers, sensitive data
    Show {
        /// Id of the endpoint, as listed
        id: String,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Print the OpenAPI 3.1 document of a host
    Openapi {
        /// Host to describe; may be left out when there is only one
        #[arg(long)]
        host: Option<String>,
        #[command(flatten)]
        service: ServiceArgs,
    },
    /// Compare an OpenAPI document with the traffic: shadow, zombie and unused endpoints, mismatches
    Compare {
        /// The document, OpenAPI 3.0, 3.1 or Swagger 2.0, JSON or YAML
        specification: PathBuf,
        /// Host to compare with; may be left out when there is only one, or the document names it
        #[arg(long)]
        host: Option<String>,
        /// Exit with code 3 when the traffic is not as declared; unused operations are no difference
        #[arg(long)]
        fail_on_difference: bool,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Correct: this template is right, as in "/users/{user}/posts"
    Pin(corrections::CorrectArgs),
    /// Correct: the last component is a literal that stays apart from its siblings, as in "/users/me"
    Split(corrections::CorrectArgs),
    /// Correct: the last component is a parameter, whatever words are there, as in "/files/{id}"
    Merge(corrections::CorrectArgs),
    /// List corrections, or remove one
    Corrections(corrections::CorrectionsArgs),
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum State {
    New,
    Active,
    Stale,
}

impl From<State> for EndpointState {
    fn from(state: State) -> Self {
        match state {
            State::New => EndpointState::New,
            State::Active => EndpointState::Active,
            State::Stale => EndpointState::Stale,
        }
    }
}

pub fn run(args: &EndpointsArgs) -> anyhow::Result<()> {
    match &args.command {
        EndpointsCommand::List { host, state, service, output } => {
            let client = service.client()?;
            let state = state.map(|state| EndpointState::from(state).noun());
            let query = [("scope", client.scope()), ("host", host.as_deref()), ("state", state)];
            show_answer(client.get("/v1/endpoints", &query)?, output, list::list)
        }
        EndpointsCommand::Show { id, service, output } => {
            let client = service.client()?;
            let path = format!("/v1/endpoints/{}", segment(id));
            show_answer(client.get(&path, &[("scope", client.scope())])?, output, show::details)
        }
        EndpointsCommand::Openapi { host, service } => {
            let client = service.client()?;
            let query = [("scope", client.scope()), ("host", host.as_deref())];
            show_json(&client.get("/v1/openapi.json", &query)?)
        }
        EndpointsCommand::Compare { specification, host, fail_on_difference, service, output } => {
            let document = super::read_bounded(specification, SPECIFICATION_BYTES_MAX)
                .with_context(|| format!("read the specification {}", specification.display()))?;
            let client = service.client()?;
            let query = [("scope", client.scope()), ("host", host.as_deref())];
            let answer = client.post_document("/v1/openapi/comparison", &query, "application/yaml", &document)?;
            let comparison: Comparison = read_answer(&answer)?;
            show_answer(answer, output, |comparison: Comparison| comparison.to_string())?;
            if *fail_on_difference { Ok(refuse_difference(&comparison)?) } else { Ok(()) }
        }
        EndpointsCommand::Pin(args) => corrections::add("pin", args),
        EndpointsCommand::Split(args) => corrections::add("split", args),
        EndpointsCommand::Merge(args) => corrections::add("merge", args),
        EndpointsCommand::Corrections(args) => corrections::run(args),
    }
}
