//! Words that somebody tried out: a scanner that is answered with success whatever it asks for.

use std::collections::{BTreeMap, HashMap};

use crate::discovery::graph::{Conducts, Node, Support};

/// Callers up to which a word counts as one that hardly anybody uses.
const CALLERS_FEW: usize = 2;
/// Words of one place that hardly anybody but one caller uses, and their share of all such words there, from which on this
/// caller counts as one that tries words out.
const ENUMERATED_MIN: usize = 8;
const ENUMERATED_SHARE: f64 = 0.15;

/// Leaves out words and values that nobody uses but callers whose requests mostly fail, or who try out words here.
pub fn leave_out_enumerated(
    words: &mut BTreeMap<&str, Vec<&Node>>,
    values: &mut BTreeMap<&str, Vec<&Node>>,
    conducts: &Conducts,
) {
    let mut rare_of: HashMap<u64, usize> = HashMap::new();
    let mut all_rare = 0_usize;
    for nodes in words.values() {
        let support = support_of(nodes);
        if (1..=CALLERS_FEW).contains(&support.callers().len()) {
            all_rare += 1;
            for caller in support.callers() {
                *rare_of.entry(*caller).or_default() += 1;
            }
        }
    }
    let tries_out = |caller: &u64| {
        let of_caller = rare_of.get(caller).copied().unwrap_or(0);
        of_caller >= ENUMERATED_MIN && of_caller as f64 >= ENUMERATED_SHARE * all_rare as f64
    };
    let is_used = |nodes: &Vec<&Node>| {
        let support = support_of(nodes);
        let callers = support.callers();
        callers.is_empty() || callers.iter().any(|caller| conducts.is_established(*caller) && !tries_out(caller))
    };
    words.retain(|_, nodes| is_used(nodes));
    values.retain(|_, nodes| is_used(nodes));
}

fn support_of(nodes: &[&Node]) -> Support {
    let mut support = Support::default();
    nodes.iter().for_each(|node| support.merge(&node.support));
    support
}
