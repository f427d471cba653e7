//! What the filter hands to discovery: kinds of callers, response bodies, operations.

use apiward_detector::bundle::Bundle;
use apiward_detector::route::{Endpoint, MethodRoute, RouteNode, endpoint_id};
use apiward_detector::verdict::FindingKind;

use super::*;

impl Proxy {
    /// A response body in the given pieces, each visible in its own callback only.
    fn stream(&self, flow: &mut ExchangeFlow, more: &[(&str, &str)], pieces: &[&[u8]]) {
        let mut pairs = vec![(":status", "200")];
        pairs.extend_from_slice(more);
        *self.host.response_headers.borrow_mut() = headers(&pairs);
        flow.response_headers(&self.host, false);
        for piece in pieces {
            *self.host.response_body.borrow_mut() = piece.to_vec();
            flow.response_body(&self.host, piece.len(), false);
        }
        flow.response_body(&self.host, 0, true);
        flow.finish(&self.host);
    }

    fn response_names(&self, changes: Value, more: &[(&str, &str)], pieces: &[&[u8]]) -> (Vec<String>, Option<u64>) {
        let proxy = Self::observing(changes);
        let (mut flow, _) = proxy.get("/items");
        proxy.stream(&mut flow, more, pieces);
        let record = proxy.sent().records.remove(0).observation;
        let names = record.response_fields.into_iter().map(|field| field.name).collect();
        (names, record.response.and_then(|response| response.bytes))
    }
}

const JSON: (&str, &str) = ("content-type", "application/json; charset=utf-8");
const BODY: [&[u8]; 2] = [br#"{"id":"#, br#"7,"name":"lamp"}"#];
const BODY_BYTES: u64 = 22;

#[test]
fn json_responses_are_read_as_they_pass() {
    let proxy = Proxy::observing(json!({}));
    let (names, bytes) = proxy.response_names(json!({}), &[JSON], &BODY);
    assert_eq!((names, bytes), (vec!["".to_owned(), "id".into(), "name".into()], Some(BODY_BYTES)));
    let (names, _) = proxy.response_names(json!({}), &[JSON, ("content-encoding", "identity")], &BODY);
    assert_eq!(names.len(), 3);
}

#[test]
fn other_responses_and_what_is_turned_off_or_over_the_limit_is_counted_only() {
    let proxy = Proxy::observing(json!({}));
    for (changes, more) in [
        (json!({}), vec![("content-type", "text/html")]),
        (json!({}), vec![]),
        (json!({}), vec![JSON, ("content-encoding", "gzip")]),
        (json!({"response_body_bytes_max": 0}), vec![JSON]),
    ] {
        let found = proxy.response_names(changes, &more, &BODY);
        assert_eq!(found, (vec![], Some(BODY_BYTES)), "{more:?}");
    }
    let (names, bytes) = proxy.response_names(json!({"response_body_bytes_max": 9}), &[JSON], &BODY);
    assert_eq!((names, bytes), (vec!["".to_owned(), "id".into()], Some(BODY_BYTES)));
}

#[test]
fn a_captured_response_has_its_body_and_replays_the_same() {
    let proxy = Proxy::judging(json!({"capture": true}));
    let mut flow = proxy.flow("GET", "/items", &[("authorization", "Bearer e30.eyJyb2xlIjoiYWRtaW4ifQ.c2ln")]);
    flow.request_headers(&proxy.host, true);
    proxy.stream(&mut flow, &[JSON], &BODY);
    let content = proxy.sent();
    let captured = &content.captures[0].exchange;
    assert_eq!(captured.response.as_ref().unwrap().body, BODY.concat());
    assert_eq!(captured.caller.kinds, ["role:admin"]);
    assert_eq!(Observer::observe(captured, &proxy.shared.policy().hasher), content.records[0].observation);
    assert!(!content.records[0].observation.response_fields.is_empty());
}

#[test]
fn every_exchange_says_of_what_kinds_its_caller_is() {
    let proxy = Proxy::observing(json!({"caller": [{"header": "x-user"}, {"address": {}}]}));
    proxy.host.properties.borrow_mut().insert("source/address".into(), b"10.0.0.7:1".to_vec());
    let check = |more: &[(&str, &str)], expected: &[&str]| {
        let mut flow = proxy.flow("GET", "/items", more);
        flow.request_headers(&proxy.host, true);
        flow.finish(&proxy.host);
        assert_eq!(proxy.sent().records[0].observation.caller_kinds, expected, "{more:?}");
    };
    check(&[], &["anonymous"]);
    check(&[("cookie", "theme=dark")], &["cookie"]);
    check(&[("x-user", "ann")], &["authenticated"]);
    check(&[("x-api-key", "k")], &["authenticated"]);
    check(&[("authorization", "Bearer e30.eyJyb2xlIjoiYWRtaW4ifQ.c2ln")], &["role:admin"]);
    proxy.host.properties.borrow_mut().insert("connection/mtls".into(), vec![1]);
    proxy.host.properties.borrow_mut().insert("connection/uri_san_peer_certificate".into(), b"spiffe://a/b".to_vec());
    check(&[], &["certificate:spiffe://a/b"]);
    let silent = Proxy::observing(json!({"caller_kinds": {"enabled": false}}));
    let (mut flow, _) = silent.get("/items");
    flow.finish(&silent.host);
    assert!(silent.sent().records[0].observation.caller_kinds.is_empty());
}

#[test]
fn a_caller_of_a_kind_that_never_uses_the_endpoint_is_refused_by_the_headers() {
    let proxy = Proxy::observing(json!({"mode": "enforce"}));
    let mut bundle = fixture::bundle(3);
    bundle.profiles[0].caller_kinds = vec!["role:admin".into()];
    proxy.load(&seal(&bundle, &fixture::signing_key()).unwrap());
    let send = |more: &[(&str, &str)]| {
        let mut flow = proxy.flow("GET", "/items", more);
        let action = flow.request_headers(&proxy.host, true);
        flow.finish(&proxy.host);
        let findings = proxy.sent().records.remove(0).verdict.unwrap().findings;
        (action, findings.into_iter().map(|finding| finding.reason).collect::<Vec<_>>())
    };
    let admin = [("authorization", "Bearer e30.eyJyb2xlIjoiYWRtaW4ifQ.c2ln")];
    let customer = [("authorization", "Bearer e30.eyJyb2xlIjoiY3VzdG9tZXIifQ.c2ln")];
    assert_eq!(send(&admin), (Flow::Continue, vec![]));
    assert_eq!(send(&customer), (Flow::Pause, vec!["role:customer never calls GET /items, only role:admin".into()]));
    assert_eq!(send(&[]), (Flow::Pause, vec!["anonymous callers never call GET /items, only role:admin".into()]));
    assert_eq!(proxy.host.metric("apiward_alarms_total.detector.route"), 2);
}

/// The fixture's bundle with `POST /graphql` for the operations `AddUser` and `GetUser`.
fn with_operations() -> Bundle {
    let mut bundle = fixture::bundle(3);
    let mut operations = Vec::new();
    for operation in ["AddUser", "GetUser"] {
        operations.push((operation.to_owned(), u32::try_from(bundle.routes.endpoints.len()).unwrap()));
        bundle.routes.endpoints.push(Endpoint {
            id: endpoint_id(fixture::HOST, "POST", "/graphql", Some(operation)),
            host: fixture::HOST.into(),
            method: "POST".into(),
            template: "/graphql".into(),
            operation: Some(operation.into()),
        });
        let mut profile = bundle.profiles[0].clone();
        profile.fields.clear();
        bundle.profiles.push(profile);
    }
    let node =
        RouteNode { methods: vec![("POST".into(), MethodRoute::Operations(operations))], ..RouteNode::default() };
    bundle.routes.hosts[0].root.words.insert(0, ("graphql".into(), node));
    bundle
}

#[test]
fn an_operation_is_judged_once_the_body_names_it() {
    let proxy = Proxy::observing(json!({"mode": "enforce"}));
    proxy.load(&seal(&with_operations(), &fixture::signing_key()).unwrap());
    let send = |query: &str| {
        let mut flow = proxy.flow("POST", "/graphql", &[]);
        assert_eq!(flow.request_headers(&proxy.host, false), Flow::Continue, "what the body tells is not known yet");
        assert_eq!(proxy.host.state(filter_state::VERDICT).as_deref(), Some("normal"));
        let body = json!({"query": query}).to_string();
        let action = proxy.body(&mut flow, body.as_bytes(), true);
        flow.finish(&proxy.host);
        (action, proxy.sent().records.remove(0).verdict.unwrap())
    };
    let (action, verdict) = send("mutation DropUsers { dropUsers }");
    assert_eq!(action, Flow::Pause);
    assert_eq!(verdict.findings[0].kind, FindingKind::UnknownOperation);
    assert_eq!(verdict.findings[0].reason, "operation DropUsers never seen on POST /graphql, only AddUser, GetUser");
    assert_eq!(proxy.host.metric("apiward_blocked_total.phase.body"), 1);
    let (_, verdict) = send("query GetUser { user { name } }");
    assert_eq!(verdict.endpoint, "POST /graphql GetUser");
    assert!(verdict.findings.iter().all(|finding| finding.kind != FindingKind::UnknownOperation));
}

#[test]
fn a_method_of_grpc_is_known_by_the_words_of_its_path() {
    let proxy = Proxy::observing(json!({}));
    let mut flow = proxy.flow("POST", "/google.pubsub.v1.Publisher/ListTopics", &[]);
    flow.request_headers(&proxy.host, true);
    flow.finish(&proxy.host);
    let words: Vec<_> =
        proxy.sent().records.remove(0).observation.components.into_iter().map(|component| component.word).collect();
    assert_eq!(words, [Some("google.pubsub.v1.Publisher".into()), Some("ListTopics".into())]);
}
