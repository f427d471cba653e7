//! Figures of discovery as tables.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::measurement::Measurement;

const HEADER: [&str; 12] = [
    "program",
    "API",
    "templates",
    "found",
    "precision",
    "recall",
    "F1",
    "mapped",
    "requests",
    "stable after",
    "per template",
    "took",
];
/// Columns that hold text; the others hold numbers.
const TEXT_COLUMNS: usize = 2;

/// One row per program and API, and the mean over APIs per program.
pub fn figures(measurements: &[Measurement]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(HEADER);
    let mut programs: Vec<&str> = Vec::new();
    for one in measurements {
        if !programs.contains(&one.program.as_str()) {
            programs.push(&one.program);
        }
    }
    for program in programs {
        let own: Vec<&Measurement> = measurements.iter().filter(|one| one.program == program).collect();
        for one in &own {
            table.add_row([
                program.to_owned(),
                one.api.clone(),
                one.quality.expected.to_string(),
                one.quality.discovered.to_string(),
                percent(one.precision),
                percent(one.recall),
                percent(one.f1),
                percent(one.mapped_share),
                one.quality.requests.to_string(),
                one.stable_after.map_or_else(|| "-".to_owned(), |requests| requests.to_string()),
                one.stable_after_per_template().map_or_else(|| "-".to_owned(), |requests| format!("{requests:.0}")),
                format!("{:.1} s", one.took_s),
            ]);
        }
        if own.len() > 1 {
            let mean = |figure: fn(&Measurement) -> f64| {
                percent(own.iter().map(|one| figure(one)).sum::<f64>() / own.len() as f64)
            };
            let sum = |figure: fn(&Measurement) -> usize| own.iter().map(|one| figure(one)).sum::<usize>().to_string();
            table.add_row([
                program.to_owned(),
                format!("mean of {}", own.len()),
                sum(|one| one.quality.expected),
                sum(|one| one.quality.discovered),
                mean(|one| one.precision),
                mean(|one| one.recall),
                mean(|one| one.f1),
                mean(|one| one.mapped_share),
                sum(|one| one.quality.requests),
                String::new(),
                String::new(),
                format!("{:.1} s", own.iter().map(|one| one.took_s).sum::<f64>()),
            ]);
        }
    }
    for column in table.column_iter_mut().skip(TEXT_COLUMNS) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// What is missing and what is spurious, one a line; empty when all is right.
pub fn errors(measurement: &Measurement) -> Vec<String> {
    let missing = measurement
        .quality
        .missing
        .iter()
        .map(|one| format!("missing   {:<7} {}  ({} requests)", one.method, one.template, one.requests));
    let spurious = measurement.quality.spurious.iter().map(|one| {
        let noise = if one.noise > 0 { format!(", {} of them noise", one.noise) } else { String::new() };
        let mostly = one.mostly.as_ref().map(|mostly| format!(", mostly {mostly}")).unwrap_or_default();
        format!("spurious  {:<7} {}  ({} requests{noise}{mostly})", one.method, one.template, one.requests)
    });
    missing.chain(spurious).collect()
}

fn percent(share: f64) -> String {
    // Rounded down, so that a figure below a target does not read as if it were met.
    format!("{:.1} %", (share * 1_000.0).floor() / 10.0)
}
