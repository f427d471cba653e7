//! Figures of sequences as tables.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};

use super::browsing::{BrowsingQuality, PredictionQuality};
use super::faults::Fault;
use super::markov::MarkovKind;
use super::measurement::ApplicationQuality;

/// One row per application: ROC AUC and share that alarmed of each kind of fault, and the means.
pub fn workflow_table(measured: &[ApplicationQuality]) -> Table {
    let mut header = vec!["application".to_owned(), "false alarms".to_owned()];
    header.extend(Fault::ALL.map(|fault| fault.name().to_owned()));
    let mut table = table(header);
    for quality in measured {
        let mut row = vec![quality.application.to_owned(), format!("{} of {}", quality.false_alarms, quality.normal)];
        row.extend(quality.faults.iter().map(|fault| figures(fault.roc_auc, fault.alarmed)));
        table.add_row(row);
    }
    let count = measured.len().max(1) as f64;
    let false_alarms: usize = measured.iter().map(|quality| quality.false_alarms).sum();
    let normal: usize = measured.iter().map(|quality| quality.normal).sum();
    let mut means = vec!["mean".to_owned(), format!("{false_alarms} of {normal}")];
    for place in 0..Fault::ALL.len() {
        let of_fault = || measured.iter().filter_map(|quality| quality.faults.get(place));
        let area = of_fault().map(|fault| fault.roc_auc).sum::<f64>() / count;
        let alarmed = of_fault().map(|fault| fault.alarmed).sum::<f64>() / count;
        means.push(figures(area, alarmed));
    }
    table.add_row(means);
    table
}

/// The model beside the Markov models.
pub fn prediction_table(quality: &BrowsingQuality) -> Table {
    let mut table = table(["model", "top 1", "top 10"].map(str::to_owned).into());
    let mut add = |name: &str, quality: PredictionQuality| {
        table.add_row([name.to_owned(), percent(quality.top1), percent(quality.top10)]);
    };
    for (kind, of_kind) in &quality.baselines {
        let name = match kind {
            MarkovKind::Order1 => "Markov, order 1",
            MarkovKind::Order2 => "Markov, order 2 with back-off",
            MarkovKind::Order2Visited => "the same, aware of visited pages",
        };
        add(name, *of_kind);
    }
    add("sequence model", quality.model);
    table
}

/// One row per injection: ROC AUC, and share detected at 10 alarms in 10,000 normal sessions.
pub fn injection_table(quality: &BrowsingQuality) -> Table {
    let header = ["injected", "sessions", "sequence detector", "Markov, order 1", "Markov, order 2, visited"];
    let mut table = table(header.map(str::to_owned).into());
    for injection in &quality.injections {
        let models = [injection.model, injection.order1, injection.order2];
        let mut row = vec![injection.injection.name(), injection.sessions.to_string()];
        row.extend(models.map(|separation| figures(separation.roc_auc, separation.detected)));
        table.add_row(row);
    }
    table
}

fn table(header: Vec<String>) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn figures(area: f64, share: f64) -> String {
    format!("{area:.4} / {}", percent(share))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}
