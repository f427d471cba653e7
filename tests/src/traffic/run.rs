//! Running a scenario.

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use time::{Duration, OffsetDateTime};
use tokio::sync::{Mutex, OwnedMutexGuard, Semaphore};
use tokio::task::{JoinError, JoinSet};

use super::attack;
use super::customer;
use super::in_process::{Exchange, InProcessShop};
use super::persona::Persona;
use super::request::{SendError, ShopClient};
use super::scenario::{Scenario, ScenarioError};
use super::schedule::{Arrival, Schedule, Visitor};
use super::staff;
use super::visit::{Budget, SentExchange, Visit, VisitEnd};
use crate::shop::{self, ADMINS, Account, Shop, ShopClock};

/// Between two visits of one person, at least.
const BREAK: Duration = Duration::minutes(5);

/// A run that broke off.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Send(#[from] SendError),
    #[error("a simulated client stopped: {0}")]
    Client(#[from] JoinError),
}

/// Told how many exchanges were added.
type Progress = Arc<dyn Fn(u64) + Send + Sync>;

/// Sends `count` exchanges of `scenario` and returns them in the order of sending.
///
/// The same seed gives the same visits; with a concurrency of one and a fresh shop the same
/// bytes. `progress` is told how many exchanges were added. Visits of one person never overlap.
///
/// # Errors
/// The scenario asks for people who do not exist, or the shop could not be reached.
pub async fn run<C: ShopClient>(
    client: C,
    scenario: &Scenario,
    seed: u64,
    count: u64,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Vec<SentExchange>, RunError> {
    scenario.check()?;
    let budget = Arc::new(Budget::new(count));
    let progress: Progress = Arc::new(progress);
    let in_flight = Arc::new(Semaphore::new(scenario.concurrency.max(1)));
    let mut population = Population::new(scenario);
    let mut visits: JoinSet<Result<Vec<SentExchange>, SendError>> = JoinSet::new();
    let mut sent = Vec::new();
    for arrival in Schedule::new(scenario, seed, count) {
        // The semaphore is never closed, so this only waits for a visit to end.
        let Ok(permit) = Arc::clone(&in_flight).acquire_owned().await else {
            break;
        };
        while let Some(finished) = visits.try_join_next() {
            sent.extend(finished??);
        }
        if budget.is_spent() {
            break;
        }
        let guest = Guest {
            client: client.clone(),
            resident: population.enter(arrival.visitor).await,
            arrival,
            scenario: scenario.clone(),
            seed,
            budget: Arc::clone(&budget),
            progress: Arc::clone(&progress),
        };
        visits.spawn(async move {
            let exchanges = guest.visit().await;
            drop(permit);
            exchanges
        });
    }
    while let Some(finished) = visits.join_next().await {
        sent.extend(finished??);
    }
    sent.sort_by_key(|exchange| exchange.index);
    Ok(sent)
}

/// Sends `count` exchanges to a fresh shop in this process and returns them as recorded,
/// ordered by simulated time; the same seed and scenario give the same bytes.
///
/// # Errors
/// As [`run`].
pub async fn generate(
    scenario: &Scenario,
    seed: u64,
    count: u64,
    progress: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Vec<Exchange>, RunError> {
    let clock = ShopClock::simulated(scenario.start);
    let shop = Shop::new(scenario.release, clock.clone());
    let client = InProcessShop::new(&shop, clock, seed);
    // More than one visit in flight would make the order of exchanges a matter of chance.
    let sequential = scenario.clone().concurrent(1);
    run(client.clone(), &sequential, seed, count, progress).await?;
    Ok(client.take_exchanges())
}

/// A person between and during visits.
struct Resident {
    persona: Persona,
    /// Simulated end of the last visit.
    left_at: OffsetDateTime,
}

/// Everybody who has come so far.
struct Population {
    accounts: Vec<Account>,
    attacker_networks: usize,
    start: OffsetDateTime,
    residents: BTreeMap<Visitor, Arc<Mutex<Resident>>>,
}

impl Population {
    fn new(scenario: &Scenario) -> Self {
        Self {
            accounts: shop::accounts(),
            attacker_networks: scenario.attacks.as_ref().map_or(1, |plan| plan.networks.max(1)),
            start: scenario.start,
            residents: BTreeMap::new(),
        }
    }

    /// Waits until the visitor's last visit is over.
    async fn enter(&mut self, visitor: Visitor) -> OwnedMutexGuard<Resident> {
        if !self.residents.contains_key(&visitor) {
            let resident = Resident { persona: self.persona(visitor), left_at: self.start - BREAK };
            self.residents.insert(visitor, Arc::new(Mutex::new(resident)));
        }
        Arc::clone(&self.residents[&visitor]).lock_owned().await
    }

    fn persona(&self, visitor: Visitor) -> Persona {
        let admins = ADMINS as usize;
        match visitor {
            Visitor::Admin(index) => Persona::of_account(index, self.accounts[index].clone()),
            Visitor::Customer(index) => {
                let number = admins + index;
                Persona::of_account(number, self.accounts[number].clone())
            }
            Visitor::Attacker(index) => {
                let account = self.accounts[self.accounts.len() - 1 - index].clone();
                Persona::attacker(account, index, index % self.attacker_networks)
            }
            Visitor::Monitor(index) => Persona::monitor(index),
        }
    }
}

/// A visit that is about to happen.
struct Guest<C> {
    client: C,
    resident: OwnedMutexGuard<Resident>,
    arrival: Arrival,
    scenario: Scenario,
    seed: u64,
    budget: Arc<Budget>,
    progress: Progress,
}

impl<C: ShopClient> Guest<C> {
    async fn visit(mut self) -> Result<Vec<SentExchange>, SendError> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(self.arrival.number);
        let device = rng.random_range(0..self.resident.persona.devices.len());
        let now = self.arrival.at.max(self.resident.left_at + BREAK);
        let mut sent = Vec::new();
        let mut visit = Visit {
            client: &mut self.client,
            persona: &mut self.resident.persona,
            device,
            rng,
            now,
            think_scale: self.scenario.think_scale,
            budget: &self.budget,
            sent: &mut sent,
            progress: self.progress.as_ref(),
        };
        let release = self.scenario.release;
        let end = match (self.arrival.visitor, self.arrival.attack) {
            (Visitor::Admin(_), _) => staff::administer(&mut visit).await,
            (Visitor::Monitor(_), _) => staff::probe(&mut visit).await,
            (Visitor::Attacker(_), Some(kind)) => attack::visit(&mut visit, kind, release).await,
            (Visitor::Attacker(_), None) | (Visitor::Customer(_), _) => customer::visit(&mut visit, release).await,
        };
        // Whoever closes the page without "remember me" has to sign in again next time.
        let forgets = visit.chance(0.7);
        let left_at = visit.now;
        let token = &mut visit.device().token;
        if forgets && token.as_ref().is_some_and(|token| !token.remembered) {
            *token = None;
        }
        self.resident.left_at = left_at;
        match end {
            Ok(()) | Err(VisitEnd::CountReached) => Ok(sent),
            Err(VisitEnd::GaveUp) => {
                self.resident.persona.devices[device].token = None;
                Ok(sent)
            }
            Err(VisitEnd::Failed(error)) => Err(error),
        }
    }
}
