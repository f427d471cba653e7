//! From templates to endpoints, and to the route table of a bundle.

use std::collections::HashSet;

use apiward_detector::route::{
    Endpoint, HostRoutes, MethodRoute, MixedNode, ParameterNode, RouteNode, RouteTable, endpoint_id,
};

use super::graph::{Support, UrlGraph};
use super::summary::EndpointSummary;
use super::templates::{FoldedCall, FoldedHost, FoldedNode, PathParameter};

/// What a call needs to count as an endpoint.
#[derive(Debug, Clone, Default)]
pub struct EndpointsNeeded {
    /// Distinct established callers; where most calls of an endpoint name none, as many calls, and one where hardly anything in the
    /// whole traffic names one.
    pub callers: usize,
    /// Distinct windows of time.
    pub windows: usize,
    /// Ids of endpoints that count anyway, see [`endpoint_id`].
    pub known: HashSet<u64>,
}

/// An endpoint with all that was seen of it.
#[derive(Debug, Clone, PartialEq)]
pub struct DiscoveredEndpoint {
    pub endpoint: Endpoint,
    /// In the order of the path.
    pub parameters: Vec<PathParameter>,
    pub support: Support,
    pub summary: EndpointSummary,
}

impl EndpointsNeeded {
    fn suffices(&self, id: u64, support: &Support, graph: &UrlGraph) -> bool {
        if self.known.contains(&id) {
            return true;
        }
        let by_enough = match support.mostly_callerless() {
            Some(callerless) => !graph.names_callers() || callerless >= self.callers as u64,
            None => {
                let callers = support.callers().iter().filter(|caller| graph.conducts.is_established(**caller));
                callers.count() >= self.callers
            }
        };
        by_enough && support.windows() >= self.windows && support.visits > 0
    }
}

/// The endpoints of all hosts, sorted by host, template and method.
pub fn endpoints(graph: &UrlGraph, hosts: &[FoldedHost], needed: &EndpointsNeeded) -> Vec<DiscoveredEndpoint> {
    let mut found = Vec::new();
    for host in hosts {
        let mut walk = EndpointWalk { host: &host.host, graph, needed, found: &mut found };
        walk.node(&host.root, "", &mut Vec::new());
    }
    found
}

struct EndpointWalk<'w> {
    host: &'w str,
    graph: &'w UrlGraph,
    needed: &'w EndpointsNeeded,
    found: &'w mut Vec<DiscoveredEndpoint>,
}

impl EndpointWalk<'_> {
    fn node(&mut self, node: &FoldedNode, template: &str, parameters: &mut Vec<PathParameter>) {
        for (endpoint, call) in calls_of(self.host, node, template) {
            if self.needed.suffices(endpoint.id, &call.support, self.graph) {
                self.found.push(DiscoveredEndpoint {
                    endpoint,
                    parameters: parameters.clone(),
                    support: call.support.clone(),
                    summary: call.summary.clone(),
                });
            }
        }
        for (word, child) in &node.literals {
            self.node(child, &format!("{template}/{word}"), parameters);
        }
        for mixed in &node.mixed {
            parameters.push(mixed.parameter.clone());
            self.node(&mixed.node, &format!("{template}/{}", mixed.component.template), parameters);
            parameters.pop();
        }
        if let Some(child) = &node.parameter {
            parameters.push(child.parameter.clone());
            self.node(&child.node, &format!("{template}/{{{}}}", child.parameter.name), parameters);
            parameters.pop();
        }
    }
}

/// The calls of a node as endpoints. Operations tell endpoints apart only where most calls name one.
fn calls_of(host: &str, node: &FoldedNode, template: &str) -> Vec<(Endpoint, FoldedCall)> {
    let shown = if template.is_empty() { "/" } else { template };
    let mut calls: Vec<(Endpoint, FoldedCall)> = Vec::new();
    let mut methods: Vec<&str> = node.calls.keys().map(|(method, _)| method.as_ref()).collect();
    methods.dedup();
    for method in methods {
        let of_method = || node.calls.iter().filter(move |((of, _), _)| **of == *method);
        let all: u64 = of_method().map(|(_, call)| call.support.visits).sum();
        let named: u64 =
            of_method().filter(|((_, operation), _)| operation.is_some()).map(|(_, call)| call.support.visits).sum();
        let by_operation = named * 2 > all;
        let mut merged = FoldedCall::default();
        for ((_, operation), call) in of_method() {
            if by_operation && operation.is_some() {
                calls.push((endpoint(host, method, shown, operation.as_deref()), call.clone()));
            } else {
                merged.support.merge(&call.support);
                merged.summary.merge(&call.summary);
            }
        }
        if !by_operation {
            calls.push((endpoint(host, method, shown, None), merged));
        }
    }
    calls
}

fn endpoint(host: &str, method: &str, template: &str, operation: Option<&str>) -> Endpoint {
    Endpoint {
        id: endpoint_id(host, method, template, operation),
        host: host.to_owned(),
        method: method.to_owned(),
        template: template.to_owned(),
        operation: operation.map(str::to_owned),
    }
}

/// The route table of the endpoints that suffice.
pub fn route_table(graph: &UrlGraph, hosts: &[FoldedHost], needed: &EndpointsNeeded) -> RouteTable {
    let mut table = RouteTable::default();
    for host in hosts {
        let mut builder = TableBuilder { host: &host.host, graph, needed, endpoints: &mut table.endpoints };
        if let Some(root) = builder.node(&host.root, "") {
            table.hosts.push(HostRoutes { host: host.host.clone(), root });
        }
    }
    table
}

struct TableBuilder<'b> {
    host: &'b str,
    graph: &'b UrlGraph,
    needed: &'b EndpointsNeeded,
    endpoints: &'b mut Vec<Endpoint>,
}

impl TableBuilder<'_> {
    /// The node without what has no support; `None` when nothing is left of it.
    fn node(&mut self, node: &FoldedNode, template: &str) -> Option<RouteNode> {
        let mut finished = RouteNode::default();
        for (endpoint, call) in calls_of(self.host, node, template) {
            if self.needed.suffices(endpoint.id, &call.support, self.graph) {
                self.add(&mut finished, endpoint);
            }
        }
        for (word, child) in &node.literals {
            if let Some(child) = self.node(child, &format!("{template}/{word}")) {
                finished.words.push((word.clone(), child));
            }
        }
        for mixed in &node.mixed {
            if let Some(child) = self.node(&mixed.node, &format!("{template}/{}", mixed.component.template)) {
                finished.mixed.push(MixedNode { component: mixed.component.clone(), node: child });
            }
        }
        if let Some(child) = &node.parameter {
            let PathParameter { name, types, .. } = &child.parameter;
            if let Some(node) = self.node(&child.node, &format!("{template}/{{{name}}}")) {
                finished.parameter = Some(Box::new(ParameterNode { name: name.clone(), types: types.clone(), node }));
            }
        }
        let is_empty = finished.methods.is_empty()
            && finished.words.is_empty()
            && finished.mixed.is_empty()
            && finished.parameter.is_none();
        (!is_empty).then_some(finished)
    }

    fn add(&mut self, node: &mut RouteNode, endpoint: Endpoint) {
        let index = u32::try_from(self.endpoints.len()).unwrap_or(u32::MAX);
        let Endpoint { method, operation, .. } = &endpoint;
        match (operation, node.methods.last_mut()) {
            (Some(operation), Some((last, MethodRoute::Operations(operations)))) if last == method => {
                operations.push((operation.clone(), index));
            }
            (Some(operation), _) => {
                let operations = MethodRoute::Operations(vec![(operation.clone(), index)]);
                node.methods.push((method.clone(), operations));
            }
            (None, _) => node.methods.push((method.clone(), MethodRoute::Endpoint(index))),
        }
        self.endpoints.push(endpoint);
    }
}
