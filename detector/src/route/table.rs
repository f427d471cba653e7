use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::{Observation, PathComponent, ValueType};

use super::mixed::MixedComponent;
use super::walk::descend;

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

/// One method of one template, and one operation of it where a path serves many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Stable over trainings: see [`endpoint_id`].
    pub id: u64,
    pub host: String,
    pub method: String,
    /// `/api/cart/{id}`
    pub template: String,
    /// Name of a GraphQL operation or JSON-RPC method.
    pub operation: Option<String>,
}

impl Endpoint {
    /// `POST /api/cart/{id}`, `POST /graphql GetUser`
    pub fn label(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{} {} {operation}", self.method, self.template),
            None => format!("{} {}", self.method, self.template),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteNode {
    /// Children by static word, sorted.
    pub words: Vec<(String, RouteNode)>,
    /// Children for components made of literals and values, those with more literals first.
    pub mixed: Vec<MixedNode>,
    pub parameter: Option<Box<ParameterNode>>,
    /// Method and what it leads to, sorted by method.
    pub methods: Vec<(String, MethodRoute)>,
}

/// The child for components of one mixed form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixedNode {
    pub component: MixedComponent,
    pub node: RouteNode,
}

/// The child for components that are values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParameterNode {
    pub name: String,
    /// The types it takes, sorted.
    pub types: Vec<ValueType>,
    pub node: RouteNode,
}

/// Endpoints of one method, by index into the table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MethodRoute {
    Endpoint(u32),
    /// By operation, sorted; which one it is the body tells.
    Operations(Vec<(String, u32)>),
}

/// What the table knows of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RouteMatch<'t> {
    Endpoint {
        index: usize,
        /// Parameter name and position of its component, in path order; for a mixed component its template.
        parameters: Vec<(&'t str, usize)>,
    },
    /// The path and the method are known; the operation comes with the body.
    AwaitsOperation,
    /// The path and the method are known with other operations.
    UnknownOperation {
        template: String,
        operations: Vec<&'t str>,
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
    /// Finds the endpoint. A host that was never seen matches nothing.
    pub fn find<'t>(&'t self, observation: &Observation) -> RouteMatch<'t> {
        let Some(routes) = self.host(&observation.host) else {
            return RouteMatch::UnknownHost;
        };
        let mut parameters = Vec::new();
        let mut near_miss = None;
        let Some(node) = descend(&routes.root, &observation.components, &mut parameters, &mut near_miss) else {
            return RouteMatch::UnknownPath { near_miss };
        };
        let found = node.methods.binary_search_by(|(method, _)| method.as_str().cmp(&observation.method));
        match found.ok().and_then(|found| node.methods.get(found)) {
            Some((_, MethodRoute::Endpoint(index))) => RouteMatch::Endpoint { index: *index as usize, parameters },
            Some((_, MethodRoute::Operations(operations))) => of_operation(operations, observation, parameters),
            None => RouteMatch::UnknownMethod {
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

fn of_operation<'t>(
    operations: &'t [(String, u32)],
    observation: &Observation,
    parameters: Vec<(&'t str, usize)>,
) -> RouteMatch<'t> {
    if observation.phase == crate::exchange::Phase::Headers {
        return RouteMatch::AwaitsOperation;
    }
    let known = observation
        .operation
        .as_ref()
        .and_then(|operation| operations.binary_search_by(|(known, _)| known.cmp(operation)).ok())
        .and_then(|found| operations.get(found));
    match known {
        Some((_, index)) => RouteMatch::Endpoint { index: *index as usize, parameters },
        None => RouteMatch::UnknownOperation {
            template: template_of(&observation.components, &parameters),
            operations: operations.iter().map(|(operation, _)| operation.as_str()).collect(),
        },
    }
}

fn template_of(components: &[PathComponent], parameters: &[(&str, usize)]) -> String {
    if components.is_empty() {
        return "/".to_owned();
    }
    components
        .iter()
        .enumerate()
        .map(|(position, component)| match parameters.iter().find(|(_, at)| *at == position) {
            // A mixed component has its braces already.
            Some((template, _)) if template.contains('{') => format!("/{template}"),
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

/// Stable id of an endpoint: the same for the same host, method, template and operation in every training.
pub fn endpoint_id(host: &str, method: &str, template: &str, operation: Option<&str>) -> u64 {
    let mut parts: Vec<&[u8]> = vec![b"endpoint", host.as_bytes(), method.as_bytes(), template.as_bytes()];
    parts.extend(operation.map(str::as_bytes));
    stable_hash(&parts)
}
