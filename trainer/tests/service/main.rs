//! The service against a real PostgreSQL: a private cluster that these tests start, with a database for each of them.

mod cluster;
mod harness;
mod incidents;
mod models;
mod program;
mod records;
mod retention;
mod roles;
mod stopping;
mod telemetry;
mod training_runs;
