//! What followed what, and how often.

use std::collections::HashMap;

use apiward_detector::limits::{SEQUENCE_CONTEXTS_MAX, SEQUENCE_TRANSITIONS_MAX};
use apiward_detector::sequence::{CONTEXT_CALLS_MAX, ContextFollower, History, SequenceContext};
use apiward_detector::session::CallSymbol;

use super::SequenceSettings;
use super::sessions::{Session, replay};

/// A context, filled up; see [`History::context`].
pub(super) type Context = [u32; CONTEXT_CALLS_MAX];

/// Counts by the number of calls of a context, from none.
pub(super) struct Counts {
    pub orders: [Order; CONTEXT_CALLS_MAX + 1],
}

/// Contexts of one length, ascending.
#[derive(Default)]
pub(super) struct Order {
    pub contexts: Vec<Context>,
    pub followed: Vec<Followed>,
    places: HashMap<Context, usize>,
}

/// What followed one context.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// Weight of everything, known or not.
    pub total: f32,
    /// Symbols that enough callers went on to, ascending, with their weights.
    pub known: Vec<(u32, f32)>,
}

/// One call after its context.
#[derive(Clone, Copy)]
struct Transition {
    context: Context,
    symbol: u32,
    caller: u64,
    weight: f32,
}

impl Counts {
    /// `sessions` of one caller are next to each other.
    pub fn of(sessions: &[&Session], symbols: &[CallSymbol], settings: &SequenceSettings) -> Self {
        let mut transitions: [Vec<Transition>; CONTEXT_CALLS_MAX + 1] = Default::default();
        for session in sessions {
            replay(&session.calls, &mut |window, next| {
                let Ok(symbol) = symbols.binary_search(&next.endpoint) else { return };
                let from_start = window.count() as usize <= window.calls().len();
                let history = History::of(window.calls(), from_start, symbols);
                for (length, transitions) in transitions.iter_mut().enumerate() {
                    let Some(context) = history.context(length) else { break };
                    let Session { caller, weight, .. } = **session;
                    transitions.push(Transition { context, symbol: symbol as u32, caller, weight });
                }
            });
        }
        let orders = transitions.map(|mut of_length| {
            of_length.sort_by_key(|transition| (transition.context, transition.symbol, transition.caller));
            Order::of(&of_length, settings.callers_min)
        });
        Self { orders }
    }

    /// As the model carries them; of too many, the ones seen most.
    pub fn contexts(&self) -> Vec<SequenceContext> {
        let mut all: Vec<SequenceContext> = Vec::new();
        for (length, order) in self.orders.iter().enumerate() {
            for (context, followed) in order.contexts.iter().zip(&order.followed) {
                // What has no followers only says what the shorter context says.
                if length > 0 && followed.known.is_empty() {
                    continue;
                }
                let followers =
                    followed.known.iter().map(|(symbol, weight)| ContextFollower { symbol: *symbol, weight: *weight });
                all.push(SequenceContext {
                    calls: context.iter().take(length).copied().collect(),
                    total: followed.total,
                    followers: followers.collect(),
                });
            }
        }
        // Shorter ones come first: without them the longer ones are not reached.
        all.sort_by(|one, other| {
            one.calls
                .len()
                .cmp(&other.calls.len())
                .then(other.total.total_cmp(&one.total))
                .then(one.calls.cmp(&other.calls))
        });
        let mut transitions = 0;
        let fitting = all.iter().take(SEQUENCE_CONTEXTS_MAX).take_while(|context| {
            transitions += context.followers.len();
            transitions <= SEQUENCE_TRANSITIONS_MAX
        });
        let fitting = fitting.count();
        all.truncate(fitting);
        all.sort_by(|one, other| one.order().cmp(&other.order()));
        all
    }
}

impl Order {
    /// `transitions` ascending by context, symbol and caller.
    fn of(transitions: &[Transition], callers_min: usize) -> Self {
        let mut order = Self::default();
        for of_context in transitions.chunk_by(|one, other| one.context == other.context) {
            let mut followed = Followed::default();
            for of_symbol in of_context.chunk_by(|one, other| one.symbol == other.symbol) {
                let weight: f32 = of_symbol.iter().map(|transition| transition.weight).sum();
                followed.total += weight;
                if of_symbol.chunk_by(|one, other| one.caller == other.caller).count() >= callers_min {
                    followed.known.push((of_symbol[0].symbol, weight));
                }
            }
            order.places.insert(of_context[0].context, order.contexts.len());
            order.contexts.push(of_context[0].context);
            order.followed.push(followed);
        }
        order
    }

    pub fn place(&self, context: &Context) -> Option<usize> {
        self.places.get(context).copied()
    }
}

impl Followed {
    /// Weight of one symbol, 0 where it is not known to follow.
    pub fn weight(&self, symbol: u32) -> f32 {
        self.known.binary_search_by_key(&symbol, |(known, _)| *known).map_or(0.0, |place| self.known[place].1)
    }
}
