//! Words that somebody tried out: a scanner that is answered with success whatever it asks for.

use std::collections::{BTreeMap, HashMap};

use crate::discovery::graph::{Conducts, Node, Support};

use super::view::visits_of;

/// Callers up to which a word counts as one that hardly anybody uses.
const CALLERS_FEW: usize = 2;
/// Words of one place that hardly anybody but one caller uses, and their share of all such words there, from which on this
/// caller counts as one that tries words out.
const ENUMERATED_MIN: usize = 8;
const ENUMERATED_SHARE: f64 = 0.15;
/// Share of a place's visits that probes stay below.
const PROBED_SHARE_MAX: f64 = 0.1;

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
        if support.mostly_callerless().is_none() && (1..=CALLERS_FEW).contains(&support.callers().len()) {
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
        support.mostly_callerless().is_some()
            || callers.iter().any(|caller| conducts.is_established(*caller) && !tries_out(caller))
    };
    let visits = |children: &BTreeMap<&str, Vec<&Node>>, unused_only: bool| -> u64 {
        children.values().filter(|nodes| !unused_only || !is_used(nodes)).map(|nodes| visits_of(nodes)).sum()
    };
    let all = visits(words, false) + visits(values, false);
    let unused = visits(words, true) + visits(values, true);
    // Where they make up much of the traffic, these are not probes but the work of a few.
    if unused as f64 > PROBED_SHARE_MAX * all as f64 {
        return;
    }
    words.retain(|_, nodes| is_used(nodes));
    values.retain(|_, nodes| is_used(nodes));
}

fn support_of(nodes: &[&Node]) -> Support {
    let mut support = Support::default();
    nodes.iter().for_each(|node| support.merge(&node.support));
    support
}
