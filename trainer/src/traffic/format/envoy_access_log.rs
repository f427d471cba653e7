//! Envoy's JSON access log.
//!
//! Lines come in two kinds: those of the documented format (`docs/recorded-traffic.md`), which are exchange JSONL as Envoy
//! writes it, and those of the default formats of Istio and Envoy Gateway, which say less and under other names.

use std::borrow::Cow;

use apiward_detector::exchange::{Caller, Exchange};
use apiward_detector::observation::UNKNOWN;
use serde::Deserialize;

use super::json_values::{Text, json_reason, milliseconds_of_rfc3339, milliseconds_of_seconds};
use super::parts::{self, RecordedResponse, RequestBody, address_without_port};
use super::{Recorded, jsonl};

/// What Envoy writes where there is no value and `null` cannot stand.
const NO_VALUE: &str = "-";

/// Reads one line of either kind.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
pub fn exchange_of_line(line: &[u8]) -> Result<Recorded, String> {
    let logged: DefaultLine = serde_json::from_slice(line).map_err(|error| json_reason(&error))?;
    if logged.start_time.is_none() && logged.response_code.is_none() {
        return jsonl::exchange_of_line(line);
    }
    let host = value(&logged.authority).map(str::to_owned);
    let (Some(method), Some(path)) = (value(&logged.method), value(&logged.path)) else {
        return Err("it has no method or no path: it is of a connection and not of an HTTP request".to_owned());
    };
    let address = value(&logged.downstream_remote_address)
        // The last hop that is named is the one that Envoy itself saw or was told to trust.
        .or_else(|| value(&logged.x_forwarded_for).and_then(|hops| hops.rsplit(',').next()))
        .and_then(address_without_port);
    let headers = [("user-agent", &logged.user_agent), ("x-forwarded-for", &logged.x_forwarded_for)]
        .into_iter()
        .filter_map(|(name, text)| Some((name.to_owned(), value(text)?.to_owned())))
        .collect();
    let body = RequestBody { content: Vec::new(), bytes: count("bytes_received", &logged.bytes_received)? };
    let request = parts::request(method.to_owned(), host, path.to_owned(), headers, body)?;
    let response = parts::response(RecordedResponse {
        status: count("response_code", &logged.response_code)?,
        headers: None,
        body: None,
        bytes: count("bytes_sent", &logged.bytes_sent)?,
        duration_us: count("duration", &logged.duration)?.map(|milliseconds| milliseconds.saturating_mul(1000)),
    })?;
    let caller = Caller { identity: None, verified: false, address, kinds: vec![UNKNOWN.to_owned()] };
    Ok((Exchange { at_ms: time(&logged.start_time)?, caller, request, response }, None))
}

/// The members of the default formats that tell something: underscores are Istio's spelling, the rest Envoy Gateway's.
/// Numbers may be written as texts.
#[derive(Deserialize)]
struct DefaultLine<'l> {
    #[serde(borrow)]
    start_time: Option<Text<'l>>,
    #[serde(borrow, alias = ":authority")]
    authority: Option<Text<'l>>,
    #[serde(borrow)]
    method: Option<Text<'l>>,
    #[serde(borrow, alias = "x-envoy-origin-path")]
    path: Option<Text<'l>>,
    #[serde(borrow, alias = "user-agent")]
    user_agent: Option<Text<'l>>,
    #[serde(borrow, alias = "x-forwarded-for")]
    x_forwarded_for: Option<Text<'l>>,
    #[serde(borrow)]
    downstream_remote_address: Option<Text<'l>>,
    #[serde(borrow)]
    bytes_received: Option<Text<'l>>,
    #[serde(borrow)]
    response_code: Option<Text<'l>>,
    #[serde(borrow)]
    bytes_sent: Option<Text<'l>>,
    /// Milliseconds.
    #[serde(borrow)]
    duration: Option<Text<'l>>,
}

fn value<'t>(text: &'t Option<Text<'_>>) -> Option<&'t str> {
    let text: &Cow<'_, str> = &text.as_ref()?.0;
    Some(text.trim()).filter(|text| !text.is_empty() && *text != NO_VALUE)
}

fn count(name: &str, text: &Option<Text<'_>>) -> Result<Option<u64>, String> {
    let Some(text) = value(text) else { return Ok(None) };
    if let Ok(count) = text.parse() {
        return Ok(Some(count));
    }
    match text.parse::<f64>() {
        Ok(count) if (0.0..=u64::MAX as f64).contains(&count) => Ok(Some(count.round() as u64)),
        _ => Err(format!("`{name}` is {text:?}, not a number that is not negative")),
    }
}

fn time(text: &Option<Text<'_>>) -> Result<Option<i64>, String> {
    let Some(text) = value(text) else { return Ok(None) };
    milliseconds_of_rfc3339(text)
        .or_else(|| milliseconds_of_seconds(text.parse().ok()?))
        .map(Some)
        .ok_or_else(|| format!("`start_time` is {text:?}, not a time as in 2026-11-01T12:00:00Z"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A line as Istio's sidecars write it.
    const ISTIO: &str = r#"{"start_time":"2026-11-01T12:00:00.250Z","route_name":"default","method":"POST",
        "path":"/api/cart?x=1","protocol":"HTTP/1.1","response_code":201,"response_flags":"-",
        "response_code_details":"via_upstream","connection_termination_details":null,"bytes_received":17,
        "bytes_sent":512,"duration":12,"upstream_service_time":"11","x_forwarded_for":"203.0.113.9,10.0.0.3",
        "user_agent":"shopper/1.0","request_id":"e2873f51-0a42-4da4-a8e8-f711b46dea5c","authority":"shop.example",
        "upstream_host":"10.1.1.1:8080","downstream_remote_address":"10.0.0.7:51234","requested_server_name":null}"#;

    fn exchange(line: &str) -> Exchange {
        exchange_of_line(line.as_bytes()).unwrap().0
    }

    #[test]
    fn the_default_format_of_istio_is_read() {
        let exchange = exchange(ISTIO);
        assert_eq!(exchange.at_ms, Some(1_793_534_400_250));
        assert_eq!(exchange.caller.address.as_deref(), Some("10.0.0.7"));
        assert_eq!(exchange.caller.identity, None);
        let request = &exchange.request;
        assert_eq!((request.method.as_str(), request.host.as_str()), ("POST", "shop.example"));
        assert_eq!(request.target, "/api/cart?x=1");
        assert_eq!(request.headers[0], ("user-agent".to_owned(), "shopper/1.0".to_owned()));
        assert_eq!((request.body.len(), request.body_bytes), (0, 17));
        let response = exchange.response.unwrap();
        assert_eq!((response.status, response.bytes, response.duration_us), (Some(201), Some(512), Some(12_000)));
    }

    #[test]
    fn the_default_format_of_envoy_gateway_is_read() {
        let exchange = exchange(
            r#"{":authority":"backend:3000","bytes_received":0,"bytes_sent":466,"downstream_remote_address":"[::1]:34805",
                "duration":1,"method":"GET","response_code":200,"start_time":"2026-11-01T12:00:00Z","user-agent":"curl/8",
                "x-envoy-origin-path":"/a","x-forwarded-for":"10.244.0.12"}"#,
        );
        assert_eq!(exchange.request.host, "backend:3000");
        assert_eq!(exchange.request.target, "/a");
        assert_eq!(exchange.caller.address.as_deref(), Some("::1"));
        assert_eq!(exchange.request.headers.len(), 2);
    }

    #[test]
    fn lines_of_the_documented_format_are_exchange_jsonl() {
        let line = r#"{"ts":"2026-11-01T12:00:00.000Z","caller":null,"address":"10.0.0.7","host":"shop.example",
            "method":"POST","path":"/api/cart","request_headers":{"content-type":"application/json","accept":null},
            "request_bytes":17,"status":201,"response_headers":{"content-type":null,"grpc-status":null},
            "response_bytes":1e+05,"duration_us":1200,"verdict":"normal"}"#;
        let read = exchange(line);
        assert_eq!(read, jsonl::exchange_of_line(line.as_bytes()).unwrap().0);
        assert_eq!(read.request.body_bytes, 17);
        assert_eq!(read.request.headers.len(), 1);
        assert_eq!(read.response.unwrap().bytes, Some(100_000));
    }

    #[test]
    fn values_that_are_missing_or_written_as_texts_are_understood() {
        let check = |members: &str, expected: (Option<u16>, Option<u64>, Option<&str>)| {
            let line = format!(r#"{{"start_time":"-","method":"GET","path":"/",{members}}}"#);
            let exchange = exchange(&line);
            let response = exchange.response.as_ref();
            let read = (
                response.and_then(|response| response.status),
                response.and_then(|response| response.duration_us),
                exchange.caller.address.as_deref(),
            );
            assert_eq!(read, expected, "{line}");
        };
        check(r#""response_code":"200","duration":"3""#, (Some(200), Some(3000), None));
        check(r#""response_code":0,"duration":"-""#, (None, None, None));
        check(r#""response_code":200,"duration":1e+05"#, (Some(200), Some(100_000_000), None));
        check(r#""x_forwarded_for":"203.0.113.9, 10.0.0.3""#, (None, None, Some("10.0.0.3")));
        check(
            r#""downstream_remote_address":"10.0.0.7:1","x_forwarded_for":"9.9.9.9""#,
            (None, None, Some("10.0.0.7")),
        );
    }

    #[test]
    fn a_bad_line_says_what_is_wrong() {
        let check = |line: &str, expected: &str| {
            let reason = exchange_of_line(line.as_bytes()).unwrap_err();
            assert!(reason.contains(expected), "{line}: {reason:?} does not mention {expected:?}");
        };
        check(
            r#"{"start_time":"2026-11-01T12:00:00Z","method":null,"path":null,"response_code":0}"#,
            "of a connection",
        );
        check(r#"{"start_time":"noon","method":"GET","path":"/"}"#, "`start_time` is \"noon\"");
        check(r#"{"response_code":-5,"method":"GET","path":"/"}"#, "`response_code` is \"-5\"");
        check(r#"{"response_code":42,"method":"GET","path":"/"}"#, "not an HTTP status");
        check(r#"{"response_code":[],"method":"GET","path":"/"}"#, "a text or a number");
        check("[2026-11-01 12:00:00.000][1][info] starting", "expected");
        check(r#"{"path":"/"}"#, "missing field `method`");
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused_with_a_reason(line in prop::collection::vec(any::<u8>(), 0..300)) {
            if let Err(reason) = exchange_of_line(&line) {
                prop_assert!(!reason.is_empty());
            }
        }

        #[test]
        fn any_values_under_the_known_names_are_read_or_refused(
            members in prop::collection::vec((prop::sample::select(vec![
                "start_time", "authority", "method", "path", "user_agent", "x_forwarded_for", "downstream_remote_address",
                "bytes_received", "response_code", "bytes_sent", "duration",
            ]), prop_oneof![
                any::<String>().prop_map(|text| serde_json::Value::String(text).to_string()),
                any::<f64>().prop_map(|number| number.to_string()),
                any::<i64>().prop_map(|number| number.to_string()),
                Just("null".to_owned()),
                Just("\"1e999\"".to_owned()),
            ]), 0..11),
        ) {
            let members: Vec<_> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            if let Err(reason) = exchange_of_line(format!("{{{}}}", members.join(",")).as_bytes()) {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
