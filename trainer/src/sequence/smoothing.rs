//! Discounts and strengths, chosen for what they make of sessions that were not counted.

use apiward_detector::sequence::{CONTEXT_CALLS_MAX, History, Smoothing};
use apiward_detector::session::CallSymbol;

use super::counts::Counts;
use super::sessions::{Session, replay};

const DISCOUNTS: [f32; 8] = [0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.3, 1.7];
const STRENGTHS: [f32; 9] = [0.01, 0.3, 1.0, 3.0, 8.0, 16.0, 32.0, 64.0, 128.0];
/// Times that every length of context is gone through: the best choice for one depends on the others.
const ROUNDS: usize = 3;
/// Calls that decide.
const CALLS_MAX: usize = 100_000;
const LENGTHS: usize = CONTEXT_CALLS_MAX + 1;

/// A call with its contexts: place among those of each length, and how often the call followed it.
struct Step {
    contexts: [Option<(usize, f32)>; LENGTHS],
    weight: f64,
}

/// The smoothing under which the calls of `sessions` are most probable.
pub(super) fn fitted(counts: &Counts, sessions: &[&Session], symbols: &[CallSymbol]) -> [Smoothing; LENGTHS] {
    let steps = steps(counts, sessions, symbols);
    let mut chosen = [Smoothing { discount: 0.75, strength: 1.0 }; LENGTHS];
    let mut shares = [0, 1, 2, 3].map(|length| Shares::of(counts, length, chosen[length]));
    let uniform = 1.0 / symbols.len() as f64;
    let mut best = nats(&steps, &shares, uniform);
    for _ in 0..ROUNDS {
        for length in 0..LENGTHS {
            for discount in DISCOUNTS {
                for strength in STRENGTHS {
                    let smoothing = Smoothing { discount, strength };
                    let before = std::mem::replace(&mut shares[length], Shares::of(counts, length, smoothing));
                    let with = nats(&steps, &shares, uniform);
                    if with < best {
                        best = with;
                        chosen[length] = smoothing;
                    } else {
                        shares[length] = before;
                    }
                }
            }
        }
    }
    chosen
}

/// What each context of one length leaves to the shorter one, and its total.
struct Shares {
    smoothing: Smoothing,
    contexts: Vec<(f64, f32)>,
}

impl Shares {
    fn of(counts: &Counts, length: usize, smoothing: Smoothing) -> Self {
        let left = |followed: &super::counts::Followed| {
            let kept: f64 =
                followed.known.iter().map(|(_, weight)| f64::from(smoothing.share(*weight, followed.total))).sum();
            ((1.0 - kept).max(0.0), followed.total)
        };
        Self { smoothing, contexts: counts.orders[length].followed.iter().map(left).collect() }
    }
}

fn steps(counts: &Counts, sessions: &[&Session], symbols: &[CallSymbol]) -> Vec<Step> {
    let mut steps = Vec::new();
    for session in sessions {
        if steps.len() >= CALLS_MAX {
            break;
        }
        replay(&session.calls, &mut |window, next| {
            let Ok(symbol) = symbols.binary_search(&next.endpoint) else { return };
            let from_start = window.count() as usize <= window.calls().len();
            let history = History::of(window.calls(), from_start, symbols);
            let mut contexts = [None; LENGTHS];
            for (length, place) in contexts.iter_mut().enumerate() {
                let order = &counts.orders[length];
                *place = history
                    .context(length)
                    .and_then(|context| order.place(&context))
                    .map(|context| (context, order.followed[context].weight(symbol as u32)));
            }
            steps.push(Step { contexts, weight: f64::from(session.weight) });
        });
    }
    steps
}

/// Sum of −ln p over all steps.
fn nats(steps: &[Step], shares: &[Shares; LENGTHS], uniform: f64) -> f64 {
    let of_step = |step: &Step| {
        let mut probability = uniform;
        for (context, shares) in step.contexts.iter().zip(shares) {
            let Some((place, weight)) = *context else { break };
            let (left, total) = shares.contexts[place];
            probability = probability * left + f64::from(shares.smoothing.share(weight, total));
        }
        -step.weight * probability.max(1e-12).ln()
    };
    steps.iter().map(of_step).sum()
}
