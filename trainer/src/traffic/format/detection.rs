//! Which format a file is in, by its beginning.
//!
//! A document that opens an object `log`, or that opens an object and ends its line there, is an archive. Otherwise the first
//! line that is of a known kind decides: a file may begin with lines that are of none.

use std::collections::HashMap;
use std::io::{BufRead as _, Cursor, Read as _};

use serde::de::IgnoredAny;

use super::line_entries::content;
use super::{Format, combined_log};
use crate::traffic::{LINE_BYTES_MAX, Place, Source, TrafficError};

/// Bytes that are looked at: the longest line that is read.
const SAMPLE_BYTES_MAX: usize = LINE_BYTES_MAX;

/// Names of exchange JSONL that no default format of Envoy has.
const EXCHANGE_NAMES: [&str; 8] = [
    "ts",
    "request_headers",
    "request_body",
    "request_body_base64",
    "request_bytes",
    "response_headers",
    "response_bytes",
    "duration_us",
];
/// Names that default formats of Envoy, Istio and Envoy Gateway have.
const ENVOY_NAMES: [&str; 2] = ["start_time", "response_code"];

/// Recognises the format and gives the file back, whole. A file with nothing in it passes for exchange JSONL.
///
/// # Errors
/// When the beginning is in no known format, or cannot be read.
pub fn recognise(mut source: Source) -> Result<(Format, Source), TrafficError> {
    let mut sample = Vec::new();
    let mut fallback = None;
    let mut lines = 0;
    let recognised = loop {
        let line_start = sample.len();
        let room = SAMPLE_BYTES_MAX.saturating_sub(line_start) as u64;
        let read = source.reader.by_ref().take(room).read_until(b'\n', &mut sample);
        match read {
            Ok(0) => break fallback,
            Ok(_) => lines += 1,
            Err(error) => {
                return Err(TrafficError::Read { name: source.name, place: Place::Line(lines), source: error });
            }
        }
        let line = content(&sample[line_start..]);
        if is_archive(content(&sample)) {
            break Some(Format::Har);
        }
        match format_of_line(line) {
            Kind::Is(format) => break Some(format),
            Kind::MayBe(format) => fallback = fallback.or(Some(format)),
            Kind::Unknown => {}
        }
    };
    let is_blank = content(&sample).is_empty();
    match recognised.or(is_blank.then_some(Format::Jsonl)) {
        Some(format) => {
            source.reader = Box::new(Cursor::new(sample).chain(source.reader));
            Ok((format, source))
        }
        None => Err(TrafficError::Unrecognised { name: source.name }),
    }
}

/// Whether a document begins as an archive does: `{` and the end of a line, or `{"log": {`.
fn is_archive(document: &[u8]) -> bool {
    if document == b"{" {
        return true;
    }
    let mut rest = document;
    for token in [b"{".as_slice(), b"\"log\"", b":", b"{"] {
        match rest.trim_ascii_start().strip_prefix(token) {
            Some(after) => rest = after,
            None => return false,
        }
    }
    true
}

/// What one line says of the format.
enum Kind {
    Is(Format),
    /// Its kind, but a line that says nothing: reading it gives the reason.
    MayBe(Format),
    Unknown,
}

fn format_of_line(line: &[u8]) -> Kind {
    if line.is_empty() {
        return Kind::Unknown;
    }
    let Ok(members) = serde_json::from_slice::<HashMap<String, IgnoredAny>>(line) else {
        let is_access_log = combined_log::exchange_of_line(line).is_ok();
        return if is_access_log { Kind::Is(Format::CombinedLog) } else { Kind::Unknown };
    };
    let any = |names: &[&str]| names.iter().any(|name| members.contains_key(*name));
    if any(&EXCHANGE_NAMES) {
        Kind::Is(Format::Jsonl)
    } else if any(&ENVOY_NAMES) {
        Kind::Is(Format::EnvoyAccessLog)
    } else if any(&["method"]) && any(&["path"]) {
        Kind::Is(Format::Jsonl)
    } else {
        Kind::MayBe(Format::Jsonl)
    }
}
