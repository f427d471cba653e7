//! Of what kinds a caller is: by certificate, by roles, by scopes, or by whether it authenticates itself at all.

use std::net::IpAddr;

use serde_json::Value;

use crate::exchange::{Caller, header};
use crate::hashing::{KeyedHasher, Purpose};
use crate::{jwt, limits};

use super::CredentialKinds;
use super::words::is_static_word;

/// The kind of a caller without credentials.
pub const ANONYMOUS: &str = "anonymous";
/// The kind of a caller without credentials but cookies, of which nobody knows whether one carries a session.
pub const COOKIE: &str = "cookie";
/// The kind of a caller with an identity or with credentials, but neither roles, scopes nor a certificate.
pub const AUTHENTICATED: &str = "authenticated";
/// Among the kinds of a [`Caller`]: that nothing is known of it, as in records that leave credentials out.
pub const UNKNOWN: &str = "unknown";

const ROLE: &str = "role";
const SCOPE: &str = "scope";
const CERTIFICATE: &str = "certificate";

/// `role:admin`, `scope:orders.read`; a name that is no static word is told by its keyed hash.
pub fn caller_kind(source: &str, name: &str, hasher: &KeyedHasher) -> String {
    if is_static_word(name) {
        return format!("{source}:{name}");
    }
    format!("{source}:{:016x}", hasher.hash(Purpose::CallerKind, name.as_bytes()))
}

/// `certificate:spiffe://shop/cart`: a workload's identity, exactly; `None` for what is no printable ASCII or too long.
pub fn certificate_kind(identity: &str) -> Option<String> {
    let kind = format!("{CERTIFICATE}:{identity}");
    (kind.len() <= limits::CALLER_KIND_BYTES_MAX && kind.bytes().all(|byte| byte.is_ascii_graphic())).then_some(kind)
}

/// Where the claims of a JWT tell roles and scopes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindClaims {
    /// Claims that hold roles or groups, the way to a nested one with dots.
    pub roles: Vec<String>,
    /// Claims that hold scopes (RFC 8693, 4.2): a text with blanks between, or a list.
    pub scopes: Vec<String>,
}

impl Default for KindClaims {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self { roles: owned(&["roles", "role", "groups", "realm_access.roles"]), scopes: owned(&["scope", "scp"]) }
    }
}

impl KindClaims {
    /// Each claim with what it holds.
    pub fn each(&self) -> impl Iterator<Item = (&str, KindSource)> {
        let roles = self.roles.iter().map(|name| (name.as_str(), KindSource::Role));
        roles.chain(self.scopes.iter().map(|name| (name.as_str(), KindSource::Scope)))
    }

    /// The kinds that claims tell, names as they are.
    pub fn kinds_of(&self, claims: &Value) -> Vec<String> {
        let mut kinds = Vec::new();
        for (name, source) in self.each() {
            match jwt::claim(claims, name) {
                Some(Value::Array(items)) => {
                    items.iter().filter_map(jwt::claim_text).for_each(|item| source.add(&item, &mut kinds));
                }
                // Some issuers give each role an object of its own.
                Some(Value::Object(members)) => members.keys().for_each(|member| source.add(member, &mut kinds)),
                Some(single) => {
                    jwt::claim_text(single).into_iter().for_each(|text| source.add_text(&text, &mut kinds));
                }
                None => {}
            }
        }
        kinds
    }

    /// The kinds that a JWT in the `authorization` header claims; none without one.
    pub fn kinds_of_headers(&self, headers: &[(String, String)]) -> Vec<String> {
        let claims = header(headers, "authorization").and_then(jwt::claims);
        claims.map(|claims| self.kinds_of(&claims)).unwrap_or_default()
    }
}

/// What a claim holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KindSource {
    Role,
    Scope,
}

impl KindSource {
    /// Adds the item of a list.
    pub fn add(self, name: &str, kinds: &mut Vec<String>) {
        let source = match self {
            KindSource::Role => ROLE,
            KindSource::Scope => SCOPE,
        };
        let name = name.trim();
        if !name.is_empty() && kinds.len() < limits::CALLER_KINDS_READ_MAX {
            kinds.push(format!("{source}:{name}"));
        }
    }

    /// Adds what a single text says: a role, or scopes with blanks between.
    pub fn add_text(self, text: &str, kinds: &mut Vec<String>) {
        match self {
            KindSource::Role => self.add(text, kinds),
            KindSource::Scope => text.split_ascii_whitespace().for_each(|scope| self.add(scope, kinds)),
        }
    }
}

/// The kinds of a caller as they may travel, sorted; empty where nothing is known. `headers` are how many the request had.
pub(super) fn observed_kinds(
    caller: &Caller,
    credentials: CredentialKinds,
    headers: u16,
    hasher: &KeyedHasher,
) -> Vec<String> {
    if caller.kinds.is_empty() {
        return unnamed_kind(caller, credentials, headers).map(str::to_owned).into_iter().collect();
    }
    let given = caller.kinds.iter().take(limits::CALLER_KINDS_READ_MAX);
    let mut kinds: Vec<String> = given.filter_map(|kind| observed_kind(kind, hasher)).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds.truncate(limits::CALLER_KINDS_MAX);
    kinds
}

fn observed_kind(kind: &str, hasher: &KeyedHasher) -> Option<String> {
    match kind.split_once(':') {
        Some((CERTIFICATE, identity)) => {
            certificate_kind(identity).or_else(|| Some(caller_kind(CERTIFICATE, identity, hasher)))
        }
        Some((source @ (ROLE | SCOPE), name)) => Some(caller_kind(source, name, hasher)),
        _ if matches!(kind, ANONYMOUS | COOKIE | AUTHENTICATED) => Some(kind.to_owned()),
        _ if kind == UNKNOWN || kind.is_empty() => None,
        _ => Some(caller_kind(ROLE, kind, hasher)),
    }
}

/// The kind of a caller without certificate, roles and scopes.
fn unnamed_kind(caller: &Caller, credentials: CredentialKinds, headers: u16) -> Option<&'static str> {
    // An address tells callers apart, but authenticates nobody.
    let is_identified = caller.identity.as_ref().is_some_and(|identity| identity.parse::<IpAddr>().is_err());
    if is_identified || !credentials.is_cookie_at_most() {
        Some(AUTHENTICATED)
    } else if !credentials.is_anonymous() {
        Some(COOKIE)
    } else {
        // Every client sends some header: without any, the record leaves them out.
        (headers > 0).then_some(ANONYMOUS)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn hasher() -> KeyedHasher {
        KeyedHasher::new(b"0123456789abcdef").unwrap()
    }

    #[test]
    fn roles_and_scopes_are_read_from_claims_of_all_forms() {
        let check = |claims: Value, expected: &[&str]| {
            assert_eq!(KindClaims::default().kinds_of(&claims), expected, "{claims}");
        };
        check(json!({"roles": ["admin", "staff", 7, null, ""]}), &["role:admin", "role:staff", "role:7"]);
        check(
            json!({"role": "customer", "scope": " orders.read  cart "}),
            &["role:customer", "scope:orders.read", "scope:cart"],
        );
        check(json!({"realm_access": {"roles": ["r"]}, "scp": ["a b"]}), &["role:r", "scope:a b"]);
        check(json!({"groups": {"admins": {"org": "x"}}}), &["role:admins"]);
        check(json!({"roles": {}, "scope": true, "role": null}), &["scope:true"]);
        check(json!({"sub": "ann"}), &[]);
        let many: Vec<u32> = (0..10_000).collect();
        assert_eq!(KindClaims::default().kinds_of(&json!({"roles": many})).len(), limits::CALLER_KINDS_READ_MAX);
    }

    #[test]
    fn kinds_travel_as_words_hashes_or_certificates() {
        let check = |given: &[&str], expected: &[&str]| {
            let caller = Caller { kinds: given.iter().map(|kind| (*kind).to_owned()).collect(), ..Caller::default() };
            assert_eq!(observed_kinds(&caller, CredentialKinds::default(), 3, &hasher()), expected, "{given:?}");
        };
        check(&["scope:orders.read", "role:admin", "role:admin"], &["role:admin", "scope:orders.read"]);
        let subject = format!("certificate:{:016x}", hasher().hash(Purpose::CallerKind, b"O=A Shop"));
        check(
            &["certificate:spiffe://shop/cart", "certificate:O=A Shop"],
            &[&subject, "certificate:spiffe://shop/cart"],
        );
        check(&["staff", "read:orders"], &["role:read:orders", "role:staff"]);
        check(&["unknown"], &[]);
        check(&["anonymous"], &["anonymous"]);
        let hashed = format!("role:{:016x}", hasher().hash(Purpose::CallerKind, b"ann@shop.example"));
        check(&["role:ann@shop.example"], &[&hashed]);
    }

    #[test]
    fn callers_without_roles_are_told_apart_by_how_they_authenticate() {
        let check = |identity: Option<&str>, name: &str, value: &str, expected: &[&str]| {
            let caller = Caller { identity: identity.map(str::to_owned), ..Caller::default() };
            let credentials = CredentialKinds::of_headers(&[(name.to_owned(), value.to_owned())]);
            assert_eq!(observed_kinds(&caller, credentials, 1, &hasher()), expected, "{identity:?} {name}: {value}");
        };
        check(None, "accept", "*/*", &["anonymous"]);
        check(None, "cookie", "sid=1", &["cookie"]);
        check(Some("u-1"), "cookie", "sid=1", &["authenticated"]);
        check(None, "authorization", "Bearer 123", &["authenticated"]);
        check(Some("10.0.0.7"), "accept", "*/*", &["anonymous"]);
        let nothing = observed_kinds(&Caller::default(), CredentialKinds::default(), 0, &hasher());
        assert!(nothing.is_empty(), "a record without headers tells nothing");
    }

    proptest! {
        #[test]
        fn any_kinds_stay_within_their_limits(kinds in proptest::collection::vec(".{0,300}", 0..100)) {
            let caller = Caller { kinds, ..Caller::default() };
            let observed = observed_kinds(&caller, CredentialKinds::default(), 1, &hasher());
            prop_assert!(observed.len() <= limits::CALLER_KINDS_MAX);
            prop_assert!(observed.iter().all(|kind| kind.len() <= limits::CALLER_KIND_BYTES_MAX));
        }
    }
}
