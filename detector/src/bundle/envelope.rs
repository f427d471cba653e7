//! The signed envelope around the payload bytes.
//!
//! ```text
//! 0   magic      8 bytes  "APIWARDB"
//! 8   version    2 bytes  little endian
//! 10  key id     8 bytes
//! 18  signature 64 bytes  Ed25519 over "apiward bundle" and every other byte of the file
//! 82  payload             MessagePack, to the end of the file
//! ```

use sha2::{Digest as _, Sha256};

use crate::limits;

use super::{Bundle, BundleError, KeyId, PublicKey, SecretKey};

/// Version of the envelope that is written and read.
pub const ENVELOPE_VERSION: u16 = 1;

const MAGIC: &[u8; 8] = b"APIWARDB";
const SIGNATURE_CONTEXT: &[u8] = b"apiward bundle";

struct Envelope<'b> {
    key_id: KeyId,
    signature: &'b [u8; 64],
    payload: &'b [u8],
}

/// Writes and signs a bundle.
///
/// # Errors
/// When the result would be larger than [`limits::BUNDLE_BYTES_MAX`].
pub fn seal(bundle: &Bundle, key: &SecretKey) -> Result<Vec<u8>, BundleError> {
    let payload = bundle.encode()?;
    let key_id = key.public().id();
    let signature = key.sign(&signed_message(ENVELOPE_VERSION, key_id, &payload));
    let mut bytes = Vec::with_capacity(82 + payload.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&ENVELOPE_VERSION.to_le_bytes());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(&payload);
    if bytes.len() > limits::BUNDLE_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes: bytes.len() });
    }
    Ok(bytes)
}

/// Checks size, magic, version, key and signature, and only then reads the payload and its schema version.
///
/// # Errors
/// Whatever of these is wrong first.
pub fn open(bytes: &[u8], trusted: &[PublicKey]) -> Result<Bundle, BundleError> {
    let envelope = split(bytes)?;
    let key = trusted
        .iter()
        .find(|key| key.id() == envelope.key_id)
        .ok_or_else(|| BundleError::UnknownKey { key_id: envelope.key_id.to_string() })?;
    let message = signed_message(ENVELOPE_VERSION, envelope.key_id, envelope.payload);
    if !key.verifies(&message, envelope.signature) {
        return Err(BundleError::Signature);
    }
    Bundle::decode(envelope.payload)
}

/// The key id that the envelope names, without any trust in it.
pub fn peek_key_id(bytes: &[u8]) -> Result<KeyId, BundleError> {
    split(bytes).map(|envelope| envelope.key_id)
}

/// Public name of a bundle file: the first 16 hexadecimal digits of its SHA-256.
pub fn bundle_id(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn split(bytes: &[u8]) -> Result<Envelope<'_>, BundleError> {
    if bytes.len() > limits::BUNDLE_BYTES_MAX {
        return Err(BundleError::TooLarge { bytes: bytes.len() });
    }
    let rest = bytes.strip_prefix(MAGIC).ok_or(BundleError::NotABundle("the first bytes differ"))?;
    let short = BundleError::NotABundle("it ends within the envelope");
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(short.clone())?;
    let found = u16::from_le_bytes(*version);
    if found != ENVELOPE_VERSION {
        return Err(BundleError::EnvelopeVersion { found });
    }
    let (key_id, rest) = rest.split_first_chunk::<8>().ok_or(short.clone())?;
    let (signature, payload) = rest.split_first_chunk::<64>().ok_or(short)?;
    Ok(Envelope { key_id: KeyId(*key_id), signature, payload })
}

fn signed_message(version: u16, key_id: KeyId, payload: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(SIGNATURE_CONTEXT.len() + MAGIC.len() + 10 + payload.len());
    message.extend_from_slice(SIGNATURE_CONTEXT);
    message.extend_from_slice(MAGIC);
    message.extend_from_slice(&version.to_le_bytes());
    message.extend_from_slice(&key_id.0);
    message.extend_from_slice(payload);
    message
}
