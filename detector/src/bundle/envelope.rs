//! The signed envelope around the payload bytes of what filters get from the trainer.
//!
//! ```text
//! 0   magic      8 bytes  "APIWARDB" of a bundle, "APIWARDW" of a watchlist
//! 8   version    2 bytes  little endian
//! 10  key id     8 bytes
//! 18  signature 64 bytes  Ed25519 over "apiward bundle" or "apiward watchlist" and every other byte of the file
//! 82  payload             MessagePack, to the end of the file
//! ```

use sha2::{Digest as _, Sha256};

use crate::limits;

use super::{Bundle, BundleError, KeyId, PublicKey, SecretKey};

/// Version of the envelope that is written and read.
pub const ENVELOPE_VERSION: u16 = 1;

/// What an envelope holds. One kind never passes for another, since magic and signature differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sealed {
    Bundle,
    Watchlist,
}

/// Why an envelope is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    #[error("this is no apiward {}: {why}", .sealed.noun())]
    NotOne { sealed: Sealed, why: &'static str },
    #[error("the {} has {bytes} bytes, at most {} are accepted", .sealed.noun(), .sealed.bytes_max())]
    TooLarge { sealed: Sealed, bytes: usize },
    #[error("envelope version {found} is not {ENVELOPE_VERSION}")]
    Version { found: u16 },
    #[error("signed by key {key_id}, which is not among the configured public keys")]
    UnknownKey { key_id: String },
    #[error("the signature does not match: the file was changed or signed by another key")]
    Signature,
}

impl Sealed {
    fn noun(self) -> &'static str {
        match self {
            Sealed::Bundle => "bundle",
            Sealed::Watchlist => "watchlist",
        }
    }

    /// Bytes of the whole file.
    pub fn bytes_max(self) -> usize {
        match self {
            Sealed::Bundle => limits::BUNDLE_BYTES_MAX,
            Sealed::Watchlist => limits::WATCHLIST_BYTES_MAX,
        }
    }

    fn magic(self) -> &'static [u8; 8] {
        match self {
            Sealed::Bundle => b"APIWARDB",
            Sealed::Watchlist => b"APIWARDW",
        }
    }

    fn signature_context(self) -> &'static [u8] {
        match self {
            Sealed::Bundle => b"apiward bundle",
            Sealed::Watchlist => b"apiward watchlist",
        }
    }
}

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
    Ok(seal_payload(Sealed::Bundle, &bundle.encode()?, key)?)
}

/// Checks size, magic, version, key and signature, and only then reads the payload and its schema version.
///
/// # Errors
/// Whatever of these is wrong first.
pub fn open(bytes: &[u8], trusted: &[PublicKey]) -> Result<Bundle, BundleError> {
    Bundle::decode(open_payload(Sealed::Bundle, bytes, trusted)?)
}

/// Signs a payload.
///
/// # Errors
/// When the result would be larger than [`Sealed::bytes_max`].
pub fn seal_payload(sealed: Sealed, payload: &[u8], key: &SecretKey) -> Result<Vec<u8>, EnvelopeError> {
    let key_id = key.public().id();
    let signature = key.sign(&signed_message(sealed, ENVELOPE_VERSION, key_id, payload));
    let mut bytes = Vec::with_capacity(82 + payload.len());
    bytes.extend_from_slice(sealed.magic());
    bytes.extend_from_slice(&ENVELOPE_VERSION.to_le_bytes());
    bytes.extend_from_slice(&key_id.0);
    bytes.extend_from_slice(&signature);
    bytes.extend_from_slice(payload);
    if bytes.len() > sealed.bytes_max() {
        return Err(EnvelopeError::TooLarge { sealed, bytes: bytes.len() });
    }
    Ok(bytes)
}

/// The payload, once size, magic, version, key and signature are found good.
///
/// # Errors
/// Whatever of these is wrong first.
pub fn open_payload<'b>(sealed: Sealed, bytes: &'b [u8], trusted: &[PublicKey]) -> Result<&'b [u8], EnvelopeError> {
    let envelope = split(sealed, bytes)?;
    let key = trusted
        .iter()
        .find(|key| key.id() == envelope.key_id)
        .ok_or_else(|| EnvelopeError::UnknownKey { key_id: envelope.key_id.to_string() })?;
    let message = signed_message(sealed, ENVELOPE_VERSION, envelope.key_id, envelope.payload);
    if !key.verifies(&message, envelope.signature) {
        return Err(EnvelopeError::Signature);
    }
    Ok(envelope.payload)
}

/// Public name of a file: the first 16 hexadecimal digits of its SHA-256.
pub fn bundle_id(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn split(sealed: Sealed, bytes: &[u8]) -> Result<Envelope<'_>, EnvelopeError> {
    if bytes.len() > sealed.bytes_max() {
        return Err(EnvelopeError::TooLarge { sealed, bytes: bytes.len() });
    }
    let not_one = |why| EnvelopeError::NotOne { sealed, why };
    let rest = bytes.strip_prefix(sealed.magic()).ok_or(not_one("the first bytes differ"))?;
    let short = not_one("it ends within the envelope");
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(short.clone())?;
    let found = u16::from_le_bytes(*version);
    if found != ENVELOPE_VERSION {
        return Err(EnvelopeError::Version { found });
    }
    let (key_id, rest) = rest.split_first_chunk::<8>().ok_or(short.clone())?;
    let (signature, payload) = rest.split_first_chunk::<64>().ok_or(short)?;
    Ok(Envelope { key_id: KeyId(*key_id), signature, payload })
}

fn signed_message(sealed: Sealed, version: u16, key_id: KeyId, payload: &[u8]) -> Vec<u8> {
    let (context, magic) = (sealed.signature_context(), sealed.magic());
    let mut message = Vec::with_capacity(context.len() + magic.len() + 10 + payload.len());
    message.extend_from_slice(context);
    message.extend_from_slice(magic);
    message.extend_from_slice(&version.to_le_bytes());
    message.extend_from_slice(&key_id.0);
    message.extend_from_slice(payload);
    message
}
