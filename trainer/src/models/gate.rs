//! What a model must show before it is published.

use apiward_detector::bundle::Bundle;
use apiward_detector::detector::Detector;

use crate::learning::LearningReport;

/// Why a model must not be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub reason: String,
    /// Whether an operator may publish it all the same. Nobody may publish what filters refuse.
    pub may_be_forced: bool,
}

/// Why a model must not be published; `None` when it may.
///
/// More false alarms on held-out traffic than the budget are a reason only when the excess is beyond chance.
pub fn refusal(bundle: &Bundle, report: &LearningReport) -> Option<Refusal> {
    if let Some(reason) = refusal_by_filters(bundle) {
        return Some(Refusal { reason, may_be_forced: false });
    }
    (!report.keeps_budget()).then(|| Refusal {
        reason: format!(
            "{:.3} % of held-out normal exchanges raise an alarm, more than the accepted {:.3} %",
            report.false_alarm_rate * 100.0,
            report.false_alarm_budget * 100.0
        ),
        may_be_forced: true,
    })
}

/// Why filters would refuse a bundle. The golden outputs were made by ONNX Runtime, and loading replays them in tract as a
/// filter does: a network on which the engines disagree goes no further.
pub fn refusal_by_filters(bundle: &Bundle) -> Option<String> {
    Detector::load(bundle.clone()).err().map(|error| format!("filters would refuse it: {error}"))
}
