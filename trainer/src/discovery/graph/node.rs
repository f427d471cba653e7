//! A node of the URL graph: what was seen below one prefix of paths.

use apiward_detector::observation::{Observation, PathComponent, ValueEncoding, ValueType};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::discovery::limits;
use crate::discovery::summary::{EndpointSummary, ValueSummary};

use super::form::{form_of, is_joined, is_urn};
use super::support::Support;

/// Children by what their component is, and the calls that end here. Most nodes have very few of either, which sorted vectors hold
/// without the room that trees and hash tables keep free.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Node {
    /// Successful exchanges that passed or ended here.
    pub support: Support,
    /// Of them, those whose component was an identifier that a response had handed out before.
    pub handed_out: u64,
    /// How the component was as a value, should it be one.
    pub values_seen: ValueSummary,
    /// By text, components that pass the static-word test and are no clear identifiers.
    pub words: LiteMap<Box<str>, Box<Node>>,
    /// By form (see [`form_of`]), all others.
    pub values: LiteMap<Box<str>, Box<Node>>,
    pub calls: LiteMap<CallKey, Box<Call>>,
}

/// Visits below which a word is rare however few there are.
const RARE_VISITS_MAX: u64 = 64;

/// Method, and operation where the body names one.
pub type CallKey = (Box<str>, Option<Box<str>>);

/// The key of an exchange's call.
pub fn call_key(observation: &Observation) -> CallKey {
    (observation.method.as_str().into(), observation.operation.as_deref().map(Into::into))
}

/// What was called at a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Successful exchanges.
    pub support: Support,
    pub summary: EndpointSummary,
}

impl Node {
    /// The child for a component, made if there is none. Where there are too many words, the least visited one becomes a value;
    /// it comes back as a word if it is visited often enough (Space-Saving; Metwally et al., 2005). `is_named` tells that another
    /// component is before it.
    pub fn child(&mut self, component: &PathComponent, is_named: bool, nodes: &mut usize) -> &mut Node {
        match word_of(component) {
            Some(word) => {
                if !self.words.contains_key(word) && self.words.len() >= limits::WORDS_MAX {
                    self.fold_least_visited();
                }
                if !self.words.contains_key(word) {
                    *nodes += 1;
                }
                self.words.entry(word.into()).or_default()
            }
            None => {
                let form = self.form_with_room(form_of(component, is_named).into());
                *nodes += usize::from(!self.values.contains_key(&form));
                self.values.entry(form).or_default()
            }
        }
    }

    /// The child for a component, if there is one.
    pub fn existing_child(&mut self, component: &PathComponent, is_named: bool) -> Option<&mut Node> {
        match word_of(component) {
            Some(word) => self.words.get_mut(word),
            None => self.values.get_mut(form_of(component, is_named).as_str()),
        }
        .map(Box::as_mut)
    }

    /// Notes how the component of this node was written.
    pub fn observe_component(&mut self, component: &PathComponent, weight: u64) {
        self.values_seen.count(ValueEncoding::Text, &component.shape, weight);
    }

    fn form_with_room(&self, form: Box<str>) -> Box<str> {
        if self.values.len() < limits::FORMS_MAX || self.values.contains_key(&form) { form } else { Box::default() }
    }

    fn fold_least_visited(&mut self) {
        let least = self.words.iter().min_by_key(|(_, node)| node.support.visits).map(|(word, _)| word.clone());
        if let Some(node) = least.and_then(|word| self.words.remove(&word)) {
            self.values.entry(Box::default()).or_default().merge(*node);
        }
    }

    /// Turns words into values.
    pub fn fold_words(&mut self, is_folded: impl Fn(&str, &Node) -> bool) {
        let folded: Vec<Box<str>> =
            self.words.iter().filter(|(word, node)| is_folded(word, node)).map(|(word, _)| word.clone()).collect();
        for word in folded {
            if let Some(node) = self.words.remove(&word) {
                self.values.entry(Box::default()).or_default().merge(*node);
            }
        }
    }

    /// Turns words with fewer visits into values, here and below.
    pub fn fold_rare_words(&mut self, visits_min: u64) {
        let is_rare = |node: &Node| node.support.visits < visits_min;
        let rare = self.words.values().filter(|node| is_rare(node)).count();
        // A handful of rare words is no burden, and may be all that a quiet service has; unless memory runs out for good.
        if rare > limits::PART_WORDS_MAX || visits_min > RARE_VISITS_MAX {
            self.fold_words(|_, node| is_rare(node));
        }
        let rare_forms: Vec<Box<str>> = self
            .values
            .iter()
            .filter(|(form, node)| !form.is_empty() && node.support.visits < visits_min)
            .map(|(form, _)| form.clone())
            .collect();
        for form in rare_forms {
            if let Some(node) = self.values.remove(&form) {
                self.values.entry(Box::default()).or_default().merge(*node);
            }
        }
        let children = self.words.iter_mut().chain(self.values.iter_mut());
        children.for_each(|(_, child)| child.fold_rare_words(visits_min));
    }

    /// Nodes from here down.
    pub fn count_nodes(&self) -> usize {
        1 + self.words.values().chain(self.values.values()).map(|child| child.count_nodes()).sum::<usize>()
    }

    pub fn merge(&mut self, other: Node) {
        self.support.merge(&other.support);
        self.handed_out += other.handed_out;
        self.values_seen.merge(&other.values_seen);
        for (word, node) in other.words {
            if self.words.len() >= limits::WORDS_MAX && !self.words.contains_key(&word) {
                self.values.entry(Box::default()).or_default().merge(*node);
            } else {
                self.words.entry(word).or_default().merge(*node);
            }
        }
        for (form, node) in other.values {
            let form = self.form_with_room(form);
            self.values.entry(form).or_default().merge(*node);
        }
        for (key, call) in other.calls {
            if self.calls.len() < limits::CALLS_MAX || self.calls.contains_key(&key) {
                let own = self.calls.entry(key).or_default();
                own.support.merge(&call.support);
                own.summary.merge(&call.summary);
            }
        }
    }
}

/// The component's text, if it can be a literal: `100.xml` passes as a word of its own and is none.
fn word_of(component: &PathComponent) -> Option<&str> {
    let value_type = component.shape.value_type;
    let has_identifier = component.parts.iter().any(|part| part.value_type.is_clearly_parameter());
    // A decimal that travels in clear is the number of a version.
    let is_identifier = value_type.is_clearly_parameter() && value_type != ValueType::Decimal;
    component
        .word
        .as_deref()
        .filter(|_| !has_identifier && !is_identifier && !is_joined(component) && !is_urn(component))
}
