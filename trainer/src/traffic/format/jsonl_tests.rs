use proptest::prelude::*;

use super::*;
use crate::traffic::format::line_entries::LineEntries;
use crate::traffic::format::parts::BODY_BYTES_MAX;
use crate::traffic::{Entry, Place, Progress, Source, TrafficError};
use apiward_detector::exchange::{Request, Response};
use apiward_detector::limits;

fn read(line: &str) -> Result<(Exchange, Option<String>), String> {
    exchange_of_line(line.as_bytes())
}

fn exchange(line: &str) -> Exchange {
    read(line).unwrap().0
}

fn entries(content: &[u8]) -> Vec<Result<Entry, TrafficError>> {
    let source = Source {
        name: "test".to_owned(),
        reader: Box::new(std::io::Cursor::new(content.to_vec())),
        progress: Progress::default(),
    };
    LineEntries::new(source, exchange_of_line).collect()
}

#[test]
fn a_full_line_gives_all_of_an_exchange() {
    let (exchange, label) = read(
        r#"{"ts":"2026-11-01T12:00:00.250Z","caller":"u-17","address":"10.0.0.7:4711","host":"shop.example",
            "method":"POST","path":"/api/cart/3?coupon=x","request_headers":{"Content-Type":"application/json",
            "cookie":["a=1","b=2"],":path":"/api"},"request_body":"{\"qty\":1}","request_body_base64":null,
            "status":201,"response_headers":{"content-type":"application/json","grpc-status":"5"},
            "response_bytes":512,"duration_us":1200.0,"label":"sqli","note":"of no interest"}"#,
    )
    .unwrap();
    let expected = Exchange {
        at_ms: Some(1_793_534_400_250),
        caller: Caller {
            identity: Some("u-17".into()),
            verified: false,
            address: Some("10.0.0.7".into()),
            kinds: Vec::new(),
        },
        request: Request {
            method: "POST".into(),
            host: "shop.example".into(),
            target: "/api/cart/3?coupon=x".into(),
            headers: vec![
                ("content-type".into(), "application/json".into()),
                ("cookie".into(), "a=1".into()),
                ("cookie".into(), "b=2".into()),
            ],
            body: br#"{"qty":1}"#.to_vec(),
            body_bytes: 9,
        },
        response: Some(Response {
            status: Some(201),
            grpc_status: Some(5),
            headers: vec![("content-type".into(), "application/json".into()), ("grpc-status".into(), "5".into())],
            body: Vec::new(),
            bytes: Some(512),
            duration_us: Some(1200),
        }),
    };
    assert_eq!(exchange, expected);
    assert_eq!(label.as_deref(), Some("sqli"));
}

#[test]
fn method_and_path_are_enough_and_null_is_missing() {
    let bare = exchange(r#"{"method":"GET","path":"/"}"#);
    assert_eq!(bare.response, None);
    assert_eq!(bare.at_ms, None);
    assert_eq!(bare.caller, Caller::default());
    let nulls = exchange(
        r#"{"method":"GET","path":"/","ts":null,"caller":null,"address":null,"host":null,"request_headers":null,
            "request_body":null,"request_body_base64":null,"status":null,"response_headers":null,
            "response_bytes":null,"duration_us":null,"label":null}"#,
    );
    assert_eq!(nulls, bare);
}

#[test]
fn times_are_read_as_text_or_seconds() {
    let check = |ts: &str, expected: i64| {
        assert_eq!(exchange(&format!(r#"{{"method":"GET","path":"/","ts":{ts}}}"#)).at_ms, Some(expected), "{ts}");
    };
    check(r#""1970-01-01T00:00:01Z""#, 1_000);
    check(r#""1970-01-01T02:00:00.5+02:00""#, 500);
    check("1793534400", 1_793_534_400_000);
    check("1793534400.25", 1_793_534_400_250);
    check("-1", -1_000);
}

#[test]
fn the_host_comes_from_the_headers_where_it_is_not_given() {
    let from_headers = exchange(r#"{"method":"GET","path":"/","request_headers":{"Host":"a.example","accept":"*/*"}}"#);
    assert_eq!(from_headers.request.host, "a.example");
    assert_eq!(from_headers.request.headers, vec![("accept".to_owned(), "*/*".to_owned())]);
    let given = exchange(r#"{"method":"GET","path":"/","host":"b.example","request_headers":{"host":"a.example"}}"#);
    assert_eq!(given.request.host, "b.example");
}

#[test]
fn bodies_come_as_text_or_base64_and_are_cut_at_the_limit() {
    let check = |member: &str, expected: &[u8]| {
        assert_eq!(exchange(&format!(r#"{{"method":"POST","path":"/",{member}}}"#)).request.body, expected, "{member}");
    };
    check(r#""request_body":"ñ""#, "ñ".as_bytes());
    check(r#""request_body_base64":"/wD+""#, &[0xff, 0, 0xfe]);
    check(r#""request_body_base64":"aGk=""#, b"hi");
    check(r#""request_body_base64":"aGk""#, b"hi");
    let long = "x".repeat(BODY_BYTES_MAX + 7);
    let cut = exchange(&format!(r#"{{"method":"POST","path":"/","request_body":"{long}"}}"#));
    assert_eq!(cut.request.body.len(), BODY_BYTES_MAX);
    assert_eq!(cut.request.body_bytes, BODY_BYTES_MAX as u64 + 7);
}

#[test]
fn the_length_of_a_body_may_be_known_without_all_of_it() {
    let check = |members: &str, expected: (usize, u64)| {
        let request = exchange(&format!(r#"{{"method":"POST","path":"/",{members}}}"#)).request;
        assert_eq!((request.body.len(), request.body_bytes), expected, "{members}");
    };
    check(r#""request_bytes":17"#, (0, 17));
    check(r#""request_bytes":17,"request_body":"abc""#, (3, 17));
    check(r#""request_bytes":1,"request_body":"abc""#, (3, 3));
    check(r#""request_bytes":null,"request_body":"abc""#, (3, 3));
}

#[test]
fn kinds_of_callers_are_given_or_read_from_the_token() {
    let token = "Bearer e30.eyJyb2xlcyI6WyJhZG1pbiJdLCJzY29wZSI6ImEgYiJ9.c2ln";
    let check = |members: &str, expected: &[&str]| {
        let line = format!(r#"{{"method":"GET","path":"/","request_headers":{{"Authorization":"{token}"}}{members}}}"#);
        assert_eq!(exchange(&line).caller.kinds, expected, "{members}");
    };
    check("", &["role:admin", "scope:a", "scope:b"]);
    check(r#","caller_kinds":null"#, &["role:admin", "scope:a", "scope:b"]);
    check(r#","caller_kinds":[]"#, &[]);
    check(r#","caller_kinds":["certificate:spiffe://shop/cart"]"#, &["certificate:spiffe://shop/cart"]);
    assert!(read(r#"{"method":"GET","path":"/","caller_kinds":"admin"}"#).is_err());
}

#[test]
fn a_response_body_is_kept_up_to_the_limit_and_tells_its_length() {
    let long = "x".repeat(limits::RESPONSE_BODY_BYTES_DEFAULT + 7);
    let line = |more: &str| format!(r#"{{"method":"GET","path":"/","response_body":"{long}"{more}}}"#);
    let response = exchange(&line("")).response.unwrap();
    assert_eq!(response.body.len(), limits::RESPONSE_BODY_BYTES_DEFAULT);
    assert_eq!(response.bytes, Some(long.len() as u64));
    assert_eq!(exchange(&line(r#","response_bytes":9"#)).response.unwrap().bytes, Some(9));
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    let check = |line: &str, expected: &str| {
        let reason = read(line).unwrap_err();
        assert!(reason.contains(expected), "{line}: {reason:?} does not mention {expected:?}");
        assert!(!reason.contains("at line"), "{reason}");
    };
    check(r#"{"path":"/"}"#, "missing field `method`");
    check(r#"{"method":"GET"}"#, "missing field `path`");
    check(r#"{"method":"","path":"/"}"#, "`method` is empty");
    check(r#"{"method":"GET","path":"/","status":42}"#, "`status` is 42");
    check(r#"{"method":"GET","path":"/","status":-1}"#, "not negative");
    check(r#"{"method":"GET","path":"/","ts":"yesterday"}"#, "a time as in");
    check(r#"{"method":"GET","path":"/","ts":1e300}"#, "a time as in");
    check(r#"{"method":"GET","path":"/","request_headers":["a"]}"#, "an object of headers");
    check(r#"{"method":"GET","path":"/","request_headers":{"a":{}}}"#, "a header value");
    check(r#"{"method":"GET","path":"/","request_body":"a","request_body_base64":"YQ=="}"#, "give one");
    check(r#"{"method":"GET","path":"/","request_body_base64":"*"}"#, "no base64");
    check("not json", "expected");
    check(r#"{"method":"GET","path":"/"} trailing"#, "trailing characters");
    check(r#"[1,2]"#, "");
}

#[test]
fn indices_count_lines_and_bad_ones_do_not_end_the_file() {
    let content = b"\xef\xbb\xbf{\"method\":\"GET\",\"path\":\"/a\"}\r\n\noops\n{\"method\":\"GET\",\"path\":\"/b\"}";
    let read: Vec<_> = entries(content)
        .into_iter()
        .map(|entry| match entry.unwrap() {
            Entry::Exchange(labelled) => Ok((labelled.index, labelled.exchange.request.target)),
            Entry::Bad(bad) => Err(bad.place),
        })
        .collect();
    assert_eq!(read, vec![Ok((0, "/a".to_owned())), Err(Place::Line(3)), Ok((3, "/b".to_owned()))]);
}

/// Lines near the format: known members with values of all kinds.
fn near_lines() -> impl Strategy<Value = String> {
    let member = prop::sample::select(vec![
        "ts",
        "caller",
        "caller_kinds",
        "address",
        "host",
        "method",
        "path",
        "request_headers",
        "request_body",
        "request_body_base64",
        "request_bytes",
        "status",
        "response_headers",
        "response_body",
        "response_bytes",
        "duration_us",
        "label",
        "other",
    ]);
    let value = prop_oneof![
        Just("null".to_owned()),
        any::<f64>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        any::<String>().prop_map(|text| serde_json::Value::String(text).to_string()),
        ("[a-z:]{0,9}", any::<String>()).prop_map(|(name, text)| serde_json::json!({ name: [text, 1] }).to_string()),
        Just("[[]]".to_owned()),
        Just("\"2026-02-30T00:00:00Z\"".to_owned()),
        Just("\"9999-12-31T23:59:60-23:59\"".to_owned()),
    ];
    prop::collection::vec((member, value), 0..8).prop_map(|members| {
        let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{\"method\":\"GET\",\"path\":\"/\",{}}}", members.join(","))
    })
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(content in prop::collection::vec(any::<u8>(), 0..400)) {
        let lines = content.split(|byte| *byte == b'\n').count();
        prop_assert!(entries(&content).len() <= lines);
    }

    #[test]
    fn any_line_near_the_format_is_read_or_refused_with_a_reason(line in near_lines()) {
        match read(&line) {
            Ok((exchange, _)) => prop_assert!(exchange.request.body.len() <= BODY_BYTES_MAX),
            Err(reason) => prop_assert!(!reason.is_empty()),
        }
    }
}
