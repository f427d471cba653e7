//! Measuring API discovery: traffic of APIs whose operations are known, and how well a program finds these again.
//!
//! [`read_operations`] reads what an API has, [`TrafficGenerator`] makes exchanges from it, [`measure`] runs a [`Discoverer`] on
//! them and compares what it found with the truth ([`Quality`]). No decision of the generator looks at which API it is: only at
//! parameter names, the literals beside them, and hashes of both.
//!
//! [`remote_calls`] makes traffic of operations that bodies name (GraphQL, JSON-RPC), and of gRPC.

mod behaviour;
mod clients;
mod discoverer;
mod measurement;
mod names;
mod objects;
mod operations;
mod parameter;
mod quality;
mod remote_calls;
mod report;
mod routing;
mod seeds;
mod template;
mod tools;
mod traffic;
mod values;
mod words;

pub use discoverer::{DiscoverError, Discoverer, Discovery};
pub use measurement::{Measurement, Prefix, RecordedTraffic, measure};
pub use operations::{Api, OPERATIONS_BYTES_MAX, Operation, OperationsError, parse_operations, read_operations};
pub use quality::{Missing, Quality, Spurious, TrueRequest};
pub use remote_calls::{RemoteOperation, remote_calls, remote_operations};
pub use report::{errors, figures};
pub use routing::RouteTable;
pub use template::{Component, ComponentKind, Piece, Template};
pub use tools::public_tools;
pub use traffic::{GeneratedExchange, TrafficGenerator, TrafficSettings};
