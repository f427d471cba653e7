//! What discovery from a full store costs: [`fill`] puts records of known APIs into a database, [`Measured`] discovers them, in a
//! process of its own, so that its time and memory are nothing else's.

mod filling;
mod measuring;

pub use filling::{Filled, fill};
pub use measuring::{Cost, Measured, PartCost};

/// The scope of all records.
pub const SCOPE: &str = "cost";
