//! The comparison as a person reads it.

use std::fmt;

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use crate::discovery::inventory::DataLocation;

use super::report::{Comparison, Mismatch, ShadowReason};

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
        self.write_shadow(formatter)?;
        self.write_zombie(formatter)?;
        self.write_unused(formatter)?;
        self.write_mismatches(formatter)?;
        self.write_deviations(formatter)?;
        for note in &self.notes {
            writeln!(formatter, "note: {note}")?;
        }
        writeln!(
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
    fn write_shadow(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.shadow.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "shadow: traffic that the specification does not have")?;
        let mut table = table(&[false, false, true, false, false]);
        for endpoint in &self.shadow {
            let operation = endpoint.operation.as_ref().map_or_else(String::new, |name| format!(" {name}"));
            let classes: Vec<&str> =
                endpoint.sensitive.iter().flat_map(|data| &data.classes).map(String::as_str).collect();
            table.add_row([
                endpoint.method.clone(),
                format!("{}{operation}", endpoint.template),
                endpoint.exchanges.to_string(),
                match endpoint.reason {
                    ShadowReason::Path => "path not declared".to_owned(),
                    ShadowReason::Method => "method not declared".to_owned(),
                },
                if classes.is_empty() { String::new() } else { format!("sensitive: {}", distinct(classes).join(", ")) },
            ]);
        }
        writeln!(formatter, "{table}\n")
    }

    fn write_zombie(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.zombie.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "zombie: deprecated, and still used")?;
        let mut table = table(&[false, false, true, false]);
        for operation in &self.zombie {
            let last_seen = operation.last_seen.map_or_else(String::new, |last| format!("last on {}", last.date()));
            table.add_row([
                operation.method.clone(),
                operation.path.clone(),
                operation.exchanges.to_string(),
                last_seen,
            ]);
        }
        writeln!(formatter, "{table}\n")
    }

    fn write_unused(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.unused.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "unused: declared, and not seen")?;
        let mut table = table(&[false, false, false]);
        for operation in &self.unused {
            let within = operation.within.as_ref().map(|template| format!("if used, counted under {template}"));
            let deprecated = operation.deprecated.then(|| "deprecated".to_owned());
            let remarks: Vec<String> = deprecated.into_iter().chain(within).collect();
            table.add_row([operation.method.clone(), operation.path.clone(), remarks.join(", ")]);
        }
        writeln!(formatter, "{table}\n")
    }

    fn write_mismatches(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mismatches.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "mismatches: succeeded, and not as declared")?;
        let mut table = table(&[false, false, false, false, false, false]);
        table.set_header(["", "", "what", "where", "declared", "seen"]);
        for mismatch in &self.mismatches {
            let operation = mismatch.operation.as_ref().map_or_else(String::new, |name| format!(" {name}"));
            table.add_row([
                mismatch.method.clone(),
                format!("{}{operation}", mismatch.path),
                mismatch.kind.noun().to_owned(),
                place(mismatch),
                mismatch.declared.clone(),
                mismatch.seen.clone(),
            ]);
        }
        writeln!(formatter, "{table}\n")
    }

    fn write_deviations(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = table(&[false, false, false]);
        for operation in &self.matched {
            for endpoint in operation.endpoints.iter().filter(|endpoint| !endpoint.deviations.is_empty()) {
                table.add_row([
                    operation.method.clone(),
                    operation.path.clone(),
                    format!("discovered as {}", endpoint.template),
                ]);
            }
        }
        if table.is_empty() {
            return Ok(());
        }
        writeln!(formatter, "matched although a literal is a parameter in the other")?;
        writeln!(formatter, "{table}\n")
    }
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

fn distinct(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

/// A table without lines; columns of numbers are aligned to the right.
fn table(are_numbers: &[bool]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(are_numbers.iter().map(|_| ""));
    for (column, is_number) in table.column_iter_mut().zip(are_numbers) {
        column.set_padding((2, 0));
        if *is_number {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
