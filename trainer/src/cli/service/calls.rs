//! The calls of a caller, as a table.

use comfy_table::Table;
use serde::Deserialize;

use super::{short_time, table};

/// A call as the service shows it.
#[derive(Deserialize)]
pub struct Call {
    at: Option<String>,
    endpoint: String,
    status: Option<u16>,
    verdict: String,
    blocked: bool,
    score: Option<f64>,
    reasons: Vec<String>,
}

pub fn calls_table(calls: &[Call]) -> Table {
    let mut shown = table(&["at", "endpoint", "status", "verdict", "score", "reason"]);
    for call in calls {
        let verdict = if call.blocked { "blocked" } else { &call.verdict };
        shown.add_row([
            &call.at.as_deref().map(short_time).unwrap_or_default(),
            &call.endpoint,
            &call.status.map(|status| status.to_string()).unwrap_or_default(),
            verdict,
            &call.score.map(|score| format!("{score:.4}")).unwrap_or_default(),
            &call.reasons.join("; "),
        ]);
    }
    shown
}
