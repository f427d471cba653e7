//! JSON Web Tokens (RFC 7519), read without checking the signature: what comes of them counts as claimed only.

use base64::Engine as _;
use base64::alphabet::URL_SAFE;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::Value;

use crate::limits;

const BASE64URL: GeneralPurpose = GeneralPurpose::new(
    &URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The JSON texts of a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parts {
    pub header: Vec<u8>,
    pub claims: Vec<u8>,
}

/// The decoded parts of a token, with or without `Bearer ` before it; `None` for what is no token of three parts in base64url or
/// longer than [`limits::JWT_BYTES_MAX`]. Whether they are JSON is not looked at.
pub fn parts(token: &str) -> Option<Parts> {
    let (header, claims) = encoded_parts(token)?;
    Some(Parts { header: BASE64URL.decode(header).ok()?, claims: BASE64URL.decode(claims).ok()? })
}

/// The claims of a token, with or without `Bearer ` before it; `None` for what is no token of JSON claims or longer than
/// [`limits::JWT_BYTES_MAX`].
pub fn claims(token: &str) -> Option<Value> {
    let (_header, claims) = encoded_parts(token)?;
    let claims: Value = serde_json::from_slice(&BASE64URL.decode(claims).ok()?).ok()?;
    claims.is_object().then_some(claims)
}

fn encoded_parts(token: &str) -> Option<(&str, &str)> {
    let token = token.trim();
    let token = match token.split_once(' ') {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("bearer") => rest.trim_start(),
        Some(_) => return None,
        None => token,
    };
    if token.len() > limits::JWT_BYTES_MAX {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    parts.next().is_none().then_some((header, claims))
}

/// A claim by its name or, where there is none of that name, by the way to it with dots between (`realm_access.roles`).
pub fn claim<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        claim(claims.get(first)?, rest)
    })
}

/// A claim that is a text, a number or a boolean, as text.
pub fn claim_text(claim: &Value) -> Option<String> {
    match claim {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use base64::prelude::BASE64_URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn token(claims: &str) -> String {
        format!("Bearer e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn claims_are_read_from_well_formed_tokens_only() {
        assert_eq!(claims(&token(r#"{"sub":7}"#)), Some(json!({"sub": 7})));
        assert_eq!(claims(token(r#"{"sub":7}"#).trim_start_matches("Bearer ")), Some(json!({"sub": 7})));
        let padded = token(r#"{"sub":"a"}"#).replace(".c2ln", "=.c2ln");
        assert_eq!(claims(&padded), Some(json!({"sub": "a"})));
        for other in ["Basic e30.e30.e30", "a.b", "a.e30.c.d", "", &token("[1]"), &token("{")] {
            assert_eq!(claims(other), None, "{other}");
        }
        assert_eq!(claims(&"x".repeat(limits::JWT_BYTES_MAX + 1)), None);
    }

    #[test]
    fn claims_are_found_by_name_or_by_the_way_to_them() {
        let claims = json!({"realm_access": {"roles": ["a"]}, "https://shop.example/roles": ["b"], "a": {"b.c": 1}});
        assert_eq!(claim(&claims, "realm_access.roles"), Some(&json!(["a"])));
        assert_eq!(claim(&claims, "https://shop.example/roles"), Some(&json!(["b"])));
        assert_eq!(claim(&claims, "a.b.c"), Some(&json!(1)));
        assert_eq!(claim(&claims, "realm_access.groups"), None);
        assert_eq!(claim(&claims, ""), None);
    }

    proptest! {
        #[test]
        fn any_token_is_read_without_a_panic(text in ".{0,300}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = claims(&text);
            let _ = claims(&format!("a.{}.b", BASE64_URL_SAFE_NO_PAD.encode(&bytes)));
        }

        #[test]
        fn deeply_nested_claims_are_survived(depth in 1_usize..4000) {
            let _ = claims(&token(&format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth))));
            let _ = claim(&json!({}), &".".repeat(depth));
        }
    }
}
