use std::io::{self, Cursor, Read};

use proptest::prelude::*;

use super::*;
use crate::traffic::Progress;

const JSONL: &str = r#"{"method":"GET","path":"/jsonl","ts":"2026-11-01T12:00:00Z"}"#;
const ENVOY: &str = r#"{"method":"GET","path":"/envoy","start_time":"2026-11-01T12:00:00Z","response_code":200}"#;
const COMBINED: &str = r#"10.0.0.7 - - [01/Nov/2026:12:00:00 +0000] "GET /combined HTTP/1.1" 200 5 "-" "-""#;
const HAR: &str = r#"{"log":{"entries":[{"request":{"method":"GET","url":"http://a.example/har"}}]}}"#;

fn source(reader: impl Read + 'static) -> Source {
    let reader = Box::new(io::BufReader::with_capacity(7, reader));
    Source { name: "test".to_owned(), reader, progress: Progress::default() }
}

/// The targets that are read, bad entries by their place; or what ended it all.
fn targets(content: &str, format: Format) -> Result<Vec<String>, String> {
    let entries = format.entries(source(Cursor::new(content.to_owned()))).map_err(|error| error.to_string())?;
    entries
        .map(|entry| match entry {
            Ok(Entry::Exchange(labelled)) => Ok(labelled.exchange.request.target),
            Ok(Entry::Bad(bad)) => Ok(bad.place.to_string()),
            Err(error) => Err(error.to_string()),
        })
        .collect()
}

#[track_caller]
fn check(content: &str, expected: &[&str]) {
    assert_eq!(targets(content, Format::Auto).unwrap(), expected, "{content}");
}

#[test]
fn every_format_is_recognised_and_read_from_its_first_byte() {
    check(JSONL, &["/jsonl"]);
    check(ENVOY, &["/envoy"]);
    check(COMBINED, &["/combined"]);
    check(HAR, &["/har"]);
    let pretty = serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(HAR).unwrap()).unwrap();
    check(&pretty, &["/har"]);
    check(&format!("\u{feff}\n\n{}", pretty.replace('\n', "\r\n")), &["/har"]);
    check(&format!("\u{feff}{JSONL}\r\n"), &["/jsonl"]);
    check("", &[]);
    check("\n \n", &[]);
}

#[test]
fn a_line_of_a_known_kind_decides_and_the_ones_before_it_are_bad() {
    check(&format!("[2026-11-01][info] starting\n\n{ENVOY}\n{ENVOY}"), &["line 1", "/envoy", "/envoy"]);
    check(&format!("{{\"message\":\"hello\"}}\n{ENVOY}"), &["line 1", "/envoy"]);
    check(&format!("cut off\n{JSONL}"), &["line 1", "/jsonl"]);
    check(&format!("# a comment\n{COMBINED}"), &["line 1", "/combined"]);
}

#[test]
fn a_bare_exchange_is_exchange_jsonl_and_so_is_one_with_names_of_envoy() {
    check(r#"{"method":"GET","path":"/a"}"#, &["/a"]);
    check(r#"{"method":"GET","path":"/a","status":200,"host":"a.example"}"#, &["/a"]);
    check(r#"{"method":"GET","path":"/a","ts":1,"start_time":"noon"}"#, &["/a"]);
    // Reading it says what is missing.
    check(r#"{"verb":"GET"}"#, &["line 1"]);
}

#[test]
fn what_is_in_no_known_format_is_refused() {
    let refused = |content: &str, expected: &str| {
        let error = targets(content, Format::Auto).unwrap_err();
        assert!(error.contains(expected), "{content}: {error}");
    };
    refused("not traffic\nat all\n", "is not recognised");
    refused("[1,2]", "is not recognised");
    refused("{\n  \"openapi\": \"3.1.0\"\n}", "is no HTTP Archive");
    refused(r#"{"log":{"version":"1.2"}}"#, "is no HTTP Archive");
}

#[test]
fn a_named_format_is_not_recognised_again() {
    assert_eq!(targets(JSONL, Format::CombinedLog).unwrap(), ["line 1"]);
    assert_eq!(targets(COMBINED, Format::Jsonl).unwrap(), ["line 1"]);
    assert_eq!(targets(JSONL, Format::EnvoyAccessLog).unwrap(), ["/jsonl"]);
}

/// Gives one line and then fails the test when more is asked for.
struct OneLine(Option<String>);

impl Read for OneLine {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let line = self.0.take().expect("more than one line was read");
        buffer[..line.len()].copy_from_slice(line.as_bytes());
        Ok(line.len())
    }
}

#[test]
fn a_pipe_is_recognised_by_its_first_line_without_waiting_for_more() {
    let reader = Box::new(io::BufReader::new(OneLine(Some(format!("{JSONL}\n")))));
    let source = Source { name: "pipe".to_owned(), reader, progress: Progress::default() };
    let first = Format::Auto.entries(source).unwrap().next().unwrap().unwrap();
    assert!(matches!(first, Entry::Exchange(_)));
}

proptest! {
    #[test]
    fn any_bytes_are_recognised_or_refused_in_every_format(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        for format in
            [Format::Auto, Format::Jsonl, Format::Har, Format::EnvoyAccessLog, Format::CombinedLog]
        {
            if let Ok(entries) = format.entries(source(Cursor::new(bytes.clone()))) {
                prop_assert!(entries.count() <= bytes.len() + 1);
            }
        }
    }

    #[test]
    fn recognising_loses_no_byte(lines in prop::collection::vec("[ -~]{0,30}", 0..5)) {
        let content = format!("{}\n{COMBINED}\n{}", lines.join("\n"), lines.join("\n"));
        if let Ok((Format::CombinedLog, mut source)) = detection::recognise(source(Cursor::new(content.clone()))) {
            let mut read = String::new();
            source.reader.read_to_string(&mut read).unwrap();
            prop_assert_eq!(read, content);
        }
    }
}
