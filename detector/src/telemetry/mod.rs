//! What a filter reports: records of exchanges, in versioned MessagePack batches.

mod batch;
mod capture;
mod record;

pub use batch::{ActiveBundle, BATCH_VERSION, Batch, BatchError, BundleRefusal, EndpointCount};
pub use capture::CapturedExchange;
pub use record::{CallerRecord, ExchangeRecord, VerdictRecord, bounded_request_id};
