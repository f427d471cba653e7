//! Discovery of endpoints from traffic.

pub mod component_network;
