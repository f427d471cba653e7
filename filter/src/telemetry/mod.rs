//! Telemetry of one worker: recorded as exchanges end, sent in batches at the worker's own pace.

mod buffer;
mod random;
mod sender;

pub use buffer::{Admitted, Content, GivenUp, OTHER_ENDPOINTS, TelemetryBuffer, UNJUDGED_ENDPOINT, truncate};
pub use random::SplitMix;
pub use sender::{Reception, TelemetrySender, backoff_ms};
