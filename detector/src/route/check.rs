//! Whether a table holds together: what walks it relies on it.

use crate::limits;

use super::table::{MethodRoute, RouteNode, RouteTable};

impl RouteTable {
    /// # Errors
    /// What is wrong with the table, as the rest of a sentence about the bundle.
    pub fn check(&self) -> Result<(), &'static str> {
        if !self.hosts.is_sorted_by(|one, next| one.host < next.host) {
            return Err("its hosts are not sorted");
        }
        self.hosts.iter().try_for_each(|host| check_node(&host.root, self.endpoints.len(), 0))
    }
}

fn check_node(node: &RouteNode, endpoints: usize, depth: usize) -> Result<(), &'static str> {
    if depth > limits::PATH_COMPONENTS_MAX {
        return Err("its route table is too deep");
    }
    let is_sorted = node.words.is_sorted_by(|(one, _), (next, _)| one < next)
        && node.methods.is_sorted_by(|(one, _), (next, _)| one < next)
        && node.parameter.as_ref().is_none_or(|parameter| parameter.types.is_sorted());
    if !is_sorted {
        return Err("its route table is not sorted");
    }
    if node.mixed.iter().any(|mixed| mixed.component.parts.len() > limits::COMPONENT_PARTS_MAX) {
        return Err("its route table has a component of too many parts");
    }
    for (_, route) in &node.methods {
        match route {
            MethodRoute::Endpoint(index) => check_index(*index, endpoints)?,
            MethodRoute::Operations(operations) => {
                if !operations.is_sorted_by(|(one, _), (next, _)| one < next) {
                    return Err("its operations are not sorted");
                }
                operations.iter().try_for_each(|(_, index)| check_index(*index, endpoints))?;
            }
        }
    }
    let words = node.words.iter().map(|(_, child)| child);
    let mixed = node.mixed.iter().map(|mixed| &mixed.node);
    let parameter = node.parameter.iter().map(|parameter| &parameter.node);
    words.chain(mixed).chain(parameter).try_for_each(|child| check_node(child, endpoints, depth + 1))
}

fn check_index(index: u32, endpoints: usize) -> Result<(), &'static str> {
    if (index as usize) < endpoints { Ok(()) } else { Err("its route table names an endpoint that is not there") }
}
