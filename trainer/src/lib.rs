//! The trainer: it takes telemetry in, learns from it, publishes signed bundles, and answers for what was detected.

pub mod auth;
mod bundles;
mod captures;
pub mod cli;
pub mod detections;
pub mod discovery;
pub mod endpoints;
pub mod evaluation;
pub mod fit;
pub mod incidents;
pub mod ingest;
pub mod learning;
pub mod metrics;
pub mod models;
pub mod payload;
pub mod payload_exceptions;
mod probes;
pub mod problem;
pub mod scope_graphs;
pub mod secret;
mod senders;
pub mod sequence;
pub mod serve;
pub mod signing;
pub mod storage;
pub mod traffic;
pub mod training_runs;
