//! `apiward detections`.

use serde::Deserialize;

use super::calls::{Call, calls_table};
use super::{OutputArgs, ServiceArgs, segment, short_time, show, table};

/// List what was detected: anomalies by caller, endpoint and reason, and incidents
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct DetectionsArgs {
    #[command(subcommand)]
    command: DetectionsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DetectionsCommand {
    /// The detections, the latest seen first
    List(ListArgs),
    /// One detection
    Show {
        /// Number of the detection, as listed
        id: u64,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Debug, clap::Args)]
struct ListArgs {
    /// Only of this kind
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only of this host
    #[arg(long)]
    host: Option<String>,
    /// Only of this endpoint, as listed: "POST /api/cart/{id}"
    #[arg(long)]
    endpoint: Option<String>,
    /// Only of this detector: route, profile, sequence, volume or payload
    #[arg(long)]
    detector: Option<String>,
    /// Only of this caller or address, as listed: 16 hexadecimal digits
    #[arg(long)]
    subject: Option<String>,
    /// Only what was seen at or after this time, as in 2026-11-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100)]
    limit: u32,
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    output: OutputArgs,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    Caller,
    Incident,
}

#[derive(Deserialize)]
struct DetectionPage {
    detections: Vec<Detection>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Detection {
    id: i64,
    kind: String,
    subject: Option<String>,
    host: String,
    endpoint: String,
    reason: String,
    exchanges: i64,
    blocked: i64,
    score: f64,
    first_seen: String,
    last_seen: String,
    ongoing: Option<bool>,
    request_id: Option<String>,
    /// Where one detection is asked for.
    #[serde(default)]
    sequence: Vec<Call>,
}

pub fn run(args: &DetectionsArgs) -> anyhow::Result<()> {
    match &args.command {
        DetectionsCommand::List(args) => {
            let client = args.service.client()?;
            let kind = args.kind.map(|kind| match kind {
                Kind::Caller => "caller",
                Kind::Incident => "incident",
            });
            let query = [
                ("scope", client.scope()),
                ("kind", kind),
                ("host", args.host.as_deref()),
                ("endpoint", args.endpoint.as_deref()),
                ("detector", args.detector.as_deref()),
                ("subject", args.subject.as_deref()),
                ("since", args.since.as_deref()),
                ("limit", Some(&*args.limit.to_string())),
            ];
            show(client.get("/v1/detections", &query)?, &args.output, list)
        }
        DetectionsCommand::Show { id, service, output } => {
            let path = format!("/v1/detections/{}", segment(&id.to_string()));
            show(service.client()?.get(&path, &[])?, output, details)
        }
    }
}

fn list(page: DetectionPage) -> String {
    if page.detections.is_empty() {
        return "nothing was detected".to_owned();
    }
    let mut table = table(&["id", "last seen", "who", "exchanges", "blocked", "score", "host", "reason"]);
    for detection in &page.detections {
        table.add_row([
            &detection.id.to_string(),
            &short_time(&detection.last_seen),
            who(detection),
            &detection.exchanges.to_string(),
            &detection.blocked.to_string(),
            &format!("{:.4}", detection.score),
            &detection.host,
            &detection.reason,
        ]);
    }
    let more = if page.next.is_some() { "\n\nthere are more: ask for them with --limit" } else { "" };
    format!("{table}{more}")
}

fn details(detection: Detection) -> String {
    let mut table = table(&[]);
    table.add_row(["detection", &detection.id.to_string()]);
    table.add_row(["who", who(&detection)]);
    table.add_row(["host", &detection.host]);
    table.add_row(["endpoint", &detection.endpoint]);
    table.add_row(["reason", &detection.reason]);
    table.add_row(["exchanges", &format!("{}, {} of them blocked", detection.exchanges, detection.blocked)]);
    table.add_row(["score", &format!("{:.6}", detection.score)]);
    table.add_row(["first seen", &short_time(&detection.first_seen)]);
    table.add_row(["last seen", &short_time(&detection.last_seen)]);
    if let Some(request_id) = &detection.request_id {
        table.add_row(["example", request_id]);
    }
    if detection.sequence.is_empty() {
        return table.to_string();
    }
    format!("{table}\n\nits calls until then:\n{}", calls_table(&detection.sequence))
}

fn who(detection: &Detection) -> &str {
    match (detection.kind.as_str(), detection.ongoing) {
        ("incident", Some(true)) => "incident, goes on",
        ("incident", _) => "incident",
        _ => detection.subject.as_deref().unwrap_or("unknown"),
    }
}
