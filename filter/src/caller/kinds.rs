//! Of what kinds the caller is: the identity of its certificate, exactly, and the roles and scopes of its JWT.

use apiward_detector::observation::{KindSource, UNKNOWN};

use crate::config::{CertificateField, KindsPolicy};
use crate::host::Host;

use super::tokens::Tokens;
use super::{JWT_AUTHN, attribute, certificate_attribute};

/// The kinds as the credentials say them; without `policy` that nothing is known. Roles and scopes are those that Envoy
/// checked where it did, else those that the token claims.
pub fn kinds(host: &dyn Host, tokens: &mut Tokens<'_>, policy: Option<&KindsPolicy>) -> Vec<String> {
    let Some(policy) = policy else {
        return vec![UNKNOWN.to_owned()];
    };
    let mut kinds: Vec<String> =
        certificate(host).map(|identity| format!("certificate:{identity}")).into_iter().collect();
    match checked_kinds(host, policy) {
        Some(checked) => kinds.extend(checked),
        None => {
            kinds.extend(tokens.claims(&policy.header).map(|claims| policy.claims.kinds_of(claims)).unwrap_or_default())
        }
    }
    kinds
}

/// The first name of the certificate that the peer showed.
fn certificate(host: &dyn Host) -> Option<String> {
    if host.property(&["connection", "mtls"])? != [1] {
        return None;
    }
    [CertificateField::UriSan, CertificateField::DnsSan, CertificateField::Subject]
        .into_iter()
        .find_map(|field| certificate_attribute(host, field))
}

/// What Envoy's JWT filter put into its metadata; `None` where it checked no token.
fn checked_kinds(host: &dyn Host, policy: &KindsPolicy) -> Option<Vec<String>> {
    let payload = ["metadata", "filter_metadata", JWT_AUTHN, policy.payload_in_metadata.as_str()];
    let read = |way: &[&str]| host.property(&[payload.as_slice(), way].concat());
    let mut kinds = Vec::new();
    for (name, source) in policy.claims.each() {
        let nested = || name.contains('.').then(|| read(&name.split('.').collect::<Vec<_>>())).flatten();
        if let Some(bytes) = read(&[name]).or_else(nested) {
            add_attribute(&bytes, source, &mut kinds);
        }
    }
    // A checked token without roles has none; that another, unchecked one claims some does not matter.
    (!kinds.is_empty() || read(&[]).is_some()).then_some(kinds)
}

fn add_attribute(bytes: &[u8], source: KindSource, kinds: &mut Vec<String>) {
    if let Some(items) = attribute::items(bytes) {
        items.into_iter().filter_map(attribute::text).for_each(|item| source.add(&item, kinds));
    } else if let Some(text) = attribute::text(bytes) {
        source.add_text(&text, kinds);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::caller::tests::token;
    use crate::fixture;
    use crate::host::fake::{FakeHost, headers};

    fn kinds_with(host: &FakeHost, pairs: &[(&str, &str)], changes: serde_json::Value) -> Vec<String> {
        let headers = headers(pairs);
        kinds(host, &mut Tokens::new(&headers), fixture::policy(changes).caller_kinds.as_ref())
    }

    fn set(host: &FakeHost, name: &str, bytes: &[u8]) {
        host.properties.borrow_mut().insert(name.to_owned(), bytes.to_vec());
    }

    const PAYLOAD: &str = "metadata/filter_metadata/envoy.filters.http.jwt_authn/jwt_payload";

    #[test]
    fn a_peer_certificate_is_told_by_its_first_name() {
        let host = FakeHost::new();
        let check = |host: &FakeHost, expected: &[&str]| assert_eq!(kinds_with(host, &[], json!({})), expected);
        set(&host, "connection/subject_peer_certificate", b"CN=cart");
        check(&host, &[]);
        set(&host, "connection/mtls", &[1]);
        check(&host, &["certificate:CN=cart"]);
        set(&host, "connection/dns_san_peer_certificate", b"cart.shop");
        check(&host, &["certificate:cart.shop"]);
        set(&host, "connection/uri_san_peer_certificate", b"spiffe://shop/cart");
        check(&host, &["certificate:spiffe://shop/cart"]);
        set(&host, "connection/mtls", &[0]);
        check(&host, &[]);
    }

    #[test]
    fn what_envoy_checked_counts_and_not_what_is_claimed_beside_it() {
        let host = FakeHost::new();
        let claimed = token(r#"{"roles":["admin"],"scope":"a b"}"#);
        let request = [("authorization", claimed.as_str())];
        assert_eq!(kinds_with(&host, &request, json!({})), ["role:admin", "scope:a", "scope:b"]);
        set(&host, PAYLOAD, &attribute::tests::pairs(&[("sub", "ann")]));
        assert!(kinds_with(&host, &request, json!({})).is_empty());
        set(&host, &format!("{PAYLOAD}/role"), b"customer");
        set(&host, &format!("{PAYLOAD}/realm_access/roles"), &attribute::tests::pairs(&[("buyer", ""), ("b2b", "")]));
        set(&host, &format!("{PAYLOAD}/scope"), b"cart orders.read");
        assert_eq!(
            kinds_with(&host, &request, json!({})),
            ["role:customer", "role:buyer", "role:b2b", "scope:cart", "scope:orders.read"]
        );
    }

    #[test]
    fn claims_can_be_named_and_kinds_turned_off() {
        let host = FakeHost::new();
        let claimed = token(r#"{"roles":["admin"],"https://shop.example/group":"staff"}"#);
        let request = [("x-token", claimed.as_str())];
        let named = json!({"caller_kinds": {"header": "X-Token", "roles": ["https://shop.example/group"]}});
        assert_eq!(kinds_with(&host, &request, named), ["role:staff"]);
        assert_eq!(kinds_with(&host, &request, json!({"caller_kinds": {"enabled": false}})), ["unknown"]);
    }
}
