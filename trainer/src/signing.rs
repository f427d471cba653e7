//! The key that signs bundles.

use std::path::Path;
use std::str::FromStr as _;

use anyhow::Context as _;
use apiward_detector::bundle::SecretKey;

use crate::secret::{random_bytes, write_secret_file};

/// Reads a signing key file.
///
/// # Errors
/// When it cannot be read or is no key.
pub fn read_key(path: &Path) -> anyhow::Result<SecretKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("read the signing key {}", path.display()))?;
    SecretKey::from_str(&text).with_context(|| format!("{} is no signing key", path.display()))
}

/// Makes a key and writes it into a new file that only its owner can read.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create_key(path: &Path) -> anyhow::Result<SecretKey> {
    let key = SecretKey::from_seed(random_bytes()?);
    write_secret_file(path, &format!("{}\n", key.reveal()))?;
    Ok(key)
}
