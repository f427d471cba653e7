//! Which endpoints always come before an endpoint.
//!
//! A step that is required leaves no session without it, but so do chance and habit where few sessions tell. So the share of
//! exceptions must be small at the upper end of its confidence interval (Clopper and Pearson, Biometrika 1934, where there was
//! none), and of several such levels the laxest one stays under which sessions that the rules were not learned from keep them.
//! And it must not be what chance would have brought anyhow: in a long session nearly everything came before.

use std::collections::HashSet;

use apiward_detector::limits::SEQUENCE_REQUIRED_MAX;
use apiward_detector::sequence::RequiredPredecessor;
use apiward_detector::session::CallSymbol;

use super::SequenceSettings;
use super::sessions::Session;

/// Upper ends of the share of exceptions that are tried, the laxest first.
const LEVELS: [f64; 4] = [0.03, 0.015, 0.007, 0.003];
/// Nats, over all sessions of an endpoint, by which it is less likely that chance alone brought the predecessor before it.
const EVIDENCE_MIN: f64 = 30.0;
/// Standard normal quantile of the one-sided confidence, 95 %.
const CONFIDENCE_Z: f64 = 1.645;
/// Callers of an endpoint from whom it is learned what comes before it.
const CALLERS_MIN: usize = 5;
/// Share of them who must have been to an endpoint before, at some time, for it to be looked at.
const CALLERS_SHARE_MIN: f64 = 0.9;
/// Exceptions of one caller that may be chance.
const SESSIONS_BY_CHANCE_MAX: usize = 1;
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
        let rules = of_fit.rules(level, settings.callers_min);
        let mut breaking = Visits::default();
        held_out.iter().filter(|session| breaks(&rules, session, symbols)).for_each(|session| breaking.add(session));
        let is_normal = !breaking.is_of_few(settings.callers_min);
        let broken = if is_normal { f64::from(breaking.weight) } else { 0.0 };
        // Half of the budget is for sums.
        if broken <= (total * settings.budget / 2.0).floor() {
            let rules = of_all.rules(level, settings.callers_min);
            if rules.is_empty() {
                break;
            }
            let rate = ((broken + 0.5) / (total + 1.0)) as f32;
            return (rules, MissingSteps { rate, is_within_budget: true });
        }
    }
    (Vec::new(), none)
}

/// Who was where before, over sessions.
struct Precedence {
    /// Per symbol: sessions with it.
    sessions: Vec<Visits>,
    /// Per symbol: the endpoints that most callers had been to before, with the sessions that had not.
    without: Vec<Vec<(usize, Visits)>>,
    /// Per pair of symbol and predecessor: −ln of the probability that calls in no order had brought the predecessor before the symbol
    /// in all sessions in which it was, nats.
    evidence: Vec<f64>,
}

/// Sessions with something.
#[derive(Debug, Clone, Copy, Default)]
struct Visits {
    sessions: usize,
    weight: f32,
    callers: usize,
    /// The caller counted last.
    last: u64,
}

impl Visits {
    fn add(&mut self, session: &Session) {
        if self.sessions == 0 || self.last != session.caller {
            self.callers += 1;
            self.last = session.caller;
        }
        self.sessions += 1;
        self.weight += session.weight;
    }

    /// Whether fewer callers than that do it, time and again: it is theirs alone, and not normal.
    fn is_of_few(&self, callers_min: usize) -> bool {
        self.callers < callers_min && self.sessions > SESSIONS_BY_CHANCE_MAX
    }
}

impl Precedence {
    /// Sessions of one caller are next to each other.
    fn of(sessions: &[&Session], symbols: &[CallSymbol]) -> Self {
        let count = symbols.len();
        let first_calls: Vec<Vec<FirstCall>> = sessions.iter().map(|session| first_calls(session, symbols)).collect();
        let shares = shares_of_calls(sessions, symbols);
        let mut evidence = vec![0.0; count * count];
        let mut of_symbols = vec![Visits::default(); count];
        let mut preceded = vec![Visits::default(); count * count];
        for (session, first_calls) in sessions.iter().zip(&first_calls) {
            for (place, first) in first_calls.iter().enumerate() {
                of_symbols[first.symbol].add(session);
                for FirstCall { symbol: predecessor, .. } in &first_calls[..place] {
                    let pair = first.symbol * count + predecessor;
                    preceded[pair].add(session);
                    let by_chance = 1.0 - (1.0 - shares[*predecessor]).powf(first.calls_before as f64);
                    evidence[pair] -= f64::from(session.weight) * by_chance.max(f64::MIN_POSITIVE).ln();
                }
            }
        }
        let candidates = |(symbol, all): (usize, &Visits)| {
            let of_most = |predecessor: &usize| {
                let callers = preceded[symbol * count + predecessor].callers;
                all.callers >= CALLERS_MIN && callers as f64 >= CALLERS_SHARE_MIN * all.callers as f64
            };
            (0..count).filter(of_most).map(|predecessor| (predecessor, Visits::default())).collect()
        };
        let mut without: Vec<Vec<(usize, Visits)>> = of_symbols.iter().enumerate().map(candidates).collect();
        for (session, first_calls) in sessions.iter().zip(&first_calls) {
            for (place, first) in first_calls.iter().enumerate() {
                let is_before = |candidate: usize| first_calls[..place].iter().any(|known| known.symbol == candidate);
                for (_, visits) in without[first.symbol].iter_mut().filter(|(candidate, _)| !is_before(*candidate)) {
                    visits.add(session);
                }
            }
        }
        Self { sessions: of_symbols, without, evidence }
    }

    /// Those whose share of exceptions is at most `level`, as far as can be told.
    fn rules(&self, level: f64, callers_min: usize) -> Vec<RequiredPredecessor> {
        let mut rules = Vec::new();
        for (symbol, (all, candidates)) in self.sessions.iter().zip(&self.without).enumerate() {
            let keeps = |(predecessor, without): &&(usize, Visits)| {
                if self.evidence[symbol * self.sessions.len() + predecessor] < EVIDENCE_MIN {
                    return false;
                }
                let counted = if without.is_of_few(callers_min) { 0.0 } else { without.weight };
                let of_all = all.weight - without.weight + counted;
                share_at_most(counted.into(), of_all.into()) <= level
            };
            let mut kept: Vec<&(usize, Visits)> = candidates.iter().filter(keeps).collect();
            // What fewer sessions go through tells more.
            kept.sort_by_key(|(predecessor, _)| (self.sessions[*predecessor].sessions, *predecessor));
            rules.extend(kept.into_iter().take(RULES_OF_ENDPOINT_MAX).map(|(predecessor, without)| {
                RequiredPredecessor {
                    symbol: symbol as u32,
                    predecessor: *predecessor as u32,
                    sessions: all.sessions as u32,
                    exceptions: without.sessions as u32,
                }
            }));
        }
        rules.truncate(SEQUENCE_REQUIRED_MAX);
        rules
    }
}

/// A symbol where a session first calls it.
struct FirstCall {
    symbol: usize,
    calls_before: usize,
}

/// The symbols of a session in the order in which they were first called.
fn first_calls(session: &Session, symbols: &[CallSymbol]) -> Vec<FirstCall> {
    let mut met = HashSet::new();
    let places = session.calls.iter().enumerate().filter_map(|(calls_before, call)| {
        symbols.binary_search(&call.endpoint).ok().map(|symbol| FirstCall { symbol, calls_before })
    });
    places.filter(|first| met.insert(first.symbol)).collect()
}

/// Share of all calls that each symbol has, 0..1.
fn shares_of_calls(sessions: &[&Session], symbols: &[CallSymbol]) -> Vec<f64> {
    let (mut of_symbols, mut all) = (vec![0.0; symbols.len()], 0.0);
    for session in sessions {
        for call in &session.calls {
            all += f64::from(session.weight);
            if let Ok(symbol) = symbols.binary_search(&call.endpoint) {
                of_symbols[symbol] += f64::from(session.weight);
            }
        }
    }
    of_symbols.into_iter().map(|weight: f64| weight / f64::max(all, 1.0)).collect()
}

fn breaks(rules: &[RequiredPredecessor], session: &Session, symbols: &[CallSymbol]) -> bool {
    let first_calls = first_calls(session, symbols);
    first_calls.iter().enumerate().any(|(place, FirstCall { symbol, .. })| {
        let first = rules.partition_point(|rule| (rule.symbol as usize) < *symbol);
        let mut of_symbol = rules[first..].iter().take_while(|rule| rule.symbol as usize == *symbol);
        let is_before = |predecessor: usize| first_calls[..place].iter().any(|known| known.symbol == predecessor);
        of_symbol.any(|rule| !is_before(rule.predecessor as usize))
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
