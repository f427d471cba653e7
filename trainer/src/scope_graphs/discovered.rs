//! What a graph shows, as the answers of the API need it.

use std::collections::HashSet;

use time::OffsetDateTime;

use crate::discovery::component_network::ComponentNetworkError;
use crate::discovery::inventory::Timeframe;
use crate::discovery::{Correction, Corrections, DiscoveredEndpoint, EndpointsNeeded, Evidence, endpoints, fold};

use super::judge::Judge;
use super::state::ScopeGraph;

/// What decides beside the traffic which endpoints there are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Basis {
    pub corrections: Vec<Correction>,
    /// Ids of endpoints that count without support: those of the active model.
    pub known: HashSet<u64>,
    /// Distinct established callers that others need, where the traffic names callers.
    pub callers: usize,
}

/// The endpoints of a scope at one time.
#[derive(Debug)]
pub struct Discovered {
    /// Sorted by host, template and method.
    pub endpoints: Vec<DiscoveredEndpoint>,
    /// Exchanges that were looked at.
    pub exchanges: u64,
    basis: Basis,
}

impl Discovered {
    /// Finds the endpoints of a graph.
    ///
    /// # Errors
    /// When the component network cannot be used.
    pub fn of(scope_graph: &ScopeGraph, judge: &mut Judge, basis: Basis) -> Result<Self, ComponentNetworkError> {
        let graph = &scope_graph.graph;
        let hosts = fold(graph, judge, &Corrections::new(&basis.corrections), Evidence::default())?;
        let needed =
            EndpointsNeeded { callers: basis.callers, known: basis.known.clone(), ..EndpointsNeeded::default() };
        Ok(Self { endpoints: endpoints(graph, &hosts, &needed), exchanges: graph.exchanges, basis })
    }

    /// Whether the graph, which only grows, would show the same on that basis.
    pub fn is_of(&self, scope_graph: &ScopeGraph, basis: &Basis) -> bool {
        self.exchanges == scope_graph.graph.exchanges && self.basis == *basis
    }

    /// From the first exchange of an endpoint to a time.
    pub fn timeframe(&self, now: OffsetDateTime) -> Timeframe {
        let now_ms = i64::try_from(now.unix_timestamp_nanos() / 1_000_000).ok();
        Timeframe { to_ms: now_ms, ..Timeframe::of_traffic(&self.endpoints) }
    }
}
