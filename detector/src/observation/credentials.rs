//! By what kinds of credentials a request authenticates itself.

use serde::{Deserialize, Serialize};

use crate::exchange::header;

/// A set of kinds of credentials.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CredentialKinds(pub u8);

/// Headers by which API keys are sent.
const API_KEY_HEADERS: [&str; 6] =
    ["x-api-key", "api-key", "apikey", "x-auth-token", "x-access-token", "x-goog-api-key"];

impl CredentialKinds {
    /// RFC 7617.
    pub const BASIC: u8 = 1;
    /// An opaque bearer token (RFC 6750).
    pub const BEARER: u8 = 1 << 1;
    /// A bearer token that is a JSON Web Token (RFC 7519).
    pub const JWT: u8 = 1 << 2;
    pub const API_KEY: u8 = 1 << 3;
    /// Any cookie: which of them carries the session is not known.
    pub const COOKIE: u8 = 1 << 4;
    pub const CLIENT_CERTIFICATE: u8 = 1 << 5;
    /// Another scheme of `authorization`.
    pub const OTHER: u8 = 1 << 6;

    /// Each kind with the word that stands for it everywhere.
    pub const NAMES: [(u8, &'static str); 7] = [
        (Self::BASIC, "basic"),
        (Self::BEARER, "bearer"),
        (Self::JWT, "jwt"),
        (Self::API_KEY, "api-key"),
        (Self::COOKIE, "cookie"),
        (Self::CLIENT_CERTIFICATE, "client-certificate"),
        (Self::OTHER, "other"),
    ];

    /// The kinds that request headers (names in lower case) show.
    pub fn of_headers(headers: &[(String, String)]) -> Self {
        let mut kinds = header(headers, "authorization").map_or(0, of_authorization);
        if API_KEY_HEADERS.iter().any(|name| header(headers, name).is_some()) {
            kinds |= Self::API_KEY;
        }
        if header(headers, "cookie").is_some() {
            kinds |= Self::COOKIE;
        }
        Self(kinds)
    }

    /// Whether none was seen.
    pub fn is_anonymous(self) -> bool {
        self.0 == 0
    }

    /// Whether none but cookies was seen.
    pub fn is_cookie_at_most(self) -> bool {
        self.0 & !Self::COOKIE == 0
    }

    /// The words of the kinds in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(kind, _)| self.0 & kind != 0).map(|(_, name)| name)
    }
}

fn of_authorization(value: &str) -> u8 {
    let (scheme, credentials) = value.trim().split_once(' ').unwrap_or(("", value));
    match scheme.to_ascii_lowercase().as_str() {
        "basic" => CredentialKinds::BASIC,
        "bearer" if credentials.trim_start().starts_with("eyJ") && credentials.split('.').count() == 3 => {
            CredentialKinds::JWT
        }
        "bearer" | "token" => CredentialKinds::BEARER,
        _ => CredentialKinds::OTHER,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_credentials_by_their_headers() {
        let check = |name: &str, value: &str, expected: &[&str]| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let found: Vec<&str> = CredentialKinds::of_headers(&headers).names().collect();
            assert_eq!(found, expected, "{name}: {value}");
        };
        check("authorization", "Basic YTpi", &["basic"]);
        check("authorization", "Bearer 0123456789", &["bearer"]);
        check("authorization", "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", &["jwt"]);
        check("authorization", "AWS4-HMAC-SHA256 Credential=x", &["other"]);
        check("x-api-key", "k", &["api-key"]);
        check("cookie", "a=b", &["cookie"]);
        check("accept", "*/*", &[]);
    }
}
