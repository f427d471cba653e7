use super::*;
use crate::evaluation::{NetworkScores, attack_of};

fn outcome(attack: Option<&str>, anomalous: bool, score: f32) -> Outcome {
    Outcome {
        attack: attack.map(str::to_owned),
        seen_in_training: None,
        anomalous,
        score,
        detectors: DetectorScores { route: Some(0.0), profile: Some(score), ..DetectorScores::default() },
        alarms: if anomalous { vec![FindingKind::Length] } else { Vec::new() },
        network: None,
    }
}

/// Four attacks of two kinds (three flagged), five normals (one flagged).
fn outcomes() -> Vec<Outcome> {
    vec![
        outcome(Some("sqli"), true, 0.99),
        outcome(Some("sqli"), true, 0.97),
        outcome(Some("xss"), true, 0.96),
        outcome(Some("xss"), false, 0.3),
        outcome(None, true, 0.98),
        outcome(None, false, 0.4),
        outcome(None, false, 0.2),
        outcome(None, false, 0.2),
        outcome(None, false, 0.1),
    ]
}

#[test]
fn counts_and_rates_match_a_case_computed_by_hand() {
    let report = EvaluationReport::of(&outcomes());
    let expected = Confusion { true_positives: 3, false_positives: 1, true_negatives: 4, false_negatives: 1 };
    assert_eq!(report.confusion, expected);
    assert_eq!((report.exchanges, report.attacks, report.normals), (9, 4, 5));
    assert_eq!(report.precision, Some(0.75));
    assert_eq!(report.recall, Some(0.75));
    assert_eq!(report.false_positive_rate, Some(0.2));
    // Pairs won of 20: 0.99 wins 5, 0.97 and 0.96 win 4 each, 0.3 wins 3.
    assert!((report.roc_auc.unwrap() - 16.0 / 20.0).abs() < 1e-12);
    // Precision at each attack from the top: 1/1, 2/3, 3/4, 4/6.
    let expected = (1.0 + 2.0 / 3.0 + 0.75 + 4.0 / 6.0) / 4.0;
    assert!((report.pr_auc.unwrap() - expected).abs() < 1e-12);
}

#[test]
fn kinds_of_attack_are_counted_apart() {
    let report = EvaluationReport::of(&outcomes());
    let kinds: Vec<_> =
        report.attack_kinds.iter().map(|kind| (kind.attack.as_str(), kind.recall.count, kind.recall.total)).collect();
    assert_eq!(kinds, vec![("sqli", 2, 2), ("xss", 1, 2)]);
}

#[test]
fn each_detector_is_measured_by_its_own_alarms() {
    let mut outcomes = outcomes();
    outcomes[0].alarms = vec![FindingKind::UnknownField];
    let report = EvaluationReport::of(&outcomes);
    let alarms: Vec<_> = report
        .detectors
        .iter()
        .map(|detector| (detector.detector, detector.judged, detector.recall.count, detector.false_alarms.count))
        .collect();
    assert_eq!(alarms, vec![(DetectorKind::Route, 9, 1, 0), (DetectorKind::Profile, 9, 2, 1)]);
}

#[test]
fn reasons_of_false_alarms_come_by_frequency() {
    let mut outcomes = outcomes();
    outcomes[4].alarms = vec![FindingKind::Length, FindingKind::Pattern];
    outcomes[5].anomalous = true;
    outcomes[5].alarms = vec![FindingKind::Pattern];
    let report = EvaluationReport::of(&outcomes);
    let reasons: Vec<_> = report.false_alarm_reasons.iter().map(|reason| (reason.kind, reason.false_alarms)).collect();
    assert_eq!(reasons, vec![(FindingKind::Pattern, 2), (FindingKind::Length, 1)]);
}

#[test]
fn only_normals_outside_the_training_files_are_novel() {
    let mut outcomes = outcomes();
    assert_eq!(EvaluationReport::of(&outcomes).novel_normals, None);
    for (position, outcome) in outcomes.iter_mut().enumerate() {
        outcome.seen_in_training = Some(position > 5);
    }
    let novel = EvaluationReport::of(&outcomes).novel_normals.unwrap().false_alarms;
    assert_eq!((novel.count, novel.total), (1, 2));
}

#[test]
fn the_network_is_set_against_its_baseline_at_equal_false_alarms() {
    let mut outcomes = outcomes();
    assert_eq!(EvaluationReport::of(&outcomes).network_comparison, None);
    // The network puts three attacks above all normals, ECOD two; the last attack is not judged by either.
    let errors = [(9.0, 0.9), (8.0, 0.8), (7.0, 0.1)];
    for (outcome, (autoencoder, ecod)) in outcomes.iter_mut().zip(errors) {
        outcome.network = Some(NetworkScores { autoencoder, ecod });
    }
    for outcome in &mut outcomes[4..] {
        outcome.network = Some(NetworkScores { autoencoder: 1.0, ecod: 0.5 });
    }
    let comparison = EvaluationReport::of(&outcomes).network_comparison.unwrap();
    assert_eq!((comparison.normals, comparison.attacks), (5, 3));
    assert_eq!(comparison.autoencoder_roc_auc, Some(1.0));
    assert!((comparison.ecod_roc_auc.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    assert_eq!(comparison.at_equal_false_alarms.len(), 1);
    let at_none = comparison.at_equal_false_alarms[0];
    assert_eq!((at_none.false_alarms, at_none.autoencoder.count, at_none.ecod.count), (0, 3, 2));
}

#[test]
fn a_file_of_normals_only_has_no_recall() {
    let report = EvaluationReport::of(&outcomes()[4..]);
    assert_eq!((report.recall, report.roc_auc, report.pr_auc), (None, None, None));
    assert_eq!(report.false_positive_rate, Some(0.2));
    assert_eq!(report.precision, Some(0.0));
}

#[test]
fn missing_labels_and_normal_are_no_attacks() {
    assert_eq!(attack_of(None), None);
    assert_eq!(attack_of(Some("Normal")), None);
    assert_eq!(attack_of(Some("attack")), Some("attack".to_owned()));
    assert_eq!(attack_of(Some("sqli")), Some("sqli".to_owned()));
}
