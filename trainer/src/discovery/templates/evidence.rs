//! What follows a component: values of one parameter are followed by the same, literals each by their own.

use std::collections::BTreeMap;

use crate::discovery::graph::Node;

use super::words::WordOdds;

/// Which evidence decides; all of it, but for the ablation that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The graph: what follows, identifiers handed out, numbers of values.
    pub graph: bool,
    /// Looks of words.
    pub looks: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { graph: true, looks: true }
    }
}

/// What can come after a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol<'g> {
    /// The path ends with a call of this method.
    Call(&'g str),
    Word(&'g str),
    Value,
}

/// How often each symbol follows; the same one several times says little more than once.
pub type Following<'g> = BTreeMap<Symbol<'g>, f64>;

/// Most that one symbol counts for one component.
const REPEATS_MAX: f64 = 2.0;
/// Most observations that a group's distribution rests on: no two values are used in quite the same way.
const GROUP_WEIGHT_MAX: f64 = 60.0;
/// Concentration of the prior over what follows.
const CONCENTRATION: f64 = 2.0;
/// The evidence of what follows is cut at ± this.
const FOLLOWING_MAX: f64 = 10.0;

pub fn following<'g>(nodes: &[&'g Node], words: &WordOdds) -> Following<'g> {
    let mut counts: Following<'g> = BTreeMap::new();
    for node in nodes {
        for ((method, _), call) in &node.calls {
            *counts.entry(Symbol::Call(method)).or_default() += call.support.visits as f64;
        }
        for (word, child) in &node.words {
            let symbol = if words.of(word) > 0.0 { Symbol::Value } else { Symbol::Word(word) };
            *counts.entry(symbol).or_default() += child.support.visits as f64;
        }
        for child in node.values.values() {
            *counts.entry(Symbol::Value).or_default() += child.support.visits as f64;
        }
    }
    counts.values_mut().for_each(|count| *count = count.min(REPEATS_MAX));
    counts
}

/// ln of how much likelier it is that what follows comes from the group's distribution than from one of its own
/// (Dirichlet-multinomial), cut at ±[`FOLLOWING_MAX`]. `group` is the sum over its other members.
pub fn same_distribution(own: &Following<'_>, group: &Following<'_>, words: &WordOdds) -> f64 {
    let total: f64 = group.values().sum();
    if total <= 0.0 {
        return 0.0;
    }
    let shrink = (GROUP_WEIGHT_MAX / total).min(1.0);
    let in_group =
        |symbol: &Symbol<'_>| prior_share(symbol, words) + group.get(symbol).copied().unwrap_or(0.0) * shrink;
    let alone = |symbol: &Symbol<'_>| CONCENTRATION * prior_share(symbol, words);
    let from_group = log_marginal(own, in_group, 1.0 + total * shrink);
    (from_group - log_marginal(own, alone, CONCENTRATION)).clamp(-FOLLOWING_MAX, FOLLOWING_MAX)
}

fn log_marginal(counts: &Following<'_>, weight: impl Fn(&Symbol<'_>) -> f64, total: f64) -> f64 {
    let mut drawn = 0.0;
    let mut sum = 0.0;
    for (symbol, count) in counts {
        let mut of_symbol = 0.0;
        while of_symbol < *count {
            sum += ((weight(symbol) + of_symbol) / (total + drawn)).ln();
            of_symbol += 1.0;
            drawn += 1.0;
        }
    }
    sum
}

/// Share of a symbol before anything was seen: calls and values are common everywhere, each word is rare.
fn prior_share(symbol: &Symbol<'_>, words: &WordOdds) -> f64 {
    match symbol {
        Symbol::Call("GET") => 0.3,
        Symbol::Call(_) => 0.1,
        Symbol::Value => 0.15,
        Symbol::Word(_) => 0.25 / (words.len() as f64).max(30.0),
    }
}
