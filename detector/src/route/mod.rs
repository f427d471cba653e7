//! Which endpoint an exchange belongs to.
//!
//! The table is learned and finished by the trainer; here it is only walked.

mod check;
mod mixed;
mod table;
mod walk;

pub use mixed::{MixedComponent, MixedPart, MixedPartKind};
pub use table::{
    Endpoint, HostRoutes, MethodRoute, MixedNode, NearMiss, ParameterNode, RouteMatch, RouteNode, RouteTable,
    canonical_path, endpoint_id,
};
