//! The plugin configuration: one JSON object, refused whole when anything in it is wrong, compiled once into a [`FilterPolicy`].

mod document;
mod policy;

pub use document::{
    AddressSource, BodyOverLimit, CallerKinds, CallerSource, CertificateField, Configuration, JwtClaim, Mode,
    TelemetryLimits, TrainerConnection, WatchlistAction, WatchlistSettings,
};
pub use policy::{FilterPolicy, KindsPolicy, TrainerTarget};

use crate::limits;

/// Why a configuration is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigurationError {
    #[error("the configuration has {bytes} bytes, at most {} are accepted", limits::CONFIGURATION_BYTES_MAX)]
    TooLarge { bytes: usize },
    /// `key` is `(root)` when the document itself is wrong.
    #[error("configuration key {key}: {problem}")]
    Key { key: String, problem: String },
}

impl ConfigurationError {
    fn key(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Key { key: key.into(), problem: problem.into() }
    }
}

/// Reads, checks and compiles a configuration.
///
/// # Errors
/// When the JSON is malformed, a key is unknown or missing, or a value is of the wrong type or out of its range; the error
/// names the key.
pub fn compile(bytes: &[u8]) -> Result<FilterPolicy, ConfigurationError> {
    if bytes.len() > limits::CONFIGURATION_BYTES_MAX {
        return Err(ConfigurationError::TooLarge { bytes: bytes.len() });
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let configuration: Configuration = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let key = if path == "." { "(root)".to_owned() } else { path };
        ConfigurationError::key(key, error.inner().to_string())
    })?;
    deserializer
        .end()
        .map_err(|_| ConfigurationError::key("(root)", "there is something after the end of the JSON object"))?;
    FilterPolicy::compile(configuration)
}

#[cfg(test)]
mod tests;
