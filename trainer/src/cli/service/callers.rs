//! `apiward callers`.

use serde::Deserialize;
use serde_json::Value;

use super::calls::{Call, calls_table};
use super::watchlist::Entry;
use super::{OutputArgs, ServiceArgs, segment, short_time, show, table};

/// Show what one caller or address did, how it was judged and how it stands
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
pub struct CallersArgs {
    #[command(subcommand)]
    command: CallersCommand,
}

#[derive(Debug, clap::Subcommand)]
enum CallersCommand {
    /// Its latest calls, its counts beside what is usual, and whether it is watched
    Show {
        /// Caller or address as detections name it: 16 hexadecimal digits
        id: String,
        /// Calls to show, the latest
        #[arg(long, default_value_t = 20)]
        calls: u32,
        #[command(flatten)]
        service: ServiceArgs,
        #[command(flatten)]
        output: OutputArgs,
    },
}

#[derive(Deserialize)]
struct Profile {
    id: String,
    subject_kind: String,
    sequence: Vec<Call>,
    activity: Vec<Activity>,
    watchlist: Vec<Entry>,
}

#[derive(Deserialize)]
struct Activity {
    measure: Value,
    horizon: Value,
    endpoint: Option<String>,
    count: f64,
    usual: f64,
    alarm: f64,
}

pub fn run(args: &CallersArgs) -> anyhow::Result<()> {
    let CallersCommand::Show { id, calls, service, output } = &args.command;
    let client = service.client()?;
    let calls = calls.to_string();
    let query = [("scope", client.scope()), ("calls", Some(&*calls))];
    show(client.get(&format!("/v1/callers/{}", segment(id)), &query)?, output, profile)
}

fn profile(profile: Profile) -> String {
    let mut text = format!("{} {}\n", profile.subject_kind, profile.id);
    for entry in &profile.watchlist {
        text.push_str(&format!("watched until {}: {}\n", short_time(&entry.expires_at), entry.reason));
    }
    let calls = calls_table(&profile.sequence);
    text.push_str(&format!("\n{calls}\n"));
    let mut counts = table(&["count", "within the", "of", "now", "usual", "alarm"]);
    for activity in profile.activity.iter().filter(|activity| activity.count >= 0.5) {
        counts.add_row([
            activity.measure.as_str().unwrap_or_default(),
            activity.horizon.as_str().unwrap_or_default(),
            activity.endpoint.as_deref().unwrap_or_default(),
            &format!("{:.0}", activity.count),
            &format!("{:.0}", activity.usual),
            &format!("{:.0}", activity.alarm),
        ]);
    }
    text.push_str(&format!("\n{counts}"));
    text
}
