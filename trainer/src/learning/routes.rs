//! Which endpoints there are: a first, honest way to learn the route table.
//!
//! Components that are identifiers by their looks fold into one parameter of their parent; words and slugs stay static until
//! there are so many below one parent that they can only be values.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use apiward_detector::bundle::Bundle;
use apiward_detector::observation::{PathComponent, ValueType};
use apiward_detector::route::{
    Endpoint, HostRoutes, MethodRoute, ParameterNode, RouteMatch, RouteNode, RouteTable, endpoint_id,
};
use apiward_detector::telemetry::ExchangeRecord;

use super::admission::{SupportCounter, SupportNeeded, succeeded};

/// Different words below one parent above which they are taken for values…
const WORDS_FOLDED_MIN: usize = 24;
/// …if none of them makes up more than this share of the traffic below the parent.
const FOLDED_SHARE_MAX: f64 = 0.25;
/// Children of one node that are kept while learning; more can only be noise or values.
const CHILDREN_MAX: usize = 4096;

/// A record with its place in the route table.
#[derive(Debug, Clone)]
pub struct Located<'r> {
    pub record: &'r ExchangeRecord,
    pub endpoint: usize,
    /// Parameter name and position of its component.
    pub parameters: Vec<(&'r str, usize)>,
}

#[derive(Default)]
struct LearningNode {
    words: BTreeMap<String, LearningNode>,
    parameter: Option<Box<LearningNode>>,
    types: BTreeSet<ValueType>,
    visits: usize,
    methods: BTreeMap<String, SupportCounter>,
}

/// Learns the table from records; an endpoint needs support, unless the parent model knows it already.
pub fn learn_routes(records: &[ExchangeRecord], parent: Option<&Bundle>, needed: &SupportNeeded) -> RouteTable {
    let mut hosts: BTreeMap<&str, LearningNode> = BTreeMap::new();
    for record in records.iter().filter(|record| succeeded(record)) {
        let observation = &record.observation;
        if observation.path_marks.truncated || observation.path_marks.dots {
            continue;
        }
        let root = hosts.entry(&observation.host).or_default();
        root.add(&observation.components, &observation.method, record, needed.window_ms);
    }
    let known: HashSet<u64> =
        parent.iter().flat_map(|parent| parent.routes.endpoints.iter().map(|endpoint| endpoint.id)).collect();
    let mut table = RouteTable::default();
    for (host, mut root) in hosts {
        root.fold_values();
        let mut builder = TableBuilder { host, needed, known: &known, endpoints: &mut table.endpoints };
        if let Some(root) = builder.finish(&root, String::new(), 0) {
            table.hosts.push(HostRoutes { host: host.to_owned(), root });
        }
    }
    table
}

/// Finds the endpoint of every record that has one.
pub fn locate<'r>(routes: &'r RouteTable, records: &'r [ExchangeRecord]) -> Vec<Located<'r>> {
    records
        .iter()
        .filter_map(|record| match routes.find(&record.observation) {
            RouteMatch::Endpoint { index, parameters } => Some(Located { record, endpoint: index, parameters }),
            _ => None,
        })
        .collect()
}

impl LearningNode {
    fn add(&mut self, components: &[PathComponent], method: &str, record: &ExchangeRecord, window_ms: i64) {
        self.visits += 1;
        let Some((component, rest)) = components.split_first() else {
            self.methods.entry(method.to_owned()).or_default().count(record, window_ms);
            return;
        };
        let word = component.word.as_ref().filter(|_| !component.shape.value_type.is_clearly_parameter());
        let child = match word {
            Some(word) if self.words.contains_key(word) || self.words.len() < CHILDREN_MAX => {
                self.words.entry(word.clone()).or_default()
            }
            _ => {
                self.types.insert(component.shape.value_type);
                self.parameter.get_or_insert_default()
            }
        };
        child.add(rest, method, record, window_ms);
    }

    /// Turns words that can only be values into a parameter, from the root down.
    fn fold_values(&mut self) {
        if self.words.len() >= WORDS_FOLDED_MIN {
            let visits = self.words.values().map(|word| word.visits).sum::<usize>() as f64;
            let (kept, folded): (Vec<_>, Vec<_>) = std::mem::take(&mut self.words)
                .into_iter()
                .partition(|(_, word)| word.visits as f64 > visits * FOLDED_SHARE_MAX);
            self.words = kept.into_iter().collect();
            for (word, node) in folded {
                self.types.insert(ValueType::of(&word));
                self.parameter.get_or_insert_default().merge(node);
            }
        }
        for child in self.words.values_mut() {
            child.fold_values();
        }
        if let Some(parameter) = &mut self.parameter {
            parameter.fold_values();
        }
    }

    fn merge(&mut self, other: LearningNode) {
        self.visits += other.visits;
        self.types.extend(other.types);
        for (word, node) in other.words {
            self.words.entry(word).or_default().merge(node);
        }
        for (method, counter) in other.methods {
            self.methods.entry(method).or_default().merge(counter);
        }
        if let Some(parameter) = other.parameter {
            self.parameter.get_or_insert_default().merge(*parameter);
        }
    }
}

struct TableBuilder<'b> {
    host: &'b str,
    needed: &'b SupportNeeded,
    known: &'b HashSet<u64>,
    endpoints: &'b mut Vec<Endpoint>,
}

impl TableBuilder<'_> {
    /// The node without what has no support; `None` when nothing is left of it.
    fn finish(&mut self, node: &LearningNode, template: String, parameters: usize) -> Option<RouteNode> {
        let mut finished = RouteNode::default();
        for (method, counter) in &node.methods {
            let shown = if template.is_empty() { "/" } else { &template };
            let id = endpoint_id(self.host, method, shown, None);
            if !counter.suffices(self.needed) && !self.known.contains(&id) {
                continue;
            }
            let index = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
            self.endpoints.push(Endpoint {
                id,
                host: self.host.to_owned(),
                method: method.clone(),
                template: shown.to_owned(),
                operation: None,
            });
            finished.methods.push((method.clone(), MethodRoute::Endpoint(index)));
        }
        for (word, child) in &node.words {
            if let Some(child) = self.finish(child, format!("{template}/{word}"), parameters) {
                finished.words.push((word.clone(), child));
            }
        }
        if let Some(child) = &node.parameter {
            let name = if parameters == 0 { "id".to_owned() } else { format!("id{}", parameters + 1) };
            if let Some(child) = self.finish(child, format!("{template}/{{{name}}}"), parameters + 1) {
                let types = node.types.iter().copied().collect();
                finished.parameter = Some(Box::new(ParameterNode { name, types, node: child }));
            }
        }
        let is_empty = finished.methods.is_empty() && finished.words.is_empty() && finished.parameter.is_none();
        (!is_empty).then_some(finished)
    }
}
