//! Who comes when: an endless, seeded sequence of visits.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Exp1, Zipf};
use time::{Duration, OffsetDateTime};

use super::attack::AttackKind;
use super::scenario::{AttackPlan, AttackShare, Scenario};

/// Exchanges of a visit, on average over all honest visitors.
const VISIT_EXCHANGES: f64 = 5.4;
/// Attack exchanges of an attacker's visit, on average.
const VISIT_ATTACKS: f64 = 7.0;
/// What an attacker does before that, on average.
const VISIT_RECONNAISSANCE: f64 = 2.0;
/// Some customers come far more often than others.
const ACTIVITY_EXPONENT: f64 = 0.5;
/// Of a hundred visits, so many are of administrators, and so many of probes.
const ADMIN_PERCENT: u32 = 9;
const PROBE_PERCENT: u32 = 8;
/// Visits per hour of the day, relative to each other.
const HOURLY_INTENSITY: [f64; 24] = [
    0.3, 0.2, 0.15, 0.1, 0.15, 0.3, 0.6, 0.9, 1.1, 1.2, 1.2, 1.3, 1.4, 1.2, 1.1, 1.1, 1.2, 1.4, 1.7, 2.0, 2.1, 1.8,
    1.1, 0.6,
];

/// Who makes a visit; the numbers count within each group from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Visitor {
    Customer(usize),
    Admin(usize),
    Monitor(usize),
    Attacker(usize),
}

/// A visit that is due.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub number: u64,
    pub at: OffsetDateTime,
    pub visitor: Visitor,
    /// What an attacker is up to.
    pub attack: Option<AttackKind>,
}

/// The endless sequence of arrivals of a scenario.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    rng: ChaCha8Rng,
    now: OffsetDateTime,
    mean_gap_s: f64,
    customers: std::ops::Range<usize>,
    admins: usize,
    monitors: usize,
    attacks: Option<AttackPlan>,
    attack_visits: u64,
    number: u64,
}

impl Schedule {
    /// Arrivals that yield about `count` exchanges over the scenario's time.
    pub fn new(scenario: &Scenario, seed: u64, count: u64) -> Self {
        let visits = (count as f64 / VISIT_EXCHANGES).max(1.0);
        Self {
            rng: ChaCha8Rng::seed_from_u64(seed),
            now: scenario.start,
            mean_gap_s: scenario.days * 86_400.0 / visits,
            customers: scenario.customers.clone(),
            admins: scenario.admins,
            monitors: scenario.monitors,
            attacks: scenario.attacks.clone(),
            attack_visits: 0,
            number: 0,
        }
    }

    fn attack_probability(&self) -> f64 {
        match &self.attacks {
            None => 0.0,
            Some(plan) => match plan.share {
                AttackShare::Only => 1.0,
                AttackShare::OfExchanges(share) => {
                    // Solved for the share of visits that gives this share of exchanges.
                    let attacker_visit = VISIT_ATTACKS + VISIT_RECONNAISSANCE;
                    let surplus = share * (attacker_visit - VISIT_EXCHANGES);
                    (share * VISIT_EXCHANGES / (VISIT_ATTACKS - surplus)).clamp(0.0, 1.0)
                }
            },
        }
    }

    fn attacker(&mut self) -> Option<(Visitor, AttackKind)> {
        let plan = self.attacks.as_ref()?;
        let turn = usize::try_from(self.attack_visits).ok()?;
        let kind = *plan.kinds.get(turn % plan.kinds.len().max(1))?;
        // Every round over the kinds starts with another attacker.
        let attacker = plan.first_caller + (turn + turn / plan.kinds.len()) % plan.callers.max(1);
        self.attack_visits += 1;
        Some((Visitor::Attacker(attacker), kind))
    }

    fn honest_visitor(&mut self) -> Visitor {
        let draw = self.rng.random_range(0..100);
        if draw < ADMIN_PERCENT && self.admins > 0 {
            return Visitor::Admin(self.rng.random_range(0..self.admins));
        }
        if draw < ADMIN_PERCENT + PROBE_PERCENT && self.monitors > 0 {
            return Visitor::Monitor(self.rng.random_range(0..self.monitors));
        }
        let customers = self.customers.len().max(1);
        let rank = Zipf::new(customers as f64, ACTIVITY_EXPONENT)
            .map_or(1, |activity| activity.sample(&mut self.rng) as usize);
        Visitor::Customer(self.customers.start + rank.clamp(1, customers) - 1)
    }
}

impl Iterator for Schedule {
    type Item = Arrival;

    fn next(&mut self) -> Option<Arrival> {
        let unit: f64 = Exp1.sample(&mut self.rng);
        let intensity = HOURLY_INTENSITY[usize::from(self.now.hour()) % HOURLY_INTENSITY.len()];
        let gap_s = unit * self.mean_gap_s / intensity;
        self.now += Duration::milliseconds((gap_s * 1_000.0) as i64);
        let attack_probability = self.attack_probability();
        let attacker = if self.rng.random_bool(attack_probability) { self.attacker() } else { None };
        let (visitor, attack) = match attacker {
            Some((visitor, kind)) => (visitor, Some(kind)),
            None => (self.honest_visitor(), None),
        };
        self.number += 1;
        Some(Arrival { number: self.number, at: self.now, visitor, attack })
    }
}
