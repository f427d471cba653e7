//! Documents on their way from the trainer to every worker: polled by one of them, passed on through shared data.

mod document;
mod lease;
mod poller;

pub use document::{SharedDocument, StoredDocument};
pub use lease::{Lease, hold, remember_etag};
pub use poller::{Candidate, DocumentPoller, Feed, Origin, PollMetrics};
