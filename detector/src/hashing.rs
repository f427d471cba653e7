//! Keyed 64-bit hashes by which callers, addresses and values are told apart without being known.
//!
//! Every purpose has a subkey of its own (HMAC-SHA-256 of the purpose under the hash key, RFC 2104), so that hashes of
//! different kinds cannot be joined; the hash itself is SipHash-2-4 (Aumasson and Bernstein, 2012).

use std::fmt;
use std::hash::Hasher as _;
use std::net::IpAddr;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use siphasher::sip::SipHasher24;

/// What a hash stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    Caller,
    Address,
    Network,
    Login,
    /// Values of fields, path components and responses alike, so that an identifier is recognised where it comes back.
    Value,
    FieldName,
    /// A role or scope whose name is no static word.
    CallerKind,
    /// Never leaves the process: keys of the payload network's cache.
    PayloadCache,
}

impl Purpose {
    const ALL: [Purpose; 8] = [
        Purpose::Caller,
        Purpose::Address,
        Purpose::Network,
        Purpose::Login,
        Purpose::Value,
        Purpose::FieldName,
        Purpose::CallerKind,
        Purpose::PayloadCache,
    ];

    fn label(self) -> &'static str {
        match self {
            Purpose::Caller => "caller",
            Purpose::Address => "address",
            Purpose::Network => "network",
            Purpose::Login => "login",
            Purpose::Value => "value",
            Purpose::FieldName => "field-name",
            Purpose::CallerKind => "caller-kind",
            Purpose::PayloadCache => "payload-cache",
        }
    }
}

/// Shortest hash key that is accepted, bytes.
pub const HASH_KEY_BYTES_MIN: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hash key has {bytes} bytes, it needs at least {HASH_KEY_BYTES_MIN}")]
pub struct HashKeyTooShort {
    pub bytes: usize,
}

/// Hashes under one hash key.
#[derive(Clone)]
pub struct KeyedHasher {
    subkeys: [[u8; 16]; Purpose::ALL.len()],
    key_id: String,
}

impl fmt::Debug for KeyedHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("KeyedHasher").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl KeyedHasher {
    /// # Errors
    /// When the key is shorter than [`HASH_KEY_BYTES_MIN`].
    pub fn new(hash_key: &[u8]) -> Result<Self, HashKeyTooShort> {
        if hash_key.len() < HASH_KEY_BYTES_MIN {
            return Err(HashKeyTooShort { bytes: hash_key.len() });
        }
        let mut subkeys = [[0; 16]; Purpose::ALL.len()];
        for (subkey, purpose) in subkeys.iter_mut().zip(Purpose::ALL) {
            *subkey = first_16_bytes(&derive(hash_key, purpose.label()));
        }
        let key_id = derive(hash_key, "key-id").iter().take(8).map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { subkeys, key_id })
    }

    /// Public name of the hash key: 16 hexadecimal digits.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    pub fn hash(&self, purpose: Purpose, bytes: &[u8]) -> u64 {
        let subkey =
            self.subkeys.iter().zip(Purpose::ALL).find(|(_, of)| *of == purpose).map_or([0; 16], |(subkey, _)| *subkey);
        let mut hasher = SipHasher24::new_with_key(&subkey);
        hasher.write(bytes);
        hasher.finish()
    }

    /// Hash of the /24 (IPv4) or /56 (IPv6) network of an address; of the text itself when it is not an IP address.
    pub fn network(&self, address: &str) -> u64 {
        match address.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(v4)) => {
                let [a, b, c, _] = v4.octets();
                self.hash(Purpose::Network, &[a, b, c])
            }
            Ok(IpAddr::V6(v6)) => {
                let [a, b, c, d, e, f, g, ..] = v6.octets();
                self.hash(Purpose::Network, &[a, b, c, d, e, f, g])
            }
            Err(_) => self.hash(Purpose::Network, address.as_bytes()),
        }
    }
}

fn derive(hash_key: &[u8], purpose: &str) -> [u8; 32] {
    // HMAC takes keys of any length, so the error cannot occur; zeros keep the function total.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(hash_key) else {
        return [0; 32];
    };
    mac.update(b"apiward/1/");
    mac.update(purpose.as_bytes());
    mac.finalize().into_bytes().into()
}

fn first_16_bytes(digest: &[u8; 32]) -> [u8; 16] {
    let mut first = [0; 16];
    for (to, from) in first.iter_mut().zip(digest) {
        *to = *from;
    }
    first
}

/// Unkeyed 64-bit hash for identifiers that are no secrets (finding keys, patterns); stable across machines and versions.
pub fn stable_hash(parts: &[&[u8]]) -> u64 {
    let mut hasher = SipHasher24::new_with_key(b"apiward stable 1");
    for part in parts {
        hasher.write(&(part.len() as u64).to_le_bytes());
        hasher.write(part);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn purposes_are_unlinkable_and_keys_matter() {
        let one = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let two = KeyedHasher::new(b"0123456789abcdeg").unwrap();
        assert_ne!(one.hash(Purpose::Caller, b"x"), one.hash(Purpose::Address, b"x"));
        assert_ne!(one.hash(Purpose::Caller, b"x"), two.hash(Purpose::Caller, b"x"));
        assert_ne!(one.key_id(), two.key_id());
        assert!(KeyedHasher::new(b"short").is_err());
    }

    #[test]
    fn a_network_is_the_24_of_v4_and_the_56_of_v6() {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        assert_eq!(hasher.network("10.1.2.3"), hasher.network("10.1.2.200"));
        assert_eq!(hasher.network("10.1.2.3"), hasher.network("::ffff:10.1.2.3"));
        assert_ne!(hasher.network("10.1.2.3"), hasher.network("10.1.3.3"));
        assert_eq!(hasher.network("2001:db8:1:2200::1"), hasher.network("2001:db8:1:22ff::9"));
        assert_ne!(hasher.network("2001:db8:1:2200::1"), hasher.network("2001:db8:1:2300::1"));
    }
}
