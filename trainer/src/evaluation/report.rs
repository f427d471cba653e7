//! Outcomes → figures.

use std::collections::BTreeMap;

use apiward_detector::verdict::{DetectorKind, DetectorScores, FindingKind};
use serde::Serialize;

use super::{Outcome, Proportion, Ranking};

/// Shares of the normals at which the network and its baseline are compared.
const COMPARED_FALSE_ALARM_SHARES: [f64; 3] = [0.0, 0.001, 0.01];

const DETECTORS: [DetectorKind; 5] =
    [DetectorKind::Route, DetectorKind::Profile, DetectorKind::Sequence, DetectorKind::Volume, DetectorKind::Payload];

/// Everything that `apiward eval` measures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct EvaluationReport {
    pub exchanges: u64,
    pub normals: u64,
    pub attacks: u64,
    pub confusion: Confusion,
    /// Flagged attacks among all flagged, 0..1.
    pub precision: Option<f64>,
    /// Flagged attacks among all attacks, 0..1.
    pub recall: Option<f64>,
    /// 95 % bounds of the recall.
    pub recall_bounds: Option<[f64; 2]>,
    /// Flagged normals among all normals, 0..1.
    pub false_positive_rate: Option<f64>,
    /// 95 % bounds of the false-positive rate.
    pub false_positive_rate_bounds: Option<[f64; 2]>,
    /// Of the verdict's score.
    pub roc_auc: Option<f64>,
    /// Of the verdict's score, as average precision.
    pub pr_auc: Option<f64>,
    /// Only detectors that judged something.
    pub detectors: Vec<DetectorReport>,
    /// By the attacks' names, in alphabetical order.
    pub attack_kinds: Vec<AttackReport>,
    /// The most frequent first.
    pub false_alarm_reasons: Vec<FalseAlarmReason>,
    /// Normals that are not in the training files; `None` when these were not given.
    pub novel_normals: Option<NovelNormals>,
    /// `None` when no network judged anything.
    pub network_comparison: Option<NetworkComparison>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Confusion {
    pub true_positives: u64,
    pub false_positives: u64,
    pub true_negatives: u64,
    pub false_negatives: u64,
}

/// One detector by itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DetectorReport {
    pub detector: DetectorKind,
    /// Exchanges for which it had something to judge by.
    pub judged: u64,
    /// Share of all attacks on which it alarmed.
    pub recall: Proportion,
    /// Share of all normals on which it alarmed.
    pub false_alarms: Proportion,
    /// Of its score, over what it judged.
    pub roc_auc: Option<f64>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttackReport {
    pub attack: String,
    pub recall: Proportion,
}

/// How many false alarms a kind of finding took part in; one false alarm may have several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct FalseAlarmReason {
    pub kind: FindingKind,
    pub false_alarms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct NovelNormals {
    pub false_alarms: Proportion,
}

/// The autoencoder beside ECOD, on the exchanges that both judged (those of known endpoints).
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkComparison {
    pub normals: u64,
    pub attacks: u64,
    pub autoencoder_roc_auc: Option<f64>,
    pub ecod_roc_auc: Option<f64>,
    pub at_equal_false_alarms: Vec<RecallAtFalseAlarms>,
}

/// The best recall of each at no more than so many false alarms.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RecallAtFalseAlarms {
    pub false_alarms: u64,
    pub autoencoder: Proportion,
    pub ecod: Proportion,
}

impl EvaluationReport {
    pub fn of(outcomes: &[Outcome]) -> Self {
        let attacks = outcomes.iter().filter(|outcome| outcome.attack.is_some()).count() as u64;
        let normals = outcomes.len() as u64 - attacks;
        let confusion = Confusion::of(outcomes);
        let recall = Proportion::of(confusion.true_positives, attacks);
        let false_positive_rate = Proportion::of(confusion.false_positives, normals);
        let precision = Proportion::of(confusion.true_positives, confusion.true_positives + confusion.false_positives);
        let ranking = ranking_of(outcomes, |outcome| Some(outcome.score));
        Self {
            exchanges: outcomes.len() as u64,
            normals,
            attacks,
            confusion,
            precision: precision.share,
            recall: recall.share,
            recall_bounds: recall.bounds,
            false_positive_rate: false_positive_rate.share,
            false_positive_rate_bounds: false_positive_rate.bounds,
            roc_auc: ranking.roc_auc(),
            pr_auc: ranking.pr_auc(),
            detectors: DETECTORS
                .into_iter()
                .map(|detector| DetectorReport::of(detector, outcomes, attacks, normals))
                .filter(|report| report.judged > 0)
                .collect(),
            attack_kinds: attack_kinds(outcomes),
            false_alarm_reasons: false_alarm_reasons(outcomes),
            novel_normals: novel_normals(outcomes),
            network_comparison: NetworkComparison::of(outcomes),
        }
    }
}

impl Confusion {
    fn of(outcomes: &[Outcome]) -> Self {
        let mut confusion = Self::default();
        for outcome in outcomes {
            let count = match (outcome.attack.is_some(), outcome.anomalous) {
                (true, true) => &mut confusion.true_positives,
                (true, false) => &mut confusion.false_negatives,
                (false, true) => &mut confusion.false_positives,
                (false, false) => &mut confusion.true_negatives,
            };
            *count += 1;
        }
        confusion
    }
}

impl DetectorReport {
    fn of(detector: DetectorKind, outcomes: &[Outcome], attacks: u64, normals: u64) -> Self {
        let ranking = ranking_of(outcomes, |outcome| score_of(&outcome.detectors, detector));
        let alarms = |of_attacks: bool| {
            outcomes
                .iter()
                .filter(|outcome| outcome.attack.is_some() == of_attacks && outcome.alarm_of(detector))
                .count() as u64
        };
        Self {
            detector,
            judged: (ranking.attacks() + ranking.normals()) as u64,
            recall: Proportion::of(alarms(true), attacks),
            false_alarms: Proportion::of(alarms(false), normals),
            roc_auc: ranking.roc_auc(),
        }
    }
}

impl NetworkComparison {
    fn of(outcomes: &[Outcome]) -> Option<Self> {
        let autoencoder = ranking_of(outcomes, |outcome| outcome.network.map(|network| network.autoencoder));
        let ecod = ranking_of(outcomes, |outcome| outcome.network.map(|network| network.ecod));
        let (normals, attacks) = (autoencoder.normals(), autoencoder.attacks());
        if normals + attacks == 0 {
            return None;
        }
        let mut allowed: Vec<usize> =
            COMPARED_FALSE_ALARM_SHARES.iter().map(|share| (share * normals as f64).floor() as usize).collect();
        allowed.dedup();
        let at_equal_false_alarms = allowed
            .into_iter()
            .map(|false_alarms| RecallAtFalseAlarms {
                false_alarms: false_alarms as u64,
                autoencoder: Proportion::of(autoencoder.attacks_flagged_at(false_alarms), attacks as u64),
                ecod: Proportion::of(ecod.attacks_flagged_at(false_alarms), attacks as u64),
            })
            .collect();
        Some(Self {
            normals: normals as u64,
            attacks: attacks as u64,
            autoencoder_roc_auc: autoencoder.roc_auc(),
            ecod_roc_auc: ecod.roc_auc(),
            at_equal_false_alarms,
        })
    }
}

fn ranking_of(outcomes: &[Outcome], score: impl Fn(&Outcome) -> Option<f32>) -> Ranking {
    let mut ranking = Ranking::default();
    for outcome in outcomes {
        if let Some(score) = score(outcome) {
            ranking.add(outcome.attack.is_some(), score);
        }
    }
    ranking
}

fn score_of(scores: &DetectorScores, detector: DetectorKind) -> Option<f32> {
    match detector {
        DetectorKind::Route => scores.route,
        DetectorKind::Profile => scores.profile,
        DetectorKind::Sequence => scores.sequence,
        DetectorKind::Volume => scores.volume,
        DetectorKind::Payload => scores.payload,
    }
}

fn attack_kinds(outcomes: &[Outcome]) -> Vec<AttackReport> {
    let mut counts: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for outcome in outcomes {
        if let Some(attack) = &outcome.attack {
            let (flagged, total) = counts.entry(attack).or_default();
            *flagged += u64::from(outcome.anomalous);
            *total += 1;
        }
    }
    counts
        .into_iter()
        .map(|(attack, (flagged, total))| AttackReport {
            attack: attack.to_owned(),
            recall: Proportion::of(flagged, total),
        })
        .collect()
}

fn false_alarm_reasons(outcomes: &[Outcome]) -> Vec<FalseAlarmReason> {
    let mut counts: BTreeMap<FindingKind, u64> = BTreeMap::new();
    for outcome in outcomes.iter().filter(|outcome| outcome.attack.is_none() && outcome.anomalous) {
        for kind in &outcome.alarms {
            *counts.entry(*kind).or_default() += 1;
        }
    }
    let mut reasons: Vec<_> =
        counts.into_iter().map(|(kind, false_alarms)| FalseAlarmReason { kind, false_alarms }).collect();
    reasons.sort_by_key(|reason| std::cmp::Reverse(reason.false_alarms));
    reasons
}

fn novel_normals(outcomes: &[Outcome]) -> Option<NovelNormals> {
    if outcomes.iter().all(|outcome| outcome.seen_in_training.is_none()) {
        return None;
    }
    let novel =
        || outcomes.iter().filter(|outcome| outcome.attack.is_none() && outcome.seen_in_training == Some(false));
    let flagged = novel().filter(|outcome| outcome.anomalous).count() as u64;
    Some(NovelNormals { false_alarms: Proportion::of(flagged, novel().count() as u64) })
}

#[cfg(test)]
#[path = "report_tests.rs"]
mod tests;
