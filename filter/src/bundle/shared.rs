//! The last good bundle in shared data, where the other workers and a restarted VM find it.
//!
//! Shared data is open to whoever runs under the same VM id, so nothing here is trusted: the bytes go through every check
//! that bytes from the trainer go through.

use apiward_detector::limits as engine_limits;

use crate::host::{Conflict, Host, SharedVersion};

const FORMAT_VERSION: u8 = 1;
/// Times that writing the generation is tried against other writers.
const GENERATION_ATTEMPTS_MAX: usize = 4;

/// The keys of one configuration.
#[derive(Debug, Clone)]
pub struct SharedBundle {
    bundle_key: String,
    generation_key: String,
    lease_key: String,
}

/// Bundle bytes as found, of unknown origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBundle {
    /// Counts up with every bundle that is put there.
    pub generation: u64,
    pub bytes: Vec<u8>,
}

impl SharedBundle {
    pub fn new(prefix: &str) -> Self {
        Self {
            bundle_key: format!("{prefix}/bundle"),
            generation_key: format!("{prefix}/generation"),
            lease_key: format!("{prefix}/lease"),
        }
    }

    pub fn lease_key(&self) -> &str {
        &self.lease_key
    }

    /// Generation of the bundle that is there; cheap enough for every tick.
    pub fn generation(&self, host: &dyn Host) -> Option<u64> {
        decode_generation(&host.shared_data(&self.generation_key)?.bytes)
    }

    pub fn load(&self, host: &dyn Host) -> Option<StoredBundle> {
        decode_bundle(&host.shared_data(&self.bundle_key)?.bytes)
    }

    /// Puts a bundle there that this VM has checked and loaded. Returns its generation.
    ///
    /// # Errors
    /// [`Conflict`] when another worker put one there at the same time; it will be found at the next tick.
    pub fn publish(&self, host: &dyn Host, bytes: &[u8]) -> Result<u64, Conflict> {
        let (version, previous) = match host.shared_data(&self.bundle_key) {
            Some(value) => (value.version, decode_bundle(&value.bytes).map_or(0, |stored| stored.generation)),
            None => (SharedVersion::Absent, 0),
        };
        let announced = self.generation(host).unwrap_or(0);
        let generation = previous.max(announced).wrapping_add(1);
        let mut value = Vec::with_capacity(9 + bytes.len());
        value.push(FORMAT_VERSION);
        value.extend_from_slice(&generation.to_le_bytes());
        value.extend_from_slice(bytes);
        host.set_shared_data(&self.bundle_key, &value, version)?;
        self.announce(host, generation)?;
        Ok(generation)
    }

    fn announce(&self, host: &dyn Host, generation: u64) -> Result<(), Conflict> {
        let mut encoded = vec![FORMAT_VERSION];
        encoded.extend_from_slice(&generation.to_le_bytes());
        for _ in 0..GENERATION_ATTEMPTS_MAX {
            let version = host.shared_data(&self.generation_key).map_or(SharedVersion::Absent, |value| value.version);
            if host.set_shared_data(&self.generation_key, &encoded, version).is_ok() {
                return Ok(());
            }
        }
        Err(Conflict)
    }
}

fn decode_generation(bytes: &[u8]) -> Option<u64> {
    let generation = bytes.strip_prefix(&[FORMAT_VERSION])?;
    Some(u64::from_le_bytes(generation.try_into().ok()?))
}

fn decode_bundle(bytes: &[u8]) -> Option<StoredBundle> {
    let rest = bytes.strip_prefix(&[FORMAT_VERSION])?;
    let (generation, bytes) = rest.split_first_chunk::<8>()?;
    if bytes.len() > engine_limits::BUNDLE_BYTES_MAX {
        return None;
    }
    Some(StoredBundle { generation: u64::from_le_bytes(*generation), bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests;
