//! Real traffic beside what a specification says of it.
//!
//! In order: the [`specification`] is read, its paths are found among the discovered templates ([`matching`]), and what each
//! operation takes and returns is compared with what was seen ([`endpoint`], [`schema`]).

mod endpoint;
mod matching;
mod report;
mod schema;
pub mod specification;
mod table;

use std::collections::{BTreeMap, BTreeSet};

pub use report::{
    ComparedSpecification, Comparison, Deviation, MatchedEndpoint, MatchedOperation, Mismatch, MismatchKind,
    ShadowEndpoint, ShadowReason, UnusedOperation, ZombieOperation,
};
pub use specification::{Specification, SpecificationError};

use super::inventory::{EndpointInventory, Inventory};
use super::limits;
use endpoint::EndpointComparison;
use matching::{Assignment, Matching};
use specification::DeclaredOperation;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComparisonError {
    #[error("no endpoint was discovered")]
    NoEndpoints,
    #[error("nothing was seen of host {host}; there is traffic of: {}", .known.join(", "))]
    UnknownHost { host: String, known: Vec<String> },
    #[error("the specification names none of the hosts that there is traffic of; choose one of: {}", .hosts.join(", "))]
    SeveralHosts { hosts: Vec<String> },
}

/// Compares the endpoints of one host (or of all hosts that the specification names) with a specification.
///
/// # Errors
/// When it is not clear which host the specification is about, or there is no such host.
pub fn compare(
    inventory: &Inventory,
    specification: &Specification,
    host: Option<&str>,
) -> Result<Comparison, ComparisonError> {
    let hosts = chosen_hosts(inventory, specification, host)?;
    let endpoints: Vec<&EndpointInventory> =
        inventory.endpoints.iter().filter(|endpoint| hosts.contains(endpoint.host.as_str())).collect();
    let matching = best_matching(&endpoints, specification);
    let mut comparison = Comparison {
        specification: ComparedSpecification {
            title: specification.title.clone(),
            version: specification.version.clone(),
            format: specification.format.clone(),
            operations: specification.operations.len(),
        },
        hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        prefix: matching.prefix.clone(),
        shadow: Vec::new(),
        zombie: Vec::new(),
        unused: Vec::new(),
        mismatches: Vec::new(),
        matched: Vec::new(),
        notes: specification.notes.clone(),
    };
    let mut by_operation: BTreeMap<usize, Vec<(&EndpointInventory, &Assignment)>> = BTreeMap::new();
    for (endpoint, assignment) in endpoints.iter().zip(&matching.assignments) {
        match assignment {
            Assignment::Operation { index, .. } => by_operation.entry(*index).or_default().push((endpoint, assignment)),
            Assignment::Implicit => {}
            Assignment::UnknownMethod => comparison.shadow.push(shadow(endpoint, ShadowReason::Method)),
            Assignment::UnknownPath => comparison.shadow.push(shadow(endpoint, ShadowReason::Path)),
        }
    }
    let mut details = EndpointComparison::new(specification);
    for (index, operation) in specification.operations.iter().enumerate() {
        match by_operation.get(&index) {
            Some(found) => add_used(&mut comparison, &mut details, operation, found),
            None => comparison.unused.push(UnusedOperation {
                method: operation.method.clone(),
                path: operation.path.clone(),
                deprecated: operation.deprecated,
                within: matching.within(&endpoints, index),
            }),
        }
    }
    comparison.mismatches = details.finish();
    if comparison.mismatches.len() > limits::MISMATCHES_MAX {
        comparison.notes.push(format!("only the first {} mismatches are listed", limits::MISMATCHES_MAX));
        comparison.mismatches.truncate(limits::MISMATCHES_MAX);
    }
    Ok(comparison)
}

fn chosen_hosts<'i>(
    inventory: &'i Inventory,
    specification: &Specification,
    host: Option<&str>,
) -> Result<BTreeSet<&'i str>, ComparisonError> {
    let known = inventory.hosts();
    let owned = || known.iter().map(|host| (*host).to_owned()).collect();
    if let Some(host) = host {
        let found: BTreeSet<&str> = known.iter().filter(|known| **known == host).copied().collect();
        return match found.is_empty() {
            true => Err(ComparisonError::UnknownHost { host: host.to_owned(), known: owned() }),
            false => Ok(found),
        };
    }
    let named: BTreeSet<&str> = specification.servers.iter().filter_map(|server| server.host.as_deref()).collect();
    let served: BTreeSet<&str> = known.iter().filter(|host| named.contains(**host)).copied().collect();
    match known.as_slice() {
        [] => Err(ComparisonError::NoEndpoints),
        _ if !served.is_empty() => Ok(served),
        [only] => Ok(BTreeSet::from([*only])),
        _ => Err(ComparisonError::SeveralHosts { hosts: owned() }),
    }
}

/// The matching below the prefix that explains most of the traffic: gateways add and take away prefixes.
fn best_matching(endpoints: &[&EndpointInventory], specification: &Specification) -> Matching {
    let mut prefixes: Vec<&str> = Vec::new();
    for prefix in specification.servers.iter().map(|server| server.prefix.as_str()).chain([""]) {
        if !prefixes.contains(&prefix) {
            prefixes.push(prefix);
        }
    }
    let mut best: Option<Matching> = None;
    for prefix in prefixes {
        let matching = Matching::below(prefix, endpoints, &specification.operations);
        if best.as_ref().is_none_or(|best| matching.exchanges > best.exchanges) {
            best = Some(matching);
        }
    }
    best.unwrap_or_default()
}

fn add_used<'s>(
    comparison: &mut Comparison,
    details: &mut EndpointComparison<'s>,
    operation: &'s DeclaredOperation,
    found: &[(&EndpointInventory, &Assignment)],
) {
    let exchanges = found.iter().map(|(endpoint, _)| endpoint.exchanges).sum();
    if operation.deprecated {
        comparison.zombie.push(ZombieOperation {
            method: operation.method.clone(),
            path: operation.path.clone(),
            exchanges,
            last_seen: found.iter().filter_map(|(endpoint, _)| endpoint.last_seen).max(),
        });
    }
    let mut endpoints = Vec::new();
    for (endpoint, assignment) in found {
        details.compare(endpoint, operation);
        let deviations = match assignment {
            Assignment::Operation { deviations, .. } => deviations.clone(),
            _ => Vec::new(),
        };
        endpoints.push(MatchedEndpoint {
            host: endpoint.host.clone(),
            template: endpoint.template.clone(),
            operation: endpoint.operation.clone(),
            exchanges: endpoint.exchanges,
            deviations,
        });
    }
    comparison.matched.push(MatchedOperation {
        method: operation.method.clone(),
        path: operation.path.clone(),
        exchanges,
        endpoints,
    });
}

fn shadow(endpoint: &EndpointInventory, reason: ShadowReason) -> ShadowEndpoint {
    ShadowEndpoint {
        host: endpoint.host.clone(),
        method: endpoint.method.clone(),
        template: endpoint.template.clone(),
        operation: endpoint.operation.clone(),
        reason,
        state: endpoint.state,
        exchanges: endpoint.exchanges,
        sensitive: endpoint.sensitive.clone(),
        last_seen: endpoint.last_seen,
    }
}
