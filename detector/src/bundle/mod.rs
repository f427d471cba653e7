//! The bundle: everything that a filter needs, in one signed file.
//!
//! Order of trust: [`open`] checks the signature before anything is parsed; [`Bundle::admit`] checks scope, schema, age and
//! serial; [`crate::detector::Detector::load`] checks the networks and reproduces the golden cases.

mod admission;
mod content;
mod envelope;
mod keys;

pub use admission::Admission;
pub use content::{
    BUNDLE_SCHEMA, Bundle, GoldenCase, GoldenOutput, GoldenPayload, Manifest, Network, NetworkKind, Policy,
};
pub use envelope::{ENVELOPE_VERSION, EnvelopeError, Sealed, bundle_id, open, open_payload, seal, seal_payload};
pub use keys::{KeyId, PublicKey, SecretKey};

/// Why a bundle is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    #[error("the payload cannot be read: {0}")]
    Payload(String),
    #[error("bundle schema {found} is not {BUNDLE_SCHEMA}, which this version reads")]
    Schema { found: u32 },
    #[error("made for scope {found:?}, not for {expected:?}")]
    Scope { found: String, expected: String },
    #[error("serial {found} is below {minimum}")]
    Serial { found: u64, minimum: u64 },
    #[error("expired at {expired_ms} ms since the Unix epoch")]
    Expired { expired_ms: i64 },
    #[error("limit on {limit} exceeded")]
    Limit { limit: &'static str },
    #[error("network {network}: operator {operator} is not allowed")]
    Operator { network: String, operator: String },
    #[error("network {network} cannot be used: {reason}")]
    Network { network: String, reason: String },
    #[error("golden case {case}: {what}")]
    Golden { case: usize, what: String },
}
