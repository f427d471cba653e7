//! A workflow as a tree of steps, and the sessions that visitors make of it.

use apiward_detector::hashing::stable_hash;
use apiward_detector::session::{Call, CallGap, CallOutcome, CallSymbol};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

/// Share of calls that are made once more at once: a failure, an impatient click, a reload.
const RETRY_SHARE: f64 = 0.03;
/// Chance after each call that the visitor leaves.
const LEAVE_SHARE: f64 = 0.01;
/// Chance after each call that the visitor goes back to the start of the workflow.
const RESTART_SHARE: f64 = 0.01;
/// Calls of a session.
const CALLS_MAX: usize = 80;

/// A part of a workflow.
#[derive(Debug, Clone)]
pub enum Step {
    Call(&'static str),
    InOrder(Vec<Step>),
    /// With a probability that each visitor shifts by habit.
    Maybe(f64, Box<Step>),
    /// One of several, by weight.
    OneOf(Vec<(f64, Step)>),
    /// At least once, then again with a probability, so many times at most.
    Again(f64, usize, Box<Step>),
    /// At once, in any order.
    Together(Vec<&'static str>),
}

/// A step that must not come without another one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    pub step: &'static str,
    pub needs: &'static str,
}

/// An application with one workflow.
#[derive(Debug, Clone)]
pub struct Application {
    pub name: &'static str,
    pub flow: Step,
    pub requirements: Vec<Requirement>,
}

/// Who uses it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Visitor {
    pub caller: u64,
    /// Exponent of the probabilities of optional steps: below 1 takes more of them.
    pub haste: f64,
}

impl Visitor {
    pub fn new(caller: u64, generator: &mut ChaCha8Rng) -> Self {
        Self { caller, haste: generator.random_range(0.5..2.0) }
    }
}

impl Application {
    /// The symbol that the route table would give an operation.
    pub fn symbol(operation: &str) -> CallSymbol {
        CallSymbol::of(stable_hash(&[operation.as_bytes()]))
    }

    /// All operations, ascending by symbol.
    pub fn operations(&self) -> Vec<&'static str> {
        let mut operations = Vec::new();
        self.flow.collect(&mut operations);
        operations.sort_by_key(|operation| Self::symbol(operation));
        operations.dedup();
        operations
    }

    /// One session of a visitor, at least three calls long.
    pub fn session(&self, visitor: Visitor, generator: &mut ChaCha8Rng) -> Vec<Call> {
        loop {
            let mut visit = Visit { visitor, generator, calls: Vec::new(), restarts: false };
            visit.walk(&self.flow);
            if visit.restarts {
                visit.walk(&self.flow);
            }
            if visit.calls.len() >= 3 {
                return visit.calls;
            }
        }
    }
}

impl Step {
    fn collect(&self, operations: &mut Vec<&'static str>) {
        match self {
            Step::Call(operation) => operations.push(operation),
            Step::InOrder(steps) => steps.iter().for_each(|step| step.collect(operations)),
            Step::Maybe(_, step) | Step::Again(_, _, step) => step.collect(operations),
            Step::OneOf(choices) => choices.iter().for_each(|(_, step)| step.collect(operations)),
            Step::Together(together) => operations.extend(together),
        }
    }
}

/// A session in the making.
struct Visit<'g> {
    visitor: Visitor,
    generator: &'g mut ChaCha8Rng,
    calls: Vec<Call>,
    restarts: bool,
}

impl Visit<'_> {
    /// `false` when the visitor goes no further.
    fn walk(&mut self, step: &Step) -> bool {
        match step {
            Step::Call(operation) => self.call(operation),
            Step::InOrder(steps) => steps.iter().all(|step| self.walk(step)),
            Step::Maybe(share, step) => !self.generator.random_bool(share.powf(self.visitor.haste)) || self.walk(step),
            Step::OneOf(choices) => {
                let mut place = self.generator.random_range(0.0..choices.iter().map(|(weight, _)| weight).sum());
                let chosen = choices.iter().find(|(weight, _)| {
                    place -= weight;
                    place < 0.0
                });
                chosen.is_none_or(|(_, step)| self.walk(step))
            }
            Step::Again(share, most, step) => {
                for round in 0..*most {
                    if round > 0 && !self.generator.random_bool(*share) {
                        break;
                    }
                    if !self.walk(step) {
                        return false;
                    }
                }
                true
            }
            Step::Together(operations) => {
                let mut operations = operations.clone();
                operations.shuffle(self.generator);
                for (place, operation) in operations.into_iter().enumerate() {
                    let gap = if place == 0 { CallGap::Within1s } else { CallGap::Concurrent };
                    self.push(operation, gap, CallOutcome::Success);
                }
                true
            }
        }
    }

    fn call(&mut self, operation: &'static str) -> bool {
        let gap = CallGap::ALL[self.generator.random_range(1..=5)];
        let fails = self.generator.random_bool(RETRY_SHARE);
        if fails {
            let outcomes = [CallOutcome::Failure, CallOutcome::Invalid, CallOutcome::Success];
            let outcome = outcomes[self.generator.random_range(0..outcomes.len())];
            self.push(operation, gap, outcome);
        }
        self.push(operation, if fails { CallGap::Within4s } else { gap }, CallOutcome::Success);
        if self.calls.len() >= CALLS_MAX || self.generator.random_bool(LEAVE_SHARE) {
            return false;
        }
        if self.generator.random_bool(RESTART_SHARE) && !self.restarts {
            self.restarts = true;
            return false;
        }
        true
    }

    fn push(&mut self, operation: &str, gap: CallGap, outcome: CallOutcome) {
        let gap = if self.calls.is_empty() { CallGap::None } else { gap };
        self.calls.push(Call { endpoint: Application::symbol(operation), gap, outcome });
    }
}
