//! Ed25519 keys (RFC 8032) and their text forms.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

const PUBLIC_PREFIX: &str = "apiward-public-";
const SECRET_PREFIX: &str = "apiward-secret-";

/// First 8 bytes of the SHA-256 of a public key: its public name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&to_hex(&self.0))
    }
}

/// Checks signatures. Its text form is `apiward-public-` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Signs bundles. Its text form is `apiward-secret-` and 64 hexadecimal digits.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a key is written as {prefix} and 64 hexadecimal digits, as apiward keygen prints it")]
pub struct KeyFormat {
    prefix: &'static str,
}

impl PublicKey {
    pub fn id(&self) -> KeyId {
        let digest: [u8; 32] = Sha256::digest(self.0.as_bytes()).into();
        let mut id = [0; 8];
        for (to, from) in id.iter_mut().zip(digest) {
            *to = from;
        }
        KeyId(id)
    }

    /// Strict verification: no malleable signatures, no small-order keys.
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
    }
}

impl SecretKey {
    /// A key from 32 random bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }

    /// The text form; keep it secret.
    pub fn reveal(&self) -> String {
        format!("{SECRET_PREFIX}{}", to_hex(self.0.as_bytes()))
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SecretKey({})", self.public().id())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{PUBLIC_PREFIX}{}", to_hex(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = KeyFormat;

    fn from_str(text: &str) -> Result<Self, KeyFormat> {
        let error = KeyFormat { prefix: PUBLIC_PREFIX };
        let bytes = text.trim().strip_prefix(PUBLIC_PREFIX).and_then(from_hex).ok_or_else(|| error.clone())?;
        VerifyingKey::from_bytes(&bytes).map(PublicKey).map_err(|_| error)
    }
}

impl FromStr for SecretKey {
    type Err = KeyFormat;

    fn from_str(text: &str) -> Result<Self, KeyFormat> {
        let bytes = text.trim().strip_prefix(SECRET_PREFIX).and_then(from_hex);
        bytes.map(Self::from_seed).ok_or(KeyFormat { prefix: SECRET_PREFIX })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(index * 2..index * 2 + 2)?, 16).ok()?;
    }
    Some(bytes)
}
