//! Exchange JSONL: one JSON object per line, of which only `method` and `path` must be there.

use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;
use std::net::{IpAddr, SocketAddr};

use apiward_detector::exchange::{Caller, Exchange, Request, Response, header};
use apiward_detector::limits;
use apiward_detector::observation::KindClaims;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::traffic::lines::{LINE_BYTES_MAX, Line, LineReader};
use crate::traffic::{BadLine, Entry, Labelled, Source, TrafficError};

/// Bytes kept of one request body, as the filter keeps them by default; the length counts all of them.
const BODY_BYTES_MAX: usize = limits::BODY_BYTES_DEFAULT;
/// Standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// First and last second of the years 1 to 9999, the ones RFC 3339 can write.
const EPOCH_SECONDS: std::ops::RangeInclusive<f64> = -62_135_596_800.0..=253_402_300_799.0;

/// Entries of an exchange JSONL file.
pub struct JsonLines<R> {
    name: String,
    lines: LineReader<R>,
    read_lines: u64,
    failed: bool,
}

impl JsonLines<Box<dyn BufRead>> {
    pub fn new(source: Source) -> Self {
        Self { name: source.name, lines: LineReader::new(source.reader, LINE_BYTES_MAX), read_lines: 0, failed: false }
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<Entry, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let index = self.read_lines;
            let parsed = match self.lines.next_line() {
                Ok(None) => return None,
                Ok(Some(Line::Complete(line))) if is_blank(line) => Ok(None),
                Ok(Some(Line::Complete(line))) => exchange_of_line(line).map(Some),
                Ok(Some(Line::TooLong { bytes })) => {
                    Err(format!("the line has {bytes} bytes, at most {LINE_BYTES_MAX} are read"))
                }
                Err(source) => {
                    self.failed = true;
                    return Some(Err(TrafficError::Read { name: self.name.clone(), line: index, source }));
                }
            };
            self.read_lines += 1;
            match parsed {
                Ok(None) => {}
                Ok(Some((exchange, label))) => {
                    return Some(Ok(Entry::Exchange(Box::new(Labelled { index, exchange, label }))));
                }
                Err(reason) => return Some(Ok(Entry::Bad(BadLine { number: index + 1, reason }))),
            }
        }
        None
    }
}

fn is_blank(line: &[u8]) -> bool {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii().is_empty()
}

/// Reads one line.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
fn exchange_of_line(line: &[u8]) -> Result<(Exchange, Option<String>), String> {
    let json = line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line);
    let recorded: RecordedExchange = serde_json::from_slice(json).map_err(|error| json_reason(&error))?;
    let at_ms = recorded.ts.map(|instant| instant.0);
    let label = recorded.label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
    let body = body_bytes(recorded.request_body, recorded.request_body_base64.as_deref())?;
    let body_bytes = body.len() as u64;
    let mut kept_body = body;
    kept_body.truncate(BODY_BYTES_MAX);

    let mut headers = recorded.request_headers.unwrap_or_default().0;
    let host = match recorded.host {
        Some(host) => host.into_owned(),
        None => header(&headers, ":authority").or_else(|| header(&headers, "host")).unwrap_or_default().to_owned(),
    };
    // The proxy turns the host header and the pseudo headers into method, host and target too.
    headers.retain(|(name, _)| !name.starts_with(':') && name != "host");
    let caller = Caller {
        identity: recorded.caller.map(|identity| identity.0.into_owned()).filter(|identity| !identity.is_empty()),
        verified: false,
        address: recorded.address.as_deref().map(without_port).filter(|address| !address.is_empty()),
        kinds: recorded.caller_kinds.unwrap_or_else(|| KindClaims::default().kinds_of_headers(&headers)),
    };
    if recorded.method.trim().is_empty() {
        return Err("`method` is empty".to_owned());
    }
    let request = Request {
        method: recorded.method.into_owned(),
        host,
        target: recorded.path.into_owned(),
        headers,
        body: kept_body,
        body_bytes,
    };
    let mut response =
        response_of(recorded.status, recorded.response_headers, recorded.response_bytes, recorded.duration_us)?;
    if let Some(body) = recorded.response_body {
        keep_response_body(response.get_or_insert_default(), &body);
    }
    Ok((Exchange { at_ms, caller, request, response }, label))
}

/// One line as written; unknown members are passed over, `null` is the same as missing.
#[derive(Deserialize)]
struct RecordedExchange<'l> {
    ts: Option<Instant>,
    #[serde(borrow)]
    caller: Option<Text<'l>>,
    caller_kinds: Option<Vec<String>>,
    #[serde(borrow)]
    address: Option<Cow<'l, str>>,
    #[serde(borrow)]
    host: Option<Cow<'l, str>>,
    #[serde(borrow)]
    method: Cow<'l, str>,
    #[serde(borrow)]
    path: Cow<'l, str>,
    request_headers: Option<Headers>,
    #[serde(borrow)]
    request_body: Option<Cow<'l, str>>,
    #[serde(borrow)]
    request_body_base64: Option<Cow<'l, str>>,
    status: Option<Count>,
    response_headers: Option<Headers>,
    #[serde(borrow)]
    response_body: Option<Cow<'l, str>>,
    response_bytes: Option<Count>,
    duration_us: Option<Count>,
    #[serde(borrow)]
    label: Option<Cow<'l, str>>,
}

fn body_bytes(text: Option<Cow<'_, str>>, base64: Option<&str>) -> Result<Vec<u8>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err("both `request_body` and `request_body_base64` are given, give one".to_owned()),
        (Some(text), None) => Ok(text.into_owned().into_bytes()),
        (None, Some(encoded)) => BASE64
            .decode(encoded)
            .map_err(|error| format!("`request_body_base64` is no base64: {error}").to_lowercase()),
        (None, None) => Ok(Vec::new()),
    }
}

fn response_of(
    status: Option<Count>,
    headers: Option<Headers>,
    bytes: Option<Count>,
    duration_us: Option<Count>,
) -> Result<Option<Response>, String> {
    if status.is_none() && headers.is_none() && bytes.is_none() && duration_us.is_none() {
        return Ok(None);
    }
    let status = match status.map(|status| status.0) {
        // Proxies write 0 when the caller went away before there was a status.
        None | Some(0) => None,
        Some(status @ 100..=999) => u16::try_from(status).ok(),
        Some(other) => return Err(format!("`status` is {other}, not an HTTP status")),
    };
    let mut headers = headers.unwrap_or_default().0;
    headers.retain(|(name, _)| !name.starts_with(':'));
    let grpc_status = header(&headers, "grpc-status").and_then(|status| status.trim().parse().ok());
    Ok(Some(Response {
        status,
        grpc_status,
        headers,
        body: Vec::new(),
        bytes: bytes.map(|bytes| bytes.0),
        duration_us: duration_us.map(|duration| duration.0),
    }))
}

/// A response body tells its length, where nothing else does.
fn keep_response_body(response: &mut Response, body: &str) {
    response.bytes = response.bytes.or(Some(body.len() as u64));
    response.body = body.as_bytes().iter().take(limits::RESPONSE_BODY_BYTES_DEFAULT).copied().collect();
}

/// The address of `10.0.0.7:51234` and `[::1]:51234`; any other text unchanged.
fn without_port(address: &str) -> String {
    let address = address.trim();
    if address.parse::<IpAddr>().is_err()
        && let Ok(socket) = address.parse::<SocketAddr>()
    {
        return socket.ip().to_string();
    }
    address.to_owned()
}

/// What serde_json says, without the line number, which is always 1 here.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((reason, _)) if error.column() > 0 => format!("{reason} (column {})", error.column()),
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// Milliseconds since the Unix epoch, from an RFC 3339 text or from seconds since the epoch.
struct Instant(i64);

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InstantVisitor;
        impl Visitor<'_> for InstantVisitor {
            type Value = Instant;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a time as in 2026-11-01T12:00:00Z, or seconds since 1970")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Instant, E> {
                let parsed = OffsetDateTime::parse(text.trim(), &Rfc3339)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))?;
                i64::try_from(parsed.unix_timestamp_nanos().div_euclid(1_000_000))
                    .map(Instant)
                    .map_err(|_| E::invalid_value(de::Unexpected::Str(text), &self))
            }

            fn visit_u64<E: de::Error>(self, seconds: u64) -> Result<Instant, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_i64<E: de::Error>(self, seconds: i64) -> Result<Instant, E> {
                self.visit_f64(seconds as f64)
            }

            fn visit_f64<E: de::Error>(self, seconds: f64) -> Result<Instant, E> {
                if !EPOCH_SECONDS.contains(&seconds) {
                    return Err(E::invalid_value(de::Unexpected::Float(seconds), &self));
                }
                Ok(Instant((seconds * 1000.0).round() as i64))
            }
        }
        deserializer.deserialize_any(InstantVisitor)
    }
}

/// A non-negative whole number; exporters that only know floats may write `512.0`.
#[derive(Clone, Copy)]
struct Count(u64);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountVisitor;
        impl Visitor<'_> for CountVisitor {
            type Value = Count;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a number that is not negative")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Count, E> {
                Ok(Count(count))
            }

            fn visit_f64<E: de::Error>(self, count: f64) -> Result<Count, E> {
                if !(0.0..=u64::MAX as f64).contains(&count) {
                    return Err(E::invalid_value(de::Unexpected::Float(count), &self));
                }
                Ok(Count(count.round() as u64))
            }
        }
        deserializer.deserialize_any(CountVisitor)
    }
}

/// A text, or a number taken as one (numeric user ids).
struct Text<'l>(Cow<'l, str>);

impl<'de: 'l, 'l> Deserialize<'de> for Text<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a text or a number")
            }

            fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(number.to_string())))
            }
        }
        deserializer.deserialize_any(TextVisitor)
    }
}

/// Headers in the order they were written, names in lower case; a value may be a list of values.
#[derive(Default)]
struct Headers(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Headers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct HeadersVisitor;
        impl<'de> Visitor<'de> for HeadersVisitor {
            type Value = Headers;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of headers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Headers, A::Error> {
                let mut headers = Vec::new();
                while let Some(name) = members.next_key::<Text<'_>>()? {
                    let name = name.0.to_ascii_lowercase();
                    let values: HeaderValues = members.next_value()?;
                    headers.extend(values.0.into_iter().map(|value| (name.clone(), value)));
                }
                Ok(Headers(headers))
            }
        }
        deserializer.deserialize_map(HeadersVisitor)
    }
}

/// The values of one header: one text, several, or none for `null`.
struct HeaderValues(Vec<String>);

impl<'de> Deserialize<'de> for HeaderValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ValuesVisitor;
        impl<'de> Visitor<'de> for ValuesVisitor {
            type Value = HeaderValues;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a header value (a text or a list of texts)")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<HeaderValues, E> {
                Ok(HeaderValues(vec![text.to_owned()]))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<HeaderValues, E> {
                Ok(HeaderValues(vec![number.to_string()]))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<HeaderValues, E> {
                Ok(HeaderValues(vec![number.to_string()]))
            }

            fn visit_unit<E: de::Error>(self) -> Result<HeaderValues, E> {
                Ok(HeaderValues(Vec::new()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<HeaderValues, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = items.next_element::<Text<'_>>()? {
                    values.push(value.0.into_owned());
                }
                Ok(HeaderValues(values))
            }
        }
        deserializer.deserialize_any(ValuesVisitor)
    }
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;
