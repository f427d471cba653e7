//! Bundles on their way into the engine, checked in every VM.

mod active;

pub use active::{ActiveModel, LoadError, Refusal};
