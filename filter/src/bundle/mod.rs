//! Bundles on their way into the engine: polled by one worker, passed on through shared data, checked in every VM.

mod active;
mod lease;
mod poller;
mod shared;

pub use active::{ActiveModel, LoadError, Refusal};
pub use lease::{Lease, hold, remember_etag};
pub use poller::{BundlePoller, Candidate, Origin};
pub use shared::{SharedBundle, StoredBundle};
