//! The URL graph: per host a trie of path components with what was seen at each, in bounded memory.
//!
//! Only successful exchanges make nodes; failures are counted where a node is already. Nothing is decided here: which
//! components are parameters is told from the whole graph, see [`super::templates`].

mod conduct;
mod crowds;
mod form;
mod handed_out;
mod node;
mod support;

use std::collections::BTreeMap;

use apiward_detector::telemetry::ExchangeRecord;
use serde::{Deserialize, Serialize};

pub use conduct::Conducts;
pub use form::{JOINING_SIGNS, VALUE};
pub use node::{Call, CallKey, Node, call_key};
pub use support::Support;

use super::limits;
use super::summary::weight_of;
use crate::learning::admission::succeeded;
use handed_out::HandedOut;

/// The graph of a scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct UrlGraph {
    /// Stored one by one.
    #[serde(skip)]
    pub hosts: BTreeMap<String, HostGraph>,
    pub conducts: Conducts,
    handed_out: HandedOut,
    /// Exchanges taken in.
    pub exchanges: u64,
    /// Of them, those that named a caller.
    with_caller: u64,
    /// Milliseconds; what counts as one window when distinct windows are asked for.
    window_ms: i64,
}

/// The graph of one host.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostGraph {
    pub root: Node,
    nodes: usize,
}

impl UrlGraph {
    /// An empty graph that tells windows of that length apart.
    pub fn new(window_ms: i64) -> Self {
        Self { window_ms: window_ms.max(1), ..Self::default() }
    }

    /// Takes in an exchange.
    pub fn add(&mut self, record: &ExchangeRecord) {
        self.exchanges += 1;
        let observation = &record.observation;
        let response = observation.response;
        let is_server_failure = response.is_some_and(|response| response.is_server_failure());
        let is_success = succeeded(record) && !is_server_failure;
        let caller = record.caller.distinct_by();
        if let Some(caller) = caller {
            self.with_caller += 1;
            if !is_server_failure {
                self.conducts.count(caller, is_success);
            }
        }
        let marks = observation.path_marks;
        if marks.truncated || marks.dots || marks.encoded_separator && marks.encoded_twice {
            return;
        }
        if !is_success {
            self.count_failure(record);
            return;
        }
        if !self.hosts.contains_key(&observation.host) && self.hosts.len() >= limits::HOSTS_MAX {
            return;
        }
        let host = self.hosts.entry(observation.host.clone()).or_default();
        let weight = weight_of(record);
        let window = record.at_ms.map(|at_ms| at_ms.div_euclid(self.window_ms.max(1)));
        let mut node = &mut host.root;
        node.support.count(weight, caller, window);
        for (depth, component) in observation.components.iter().enumerate() {
            let was_handed_out = self.handed_out.contains(component.shape.hash);
            node = node.child(component, depth > 0, &mut host.nodes);
            node.support.count(weight, caller, window);
            node.handed_out += if was_handed_out { weight } else { 0 };
            node.observe_component(component, weight);
        }
        let key = call_key(observation);
        if node.calls.len() < limits::CALLS_MAX || node.calls.contains_key(&key) {
            let call = node.calls.entry(key).or_default();
            call.support.count(weight, caller, window);
            call.summary.count(record, true);
        }
        self.handed_out.learn(&observation.response_fields);
        host.keep_bounded(&self.conducts);
    }

    /// Whether most exchanges named a caller; a few of another origin do not make the rest nobody's.
    pub fn names_callers(&self) -> bool {
        self.with_caller * 2 > self.exchanges
    }

    fn count_failure(&mut self, record: &ExchangeRecord) {
        let observation = &record.observation;
        let Some(host) = self.hosts.get_mut(&observation.host) else {
            return;
        };
        let mut node = &mut host.root;
        for (depth, component) in observation.components.iter().enumerate() {
            let Some(child) = node.existing_child(component, depth > 0) else {
                return;
            };
            node = child;
        }
        let key = call_key(observation);
        if let Some(call) = node.calls.get_mut(&key) {
            call.summary.count(record, false);
        }
    }
}

impl HostGraph {
    /// Gives up names of values, then rare words wherever they are, until enough nodes are free again.
    fn keep_bounded(&mut self, conducts: &Conducts) {
        if self.nodes <= limits::NODES_MAX {
            return;
        }
        for crowd in crowds::CROWDS {
            self.fold_until_free(|root, visits_min| crowds::fold_crowds(vec![root], conducts, crowd, visits_min));
        }
        self.fold_until_free(Node::fold_rare_words);
    }

    fn fold_until_free(&mut self, fold: impl Fn(&mut Node, u64)) {
        let thresholds = (1..=VISITS_MIN_DOUBLINGS).map(|power| 1_u64 << power);
        for visits_min in thresholds {
            if self.nodes <= limits::NODES_MAX / 4 * 3 {
                break;
            }
            fold(&mut self.root, visits_min);
            self.nodes = self.root.count_nodes();
        }
    }
}

/// How often the visits that a word needs are doubled, when memory runs out.
const VISITS_MIN_DOUBLINGS: u32 = 40;
