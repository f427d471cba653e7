//! How well a score puts attacks above normals, whatever the threshold. All figures are exact, equal scores included.

/// Scores of one detector, attacks and normals apart; higher is more anomalous.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Ranking {
    attacks: Vec<f32>,
    normals: Vec<f32>,
}

/// Attacks and normals that share one score.
struct Tie {
    attacks: u64,
    normals: u64,
}

impl Ranking {
    pub fn add(&mut self, is_attack: bool, score: f32) {
        if is_attack { self.attacks.push(score) } else { self.normals.push(score) }
    }

    pub fn attacks(&self) -> usize {
        self.attacks.len()
    }

    pub fn normals(&self) -> usize {
        self.normals.len()
    }

    /// Area under the ROC curve: the chance that an attack scores above a normal, ties counting half; 0..1.
    /// `None` without attacks or without normals.
    pub fn roc_auc(&self) -> Option<f64> {
        if self.attacks.is_empty() || self.normals.is_empty() {
            return None;
        }
        let mut attacks_above = 0_u64;
        let mut area = 0.0;
        for tie in self.ties() {
            area += tie.normals as f64 * (attacks_above as f64 + tie.attacks as f64 / 2.0);
            attacks_above += tie.attacks;
        }
        Some(area / (self.attacks.len() as f64 * self.normals.len() as f64))
    }

    /// Area under the precision-recall curve as average precision (a step per distinct score, no interpolation); 0..1.
    /// `None` without attacks.
    pub fn pr_auc(&self) -> Option<f64> {
        if self.attacks.is_empty() {
            return None;
        }
        let (mut attacks_above, mut all_above) = (0_u64, 0_u64);
        let mut area = 0.0;
        for tie in self.ties() {
            attacks_above += tie.attacks;
            all_above += tie.attacks + tie.normals;
            area += tie.attacks as f64 * attacks_above as f64 / all_above as f64;
        }
        Some(area / self.attacks.len() as f64)
    }

    /// The most attacks that any threshold flags while it flags at most `false_alarms` normals.
    pub fn attacks_flagged_at(&self, false_alarms: usize) -> u64 {
        let mut normals_above = 0;
        let mut flagged = 0;
        for tie in self.ties() {
            normals_above += tie.normals;
            if normals_above > false_alarms as u64 {
                break;
            }
            flagged += tie.attacks;
        }
        flagged
    }

    /// Groups of equal score, the highest first.
    fn ties(&self) -> impl Iterator<Item = Tie> {
        let labelled = |is_attack: bool| move |score: &f32| (*score, is_attack);
        let mut all: Vec<(f32, bool)> =
            self.attacks.iter().map(labelled(true)).chain(self.normals.iter().map(labelled(false))).collect();
        all.sort_unstable_by(|(left, _), (right, _)| right.total_cmp(left));
        let ties: Vec<Tie> = all
            .chunk_by(|(left, _), (right, _)| left == right)
            .map(|tie| {
                let attacks = tie.iter().filter(|(_, is_attack)| *is_attack).count() as u64;
                Tie { attacks, normals: tie.len() as u64 - attacks }
            })
            .collect();
        ties.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ranking(attacks: &[f32], normals: &[f32]) -> Ranking {
        Ranking { attacks: attacks.to_vec(), normals: normals.to_vec() }
    }

    fn check(ranking: &Ranking, roc_auc: f64, pr_auc: f64) {
        assert!((ranking.roc_auc().unwrap() - roc_auc).abs() < 1e-12, "{:?}", ranking.roc_auc());
        assert!((ranking.pr_auc().unwrap() - pr_auc).abs() < 1e-12, "{:?}", ranking.pr_auc());
    }

    #[test]
    fn areas_match_cases_computed_by_hand() {
        check(&ranking(&[0.9, 0.8], &[0.1, 0.2]), 1.0, 1.0);
        check(&ranking(&[0.1], &[0.9]), 0.0, 0.5);
        // Pairs won: 0.9 beats both, 0.4 beats one of two. Precision at each attack: 1/1, 2/3.
        check(&ranking(&[0.9, 0.4], &[0.6, 0.1]), 0.75, (1.0 + 2.0 / 3.0) / 2.0);
        // All equal: every pair is half won; precision is the share of attacks.
        check(&ranking(&[0.5], &[0.5, 0.5, 0.5]), 0.5, 0.25);
        // Ties in the middle: pairs 1 + 1 + 0.5 + 1 of 4; precision 1/1 and 2/3.
        check(&ranking(&[0.9, 0.5], &[0.5, 0.2]), 0.875, (1.0 + 2.0 / 3.0) / 2.0);
    }

    #[test]
    fn areas_need_something_to_compare() {
        assert_eq!(ranking(&[], &[0.1]).roc_auc(), None);
        assert_eq!(ranking(&[0.1], &[]).roc_auc(), None);
        assert_eq!(ranking(&[], &[0.1]).pr_auc(), None);
        assert_eq!(ranking(&[0.1], &[]).pr_auc(), Some(1.0));
    }

    #[test]
    fn attacks_flagged_respect_the_false_alarms_allowed() {
        let mixed = ranking(&[0.9, 0.7, 0.7, 0.3], &[0.8, 0.7, 0.1]);
        assert_eq!(mixed.attacks_flagged_at(0), 1);
        // The next threshold would take the tie at 0.7 with its normal: two false alarms.
        assert_eq!(mixed.attacks_flagged_at(1), 1);
        assert_eq!(mixed.attacks_flagged_at(2), 4);
        assert_eq!(mixed.attacks_flagged_at(9), 4);
    }

    proptest! {
        #[test]
        fn the_roc_area_is_the_share_of_pairs_won(
            attacks in prop::collection::vec(0_u8..6, 1..20),
            normals in prop::collection::vec(0_u8..6, 1..20),
        ) {
            let won: f64 = attacks
                .iter()
                .flat_map(|attack| normals.iter().map(move |normal| attack.cmp(normal)))
                .map(|order| match order {
                    std::cmp::Ordering::Greater => 1.0,
                    std::cmp::Ordering::Equal => 0.5,
                    std::cmp::Ordering::Less => 0.0,
                })
                .sum();
            let expected = won / (attacks.len() * normals.len()) as f64;
            let scores = |values: &[u8]| values.iter().map(|value| f32::from(*value)).collect::<Vec<_>>();
            let measured = ranking(&scores(&attacks), &scores(&normals)).roc_auc().unwrap();
            prop_assert!((measured - expected).abs() < 1e-9);
        }
    }
}
