use proptest::prelude::*;

use super::*;

fn exchange(line: &str) -> Exchange {
    exchange_of_line(line.as_bytes()).unwrap_or_else(|reason| panic!("{line}: {reason}")).0
}

/// `address user time host | method target | status bytes | referer | user agent`, with `-` for what is not there.
fn told(line: &str) -> String {
    let exchange = exchange(line);
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let header = |name| or_dash(apiward_detector::exchange::header(&exchange.request.headers, name).map(str::to_owned));
    let response = exchange.response.clone().unwrap_or_default();
    format!(
        "{} {} {} {:?} | {} {} | {} {} | {} | {}",
        or_dash(exchange.caller.address.clone()),
        or_dash(exchange.caller.identity.clone()),
        or_dash(exchange.at_ms.map(|at_ms| at_ms.to_string())),
        exchange.request.host,
        exchange.request.method,
        exchange.request.target,
        or_dash(response.status.map(|status| status.to_string())),
        or_dash(response.bytes.map(|bytes| bytes.to_string())),
        header("referer"),
        header("user-agent"),
    )
}

#[track_caller]
fn check(line: &str, expected: &str) {
    assert_eq!(told(line), expected, "{line}");
}

const AT: &str = "[01/Nov/2026:12:00:00 +0000]";

#[track_caller]
fn check_request(request: &str, expected: Result<&str, &str>) {
    let line = format!(r#"10.0.0.7 - - {AT} "{request}" 200 5 "-" "-""#);
    match (exchange_of_line(line.as_bytes()), expected) {
        (Ok((exchange, _)), Ok(expected)) => {
            let request = exchange.request;
            assert_eq!(format!("{} {} {}", request.method, request.host, request.target), expected, "{line}");
        }
        (Err(reason), Err(expected)) => assert!(reason.contains(expected), "{line}: {reason:?}"),
        (read, _) => panic!("{line}: {read:?}"),
    }
}

#[test]
fn tidy_lines_give_all_that_they_tell() {
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET /a?x=1 HTTP/1.1" 200 203 "http://r.example/" "Mozilla/5.0 (X; Y)""#,
        r#"10.0.0.7 - 1793534400000 "" | GET /a?x=1 | 200 203 | http://r.example/ | Mozilla/5.0 (X; Y)"#,
    );
    // Common log format, a user, a zone.
    check(
        r#"10.0.0.7 - frank [01/Nov/2026:15:30:00 +0330] "POST /a HTTP/1.0" 404 -"#,
        r#"10.0.0.7 frank 1793534400000 "" | POST /a | 404 0 | - | -"#,
    );
}

#[test]
fn what_stands_before_the_time_may_vary() {
    let line = |client: &str| format!(r#"{client} {AT} "GET / HTTP/1.1" 200 5 "-" "-""#);
    let check = |client: &str, expected: &str| {
        assert_eq!(told(&line(client)), format!("{expected} | GET / | 200 5 | - | -"), "{client}");
    };
    check("2001:db8::1 - -", r#"2001:db8::1 - 1793534400000 """#);
    check("client.example - -", r#"client.example - 1793534400000 """#);
    check("10.0.0.7 - Ann Lee", r#"10.0.0.7 Ann Lee 1793534400000 """#);
    check("10.0.0.7 - [bracketed]", r#"10.0.0.7 [bracketed] 1793534400000 """#);
    check(r#"10.0.0.7 - """#, r#"10.0.0.7 - 1793534400000 """#);
    check("shop.example:443 10.0.0.7 - -", r#"10.0.0.7 - 1793534400000 "shop.example:443""#);
    check("Nov  1 12:00:00 web1 nginx: 10.0.0.7 - ann", r#"10.0.0.7 ann 1793534400000 """#);
    check("- - -", r#"- - 1793534400000 """#);
    check("10.0.0.7", r#"10.0.0.7 - 1793534400000 """#);
}

#[test]
fn a_user_that_was_not_let_in_is_no_caller() {
    let line = format!(r#"10.0.0.7 - admin {AT} "GET / HTTP/1.1" 401 5"#);
    assert_eq!(exchange(&line).caller.identity, None);
}

#[test]
fn cut_lines_tell_what_is_left_of_them() {
    // As the scanner's log has them: the user agent has no end.
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 3279 "-" "w3af.org"#,
        r#"10.0.0.7 - 1793534400000 "" | GET / | 200 3279 | - | w3af.org"#,
    );
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 3279 "http://r.exa"#,
        r#"10.0.0.7 - 1793534400000 "" | GET / | 200 3279 | http://r.exa | -"#,
    );
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 200"#,
        r#"10.0.0.7 - 1793534400000 "" | GET / | 200 - | - | -"#,
    );
}

#[test]
fn quotes_and_escapes_in_values_are_undone() {
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET /a?q=\"x\" HTTP/1.1" 200 5 "a\"b\\" "tab\tend\xc3\xb1" "extra" 0.004"#,
        "10.0.0.7 - 1793534400000 \"\" | GET /a?q=\"x\" | 200 5 | a\"b\\ | tab\tendñ",
    );
    // Not every server escapes.
    check(
        r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET /a?q="x" HTTP/1.1" 200 5 "-" "say "hi"now""#,
        r#"10.0.0.7 - 1793534400000 "" | GET /a?q="x" | 200 5 | - | say "hi"now"#,
    );
    let invalid = b"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] \"GET /\xff HTTP/1.1\" 200 5 \"-\" \"-\"";
    assert_eq!(exchange_of_line(invalid).unwrap().0.request.target, "/\u{fffd}");
}

#[test]
fn requests_are_http_request_lines_or_bad() {
    check_request("GET / HTTP/1.1", Ok("GET  /"));
    check_request("GET /a b c HTTP/1.1", Ok("GET  /a b c"));
    check_request("GET /old", Ok("GET  /old"));
    check_request("PROPFIND /dav HTTP/2.0", Ok("PROPFIND  /dav"));
    check_request("GET http://other.example:81/x?y HTTP/1.1", Ok("GET other.example:81 /x?y"));
    check_request("OPTIONS * HTTP/1.1", Ok("OPTIONS  *"));
    check_request("CONNECT a.example:443 HTTP/1.1", Ok("CONNECT  a.example:443"));
    check_request("-", Err(r#""-" is no HTTP request line"#));
    check_request("", Err("is no HTTP request line"));
    check_request(r"\x16\x03\x01\x02", Err("is no HTTP request line"));
    check_request("SSH-2.0-OpenSSH_9.0", Err("is no HTTP request line"));
    check_request("GET index.html HTTP/1.1", Err("is no HTTP request line"));
    check_request("POST /a", Err("is no HTTP request line"));
    check_request(r"G\x00T / HTTP/1.1", Err("is no HTTP request line"));
    check_request(" / HTTP/1.1", Err("is no HTTP request line"));
}

#[test]
fn a_bad_line_says_what_is_wrong() {
    let check = |line: &str, expected: &str| {
        let reason = exchange_of_line(line.as_bytes()).unwrap_err();
        assert!(reason.contains(expected), "{line}: {reason:?} does not mention {expected:?}");
    };
    check("", "no time");
    check("nothing of the kind", "no time");
    check(r#"10.0.0.7 - - [31/Feb/2026:12:00:00 +0000] "GET / HTTP/1.1" 200 5"#, "no time");
    check(r#"10.0.0.7 - - [01/Nov/2026:12:00:00] "GET / HTTP/1.1" 200 5"#, "no time");
    check(r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] GET / HTTP/1.1 200 5"#, "no quoted request");
    check(r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET / HTT"#, "ends before the status");
    check(r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET / HTTP/1.1" 042 5"#, "not an HTTP status");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused_with_a_reason(line in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(reason) = exchange_of_line(&line) {
            prop_assert!(!reason.is_empty());
        }
    }

    #[test]
    fn any_line_near_the_format_is_read_or_refused(
        client in "[-0-9a-z.: \\[\"]{0,20}",
        request in "[A-Z]{0,5} [ -~é]{0,20}( HTTP/1.1)?",
        rest in "[-0-9\" \\\\xé]{0,40}",
        cut in 0_usize..140,
    ) {
        let line = format!("{client} {AT} \"{request}\"{rest}");
        let bytes = &line.as_bytes()[..cut.min(line.len())];
        if let Err(reason) = exchange_of_line(bytes) {
            prop_assert!(!reason.is_empty());
        }
    }

    #[test]
    fn what_is_escaped_as_apache_does_comes_back(text in "[ -~]{0,40}") {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"");
        prop_assert_eq!(unescaped(&escaped), text);
    }
}
