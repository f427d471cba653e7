//! The service against a real PostgreSQL: a private cluster that these tests start, with a database for each of them.

mod cluster;
mod discovery;
mod harness;
mod hostile_paths;
mod incidents;
mod inventory;
mod models;
mod payload_exceptions;
mod program;
mod records;
mod retention;
mod roles;
mod stopping;
mod telemetry;
mod training_runs;
mod watchlist;
