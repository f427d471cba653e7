//! Every limit of the filter, named with its unit. The engine's own are in [`apiward_detector::limits`].

/// Bytes of the plugin configuration.
pub const CONFIGURATION_BYTES_MAX: usize = 256 * 1024;
/// Ways to tell the caller that may be configured.
pub const CALLER_SOURCES_MAX: usize = 16;
/// Public keys that may be configured.
pub const PUBLIC_KEYS_MAX: usize = 8;
/// Bytes of any one configured text.
pub const CONFIGURED_TEXT_BYTES_MAX: usize = 1024;
/// Bytes of request body that may be configured to be read; Envoy's own buffer limit is 1 MiB by default.
pub const BODY_BYTES_CEILING: usize = 1024 * 1024;
/// Bytes of response body that may be configured to be read.
pub const RESPONSE_BODY_BYTES_CEILING: usize = 256 * 1024;
/// Claims with roles, and claims with scopes, that may be configured.
pub const KIND_CLAIMS_MAX: usize = 16;
/// Proxies in front that may be configured as trusted.
pub const TRUSTED_HOPS_MAX: usize = 32;

/// Bytes of a caller's identity; what is longer is cut before it is hashed.
pub const CALLER_BYTES_MAX: usize = 1024;
/// Entries of `x-forwarded-for` that are counted from its end.
pub const FORWARDED_ENTRIES_MAX: usize = 64;

/// Callers, and addresses, that may be configured to be remembered.
pub const SESSIONS_CEILING: usize = 1_048_576;

/// Bytes of the verdict header's value, its reason included.
pub const VERDICT_HEADER_BYTES_MAX: usize = 512;
/// Bytes of any one filter-state value.
pub const FILTER_STATE_BYTES_MAX: usize = 2048;

/// Bytes of records buffered in one worker, as they lie in memory.
pub const TELEMETRY_BUFFER_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Bytes of records in one batch, as they lie in memory; encoded they are smaller.
pub const TELEMETRY_BATCH_BYTES_MAX: usize = 6 * 1024 * 1024;
/// Captured exchanges buffered in one worker.
pub const CAPTURES_MAX: usize = 1024;
/// Bytes of captured exchanges buffered in one worker.
pub const CAPTURE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Endpoints whose exchanges are counted one by one between two batches; the rest is counted together.
pub const COUNTED_ENDPOINTS_MAX: usize = 2048;
/// Refusals of bundles kept for the next batch.
pub const REFUSALS_MAX: usize = 16;
/// Times a batch is sent before it is given up.
pub const BATCH_ATTEMPTS_MAX: u32 = 6;
/// First wait after a failed attempt, milliseconds.
pub const BACKOFF_FIRST_MS: u64 = 500;
/// Longest wait between two attempts, milliseconds.
pub const BACKOFF_MAX_MS: u64 = 30_000;
/// Longest wait that the trainer may ask for, seconds.
pub const RETRY_AFTER_MAX_S: u64 = 300;

/// How often a worker looks whether something is due, milliseconds.
pub const TICK_MS: u64 = 200;
/// Bytes of an ETag.
pub const ETAG_BYTES_MAX: usize = 128;
/// How long a worker that polls keeps the others from it past its next poll, milliseconds.
pub const LEASE_GRACE_MS: u64 = 10_000;
