//! Which endpoints there are: what discovery tells from the admitted records.

use apiward_detector::bundle::Bundle;
use apiward_detector::route::{RouteMatch, RouteTable};
use apiward_detector::telemetry::ExchangeRecord;

use super::LearningError;
use super::admission::SupportNeeded;
use crate::discovery::component_network::ComponentNetwork;
use crate::discovery::{Correction, Corrections, EndpointsNeeded, Evidence, UrlGraph, fold, route_table};

/// A record with its place in the route table.
#[derive(Debug, Clone)]
pub struct Located<'r> {
    pub record: &'r ExchangeRecord,
    pub endpoint: usize,
    /// Parameter name and position of its component.
    pub parameters: Vec<(&'r str, usize)>,
}

/// Learns the table from records; an endpoint needs support, unless the parent model knows it already.
///
/// # Errors
/// When ONNX Runtime is missing or fails.
pub fn learn_routes(
    records: &[ExchangeRecord],
    parent: Option<&Bundle>,
    needed: &SupportNeeded,
    corrections: &[Correction],
) -> Result<RouteTable, LearningError> {
    let mut graph = UrlGraph::new(needed.window_ms);
    records.iter().for_each(|record| graph.add(record));
    let hosts = fold(&graph, &mut ComponentNetwork::open()?, &Corrections::new(corrections), Evidence::default())?;
    let known = parent.iter().flat_map(|parent| parent.routes.endpoints.iter().map(|endpoint| endpoint.id)).collect();
    let needed = EndpointsNeeded { callers: needed.callers, windows: needed.windows, known };
    Ok(route_table(&graph, &hosts, &needed))
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
