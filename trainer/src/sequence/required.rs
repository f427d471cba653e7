//! Which endpoints always come before an endpoint.
//!
//! A step that is required leaves no session without it, but so do chance and habit where few sessions tell. So the share of
//! exceptions must be small at the upper end of its confidence interval (Clopper and Pearson, Biometrika 1934, where there was
//! none), and of several such levels the laxest one stays under which sessions that the rules were not learned from keep them.

use std::collections::HashSet;

use apiward_detector::limits::SEQUENCE_REQUIRED_MAX;
use apiward_detector::sequence::RequiredPredecessor;
use apiward_detector::session::CallSymbol;

use super::SequenceSettings;
use super::sessions::Session;

/// Upper ends of the share of exceptions that are tried, the laxest first.
const LEVELS: [f64; 5] = [0.06, 0.03, 0.015, 0.007, 0.003];
/// Standard normal quantile of the one-sided confidence, 95 %.
const CONFIDENCE_Z: f64 = 1.645;
/// Callers of an endpoint from whom it is learned what comes before it.
const CALLERS_MIN: u32 = 5;
/// Endpoints between which it is looked for: pairs are counted in a table.
const SYMBOLS_MAX: usize = 4096;
/// Required predecessors of one endpoint that are kept.
const RULES_OF_ENDPOINT_MAX: usize = 12;

/// How the rules keep in sessions that they were not learned from.
pub(super) struct MissingSteps {
    /// Estimated share of normal sessions in which one is broken, 0..1.
    pub rate: f32,
    pub is_within_budget: bool,
}

/// Who was where before, over sessions.
struct Precedence {
    symbols: usize,
    /// Per symbol: sessions with it, their weight, their callers.
    sessions: Vec<(u32, f64, u32)>,
    /// Per symbol and predecessor: sessions with the predecessor first, and their weight.
    preceded: Vec<(u32, f32)>,
}

/// Rules learned from all sessions, at the level at which those of `fit` keep in the others.
pub(super) fn learn(
    fit: &[&Session],
    tune: &[&Session],
    calibrate: &[&Session],
    symbols: &[CallSymbol],
    settings: &SequenceSettings,
) -> (Vec<RequiredPredecessor>, MissingSteps) {
    let none = MissingSteps { rate: 1.0, is_within_budget: false };
    if symbols.len() > SYMBOLS_MAX {
        return (Vec::new(), none);
    }
    let held_out: Vec<&Session> = tune.iter().chain(calibrate).copied().collect();
    let total: f64 = held_out.iter().map(|session| f64::from(session.weight)).sum();
    let all: Vec<&Session> = fit.iter().chain(&held_out).copied().collect();
    let of_fit = Precedence::of(fit, symbols);
    let of_all = Precedence::of(&all, symbols);
    for level in LEVELS {
        let rules = of_fit.rules(level);
        let breaking = held_out.iter().filter(|session| breaks(&rules, session, symbols));
        let broken: f64 = breaking.map(|session| f64::from(session.weight)).sum();
        // Half of the budget is for sums.
        if broken <= (total * settings.budget / 2.0).floor() {
            let rules = of_all.rules(level);
            if rules.is_empty() {
                break;
            }
            let rate = ((broken + 0.5) / (total + 1.0)) as f32;
            return (rules, MissingSteps { rate, is_within_budget: true });
        }
    }
    (Vec::new(), none)
}

impl Precedence {
    /// Sessions of one caller are next to each other.
    fn of(sessions: &[&Session], symbols: &[CallSymbol]) -> Self {
        let count = symbols.len();
        let mut precedence =
            Self { symbols: count, sessions: vec![(0, 0.0, 0); count], preceded: vec![(0, 0.0); count * count] };
        let mut last_callers = vec![None; count];
        for session in sessions {
            let first_calls = first_calls(session, symbols);
            for (place, symbol) in first_calls.iter().enumerate() {
                let (number, weight, callers) = &mut precedence.sessions[*symbol];
                *number += 1;
                *weight += f64::from(session.weight);
                if last_callers[*symbol].replace(session.caller) != Some(session.caller) {
                    *callers += 1;
                }
                for predecessor in &first_calls[..place] {
                    let (number, weight) = &mut precedence.preceded[*symbol * count + *predecessor];
                    *number += 1;
                    *weight += session.weight;
                }
            }
        }
        precedence
    }

    /// Those whose share of exceptions is at most `level`, as far as can be told.
    fn rules(&self, level: f64) -> Vec<RequiredPredecessor> {
        let mut rules = Vec::new();
        for (symbol, (sessions, weight, callers)) in self.sessions.iter().enumerate() {
            if *callers < CALLERS_MIN || self.symbols < 2 {
                continue;
            }
            let row = &self.preceded[symbol * self.symbols..(symbol + 1) * self.symbols];
            let mut of_symbol: Vec<(u32, RequiredPredecessor)> = Vec::new();
            for (predecessor, (preceded, preceded_weight)) in row.iter().enumerate() {
                if share_at_most((weight - f64::from(*preceded_weight)).max(0.0), *weight) <= level {
                    let rule = RequiredPredecessor {
                        symbol: symbol as u32,
                        predecessor: predecessor as u32,
                        sessions: *sessions,
                        exceptions: sessions - preceded,
                    };
                    // What fewer sessions go through tells more.
                    of_symbol.push((self.sessions[predecessor].0, rule));
                }
            }
            of_symbol.sort_by_key(|(sessions, rule)| (*sessions, rule.predecessor));
            rules.extend(of_symbol.into_iter().take(RULES_OF_ENDPOINT_MAX).map(|(_, rule)| rule));
        }
        rules.truncate(SEQUENCE_REQUIRED_MAX);
        rules
    }
}

/// The symbols of a session in the order in which they were first called.
fn first_calls(session: &Session, symbols: &[CallSymbol]) -> Vec<usize> {
    let mut met = HashSet::new();
    session
        .calls
        .iter()
        .filter_map(|call| symbols.binary_search(&call.endpoint).ok())
        .filter(|symbol| met.insert(*symbol))
        .collect()
}

fn breaks(rules: &[RequiredPredecessor], session: &Session, symbols: &[CallSymbol]) -> bool {
    let first_calls = first_calls(session, symbols);
    first_calls.iter().enumerate().any(|(place, symbol)| {
        let first = rules.partition_point(|rule| (rule.symbol as usize) < *symbol);
        let of_symbol = rules[first..].iter().take_while(|rule| rule.symbol as usize == *symbol);
        of_symbol.into_iter().any(|rule| !first_calls[..place].contains(&(rule.predecessor as usize)))
    })
}

/// Upper end of the confidence interval of a share: exact without exceptions, by Wilson's score with them.
fn share_at_most(exceptions: f64, sessions: f64) -> f64 {
    if sessions <= 0.0 {
        return 1.0;
    }
    let exact = 1.0 - 0.05_f64.powf(1.0 / sessions);
    if exceptions < 0.5 {
        return exact;
    }
    let share = (exceptions / sessions).min(1.0);
    let z2 = CONFIDENCE_Z * CONFIDENCE_Z;
    let centre = share + z2 / (2.0 * sessions);
    let spread = CONFIDENCE_Z * (share * (1.0 - share) / sessions + z2 / (4.0 * sessions * sessions)).sqrt();
    ((centre + spread) / (1.0 + z2 / sessions)).max(exact)
}
