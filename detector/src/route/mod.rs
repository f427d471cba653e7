//! Which endpoint an exchange belongs to.
//!
//! The table is learned and finished by the trainer; here it is only walked.

mod table;

pub use table::{
    Endpoint, HostRoutes, NearMiss, ParameterNode, RouteMatch, RouteNode, RouteTable, canonical_path, endpoint_id,
};
