//! Exchange JSONL: one JSON object per line, of which only `method` and `path` must be there.

use std::borrow::Cow;

use apiward_detector::exchange::{Caller, Exchange};
use apiward_detector::observation::KindClaims;
use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::Recorded;
use super::json_values::{Count, Headers, Instant, Text, json_reason};
use super::parts::{self, RecordedResponse, RequestBody, address_without_port};

/// Standard alphabet, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads one line.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
pub fn exchange_of_line(line: &[u8]) -> Result<Recorded, String> {
    let recorded: RecordedExchange = serde_json::from_slice(line).map_err(|error| json_reason(&error))?;
    let at_ms = recorded.ts.map(|instant| instant.0);
    let label = recorded.label.map(|label| label.trim().to_owned()).filter(|label| !label.is_empty());
    let content = body_content(recorded.request_body, recorded.request_body_base64.as_deref())?;
    let request = parts::request(
        recorded.method.into_owned(),
        recorded.host.map(Cow::into_owned),
        recorded.path.into_owned(),
        recorded.request_headers.unwrap_or_default().0,
        RequestBody { content, bytes: recorded.request_bytes.map(|bytes| bytes.0) },
    )?;
    let caller = Caller {
        identity: recorded.caller.map(|identity| identity.0.into_owned()).filter(|identity| !identity.is_empty()),
        verified: false,
        address: recorded.address.as_deref().and_then(address_without_port),
        kinds: recorded.caller_kinds.unwrap_or_else(|| KindClaims::default().kinds_of_headers(&request.headers)),
    };
    let response = parts::response(RecordedResponse {
        status: recorded.status.map(|status| status.0),
        headers: recorded.response_headers.map(|headers| headers.0),
        body: recorded.response_body.map(Cow::into_owned),
        bytes: recorded.response_bytes.map(|bytes| bytes.0),
        duration_us: recorded.duration_us.map(|duration| duration.0),
    })?;
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
    /// Length of the whole body, where less of it was recorded.
    request_bytes: Option<Count>,
    status: Option<Count>,
    response_headers: Option<Headers>,
    #[serde(borrow)]
    response_body: Option<Cow<'l, str>>,
    response_bytes: Option<Count>,
    duration_us: Option<Count>,
    #[serde(borrow)]
    label: Option<Cow<'l, str>>,
}

fn body_content(text: Option<Cow<'_, str>>, base64: Option<&str>) -> Result<Vec<u8>, String> {
    match (text, base64) {
        (Some(_), Some(_)) => Err("both `request_body` and `request_body_base64` are given, give one".to_owned()),
        (Some(text), None) => Ok(text.into_owned().into_bytes()),
        (None, Some(encoded)) => BASE64
            .decode(encoded)
            .map_err(|error| format!("`request_body_base64` is no base64: {error}").to_lowercase()),
        (None, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
#[path = "jsonl_tests.rs"]
mod tests;
