//! The real `apiward` program, run as people run it.

mod discover;
mod every_feature;
mod keys;
mod offline;
mod program;
mod recorded_traffic;
mod service;
mod shop_traffic;
mod usage;
