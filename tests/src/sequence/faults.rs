//! What can go wrong in a workflow.

use std::collections::HashSet;

use apiward_detector::session::{Call, CallSymbol};
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use super::flow::Application;

/// Calls between a missing step and the one that needs it, at least, where it is further back.
const FURTHER_BACK: usize = 3;
/// Calls of another session that are spliced in.
const SPLICED: std::ops::RangeInclusive<usize> = 3..=6;
/// Endpoints that a script walks.
const WALKED: usize = 8;

/// A kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A required step does not come.
    MissingStep,
    /// A required step does not come, and the step that needs it comes three or more calls later.
    MissingStepFurtherBack,
    /// The session goes back to a step from which it cannot be reached.
    MisplacedLoop,
    /// A few steps of another visitor's session.
    SplicedSteps,
    /// All steps in another order.
    Shuffled,
    /// A script that goes through the endpoints in the order of their ids.
    Walk,
}

impl Fault {
    pub const ALL: [Fault; 6] = [
        Fault::MissingStep,
        Fault::MissingStepFurtherBack,
        Fault::MisplacedLoop,
        Fault::SplicedSteps,
        Fault::Shuffled,
        Fault::Walk,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Fault::MissingStep => "missing step",
            Fault::MissingStepFurtherBack => "missing step, 3+ back",
            Fault::MisplacedLoop => "misplaced loop",
            Fault::SplicedSteps => "spliced steps",
            Fault::Shuffled => "shuffled",
            Fault::Walk => "walk in id order",
        }
    }

    /// A normal session with the fault in it; `None` where it cannot have it.
    pub fn inject(
        self,
        application: &Application,
        possible: &Possible,
        calls: &[Call],
        other: &[Call],
        generator: &mut ChaCha8Rng,
    ) -> Option<Vec<Call>> {
        match self {
            Fault::MissingStep => without_step(application, calls, 0, generator),
            Fault::MissingStepFurtherBack => without_step(application, calls, FURTHER_BACK, generator),
            Fault::MisplacedLoop => with_loop(possible, calls, generator),
            Fault::SplicedSteps => spliced(possible, calls, other, generator),
            Fault::Shuffled => {
                let mut shuffled = calls.to_vec();
                shuffled.shuffle(generator);
                possible.impossible_in(&shuffled).ge(&2).then_some(shuffled)
            }
            Fault::Walk => {
                let operations = application.operations();
                let first = generator.random_range(0..operations.len());
                let walked = operations.iter().cycle().skip(first).take(WALKED);
                let call = |(place, operation): (usize, &&str)| Call {
                    endpoint: Application::symbol(operation),
                    ..calls[place.min(calls.len() - 1)]
                };
                Some(walked.enumerate().map(call).collect())
            }
        }
    }
}

/// Which calls can follow each other, from many sessions.
#[derive(Debug, Default)]
pub struct Possible {
    pairs: HashSet<(CallSymbol, CallSymbol)>,
}

impl Possible {
    pub fn of<'c>(sessions: impl Iterator<Item = &'c [Call]>) -> Self {
        let mut possible = Self::default();
        for calls in sessions {
            possible.pairs.extend(calls.windows(2).map(|pair| (pair[0].endpoint, pair[1].endpoint)));
        }
        possible
    }

    fn is_possible(&self, one: Call, next: Call) -> bool {
        self.pairs.contains(&(one.endpoint, next.endpoint))
    }

    fn impossible_in(&self, calls: &[Call]) -> usize {
        calls.windows(2).filter(|pair| !self.is_possible(pair[0], pair[1])).count()
    }
}

/// Without any call of a step that a later call needs, which is so many calls further on.
fn without_step(
    application: &Application,
    calls: &[Call],
    calls_between_min: usize,
    generator: &mut ChaCha8Rng,
) -> Option<Vec<Call>> {
    let place = |operation: &str| calls.iter().position(|call| call.endpoint == Application::symbol(operation));
    let mut choices = Vec::new();
    for requirement in &application.requirements {
        let Some(step) = place(requirement.step) else { continue };
        let needed = Application::symbol(requirement.needs);
        let last = calls[..step].iter().rposition(|call| call.endpoint == needed);
        if last.is_some_and(|last| step - last > calls_between_min) {
            choices.push((step, needed));
        }
    }
    let (step, needed) = *choices.get(generator.random_range(0..choices.len().max(1)))?;
    let before = calls[..step].iter().filter(|call| call.endpoint != needed);
    Some(before.chain(&calls[step..]).copied().collect())
}

/// Goes back from a call to an earlier one that cannot follow it.
fn with_loop(possible: &Possible, calls: &[Call], generator: &mut ChaCha8Rng) -> Option<Vec<Call>> {
    let mut choices = Vec::new();
    for from in 2..calls.len() {
        choices.extend((0..from - 1).filter(|to| !possible.is_possible(calls[from], calls[*to])).map(|to| (from, to)));
    }
    let (from, to) = *choices.get(generator.random_range(0..choices.len().max(1)))?;
    Some(calls[..=from].iter().chain(&calls[to..]).copied().collect())
}

/// With a few calls of another session, at a place where they cannot come.
fn spliced(possible: &Possible, calls: &[Call], other: &[Call], generator: &mut ChaCha8Rng) -> Option<Vec<Call>> {
    let count = generator.random_range(SPLICED);
    if other.len() <= count || calls.len() < 3 {
        return None;
    }
    let from = generator.random_range(0..other.len() - count);
    let at = generator.random_range(1..calls.len() - 1);
    let spliced: Vec<Call> =
        calls[..at].iter().chain(&other[from..from + count]).chain(&calls[at..]).copied().collect();
    (possible.impossible_in(&spliced) > 0).then_some(spliced)
}
