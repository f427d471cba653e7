//! Literals and parameters, told from the graph as a whole.
//!
//! From the root down, the children of each node are put into one group of values and any number of literals; what is below the
//! values is looked at together from then on, so that every decision rests on all the traffic that it is about.

mod decision;
mod enumerated;
mod evidence;
mod habits;
mod mixed;
mod mixed_words;
mod place;
#[cfg(test)]
mod tests;
mod typed_values;
mod view;
mod words;

use std::collections::BTreeMap;

use apiward_detector::observation::ValueType;
use apiward_detector::route::MixedComponent;

use super::corrections::Corrections;
use super::graph::{CallKey, Conducts, Support, UrlGraph};
use super::side_by_side::side_by_side;
use super::summary::{EndpointSummary, ValueSummary};
use decision::decide;
use habits::CommonTraits;
use view::View;

pub use evidence::Evidence;
pub use words::{RuleOfThumb, ValueOdds};

/// A host's templates as a tree.
#[derive(Debug, Clone, PartialEq)]
pub struct FoldedHost {
    pub host: String,
    pub root: FoldedNode,
}

/// Children after the decision, with everything below the values put together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldedNode {
    pub literals: BTreeMap<String, FoldedNode>,
    pub mixed: Vec<FoldedMixed>,
    pub parameter: Option<Box<FoldedParameter>>,
    pub calls: BTreeMap<CallKey, FoldedCall>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FoldedMixed {
    pub component: MixedComponent,
    pub parameter: PathParameter,
    pub node: FoldedNode,
}

#[derive(Debug, Clone, PartialEq)]
pub struct FoldedParameter {
    pub parameter: PathParameter,
    pub node: FoldedNode,
}

/// A path parameter with what was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct PathParameter {
    /// For a mixed component its template: `{id}.json`.
    pub name: String,
    /// Sorted.
    pub types: Vec<ValueType>,
    pub values: ValueSummary,
    /// How sure it is that this is a parameter, 0..1.
    pub confidence: f32,
}

/// A method, and an operation if there are several, of a template.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FoldedCall {
    pub support: Support,
    pub summary: EndpointSummary,
}

/// Tells the templates of every host. `odds` judges words by their looks.
///
/// # Errors
/// What `odds` fails with.
pub fn fold<E>(
    graph: &UrlGraph,
    odds: &mut dyn ValueOdds<Error = E>,
    corrections: &Corrections,
    evidence: Evidence,
) -> Result<Vec<FoldedHost>, E> {
    let mut judged = Vec::new();
    for (host, of_host) in &graph.hosts {
        let mut words = words::WordOdds::default();
        words.learn(&of_host.root, odds)?;
        judged.push((host, &of_host.root, words));
    }
    Ok(side_by_side(&judged, |(host, root, words)| {
        let common = CommonTraits::of(root, words);
        let folder = Folder { host, words, common: &common, conducts: &graph.conducts, corrections, evidence };
        FoldedHost { host: (*host).clone(), root: folder.fold(&View::of(vec![root]), "", 0) }
    }))
}

/// What every decision about a host may look at.
struct Folder<'f> {
    host: &'f str,
    words: &'f words::WordOdds,
    common: &'f CommonTraits<'f>,
    conducts: &'f Conducts,
    corrections: &'f Corrections,
    evidence: Evidence,
}

impl<'f> Folder<'f> {
    /// `prefix` is the template so far without names, `parameters` how many it has.
    fn fold(&self, view: &View<'f>, prefix: &str, parameters: usize) -> FoldedNode {
        let decided = decide(self, view, self.corrections.at(self.host, prefix));
        let mut folded = FoldedNode { calls: view.calls(), ..FoldedNode::default() };
        for (word, nodes) in decided.literals {
            let child = self.fold(&View::of(nodes), &format!("{prefix}/{word}"), parameters);
            folded.literals.insert(word.to_owned(), child);
        }
        for group in decided.mixed {
            let component = group.component(parameters);
            let names = component.template.matches('{').count();
            let child = self.fold(&View::of(group.nodes.clone()), &format!("{prefix}/{{}}"), parameters + names);
            let parameter = PathParameter { name: component.template.clone(), ..parameter_of(&group.nodes, 1.0, "") };
            folded.mixed.push(FoldedMixed { component, parameter, node: child });
        }
        // Those with more literals are more special and are tried first.
        folded.mixed.sort_by_key(|mixed| std::cmp::Reverse(mixed.component.literals()));
        if !decided.values.is_empty() {
            let node = self.fold(&View::of(decided.values.clone()), &format!("{prefix}/{{}}"), parameters + 1);
            let parameter = parameter_of(&decided.values, decided.confidence, &parameter_name(parameters));
            folded.parameter = Some(Box::new(FoldedParameter { parameter, node }));
        }
        folded
    }
}

/// `id`, `id2`, `id3`: the same for the same template in every training.
pub(super) fn parameter_name(before: usize) -> String {
    if before == 0 { "id".to_owned() } else { format!("id{}", before + 1) }
}

fn parameter_of(nodes: &[&super::graph::Node], confidence: f32, name: &str) -> PathParameter {
    let mut values = ValueSummary::default();
    nodes.iter().for_each(|node| values.merge(&node.values_seen));
    let mut types: Vec<ValueType> = values.types.keys().map(|(_, value_type)| *value_type).collect();
    types.sort_unstable();
    types.dedup();
    PathParameter { name: name.to_owned(), types, values, confidence }
}
