//! The real `apiward` program, run as people run it.

mod compared;
mod discover;
mod every_feature;
mod guide;
mod keys;
mod offline;
mod openapi;
mod program;
mod service;
mod shop_traffic;
mod usage;
