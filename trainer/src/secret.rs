//! Random secrets and the files that keep them.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::Context as _;
use rand::TryRng as _;
use rand::rngs::SysRng;

/// Random bytes from the operating system.
pub fn random_bytes<const BYTES: usize>() -> anyhow::Result<[u8; BYTES]> {
    let mut bytes = [0; BYTES];
    SysRng.try_fill_bytes(&mut bytes).context("get random bytes from the operating system")?;
    Ok(bytes)
}

/// `BYTES` random bytes as hexadecimal digits.
pub fn random_hex<const BYTES: usize>() -> anyhow::Result<String> {
    Ok(random_bytes::<BYTES>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Writes a file that only its owner can read; an existing one is never overwritten.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_secret_file(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("create {}", path.display()))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(|| format!("write {}", path.display()))
}
