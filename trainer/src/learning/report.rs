//! What a training run tells about its model.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use apiward_detector::bundle::Bundle;
use serde::Serialize;

use crate::sequence::SequenceReport;

use super::admission::{Admission, Excluded};
use super::rules::RuleFigures;
use super::volume::VolumeFigures;
use super::whole::{Whole, WholeFigures};

/// Figures of a training run; all of them measured on its own records, in order of time.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningReport {
    pub records: usize,
    pub learned_from: usize,
    /// Flagged exchanges that were learned from because enough callers did the same.
    pub excused: usize,
    pub excluded: Excluded,
    pub hosts: usize,
    pub endpoints: usize,
    pub fields: usize,
    /// Endpoints that the parent model did not know.
    pub new_endpoints: Vec<String>,
    pub rules: RuleFigures,
    pub network: WholeFigures,
    pub volume: VolumeFigures,
    pub sequence: SequenceReport,
    /// Share of normal exchanges flagged, measured before they were learned: rules plus network.
    pub false_alarm_rate: f64,
    /// Upper end of the 95 % Wilson interval of it.
    pub false_alarm_rate_upper: f64,
    pub false_alarm_budget: f64,
    /// Thresholds that would have moved further from the parent model's than they may.
    pub thresholds_held: usize,
    pub duration_ms: u64,
}

impl LearningReport {
    /// Whether the measured rate is compatible with the budget: the lower end of its 95 % interval is not above it.
    pub fn keeps_budget(&self) -> bool {
        self.rules.false_alarms().lower() + self.network.false_alarms().lower() <= self.false_alarm_budget
    }
}

#[allow(clippy::too_many_arguments)]
pub fn report(
    bundle: &Bundle,
    admission: &Admission,
    rules: &RuleFigures,
    whole: &Whole,
    volume: VolumeFigures,
    sequence: SequenceReport,
    thresholds_held: usize,
    records: usize,
    parent: Option<&Bundle>,
    duration: Duration,
) -> LearningReport {
    let known: HashSet<u64> =
        parent.iter().flat_map(|parent| parent.routes.endpoints.iter().map(|endpoint| endpoint.id)).collect();
    let network = &whole.figures;
    LearningReport {
        records,
        learned_from: admission.learned.len(),
        excused: admission.excused,
        excluded: admission.excluded,
        hosts: bundle.routes.hosts.len(),
        endpoints: bundle.routes.endpoints.len(),
        fields: bundle.profiles.iter().map(|profile| profile.fields.len()).sum(),
        new_endpoints: bundle
            .routes
            .endpoints
            .iter()
            .filter(|endpoint| !known.contains(&endpoint.id))
            .map(|endpoint| endpoint.label())
            .collect(),
        rules: *rules,
        network: *network,
        volume,
        sequence,
        false_alarm_rate: rules.false_alarms().share.unwrap_or(0.0) + network.false_alarms().share.unwrap_or(0.0),
        false_alarm_rate_upper: rules.false_alarms().upper() + network.false_alarms().upper(),
        false_alarm_budget: bundle.policy.false_alarm_budget,
        thresholds_held,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
    }
}

impl fmt::Display for LearningReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let excluded = &self.excluded;
        writeln!(formatter, "learned from         {} of {} exchanges", self.learned_from, self.records)?;
        writeln!(
            formatter,
            "left out             {} flagged, {} server failures, {} over a caller's share; {} flagged ones excused",
            excluded.flagged, excluded.server_failures, excluded.over_caller_share, self.excused
        )?;
        writeln!(
            formatter,
            "endpoints            {} ({} new), {} fields",
            self.endpoints,
            self.new_endpoints.len(),
            self.fields
        )?;
        writeln!(
            formatter,
            "network              {} epochs, best {} (loss {:.4} on later exchanges)",
            self.network.epochs, self.network.chosen_epoch, self.network.later_loss
        )?;
        writeln!(
            formatter,
            "false alarms         {:.3} % of held-out normal exchanges (budget {:.3} %, upper bound {:.3} %)",
            self.false_alarm_rate * 100.0,
            self.false_alarm_budget * 100.0,
            self.false_alarm_rate_upper * 100.0
        )?;
        let volume = &self.volume;
        if volume.thresholds > 0 {
            writeln!(
                formatter,
                "volume               {} thresholds from {} callers and {} addresses, {} of them busy ones; {} login endpoints",
                volume.thresholds, volume.callers, volume.addresses, volume.busy, volume.login_endpoints
            )?;
        }
        let sequence = &self.sequence;
        if sequence.held_out_sessions > 0 {
            writeln!(
                formatter,
                "sequence             {} sessions of {} callers, {} required steps; next call right in {:.1} % of held-out calls",
                sequence.sessions,
                sequence.callers,
                sequence.required,
                sequence.held_out_top1 * 100.0
            )?;
        }
        if self.thresholds_held > 0 {
            writeln!(
                formatter,
                "thresholds           {} held near the parent model's; train with --force to let them go",
                self.thresholds_held
            )?;
        }
        write!(formatter, "training             {:.1} s", self.duration_ms as f64 / 1000.0)
    }
}
