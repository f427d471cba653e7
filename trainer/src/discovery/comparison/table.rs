//! The comparison as a person reads it.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::discovery::inventory::DataLocation;

use super::report::{Comparison, Mismatch, ShadowEndpoint, ShadowReason, UnusedOperation, ZombieOperation};

impl fmt::Display for Comparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let specification = &self.specification;
        let below = if self.prefix.is_empty() { String::new() } else { format!(", below {}", self.prefix) };
        writeln!(
            formatter,
            "{} {} ({}, {} operations) beside the traffic of {}{below}\n",
            specification.title,
            specification.version,
            specification.format,
            specification.operations,
            self.hosts.join(", "),
        )?;
        let shadow = "shadow: traffic that the specification does not have";
        write_section(formatter, shadow, &[], self.shadow_rows(), &[2])?;
        write_section(formatter, "zombie: deprecated, and still used", &[], self.zombie_rows(), &[2])?;
        write_section(formatter, "unused: declared, and not seen", &[], self.unused_rows(), &[])?;
        let columns = ["", "", "what", "where", "declared", "seen"];
        let mismatches = "mismatches: succeeded, and not as declared";
        write_section(formatter, mismatches, &columns, self.mismatch_rows(), &[])?;
        let deviations = "matched, although a literal of the one is a parameter in the other";
        write_section(formatter, deviations, &[], self.deviation_rows(), &[])?;
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        write!(
            formatter,
            "{} shadow, {} zombie, {} unused, {} mismatches; {} of {} operations are used{}",
            self.shadow.len(),
            self.zombie.len(),
            self.unused.len(),
            self.mismatches.len(),
            self.matched.len(),
            specification.operations,
            if self.agrees() { ": the traffic is as declared" } else { "" },
        )
    }
}

impl Comparison {
    fn shadow_rows(&self) -> Vec<Vec<String>> {
        let row = |endpoint: &ShadowEndpoint| {
            let mut classes: Vec<&str> =
                endpoint.sensitive.iter().flat_map(|data| &data.classes).map(String::as_str).collect();
            classes.sort_unstable();
            classes.dedup();
            let sensitive =
                if classes.is_empty() { String::new() } else { format!("sensitive: {}", classes.join(", ")) };
            let reason = match endpoint.reason {
                ShadowReason::Path => "path not declared",
                ShadowReason::Method => "method not declared",
            };
            vec![
                endpoint.method.clone(),
                with_operation(&endpoint.template, endpoint.operation.as_ref()),
                endpoint.exchanges.to_string(),
                reason.to_owned(),
                sensitive,
            ]
        };
        self.shadow.iter().map(row).collect()
    }

    fn zombie_rows(&self) -> Vec<Vec<String>> {
        let row = |operation: &ZombieOperation| {
            let last_seen = operation.last_seen.map_or_else(String::new, |last| format!("last on {}", last.date()));
            vec![operation.method.clone(), operation.path.clone(), operation.exchanges.to_string(), last_seen]
        };
        self.zombie.iter().map(row).collect()
    }

    fn unused_rows(&self) -> Vec<Vec<String>> {
        let row = |operation: &UnusedOperation| {
            let within = operation.within.as_ref().map(|template| format!("if used, counted under {template}"));
            let deprecated = operation.deprecated.then(|| "deprecated".to_owned());
            let remarks: Vec<String> = deprecated.into_iter().chain(within).collect();
            vec![operation.method.clone(), operation.path.clone(), remarks.join(", ")]
        };
        self.unused.iter().map(row).collect()
    }

    fn mismatch_rows(&self) -> Vec<Vec<String>> {
        let row = |mismatch: &Mismatch| {
            vec![
                mismatch.method.clone(),
                with_operation(&mismatch.path, mismatch.operation.as_ref()),
                mismatch.kind.noun().to_owned(),
                place(mismatch),
                mismatch.declared.clone(),
                mismatch.seen.clone(),
            ]
        };
        self.mismatches.iter().map(row).collect()
    }

    fn deviation_rows(&self) -> Vec<Vec<String>> {
        let endpoints =
            self.matched.iter().flat_map(|matched| matched.endpoints.iter().map(move |endpoint| (matched, endpoint)));
        endpoints
            .filter(|(_, endpoint)| !endpoint.deviations.is_empty())
            .map(|(matched, endpoint)| {
                let discovered = format!("discovered as {}", endpoint.template);
                vec![matched.method.clone(), matched.path.clone(), discovered]
            })
            .collect()
    }
}

/// `/graphql GetUser`
fn with_operation(path: &str, operation: Option<&String>) -> String {
    operation.map_or_else(|| path.to_owned(), |operation| format!("{path} {operation}"))
}

/// `query parameter "page"`
fn place(mismatch: &Mismatch) -> String {
    let noun = match mismatch.location {
        None => return String::new(),
        Some(DataLocation::Path) => "path parameter",
        Some(DataLocation::Query) => "query parameter",
        Some(DataLocation::Form) => "form field",
        Some(DataLocation::Body) if mismatch.name.is_empty() => "request body",
        Some(DataLocation::Response) if mismatch.name.is_empty() => "response body",
        Some(DataLocation::Body) => "body field",
        Some(DataLocation::Response) => "response field",
    };
    if mismatch.name.is_empty() { noun.to_owned() } else { format!("{noun} \"{}\"", mismatch.name) }
}

/// A title and a table without lines; nothing without rows. The columns at `numbers` are aligned to the right.
fn write_section(
    formatter: &mut fmt::Formatter<'_>,
    title: &str,
    header: &[&str],
    rows: Vec<Vec<String>>,
    numbers: &[usize],
) -> fmt::Result {
    if rows.is_empty() {
        return Ok(());
    }
    let mut table = Table::new();
    table.load_preset(NOTHING);
    if !header.is_empty() {
        table.set_header(header);
    }
    table.add_rows(rows);
    for (place, column) in table.column_iter_mut().enumerate() {
        column.set_padding((2, 0));
        if numbers.contains(&place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    writeln!(formatter, "{title}\n{}\n", table.trim_fmt())
}
