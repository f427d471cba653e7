//! `apiward watchlist`.

use serde::Deserialize;
use serde_json::json;

use super::{OutputArgs, ServiceArgs, segment, short_time, show, show_json, table};

/// Show, add to and clear the callers and addresses that all filters of a scope are told to watch
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct WatchlistArgs {
    #[command(subcommand)]
    command: WatchlistCommand,
}

#[derive(Debug, clap::Subcommand)]
enum WatchlistCommand {
    /// Who is on it
    List {
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
    /// Put a caller or address on it
    Add(AddArgs),
    /// Take a caller or address off it, or all of a scope
    Clear(ClearArgs),
}

#[derive(Debug, clap::Args)]
struct AddArgs {
    #[command(flatten)]
    subject: SubjectArgs,
    /// How long it stays there, minutes
    #[arg(long, default_value_t = 60)]
    minutes: u32,
    /// Why, for whoever meets it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct SubjectArgs {
    /// Caller as detections name it: 16 hexadecimal digits
    #[arg(long)]
    caller: Option<String>,
    /// Address as detections name it: 16 hexadecimal digits
    #[arg(long)]
    address: Option<String>,
}

#[derive(Debug, clap::Args)]
#[group(id = "cleared", required = true, multiple = false, args = ["caller", "address", "all"])]
struct ClearArgs {
    /// Caller as listed
    #[arg(long)]
    caller: Option<String>,
    /// Address as listed
    #[arg(long)]
    address: Option<String>,
    /// Everybody
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    service: ServiceArgs,
}

#[derive(Deserialize)]
struct EntryList {
    entries: Vec<Entry>,
}

/// One entry.
#[derive(Deserialize)]
pub(super) struct Entry {
    pub subject: String,
    pub subject_kind: String,
    pub reason: String,
    pub alarms: i64,
    pub source: String,
    pub last_seen: String,
    pub expires_at: String,
}

pub fn run(args: &WatchlistArgs) -> anyhow::Result<()> {
    match &args.command {
        WatchlistCommand::List { service, output } => {
            let client = service.client()?;
            show(client.get("/v1/watchlist", &[("scope", client.scope())])?, output, list)
        }
        WatchlistCommand::Add(args) => {
            let client = args.service.client()?;
            let (kind, subject) = named(args.subject.caller.as_deref(), args.subject.address.as_deref());
            let entry = json!({
                "scope": client.scope(),
                "subject_kind": kind,
                "subject": subject,
                "minutes": args.minutes,
                "reason": args.reason,
            });
            show_json(&client.post("/v1/watchlist", &entry)?)
        }
        WatchlistCommand::Clear(args) => {
            let client = args.service.client()?;
            let query = client.scope().map(|scope| format!("?scope={}", segment(scope))).unwrap_or_default();
            if args.all {
                return client.delete(&format!("/v1/watchlist{query}"));
            }
            let (kind, subject) = named(args.caller.as_deref(), args.address.as_deref());
            client.delete(&format!("/v1/watchlist/{kind}/{}{query}", segment(subject)))
        }
    }
}

/// The kind and the name of who is meant; clap has made sure that one is given.
fn named<'a>(caller: Option<&'a str>, address: Option<&'a str>) -> (&'static str, &'a str) {
    match (caller, address) {
        (Some(caller), _) => ("caller", caller),
        (None, address) => ("address", address.unwrap_or_default()),
    }
}

fn list(list: EntryList) -> String {
    if list.entries.is_empty() {
        return "nobody is on the watchlist".to_owned();
    }
    let mut table = table(&["kind", "subject", "until", "last seen", "alarms", "by", "reason"]);
    for entry in &list.entries {
        table.add_row([
            &entry.subject_kind,
            &entry.subject,
            &short_time(&entry.expires_at),
            &short_time(&entry.last_seen),
            &entry.alarms.to_string(),
            &entry.source,
            &entry.reason,
        ]);
    }
    table.to_string()
}
