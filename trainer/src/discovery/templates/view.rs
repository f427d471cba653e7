//! Several nodes of the graph looked at as one.

use std::collections::BTreeMap;

use crate::discovery::graph::{CallKey, Conducts, Node, Support};

use super::FoldedCall;

/// Nodes whose children are put together.
pub struct View<'g> {
    nodes: Vec<&'g Node>,
}

impl<'g> View<'g> {
    pub fn of(nodes: Vec<&'g Node>) -> Self {
        Self { nodes }
    }

    pub fn visits(&self) -> u64 {
        visits_of(&self.nodes)
    }

    /// Children by word.
    pub fn words(&self) -> BTreeMap<&'g str, Vec<&'g Node>> {
        let mut words: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for (word, node) in self.nodes.iter().flat_map(|node| &node.words) {
            words.entry(word).or_default().push(node);
        }
        words
    }

    /// Children by the form of their values.
    pub fn values(&self) -> BTreeMap<&'g str, Vec<&'g Node>> {
        let mut values: BTreeMap<&str, Vec<&Node>> = BTreeMap::new();
        for (form, node) in self.nodes.iter().flat_map(|node| &node.values) {
            values.entry(form).or_default().push(node);
        }
        values
    }

    /// The calls that end here, put together.
    pub fn calls(&self) -> BTreeMap<CallKey, FoldedCall> {
        let mut calls: BTreeMap<CallKey, FoldedCall> = BTreeMap::new();
        for (key, call) in self.nodes.iter().flat_map(|node| &node.calls) {
            let own = calls.entry(key.clone()).or_default();
            own.support.merge(&call.support);
            own.summary.merge(&call.summary);
        }
        calls
    }
}

/// Visits of all nodes together.
pub fn visits_of(nodes: &[&Node]) -> u64 {
    nodes.iter().map(|node| node.support.visits).sum()
}

/// Visits that ended at the nodes, with any call.
pub fn calls_of(nodes: &[&Node]) -> u64 {
    nodes.iter().flat_map(|node| node.calls.values()).map(|call| call.support.visits).sum()
}

/// Distinct callers of all nodes together whose requests mostly succeed; beyond all bounds where hardly any caller is named.
pub fn established_callers(nodes: &[&Node], conducts: &Conducts) -> usize {
    let mut support = Support::default();
    nodes.iter().for_each(|node| support.merge(&node.support));
    if support.visits == 0 || support.mostly_callerless().is_some() {
        return usize::MAX;
    }
    support.callers().iter().filter(|caller| conducts.is_established(**caller)).count()
}
