//! What came of the story, as tables.

use std::fmt;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::attacks::AttackFigures;
use super::learning::Training;
use super::story::{FalseAlarms, Story};
use super::targets::Target;

/// Characters of a line.
const WIDTH: u16 = 118;
/// Examples of what went wrong.
const EXAMPLES: usize = 8;
const EXAMPLE_CHARS: usize = 320;
const MIB: f64 = 1024.0 * 1024.0;

/// The tables, the targets and, where targets are missed, examples.
#[derive(Debug)]
pub struct Summary {
    story: Story,
    targets: Vec<Target>,
    took_s: f64,
}

impl Summary {
    pub fn of(story: Story, took_s: f64) -> Self {
        Self { targets: Target::all(&story), story, took_s }
    }

    /// Whether every target is met.
    pub fn is_success(&self) -> bool {
        self.targets.iter().all(|target| target.met)
    }

    fn figures(&self) -> Table {
        let story = &self.story;
        let mut table = table(["part", "figures"]);
        let memory = |bytes: u64| format!("{:.0} MiB", bytes as f64 / MIB);
        let mut row = |part: &str, figures: String| {
            table.add_row([part.to_owned(), figures]);
        };
        row(
            "learned",
            format!(
                "{} endpoints with {} fields from {} exchanges of customers",
                story.training.report.endpoints, story.training.report.fields, story.observed
            ),
        );
        let names = ["release 1", "release 2", "after the outage"];
        for (name, training) in names.iter().zip(story.trainings()) {
            row(&format!("training, {name}"), times(training));
        }
        row(
            "false alarms",
            format!("{}; release 2: {}", counts(&story.false_alarms), counts(&story.release.false_alarms)),
        );
        row(
            "release 2",
            format!(
                "new endpoints: {} of {} exchanges flagged at first, {} of {} after training; {}",
                story.release.new_at_first.1,
                story.release.new_at_first.0,
                story.release.new_afterwards.1,
                story.release.new_afterwards.0,
                story.release.example.as_deref().unwrap_or("no example"),
            ),
        );
        row(
            "outage",
            format!(
                "{} exchanges, {} incident ({}), {} callers flagged, {} exchanges left out of learning",
                story.outage.exchanges,
                story.outage.incidents,
                story.outage.reason.as_deref().unwrap_or("none"),
                story.outage.callers_flagged,
                story.outage.training.report.excluded.server_failures,
            ),
        );
        row("Envoy", format!("serving {:.1} s after its start", story.envoy_start.as_secs_f64()));
        row(
            "peak memory",
            format!(
                "Envoy {}, trainer {} and its PostgreSQL {} at the end",
                memory(story.envoy_memory.peak_bytes),
                memory(story.trainer_memory.peak_bytes),
                memory(story.trainer_memory.descendants_bytes),
            ),
        );
        table
    }

    fn attacks(&self) -> Table {
        let mut table = table(["attack", "flagged", "release 2", "for instance"]);
        for (first, second) in self.story.attacks.iter().zip(&self.story.release.attacks) {
            let figures = |kind: &AttackFigures| format!("{}/{}", kind.flagged, kind.sent);
            let example = first.example.as_deref().or(second.example.as_deref()).unwrap_or_default();
            let first_reason = example.split("; ").next().unwrap_or_default();
            table.add_row([
                first.kind.display_name().to_owned(),
                figures(first),
                figures(second),
                shortened(first_reason),
            ]);
        }
        for column in [1, 2] {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn session_attacks(&self) -> Table {
        let mut table = table(["attackers whom only their sessions show", "sessions found", "after at most"]);
        for kind in &self.story.sessions.attacks {
            table.add_row([
                kind.kind.display_name().to_owned(),
                format!("{}/{}", kind.found, kind.sessions),
                format!("{} requests", kind.requests_max),
            ]);
        }
        table
    }

    fn promises(&self) -> Table {
        let mut table = table(["target", "measured", ""]);
        for target in &self.targets {
            let verdict = if target.met { "met" } else { "MISSED" };
            table.add_row([target.promise.as_str(), target.measured.as_str(), verdict]);
        }
        table
    }

    /// What a person wants to see of wrong verdicts.
    fn examples(&self) -> Vec<String> {
        let alarms = [&self.story.false_alarms, &self.story.release.false_alarms];
        let alarms = alarms.into_iter().flat_map(|alarms| alarms.examples.iter().take(EXAMPLES));
        let attacks = [&self.story.attacks, &self.story.release.attacks];
        let missed = attacks
            .into_iter()
            .flatten()
            .flat_map(|kind| kind.missed.iter().take(EXAMPLES).map(move |one| (kind.kind, one)));
        alarms
            .map(|alarm| format!("false alarm: {}", shortened(alarm)))
            .chain(missed.map(|(kind, one)| format!("missed {}: {}", kind.display_name(), shortened(one))))
            .collect()
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "{}\n{}\n{}\n{}", self.figures(), self.attacks(), self.session_attacks(), self.promises())?;
        for example in self.examples() {
            writeln!(formatter, "{example}")?;
        }
        let missed = self.targets.iter().filter(|target| !target.met).count();
        match missed {
            0 => write!(formatter, "All targets are met; the story took {:.0} s.", self.took_s),
            missed => {
                write!(
                    formatter,
                    "{missed} of {} targets are missed; it took {:.0} s.",
                    self.targets.len(),
                    self.took_s
                )
            }
        }
    }
}

fn table<const COLUMNS: usize>(header: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic).set_width(WIDTH);
    table.set_header(header);
    table
}

fn times(training: &Training) -> String {
    format!(
        "learned in {:.1} s, first verdict in Envoy {:.1} s after the request; {} exchanges, {} flagged ones left out",
        training.report.duration_ms as f64 / 1000.0,
        training.in_use_after.as_secs_f64(),
        training.report.records,
        training.report.excluded.flagged,
    )
}

fn counts(alarms: &FalseAlarms) -> String {
    format!("{} of {} normal exchanges ({:.2} %)", alarms.flagged, alarms.exchanges, alarms.share() * 100.0)
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= EXAMPLE_CHARS {
        return text.to_owned();
    }
    text.chars().take(EXAMPLE_CHARS).chain(['…']).collect()
}
