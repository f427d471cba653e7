//! Which endpoints there are: from traffic to templates.
//!
//! In order: the [`graph`] of what was called, [`templates`] that tell literals from parameters by the whole graph, and the
//! route table ([`routes`]) that goes into a bundle. What each endpoint takes and returns is counted on the way
//! ([`summary`]), and shown as the API [`inventory`].

pub mod comparison;
pub mod component_network;
pub mod corrections;
pub mod graph;
pub mod inventory;
mod limits;
pub mod openapi;
mod routes;
mod side_by_side;
pub mod summary;
pub mod templates;

pub use corrections::{Correction, Corrections};
pub use graph::UrlGraph;
pub use limits::SPECIFICATION_BYTES_MAX;
pub use routes::{DiscoveredEndpoint, EndpointsNeeded, endpoints, route_table};
pub use side_by_side::side_by_side;
pub use templates::{Evidence, FoldedHost, PathParameter, RuleOfThumb, ValueOdds, fold};
