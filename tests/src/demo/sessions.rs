//! Attacks that only sessions show, and how many attackers are found, and how soon.

use std::collections::BTreeMap;

use super::stage::{Judged, Stage};
use crate::shop::Release;
use crate::traffic::{AttackKind, AttackPlan, AttackShare, ExchangeKind, Scenario};

/// Accounts of the attackers of one kind, each behind a network of its own and with nothing on its record.
const ATTACKERS: usize = 2;
/// Accounts that attack in other ways before.
const ATTACKERS_BEFORE: usize = 2;
/// What they send together at most, looking around included.
const EXCHANGES: u64 = 200;

/// What came of the attackers of one kind.
#[derive(Debug, Clone)]
pub struct SessionAttackFigures {
    pub kind: AttackKind,
    /// Callers, or addresses where there is no caller, with attacks.
    pub attackers: usize,
    /// Those of them with a flagged attack.
    pub found: usize,
    /// Most attacks that one of those had sent when the first one was flagged, that one included.
    pub found_after_max: usize,
    /// Of a flagged attack.
    pub example: Option<String>,
}

impl SessionAttackFigures {
    /// Whether attackers are found: all of them, but for those who send one request each, of whom some.
    pub fn is_found(&self) -> bool {
        match self.kind {
            AttackKind::StuffingDistributed => self.found > 0,
            _ => self.attackers > 0 && self.found == self.attackers,
        }
    }
}

impl Stage {
    /// Attackers of every kind that a clock of minutes shows, one kind after the other.
    ///
    /// # Errors
    /// When the shop cannot be reached.
    pub async fn attack_by_sessions(&mut self, release: Release) -> anyhow::Result<Vec<SessionAttackFigures>> {
        let mut figures = Vec::new();
        // One attempt a minute takes hours: `apiward eval` judges it under a simulated clock.
        let kinds = AttackKind::OF_SESSIONS.into_iter().filter(|kind| *kind != AttackKind::StuffingSlow);
        for (place, kind) in kinds.enumerate() {
            let plan = AttackPlan {
                kinds: vec![kind],
                share: AttackShare::Only,
                callers: ATTACKERS,
                first_caller: ATTACKERS_BEFORE + place * ATTACKERS,
                networks: AttackPlan::CALLERS_MAX,
            };
            let judged = self.send(&Scenario::normal(release).with_attacks(plan), EXCHANGES).await?;
            let of_kind = figures_of(kind, &judged);
            self.narrator.say(format_args!(
                "{}: {} of {} attackers found, after at most {} requests",
                kind.display_name(),
                of_kind.found,
                of_kind.attackers,
                of_kind.found_after_max
            ));
            figures.push(of_kind);
        }
        Ok(figures)
    }
}

fn figures_of(kind: AttackKind, judged: &[Judged]) -> SessionAttackFigures {
    let mut attackers: BTreeMap<&str, Vec<&Judged>> = BTreeMap::new();
    for one in judged.iter().filter(|judged| judged.sent.kind == ExchangeKind::Attack(kind)) {
        attackers.entry(&one.sent.client).or_default().push(one);
    }
    let first_flagged = |attacks: &Vec<&Judged>| attacks.iter().position(|attack| attack.is_flagged());
    let found: Vec<usize> = attackers.values().filter_map(first_flagged).collect();
    let flagged = attackers.values().flatten().find(|attack| attack.is_flagged());
    SessionAttackFigures {
        kind,
        attackers: attackers.len(),
        found: found.len(),
        found_after_max: found.iter().max().map_or(0, |position| position + 1),
        example: flagged.map(|attack| attack.reasons().to_owned()),
    }
}
