//! The hash key of offline work.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use apiward_detector::hashing::KeyedHasher;

/// The hash key where none is given. It is public, which is all right for files that hold the values anyway: what matters is
/// that training and scoring use the same one. A service has a secret key of its own.
const OFFLINE_HASH_KEY: &[u8] = b"apiward offline hash key, version 1";

#[derive(Debug, clap::Args)]
pub struct HashKeyArgs {
    /// File with the key that values are hashed with
    ///
    /// Needed for bundles of a service, which have its key in them by name; bundles from `apiward train --input` use a
    /// built-in key unless this is given.
    #[arg(long, value_name = "FILE")]
    hash_key_file: Option<PathBuf>,
}

impl HashKeyArgs {
    /// # Errors
    /// When the file cannot be read or the key in it is too short.
    pub fn hasher(&self) -> anyhow::Result<KeyedHasher> {
        match &self.hash_key_file {
            Some(file) => hasher_of_file(file),
            None => KeyedHasher::new(OFFLINE_HASH_KEY).context("the built-in hash key"),
        }
    }
}

/// Reads a hash key; white space around it does not count.
///
/// # Errors
/// When the file cannot be read or the key is too short.
pub fn hasher_of_file(file: &Path) -> anyhow::Result<KeyedHasher> {
    let content = std::fs::read(file).with_context(|| format!("read the hash key {}", file.display()))?;
    KeyedHasher::new(content.trim_ascii()).with_context(|| file.display().to_string())
}
