//! End-to-end tests of apiward, and the sample shop whose traffic they run on.

pub mod shop;
pub mod traffic;
