//! End-to-end tests of apiward: the sample shop, its traffic, and a harness that runs every part for real.

pub mod harness;
pub mod shop;
pub mod traffic;
