//! What a training run tells about its model.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use apiward_detector::bundle::Bundle;
use serde::Serialize;

use super::admission::{Admission, Excluded};
use super::rules::RuleFigures;
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
    /// Share of normal exchanges flagged, measured before they were learned: rules plus network.
    pub false_alarm_rate: f64,
    /// Upper end of the 95 % Wilson interval of it.
    pub false_alarm_rate_upper: f64,
    pub false_alarm_budget: f64,
    pub duration_ms: u64,
}

impl LearningReport {
    /// Whether the measured rate is compatible with the budget: the lower end of its 95 % interval is not above it.
    pub fn keeps_budget(&self) -> bool {
        let (rules_lower, _) = wilson(self.rules.alarms, self.rules.exchanges);
        let (network_lower, _) = wilson(self.network.alarms, self.network.exchanges);
        rules_lower + network_lower <= self.false_alarm_budget
    }
}

pub fn report(
    bundle: &Bundle,
    admission: &Admission,
    rules: &RuleFigures,
    whole: &Whole,
    records: usize,
    parent: Option<&Bundle>,
    duration: Duration,
) -> LearningReport {
    let known: HashSet<u64> =
        parent.iter().flat_map(|parent| parent.routes.endpoints.iter().map(|endpoint| endpoint.id)).collect();
    let share = |alarms: usize, exchanges: usize| alarms as f64 / exchanges.max(1) as f64;
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
        false_alarm_rate: share(rules.alarms, rules.exchanges) + share(network.alarms, network.exchanges),
        false_alarm_rate_upper: wilson(rules.alarms, rules.exchanges).1 + wilson(network.alarms, network.exchanges).1,
        false_alarm_budget: bundle.policy.false_alarm_budget,
        duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
    }
}

/// 95 % score interval of a proportion (Wilson, 1927).
pub fn wilson(count: usize, of: usize) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.96;
    let n = of as f64;
    let share = count as f64 / n;
    let center = share + Z * Z / (2.0 * n);
    let half = Z * (share * (1.0 - share) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((center - half) / scale).max(0.0), ((center + half) / scale).min(1.0))
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
        write!(formatter, "training             {:.1} s", self.duration_ms as f64 / 1000.0)
    }
}
