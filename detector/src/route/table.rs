use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::{Observation, PathComponent, ValueType};

/// Per host a trie of path components, and the endpoints at its nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTable {
    /// Sorted by host.
    pub hosts: Vec<HostRoutes>,
    pub endpoints: Vec<Endpoint>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoutes {
    pub host: String,
    pub root: RouteNode,
}

/// One method of one template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Stable over trainings: see [`endpoint_id`].
    pub id: u64,
    pub host: String,
    pub method: String,
    /// `/api/cart/{id}`
    pub template: String,
}

impl Endpoint {
    /// `POST /api/cart/{id}`
    pub fn label(&self) -> String {
        format!("{} {}", self.method, self.template)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteNode {
    /// Children by static word, sorted.
    pub words: Vec<(String, RouteNode)>,
    pub parameter: Option<Box<ParameterNode>>,
    /// Method and index into the table's endpoints, sorted by method.
    pub methods: Vec<(String, u32)>,
}

/// The child for components that are values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterNode {
    pub name: String,
    /// The types it takes, sorted.
    pub types: Vec<ValueType>,
    pub node: RouteNode,
}

/// What the table knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteMatch<'t> {
    Endpoint {
        index: usize,
        /// Parameter name and position of its component, in path order.
        parameters: Vec<(&'t str, usize)>,
    },
    /// The path is known with other methods.
    UnknownMethod {
        template: String,
        methods: Vec<&'t str>,
    },
    UnknownPath {
        near_miss: Option<NearMiss<'t>>,
    },
    UnknownHost,
}

/// A path that fails only in the type of one parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NearMiss<'t> {
    pub parameter: &'t str,
    pub found: ValueType,
    pub expected: &'t [ValueType],
}

impl RouteTable {
    /// Finds the endpoint. A host that was never seen matches nothing, unless the table knows exactly one host and it is an
    /// address or nameless, where the `Host` header says nothing.
    pub fn find<'t>(&'t self, observation: &Observation) -> RouteMatch<'t> {
        let Some(routes) = self.host(&observation.host) else {
            return RouteMatch::UnknownHost;
        };
        let mut parameters = Vec::new();
        let mut near_miss = None;
        let Some(node) = descend(&routes.root, &observation.components, 0, &mut parameters, &mut near_miss) else {
            return RouteMatch::UnknownPath { near_miss };
        };
        match node.methods.binary_search_by(|(method, _)| method.as_str().cmp(&observation.method)) {
            Ok(found) => match node.methods.get(found) {
                Some((_, index)) => RouteMatch::Endpoint { index: *index as usize, parameters },
                None => RouteMatch::UnknownPath { near_miss: None },
            },
            Err(_) => RouteMatch::UnknownMethod {
                template: template_of(&observation.components, &parameters),
                methods: node.methods.iter().map(|(method, _)| method.as_str()).collect(),
            },
        }
    }

    fn host(&self, host: &str) -> Option<&HostRoutes> {
        self.hosts
            .binary_search_by(|routes| routes.host.as_str().cmp(host))
            .ok()
            .and_then(|found| self.hosts.get(found))
    }
}

/// Static child first, then the parameter; backtracks, bounded by the number of components.
fn descend<'t>(
    node: &'t RouteNode,
    components: &[PathComponent],
    position: usize,
    parameters: &mut Vec<(&'t str, usize)>,
    near_miss: &mut Option<NearMiss<'t>>,
) -> Option<&'t RouteNode> {
    let Some(component) = components.get(position) else {
        return (!node.methods.is_empty()).then_some(node);
    };
    if let Some(word) = &component.word
        && let Ok(found) = node.words.binary_search_by(|(known, _)| known.as_str().cmp(word))
        && let Some((_, child)) = node.words.get(found)
        && let Some(end) = descend(child, components, position + 1, parameters, near_miss)
    {
        return Some(end);
    }
    let parameter = node.parameter.as_deref()?;
    if parameter.types.binary_search(&component.shape.value_type).is_err() {
        near_miss.get_or_insert(NearMiss {
            parameter: &parameter.name,
            found: component.shape.value_type,
            expected: &parameter.types,
        });
        return None;
    }
    let depth = parameters.len();
    parameters.push((&parameter.name, position));
    let end = descend(&parameter.node, components, position + 1, parameters, near_miss);
    if end.is_none() {
        parameters.truncate(depth);
    }
    end
}

fn template_of(components: &[PathComponent], parameters: &[(&str, usize)]) -> String {
    if components.is_empty() {
        return "/".to_owned();
    }
    components
        .iter()
        .enumerate()
        .map(|(position, component)| match parameters.iter().find(|(_, at)| *at == position) {
            Some((name, _)) => format!("/{{{name}}}"),
            None => format!("/{}", component_text(component)),
        })
        .collect()
}

fn component_text(component: &PathComponent) -> &str {
    component.word.as_deref().unwrap_or_else(|| component.shape.value_type.placeholder())
}

/// The path by static words and types: `/api/cart/{integer}`.
pub fn canonical_path(components: &[PathComponent]) -> String {
    template_of(components, &[])
}

/// Stable id of an endpoint: the same for the same host, method and template in every training.
pub fn endpoint_id(host: &str, method: &str, template: &str) -> u64 {
    stable_hash(&[b"endpoint", host.as_bytes(), method.as_bytes(), template.as_bytes()])
}
