use apiward_detector::exchange::{Request, Response};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::traffic::Progress;
use crate::traffic::format::parts::BODY_BYTES_MAX;

fn exchange(entry: &Value) -> Exchange {
    exchange_of_entry(entry.to_string().as_bytes()).unwrap().0
}

fn entries(document: &[u8]) -> Vec<Result<Entry, TrafficError>> {
    let source = Source {
        name: "test".to_owned(),
        reader: Box::new(io::Cursor::new(document.to_vec())),
        progress: Progress::default(),
    };
    HarEntries::new(source).collect()
}

/// An entry with these members of its request, and no response.
fn posting(headers: Value, post_data: Value, body_size: i64) -> Request {
    exchange(&json!({"request": {
        "method": "POST", "url": "https://shop.example/api", "headers": headers, "postData": post_data, "bodySize": body_size,
    }}))
    .request
}

#[test]
fn a_full_entry_gives_all_of_an_exchange() {
    let entry = json!({
        "startedDateTime": "2026-11-01T13:00:00.250+01:00", "time": 12.34, "pageref": "page_1", "_priority": "High",
        "request": {
            "method": "POST", "url": "https://shop.example:8443/api/cart/3?coupon=x#top", "httpVersion": "HTTP/2.0",
            "headers": [
                {"name": ":authority", "value": "shop.example:8443"},
                {"name": "Content-Type", "value": "application/json"},
                {"name": "Host", "value": "shop.example"},
                {"name": "cookie", "value": "a=1"},
            ],
            "queryString": [{"name": "coupon", "value": "x"}], "cookies": [], "headersSize": -1, "bodySize": 9,
            "postData": {"mimeType": "application/json", "text": "{\"qty\":1}"},
        },
        "response": {
            "status": 201, "statusText": "Created", "httpVersion": "HTTP/2.0",
            "headers": [{"name": ":status", "value": "201"}, {"name": "Content-Type", "value": "application/json"}],
            "content": {"size": 900, "compression": 388, "mimeType": "application/json", "text": "\u{1f600}"},
            "redirectURL": "", "headersSize": -1, "bodySize": 512,
        },
        "cache": {}, "timings": {"send": 0, "wait": 12, "receive": 0.34}, "serverIPAddress": "10.0.0.1",
    });
    let expected = Exchange {
        at_ms: Some(1_793_534_400_250),
        caller: Caller::default(),
        request: Request {
            method: "POST".into(),
            host: "shop.example:8443".into(),
            target: "/api/cart/3?coupon=x".into(),
            headers: vec![("content-type".into(), "application/json".into()), ("cookie".into(), "a=1".into())],
            body: br#"{"qty":1}"#.to_vec(),
            body_bytes: 9,
        },
        response: Some(Response {
            status: Some(201),
            grpc_status: None,
            headers: vec![("content-type".into(), "application/json".into())],
            body: "\u{1f600}".into(),
            bytes: Some(512),
            duration_us: Some(12_340),
        }),
    };
    assert_eq!(exchange(&entry), expected);
}

#[test]
fn method_and_url_are_enough() {
    let bare = exchange(&json!({"request": {"method": "GET", "url": "http://shop.example"}}));
    assert_eq!((bare.request.host.as_str(), bare.request.target.as_str()), ("shop.example", "/"));
    assert_eq!((bare.at_ms, bare.response), (None, None));
    let nulls = exchange(&json!({
        "startedDateTime": null, "time": null, "response": null,
        "request": {"method": "GET", "url": "http://shop.example", "headers": null, "postData": null, "bodySize": null},
    }));
    assert_eq!(nulls.request, bare.request);
}

#[test]
fn bodies_come_as_text_or_as_parameters() {
    let check = |content_type: &str, post_data: Value, expected: &str| {
        let request = posting(json!([{"name": "content-type", "value": content_type}]), post_data.clone(), -1);
        assert_eq!(String::from_utf8(request.body).unwrap(), expected, "{post_data}");
    };
    let form = "application/x-www-form-urlencoded";
    check(form, json!({"mimeType": form, "text": "a=1", "params": [{"name": "a", "value": "2"}]}), "a=1");
    let parameters = json!([{"name": "a b", "value": "ñ&"}, {"name": "n", "value": 3}, {"name": "c"}]);
    check(form, json!({"mimeType": form, "params": parameters}), "a+b=%C3%B1%26&n=3&c=");
    check(form, json!({"mimeType": form, "text": "", "params": []}), "");
    check(
        "multipart/form-data; boundary=\"xyz\"",
        json!({"params": [{"name": "a\"b", "value": "1"}, {"name": "f", "fileName": "x.png", "contentType": "image/png"}]}),
        "--xyz\r\ncontent-disposition: form-data; name=\"a%22b\"\r\n\r\n1\r\n\
         --xyz\r\ncontent-disposition: form-data; name=\"f\"; filename=\"x.png\"\r\ncontent-type: image/png\r\n\r\n\r\n--xyz--\r\n",
    );
}

#[test]
fn what_is_known_of_a_body_beside_its_text_is_kept() {
    let declared = posting(json!([]), json!({"mimeType": "application/json", "text": "{}"}), 900);
    assert_eq!(declared.headers, [("content-type".to_owned(), "application/json".to_owned())]);
    assert_eq!(declared.body_bytes, 2, "the text is all of it, whatever its size as compressed");
    let missing = posting(json!([]), json!({"mimeType": "image/png"}), 900);
    assert_eq!((missing.body.len(), missing.body_bytes), (0, 900));
    let long = posting(json!([]), json!({"mimeType": "", "text": "x".repeat(BODY_BYTES_MAX + 7)}), -1);
    assert_eq!((long.body.len(), long.body_bytes), (BODY_BYTES_MAX, BODY_BYTES_MAX as u64 + 7));
}

#[test]
fn what_browsers_do_not_know_of_a_response_is_not_known() {
    let check = |response: Value, expected: (Option<u16>, Option<u64>, Option<&str>)| {
        let entry =
            json!({"time": -1, "request": {"method": "GET", "url": "http://a.example/"}, "response": response.clone()});
        let read = exchange(&entry).response.unwrap();
        assert_eq!((read.status, read.bytes, header(&read.headers, "content-type")), expected, "{response}");
        assert_eq!(read.duration_us, None);
    };
    check(json!({"status": 0, "bodySize": -1, "content": {"size": 0, "mimeType": "x-unknown"}}), (None, Some(0), None));
    check(
        json!({"status": 200, "bodySize": -1, "content": {"size": 90, "compression": 40}}),
        (Some(200), Some(50), None),
    );
    check(
        json!({"status": 200, "content": {"size": -1, "mimeType": "text/html"}}),
        (Some(200), None, Some("text/html")),
    );
}

#[test]
fn a_bad_entry_says_what_is_wrong() {
    let check = |entry: &str, expected: &str| {
        let reason = exchange_of_entry(entry.as_bytes()).unwrap_err();
        assert!(reason.contains(expected), "{entry}: {reason:?} does not mention {expected:?}");
    };
    check("{}", "missing field `request`");
    check(r#"{"request":{"method":"GET"}}"#, "missing field `url`");
    check(r#"{"request":{"method":"","url":"http://a/"}}"#, "`method` is empty");
    check(r#"{"request":{"method":"GET","url":"data:text/plain,x"}}"#, "is no HTTP URL");
    check(r#"{"request":{"method":"GET","url":"http://a/"},"response":{"status":42}}"#, "`status` is 42");
    check(r#"{"startedDateTime":"noon","request":{"method":"GET","url":"http://a/"}}"#, "a time as in");
    check("{\n \"request\": 5\n}", "(its line 2, column");
    check("", "EOF");
}

#[test]
fn indices_count_entries_and_bad_ones_do_not_end_the_document() {
    let good = |path: &str| format!(r#"{{"request":{{"method":"GET","url":"http://a.example{path}"}}}}"#);
    let list = format!("{},{{\"request\": oops}},{},\"\\ud83d\",{}", good("/a"), good("/b"), good("/c"));
    let document = format!("\u{feff}{{\n  \"log\": {{\"version\": \"1.2\", \"entries\": [{list}], \"pages\": []}}\n}}");
    let read: Vec<_> = entries(document.as_bytes())
        .into_iter()
        .map(|entry| match entry.unwrap() {
            Entry::Exchange(labelled) => Ok((labelled.index, labelled.exchange.request.target)),
            Entry::Bad(bad) => Err(bad.place),
        })
        .collect();
    let expected = [
        Ok((0, "/a".to_owned())),
        Err(Place::Entry(2)),
        Ok((2, "/b".to_owned())),
        Err(Place::Entry(4)),
        Ok((4, "/c".to_owned())),
    ];
    assert_eq!(read, expected);
}

#[test]
fn documents_that_are_cut_or_no_archive_end_with_an_error() {
    let last = |document: &str| entries(document.as_bytes()).pop().unwrap().unwrap_err().to_string();
    let entry = r#"{"request":{"method":"GET","url":"http://a/"}}"#;
    assert!(last(&format!(r#"{{"log":{{"entries":[{entry},{{"req"#)).contains("cannot be read past entry 1"));
    assert!(last(r#"{"openapi":"3.1.0"}"#).contains("is no HTTP Archive"));
    assert!(entries(br#"{"log":{"entries":[]}}"#).is_empty());
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let document = [br#"{"log":{"entries":["#.as_slice(), bytes.as_slice()].concat();
        prop_assert!(entries(&document).len() <= bytes.len() + 1);
        prop_assert!(entries(&bytes).len() <= bytes.len() + 1);
    }

    #[test]
    fn any_values_in_an_entry_are_read_or_refused_with_a_reason(
        url in prop_oneof!["https?://[ -~]{0,30}", any::<String>()],
        text in any::<String>(),
        number in any::<f64>(),
        content_type in prop_oneof![Just("multipart/form-data; boundary=é".to_owned()), any::<String>()],
    ) {
        let entry = json!({
            "time": number, "startedDateTime": 1, "response": {"status": number, "bodySize": number},
            "request": {"method": text, "url": url, "bodySize": number, "postData": {
                "mimeType": content_type, "params": [{"name": text, "value": text, "fileName": text, "contentType": text}],
            }},
        });
        if let Err(reason) = exchange_of_entry(entry.to_string().as_bytes()) {
            prop_assert!(!reason.is_empty());
        }
    }
}
