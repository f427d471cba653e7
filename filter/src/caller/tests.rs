use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::config::{AddressSource, JwtClaim, compile};
use crate::host::fake::{FakeHost, headers};

fn policy(caller: Vec<CallerSource>) -> FilterPolicy {
    let key = apiward_detector::bundle::SecretKey::from_seed([7; 32]).public().to_string();
    let configuration = json!({
        "scope": "shop",
        "trainer": {"cluster": "t", "token": "t"},
        "public_keys": [key],
        "hash_key": "0123456789abcdef",
    });
    let mut policy = compile(configuration.to_string().as_bytes()).unwrap();
    policy.caller = caller;
    policy
}

fn claim_source() -> CallerSource {
    CallerSource::JwtClaim(JwtClaim {
        header: "authorization".into(),
        claim: "sub".into(),
        payload_in_metadata: "jwt_payload".into(),
    })
}

pub(super) fn token(payload: &str) -> String {
    format!("Bearer e30.{}.c2ln", BASE64_URL_SAFE_NO_PAD.encode(payload))
}

fn host_from(peer: &str) -> FakeHost {
    let host = FakeHost::new();
    host.properties.borrow_mut().insert("source/address".into(), peer.as_bytes().to_vec());
    host
}

#[test]
fn the_first_source_that_matches_counts() {
    let host = host_from("10.0.0.7:4711");
    let policy = policy(vec![CallerSource::Header("x-user".into()), CallerSource::Cookie("sid".into())]);
    let by_cookie = identify(&host, &headers(&[("cookie", "a=b; sid=\"s1\"")]), &policy);
    assert_eq!(by_cookie.identity.as_deref(), Some("s1"));
    assert!(!by_cookie.verified);
    assert_eq!(by_cookie.address.as_deref(), Some("10.0.0.7"));
    let both = headers(&[("x-user", " ann "), ("cookie", "sid=s1")]);
    assert_eq!(identify(&host, &both, &policy).identity.as_deref(), Some("ann"));
    let nobody = identify(&host, &headers(&[("x-user", "  ")]), &policy);
    assert_eq!(nobody.identity, None);
    assert_eq!(nobody.address.as_deref(), Some("10.0.0.7"));
}

#[test]
fn a_jwt_claim_counts_as_verified_only_where_envoy_checked_it() {
    let host = host_from("10.0.0.7:1");
    let policy = policy(vec![claim_source()]);
    let request = headers(&[("authorization", &token(r#"{"sub":"mallory"}"#))]);
    let claimed = identify(&host, &request, &policy);
    assert_eq!((claimed.identity.as_deref(), claimed.verified), (Some("mallory"), false));
    let path = "metadata/filter_metadata/envoy.filters.http.jwt_authn/jwt_payload/sub";
    host.properties.borrow_mut().insert(path.into(), b"ann".to_vec());
    let checked = identify(&host, &request, &policy);
    assert_eq!((checked.identity.as_deref(), checked.verified), (Some("ann"), true));
}

#[test]
fn a_client_certificate_is_verified() {
    let host = host_from("10.0.0.7:1");
    host.properties.borrow_mut().insert("connection/uri_san_peer_certificate".into(), b"spiffe://a/b".to_vec());
    let caller =
        identify(&host, &headers(&[]), &policy(vec![CallerSource::ClientCertificate(CertificateField::UriSan)]));
    assert_eq!((caller.identity.as_deref(), caller.verified), (Some("spiffe://a/b"), true));
    let subject = policy(vec![CallerSource::ClientCertificate(CertificateField::Subject)]);
    assert_eq!(identify(&host, &headers(&[]), &subject).identity, None);
}

#[test]
fn an_address_can_be_the_identity_and_stays_unverified() {
    let host = host_from("10.0.0.1:1");
    let source = CallerSource::Address(AddressSource { trusted_hops: Some(1) });
    let request = headers(&[("x-forwarded-for", "1.2.3.4, 10.0.0.9")]);
    let caller = identify(&host, &request, &policy(vec![source]));
    assert_eq!((caller.identity.as_deref(), caller.verified), (Some("1.2.3.4"), false));
    assert_eq!(caller.address.as_deref(), Some("10.0.0.1"));
}

#[test]
fn overlong_identities_are_cut_at_a_character() {
    let host = host_from("10.0.0.1:1");
    let long = "é".repeat(limits::CALLER_BYTES_MAX);
    let request = headers(&[("x-user", &long)]);
    let caller = identify(&host, &request, &policy(vec![CallerSource::Header("x-user".into())]));
    assert_eq!(caller.identity.unwrap().len(), limits::CALLER_BYTES_MAX);
}

#[track_caller]
fn check_address(forwarded: &[&str], hops: usize, expected: Option<&str>) {
    let pairs: Vec<(&str, &str)> = forwarded.iter().map(|value| ("x-forwarded-for", *value)).collect();
    assert_eq!(client_address(&headers(&pairs), Some("192.0.2.1:555"), hops).as_deref(), expected);
}

#[test]
fn addresses_are_taken_before_the_trusted_hops() {
    check_address(&["6.6.6.6, 1.1.1.1, 10.0.0.2"], 0, Some("192.0.2.1"));
    check_address(&["6.6.6.6, 1.1.1.1, 10.0.0.2"], 1, Some("1.1.1.1"));
    check_address(&["6.6.6.6", "1.1.1.1 ,10.0.0.2"], 2, Some("6.6.6.6"));
    check_address(&["1.1.1.1"], 1, Some("192.0.2.1"));
    check_address(&["unknown, 10.0.0.2"], 1, Some("192.0.2.1"));
    check_address(&["[2001:db8::1]:443, 10.0.0.2"], 1, Some("2001:db8::1"));
    check_address(&["::ffff:1.1.1.1, 10.0.0.2"], 1, Some("1.1.1.1"));
    check_address(&[], 3, Some("192.0.2.1"));
}

#[test]
fn ports_and_brackets_come_off() {
    for (text, expected) in
        [("1.2.3.4", "1.2.3.4"), ("1.2.3.4:5", "1.2.3.4"), ("::1", "::1"), ("[::1]", "::1"), ("[::1]:5", "::1")]
    {
        assert_eq!(without_port(text).unwrap().to_string(), expected);
    }
    for text in ["", "envoy://internal", "1.2.3", "[::1", "1.2.3.4:x", "/run/socket"] {
        assert_eq!(without_port(text), None, "{text}");
    }
}

#[test]
fn cookies_are_found_by_their_whole_name() {
    assert_eq!(cookie::value("asid=1; sid=2; sid=3", "sid").as_deref(), Some("2"));
    assert_eq!(cookie::value("sid", "sid"), None);
    assert_eq!(cookie::value("sid=a=b", "sid").as_deref(), Some("a=b"));
    assert_eq!(cookie::value("sid=\"", "sid").as_deref(), Some("\""));
}

proptest! {
    #[test]
    fn any_cookie_header_is_read_without_a_panic(header in ".{0,300}", name in "[a-z]{1,4}") {
        if let Some(value) = cookie::value(&header, &name) {
            prop_assert!(header.contains(&value));
        }
    }

    #[test]
    fn any_forwarded_header_gives_an_address_or_the_peer(
        value in proptest::collection::vec(any::<u8>(), 0..300),
        hops in 0_usize..40,
    ) {
        let request = vec![("x-forwarded-for".to_owned(), value)];
        let address = client_address(&request, Some("192.0.2.1:5"), hops).unwrap();
        prop_assert!(address.parse::<std::net::IpAddr>().is_ok());
    }

    #[test]
    fn what_stands_before_the_trusted_part_changes_nothing(spoofed in "[^,\n]{0,60}", hops in 1_usize..4) {
        let trusted = vec!["10.0.0.2"; hops].join(", ");
        let honest = headers(&[("x-forwarded-for", &format!("1.1.1.1, {trusted}"))]);
        let spoofing = headers(&[("x-forwarded-for", &format!("{spoofed}, 1.1.1.1, {trusted}"))]);
        prop_assert_eq!(client_address(&honest, None, hops), client_address(&spoofing, None, hops));
    }
}
