//! Faults in workflows stand out from normal sessions, by the same learning and the same detector as in production.

use apiward_e2e::sequence::{Fault, WorkflowSettings, applications, measure_workflows};

/// Least area under the ROC curve of each kind of fault, in the mean over applications.
const ROC_AUC_MIN: f64 = 0.97;
/// Most normal sessions that may alarm: the budget is 1 in 1,000, measured on 1,000 sessions of each application.
const FALSE_ALARMS_MAX: f64 = 0.005;

#[test]
fn faults_stand_out_from_normal_sessions() {
    let measured = measure_workflows(&applications(), &WorkflowSettings::default()).unwrap();
    for quality in &measured {
        println!("{quality:#?}");
    }
    for (place, fault) in Fault::ALL.into_iter().enumerate() {
        let areas = measured.iter().map(|quality| quality.faults[place].roc_auc);
        let mean = areas.sum::<f64>() / measured.len() as f64;
        println!("{}: {mean:.4}", fault.name());
        assert!(mean >= ROC_AUC_MIN, "{} has a mean ROC AUC of {mean:.4}", fault.name());
    }
    let false_alarms: usize = measured.iter().map(|quality| quality.false_alarms).sum();
    let normal: usize = measured.iter().map(|quality| quality.normal).sum();
    assert!(
        false_alarms as f64 <= FALSE_ALARMS_MAX * normal as f64,
        "{false_alarms} of {normal} normal sessions alarm"
    );
}
