//! The report as a person reads it.

use std::fmt;

use apiward_detector::verdict::FindingKind;
use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, Table};

use super::{EvaluationReport, NetworkComparison, Proportion};

impl fmt::Display for EvaluationReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let confusion = &self.confusion;
        writeln!(formatter, "{} exchanges: {} normal, {} attacks\n", self.exchanges, self.normals, self.attacks)?;
        let mut counts = table(&["", "flagged", "passed"]);
        counts.add_row(["attacks", &confusion.true_positives.to_string(), &confusion.false_negatives.to_string()]);
        counts.add_row(["normals", &confusion.false_positives.to_string(), &confusion.true_negatives.to_string()]);
        writeln!(formatter, "{counts}\n")?;

        let mut figures = table(&["", "", "95 % bounds"]);
        figures.add_row(["recall", &percent(self.recall), &bounds(self.recall_bounds)]);
        figures.add_row([
            "false-positive rate",
            &percent(self.false_positive_rate),
            &bounds(self.false_positive_rate_bounds),
        ]);
        if let Some(novel) = &self.novel_normals {
            let share = novel.false_alarms;
            let name = format!("  on the {} novel normals", share.total);
            figures.add_row([&name, &percent(share.share), &bounds(share.bounds)]);
        }
        figures.add_row(["precision", &percent(self.precision), ""]);
        figures.add_row(["ROC AUC", &area(self.roc_auc), ""]);
        figures.add_row(["PR AUC", &area(self.pr_auc), ""]);
        writeln!(formatter, "{figures}")?;

        if !self.detectors.is_empty() {
            let mut detectors = table(&["detector alone", "judged", "attacks flagged", "false alarms", "ROC AUC"]);
            for report in &self.detectors {
                detectors.add_row([
                    report.detector.name(),
                    &report.judged.to_string(),
                    &share(&report.recall),
                    &share(&report.false_alarms),
                    &area(report.roc_auc),
                ]);
            }
            writeln!(formatter, "\n{detectors}")?;
        }
        if !self.attack_kinds.is_empty() {
            let mut attacks = table(&["attack", "flagged", "95 % bounds"]);
            for report in &self.attack_kinds {
                attacks.add_row([&report.attack, &share(&report.recall), &bounds(report.recall.bounds)]);
            }
            writeln!(formatter, "\n{attacks}")?;
        }
        if !self.false_alarm_reasons.is_empty() {
            let mut reasons = table(&["false alarms by reason", ""]);
            for reason in &self.false_alarm_reasons {
                reasons.add_row([name_of(reason.kind), &reason.false_alarms.to_string()]);
            }
            writeln!(formatter, "\n{reasons}")?;
        }
        match &self.network_comparison {
            Some(comparison) => write!(formatter, "\n{comparison}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for NetworkComparison {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let title = format!("known endpoints ({} normal, {} attacks)", self.normals, self.attacks);
        let mut comparison = table(&[&title, "autoencoder", "ECOD baseline"]);
        comparison.add_row(["ROC AUC", &area(self.autoencoder_roc_auc), &area(self.ecod_roc_auc)]);
        for at in &self.at_equal_false_alarms {
            let name = format!("recall at {} false alarms", at.false_alarms);
            comparison.add_row([&name, &percent(at.autoencoder.share), &percent(at.ecod.share)]);
        }
        writeln!(formatter, "{comparison}")
    }
}

pub(super) fn table(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(columns);
    for (position, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        if position > 0 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// `24921 of 25000 (99.68 %)`
pub(super) fn share(proportion: &Proportion) -> String {
    match proportion.share {
        Some(_) => format!("{} of {} ({})", proportion.count, proportion.total, percent(proportion.share)),
        None => "-".to_owned(),
    }
}

pub(super) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.3} %", share * 100.0))
}

fn bounds(bounds: Option<[f64; 2]>) -> String {
    bounds.map_or_else(String::new, |[low, high]| format!("{:.3} to {:.3} %", low * 100.0, high * 100.0))
}

fn area(area: Option<f64>) -> String {
    area.map_or_else(|| "-".to_owned(), |area| format!("{area:.5}"))
}

fn name_of(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::UnknownHost => "unknown host",
        FindingKind::UnknownEndpoint => "unknown endpoint",
        FindingKind::UnknownMethod => "unknown method",
        FindingKind::UnknownField => "unknown field",
        FindingKind::MissingField => "missing field",
        FindingKind::ValueType => "type of a value",
        FindingKind::Characters => "characters of a value",
        FindingKind::PunctuationCount => "amount of punctuation",
        FindingKind::Length => "length of a value",
        FindingKind::Pattern => "pattern of a value",
        FindingKind::Range => "range of a number",
        FindingKind::Enumeration => "value not among the usual ones",
        FindingKind::RepeatedField => "field given several times",
        FindingKind::Malformed => "malformed body",
        FindingKind::PathOddity => "odd path",
        FindingKind::ReconstructionError => "the exchange as a whole (autoencoder)",
        FindingKind::Status => "status never given before",
        FindingKind::UnknownOperation => "unknown operation",
        FindingKind::CallerKind => "caller of another kind",
        FindingKind::Payload => "value like an attack",
        FindingKind::CallRate => "rate of calls",
        FindingKind::FailureRate => "rate of refused calls",
        FindingKind::ResponseVolume => "bytes received",
        FindingKind::CallersAndAddresses => "callers and addresses",
        FindingKind::LoginIdentifiers => "login identifiers",
        FindingKind::ObjectCount => "different objects",
        FindingKind::Watchlist => "on the watchlist",
        FindingKind::CallOrder => "order of calls",
        FindingKind::MissingStep => "missing step",
        FindingKind::JsonType => "JSON type of a value",
    }
}
