//! How much more, or less, probable an endpoint is once the session has been to it.
//!
//! The factors are those of a log-linear model on top of the counts; generalised iterative scaling (Darroch and Ratcliff, Annals
//! of Mathematical Statistics 1972) finds them, as an endpoint is in one state at a time: each factor grows by what was observed
//! over what was expected.

use apiward_detector::sequence::{EndpointFactors, Place, SequenceDetector, VisitedFactors};
use apiward_detector::session::CallSymbol;

use super::sessions::{Session, replay};

const ROUNDS: usize = 12;
/// Visits that the factors for all endpoints stand for where an endpoint has its own.
const SHRINKAGE: f64 = 20.0;
/// Calls of it, met or expected, from which on an endpoint has factors of its own.
const OWN_VISITS_MIN: f64 = 10.0;
/// Calls that decide.
const CALLS_MAX: usize = 60_000;
const FACTORS: std::ops::RangeInclusive<f64> = 1e-3..=1e3;

/// A call, and the endpoints that its session had been to.
struct Step {
    weight: f64,
    visited: Vec<Visited>,
}

struct Visited {
    symbol: u32,
    state: usize,
    /// Without any factor.
    probability: f64,
    is_next: bool,
}

/// `detector` has no factors yet.
pub(super) fn fitted(detector: &SequenceDetector, sessions: &[&Session]) -> VisitedFactors {
    let steps = steps(detector, sessions);
    let symbols = detector.model().symbols.len();
    let mut all = [1.0_f64; 3];
    for _ in 0..ROUNDS {
        let (mut observed, mut expected) = ([0.5; 3], [0.5; 3]);
        for_each(
            &steps,
            |visited| all[visited.state],
            |visited, weight, share| {
                expected[visited.state] += weight * share;
                observed[visited.state] += if visited.is_next { weight } else { 0.0 };
            },
        );
        for state in 0..3 {
            all[state] = (all[state] * observed[state] / expected[state]).clamp(*FACTORS.start(), *FACTORS.end());
        }
    }
    let mut own = vec![all; symbols];
    let mut seen = vec![0.0; symbols];
    for _ in 0..ROUNDS {
        let mut expected = vec![[0.0; 3]; symbols];
        let mut observed = vec![[0.0; 3]; symbols];
        for_each(
            &steps,
            |visited| own[visited.symbol as usize][visited.state],
            |visited, weight, share| {
                expected[visited.symbol as usize][visited.state] += weight * share;
                observed[visited.symbol as usize][visited.state] += if visited.is_next { weight } else { 0.0 };
            },
        );
        for (own, (observed, expected)) in own.iter_mut().zip(observed.iter().zip(&expected)) {
            for state in 0..3 {
                // As if it had shown the factor for all so often.
                let towards_all = SHRINKAGE * own[state] / all[state];
                own[state] *= (observed[state] + SHRINKAGE) / (expected[state] + towards_all);
                own[state] = own[state].clamp(*FACTORS.start(), *FACTORS.end());
            }
        }
        for (seen, (observed, expected)) in seen.iter_mut().zip(observed.iter().zip(&expected)) {
            *seen = observed.iter().chain(expected).sum();
        }
    }
    let endpoints = (0..symbols)
        .filter(|symbol| seen[*symbol] >= OWN_VISITS_MIN)
        .map(|symbol| EndpointFactors { symbol: symbol as u32, factors: own[symbol].map(|factor| factor as f32) });
    VisitedFactors { all: all.map(|factor| factor as f32), endpoints: endpoints.collect() }
}

fn steps(detector: &SequenceDetector, sessions: &[&Session]) -> Vec<Step> {
    let symbols = &detector.model().symbols;
    let mut steps = Vec::new();
    for session in sessions {
        if steps.len() >= CALLS_MAX {
            break;
        }
        replay(&session.calls, &mut |window, next| {
            if !matches!(detector.place(next.endpoint), Place::Symbol(_)) || window.count() == 0 {
                return;
            }
            let prediction = detector.predict(window);
            let of_symbol = |(symbol, endpoint): (usize, &CallSymbol)| {
                let state = detector.visited(window, *endpoint)?;
                Some(Visited {
                    symbol: symbol as u32,
                    state: state as usize,
                    probability: f64::from(prediction.probability(Place::Symbol(symbol))),
                    is_next: *endpoint == next.endpoint,
                })
            };
            let visited = symbols.iter().enumerate().filter_map(of_symbol).collect();
            steps.push(Step { weight: f64::from(session.weight), visited });
        });
    }
    steps
}

/// Hands every visited endpoint of every step to `with`, with the step's weight and the endpoint's probability under the factors.
fn for_each(steps: &[Step], factor: impl Fn(&Visited) -> f64, mut with: impl FnMut(&Visited, f64, f64)) {
    for step in steps {
        let total: f64 =
            1.0 + step.visited.iter().map(|visited| visited.probability * (factor(visited) - 1.0)).sum::<f64>();
        for visited in &step.visited {
            with(visited, step.weight, visited.probability * factor(visited) / total.max(1e-9));
        }
    }
}
