//! Whether a bundle with a good signature is one for this filter, now.

use super::{Bundle, BundleError};

/// What a filter requires of a bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission<'a> {
    pub scope: &'a str,
    /// The configured floor.
    pub min_serial: u64,
    /// Serial of the bundle in use; the same serial is admitted again (a restart), a lower one never.
    pub current_serial: Option<u64>,
    pub now_ms: i64,
}

impl Bundle {
    /// # Errors
    /// When the scope is another, the serial too low, or the bundle expired.
    pub fn admit(&self, admission: &Admission<'_>) -> Result<(), BundleError> {
        let manifest = &self.manifest;
        if manifest.scope != admission.scope {
            return Err(BundleError::Scope { found: manifest.scope.clone(), expected: admission.scope.to_owned() });
        }
        let minimum = admission.min_serial.max(admission.current_serial.unwrap_or(0));
        if manifest.serial < minimum {
            return Err(BundleError::Serial { found: manifest.serial, minimum });
        }
        match manifest.expires_ms {
            Some(expired_ms) if expired_ms <= admission.now_ms => Err(BundleError::Expired { expired_ms }),
            _ => Ok(()),
        }
    }
}
