//! Literals and parameters, told from the graph as a whole.
//!
//! From the root down, the children of each node are put into one group of values and any number of literals; what is below the
//! values is looked at together from then on, so that every decision rests on all the traffic that it is about.

mod alike;
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
use decision::{Before, decide};
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
    let common = side_by_side(&judged, |(_, root, words)| CommonTraits::of(root, words));
    let hosts = judged.iter().zip(&common).map(|((host, root, words), common)| {
        let folder = Folder { host, words, common, conducts: &graph.conducts, corrections, evidence };
        let place =
            Branch { view: View::of(vec![root]), prefix: String::new(), parameters: 0, before: Before::Nothing };
        FoldedHost { host: (*host).clone(), root: folder.fold(&place, true) }
    });
    Ok(hosts.collect())
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

/// Nodes to be decided about together.
struct Branch<'g> {
    view: View<'g>,
    /// The template so far without names.
    prefix: String,
    /// Parameters of the template so far.
    parameters: usize,
    before: Before,
}

impl<'g> Branch<'g> {
    fn below(&self, component: &str, nodes: Vec<&'g super::graph::Node>, names: usize, before: Before) -> Self {
        let prefix = format!("{}/{component}", self.prefix);
        Self { view: View::of(nodes), prefix, parameters: self.parameters + names, before }
    }
}

impl<'f> Folder<'f> {
    /// `is_alone` tells that nothing else is at work, so that branches may be folded side by side.
    fn fold(&self, place: &Branch<'f>, is_alone: bool) -> FoldedNode {
        let decided = decide(self, &place.view, place.before, self.corrections.at(self.host, &place.prefix));
        let mut folded = FoldedNode { calls: place.view.calls(), ..FoldedNode::default() };
        let words: Vec<&str> = decided.literals.keys().copied().collect();
        let literals = decided.literals.into_iter().map(|(word, nodes)| place.below(word, nodes, 0, Before::Literal));
        let components: Vec<MixedComponent> =
            decided.mixed.iter().map(|group| group.component(place.parameters)).collect();
        let mixed = components.iter().zip(&decided.mixed);
        let mixed = mixed.map(|(component, group)| {
            place.below("{}", group.nodes.clone(), component.template.matches('{').count(), Before::Object)
        });
        let before_next = if decided.is_enumeration { Before::Enumeration } else { Before::Object };
        let parameter = (!decided.values.is_empty()).then(|| place.below("{}", decided.values.clone(), 1, before_next));
        let places: Vec<Branch<'f>> = literals.chain(mixed).chain(parameter).collect();
        let mut below = self.fold_all(&places, is_alone).into_iter();
        for (word, child) in words.into_iter().zip(&mut below) {
            folded.literals.insert(word.to_owned(), child);
        }
        for ((component, group), node) in components.into_iter().zip(decided.mixed).zip(&mut below) {
            let parameter = PathParameter { name: component.template.clone(), ..parameter_of(&group.nodes, 1.0, "") };
            folded.mixed.push(FoldedMixed { component, parameter, node });
        }
        // Those with more literals are more special and are tried first.
        folded.mixed.sort_by_key(|mixed| std::cmp::Reverse(mixed.component.literals()));
        folded.parameter = below.next().map(|node| {
            let name = parameter_name(place.parameters);
            let parameter = parameter_of(&decided.values, decided.confidence, &name);
            Box::new(FoldedParameter { parameter, node })
        });
        folded
    }

    /// Places folded, in their order. What has most of the traffic is taken apart further before its branches are shared out.
    fn fold_all(&self, places: &[Branch<'f>], is_alone: bool) -> Vec<FoldedNode> {
        if !is_alone {
            return places.iter().map(|place| self.fold(place, false)).collect();
        }
        let visits: Vec<u64> = places.iter().map(|place| place.view.visits()).collect();
        let all: u64 = visits.iter().sum();
        let largest = visits.iter().position(|visits| visits * 2 > all);
        let others: Vec<&Branch<'f>> =
            places.iter().enumerate().filter(|(index, _)| Some(*index) != largest).map(|(_, place)| place).collect();
        let mut folded = side_by_side(&others, |place| self.fold(place, false));
        if let Some((index, place)) = largest.and_then(|index| Some((index, places.get(index)?))) {
            folded.insert(index, self.fold(place, true));
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
