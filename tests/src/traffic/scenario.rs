//! What a run of traffic consists of.

use std::ops::Range;

use time::OffsetDateTime;
use time::macros::datetime;

use super::attack::AttackKind;
use crate::shop::{ADMINS, CUSTOMERS, Release};

/// Simulated time starts here, a Monday, unless told otherwise.
pub const START: OffsetDateTime = datetime!(2026-11-02 06:00 UTC);

/// How many of the exchanges are attacks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum AttackShare {
    /// About this share of all exchanges, 0 to [`AttackPlan::SHARE_MAX`], between honest visits.
    OfExchanges(f64),
    /// Nobody but attackers come.
    Only,
}

/// Who attacks, how, and how much.
#[derive(Clone, Debug)]
pub struct AttackPlan {
    /// Taken in turns, one per visit.
    pub kinds: Vec<AttackKind>,
    pub share: AttackShare,
    /// Accounts that the attackers log in with, at most [`AttackPlan::CALLERS_MAX`].
    pub callers: usize,
    /// The first of these accounts, counted from 0.
    pub first_caller: usize,
    /// Networks (/24) that the attackers share.
    pub networks: usize,
}

impl AttackPlan {
    /// More attackers would run into the accounts of honest customers.
    pub const CALLERS_MAX: usize = 20;
    /// An attacker signs in and looks around first, so not everything can be an attack.
    pub const SHARE_MAX: f64 = 0.5;

    /// All kinds of attacks that single exchanges show, by two accounts behind one network.
    pub fn all_kinds(share: AttackShare) -> Self {
        Self { kinds: AttackKind::OF_EXCHANGES.to_vec(), share, callers: 2, first_caller: 0, networks: 1 }
    }

    /// All kinds of attacks that only sessions show, by many accounts, each behind a network of its own.
    pub fn of_sessions() -> Self {
        let callers = Self::CALLERS_MAX;
        Self {
            kinds: AttackKind::OF_SESSIONS.to_vec(),
            share: AttackShare::Only,
            callers,
            first_caller: 0,
            networks: callers,
        }
    }

    /// Nothing but attacks of one kind, by two accounts behind one network.
    pub fn one_kind(kind: AttackKind) -> Self {
        Self { kinds: vec![kind], ..Self::all_kinds(AttackShare::Only) }
    }
}

/// A scenario asks for more than there is.
#[derive(Debug, thiserror::Error)]
#[error("the scenario has {asked} {what}, choose {min} to {max}")]
pub struct ScenarioError {
    what: &'static str,
    asked: usize,
    min: usize,
    max: usize,
}

fn within(what: &'static str, asked: usize, min: usize, max: usize) -> Result<(), ScenarioError> {
    if (min..=max).contains(&asked) {
        return Ok(());
    }
    Err(ScenarioError { what, asked, min, max })
}

/// What a run of traffic consists of.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub release: Release,
    /// Which customer accounts take part, counted from 0; the last
    /// ones belong to attackers and to nobody, see [`Scenario::CUSTOMERS_MAX`].
    pub customers: Range<usize>,
    pub admins: usize,
    pub monitors: usize,
    pub attacks: Option<AttackPlan>,
    /// Simulated start.
    pub start: OffsetDateTime,
    /// Simulated days that the exchanges are spread over.
    pub days: f64,
    /// Visits in flight at once. One makes a run repeatable to the byte.
    pub concurrency: usize,
    /// Real seconds waited per simulated second of thinking; 0 sends as fast as it goes.
    pub think_scale: f64,
}

impl Scenario {
    /// Honest traffic on `release`: 90 customers, 6 administrators, 4 probes, one simulated week.
    pub fn normal(release: Release) -> Self {
        Self {
            release,
            customers: 0..90,
            admins: 6,
            monitors: 4,
            attacks: None,
            start: START,
            days: 7.0,
            concurrency: 1,
            think_scale: 0.0,
        }
    }

    /// Customers that may take part, beside attackers and dormant accounts.
    pub const CUSTOMERS_MAX: usize = CUSTOMERS as usize - AttackPlan::CALLERS_MAX - Self::DORMANT_CUSTOMERS;
    /// Customers who never come; administrators block and unblock these, so that nobody who is
    /// in the middle of a visit is locked out.
    pub const DORMANT_CUSTOMERS: usize = 20;
    /// Probes have networks of their own.
    pub const MONITORS_MAX: usize = 50;

    /// Refuses a scenario that asks for people who do not exist.
    ///
    /// # Errors
    /// Says which number is out of range.
    pub fn check(&self) -> Result<(), ScenarioError> {
        within("customers", self.customers.len(), 1, Self::CUSTOMERS_MAX)?;
        within("as the last customer", self.customers.end, 1, Self::CUSTOMERS_MAX)?;
        within("administrators", self.admins, 0, ADMINS as usize)?;
        within("probes", self.monitors, 0, Self::MONITORS_MAX)?;
        let Some(plan) = &self.attacks else {
            return Ok(());
        };
        within("kinds of attacks", plan.kinds.len(), 1, usize::MAX)?;
        within("attackers", plan.callers, 1, AttackPlan::CALLERS_MAX)?;
        within("as the last attacker", plan.first_caller + plan.callers, 1, AttackPlan::CALLERS_MAX)?;
        within("networks of attackers", plan.networks, 1, AttackPlan::CALLERS_MAX)
    }

    /// The same with attacks.
    pub fn with_attacks(mut self, plan: AttackPlan) -> Self {
        self.attacks = Some(plan);
        self
    }

    /// The same with `concurrency` visits in flight.
    pub fn concurrent(mut self, concurrency: usize) -> Self {
        self.concurrency = concurrency;
        self
    }
}
