//! End-to-end tests of apiward: the sample shop, its traffic, a harness that runs every part for real, and the demo.

pub mod demo;
pub mod discovery;
pub mod flagged;
pub mod harness;
pub mod sequence;
pub mod shop;
pub mod store_cost;
pub mod traffic;
