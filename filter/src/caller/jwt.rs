//! Claims of JSON Web Tokens (RFC 7519), read without checking the signature: what comes of it counts as claimed only.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::limits;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A top-level claim of a token, with or without `Bearer ` before it; `None` when it is no token or has no such claim that is
/// a text, a number or a boolean.
pub fn claim(token: &str, claim: &str) -> Option<String> {
    let token = token.trim();
    let token = match token.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        _ => token,
    };
    if token.len() > limits::JWT_BYTES_MAX {
        return None;
    }
    let mut parts = token.split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = BASE64URL.decode(payload).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    match payload.get(claim)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}

/// A claim that Envoy checked, as it serialises attributes: text as it is, a number as 8 bytes of a double. An identity of 8
/// characters and a double cannot be told apart by length, so whatever is readable text is taken as text.
pub fn checked_claim(bytes: &[u8]) -> Option<String> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.chars().any(char::is_control) => Some(text.to_owned()),
        _ => {
            let number = f64::from_le_bytes(bytes.try_into().ok()?);
            number.is_finite().then(|| number.to_string())
        }
    }
}
