//! The last good document in shared data, where the other workers and a restarted VM find it.
//!
//! Shared data is open to whoever runs under the same VM id, so nothing here is trusted: the bytes go through every check
//! that bytes from the trainer go through.

use crate::host::{Conflict, Host, SharedVersion};

const FORMAT_VERSION: u8 = 1;
/// Times that writing the generation is tried against other writers.
const GENERATION_ATTEMPTS_MAX: usize = 4;

/// The keys of one document of one configuration.
#[derive(Debug, Clone)]
pub struct SharedDocument {
    document_key: String,
    generation_key: String,
    lease_key: String,
    bytes_max: usize,
}

/// A document's bytes as found, of unknown origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredDocument {
    /// Counts up with every document that is put there.
    pub generation: u64,
    pub bytes: Vec<u8>,
}

impl SharedDocument {
    /// `name` tells the documents of one configuration apart; what is longer than `bytes_max` is not taken from shared data.
    pub fn new(prefix: &str, name: &str, bytes_max: usize) -> Self {
        Self {
            document_key: format!("{prefix}/{name}"),
            generation_key: format!("{prefix}/{name}/generation"),
            lease_key: format!("{prefix}/{name}/lease"),
            bytes_max,
        }
    }

    pub fn lease_key(&self) -> &str {
        &self.lease_key
    }

    /// Generation of the document that is there; cheap enough for every tick.
    pub fn generation(&self, host: &dyn Host) -> Option<u64> {
        decode_generation(&host.shared_data(&self.generation_key)?.bytes)
    }

    pub fn load(&self, host: &dyn Host) -> Option<StoredDocument> {
        decode_document(&host.shared_data(&self.document_key)?.bytes, self.bytes_max)
    }

    /// Puts a document there that this VM has checked and loaded. Returns its generation.
    ///
    /// # Errors
    /// [`Conflict`] when another worker put one there at the same time; it will be found at the next tick.
    pub fn publish(&self, host: &dyn Host, bytes: &[u8]) -> Result<u64, Conflict> {
        let (version, previous) = match host.shared_data(&self.document_key) {
            Some(value) => {
                let stored = decode_document(&value.bytes, self.bytes_max);
                (value.version, stored.map_or(0, |stored| stored.generation))
            }
            None => (SharedVersion::Absent, 0),
        };
        let announced = self.generation(host).unwrap_or(0);
        let generation = previous.max(announced).wrapping_add(1);
        let mut value = Vec::with_capacity(9 + bytes.len());
        value.push(FORMAT_VERSION);
        value.extend_from_slice(&generation.to_le_bytes());
        value.extend_from_slice(bytes);
        host.set_shared_data(&self.document_key, &value, version)?;
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

fn decode_document(bytes: &[u8], bytes_max: usize) -> Option<StoredDocument> {
    let rest = bytes.strip_prefix(&[FORMAT_VERSION])?;
    let (generation, bytes) = rest.split_first_chunk::<8>()?;
    if bytes.len() > bytes_max {
        return None;
    }
    Some(StoredDocument { generation: u64::from_le_bytes(*generation), bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests;
