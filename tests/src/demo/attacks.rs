//! Attacks of each kind, and how many of them are flagged.

use super::stage::{Judged, Stage, honest};
use crate::shop::Release;
use crate::traffic::{AttackKind, AttackPlan, ExchangeKind, Scenario};

/// Fewest attacks of each kind.
pub const ATTACKS_MIN: usize = 40;
/// What attackers send of one kind, looking around included.
const ATTACKERS_EXCHANGES: u64 = 120;

/// What came of the attacks of one kind.
#[derive(Debug, Clone)]
pub struct AttackFigures {
    pub kind: AttackKind,
    pub sent: usize,
    pub flagged: usize,
    /// Of a flagged one.
    pub example: Option<String>,
    pub missed: Vec<String>,
    /// Honest exchanges of the attackers, and how many of these were flagged.
    pub looking_around: (usize, usize),
}

impl AttackFigures {
    /// 0..1; 0 when none was sent.
    pub fn flagged_share(&self) -> f64 {
        self.flagged as f64 / self.sent.max(1) as f64
    }
}

impl Stage {
    /// Attacks of every kind, one kind after the other.
    ///
    /// # Errors
    /// When the shop cannot be reached.
    pub async fn attack(&mut self, release: Release) -> anyhow::Result<Vec<AttackFigures>> {
        let mut figures = Vec::new();
        for kind in AttackKind::OF_EXCHANGES {
            let scenario = Scenario::normal(release).with_attacks(AttackPlan::one_kind(kind));
            let judged = self.send(&scenario, ATTACKERS_EXCHANGES).await?;
            let of_kind = figures_of(kind, &judged);
            self.narrator.say(format_args!(
                "{}: {} of {} attacks flagged",
                kind.display_name(),
                of_kind.flagged,
                of_kind.sent
            ));
            figures.push(of_kind);
        }
        Ok(figures)
    }
}

fn figures_of(kind: AttackKind, judged: &[Judged]) -> AttackFigures {
    let attacks: Vec<&Judged> = judged.iter().filter(|judged| judged.sent.kind == ExchangeKind::Attack(kind)).collect();
    let (flagged, missed): (Vec<&Judged>, Vec<&Judged>) = attacks.iter().partition(|judged| judged.is_flagged());
    AttackFigures {
        kind,
        sent: attacks.len(),
        flagged: flagged.len(),
        example: flagged.first().map(|judged| judged.reasons().to_owned()),
        missed: missed.iter().map(|judged| judged.describe()).collect(),
        looking_around: (honest(judged).count(), honest(judged).filter(|judged| judged.is_flagged()).count()),
    }
}
