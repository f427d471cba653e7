//! What all formats make of the parts of an exchange.

use std::net::{IpAddr, SocketAddr};

use apiward_detector::exchange::{Request, Response, header};
use apiward_detector::limits;

/// Bytes kept of one request body, as the filter keeps them by default; the length counts all of them.
pub const BODY_BYTES_MAX: usize = limits::BODY_BYTES_DEFAULT;
/// Characters of a bad value that are shown.
const SHOWN_CHARACTERS: usize = 60;

/// The body of a request.
#[derive(Debug, Default)]
pub struct RequestBody {
    /// What was recorded of it.
    pub content: Vec<u8>,
    /// Its length where that is known beside the content, which may be missing.
    pub bytes: Option<u64>,
}

/// A request; without a host, the one of its headers is taken. Names of headers are in lower case.
///
/// # Errors
/// When the method is empty.
pub fn request(
    method: String,
    host: Option<String>,
    target: String,
    mut headers: Vec<(String, String)>,
    body: RequestBody,
) -> Result<Request, String> {
    if method.trim().is_empty() {
        return Err("`method` is empty".to_owned());
    }
    let host = host.unwrap_or_else(|| {
        header(&headers, ":authority").or_else(|| header(&headers, "host")).unwrap_or_default().to_owned()
    });
    // The proxy turns the host header and the pseudo headers into method, host and target too.
    headers.retain(|(name, _)| !name.starts_with(':') && name != "host");
    let body_bytes = (body.content.len() as u64).max(body.bytes.unwrap_or_default());
    let mut kept_body = body.content;
    kept_body.truncate(BODY_BYTES_MAX);
    Ok(Request { method, host, target, headers, body: kept_body, body_bytes })
}

/// What was recorded of a response.
#[derive(Debug, Default)]
pub struct RecordedResponse {
    pub status: Option<u64>,
    pub headers: Option<Vec<(String, String)>>,
    /// What was recorded of the body.
    pub body: Option<String>,
    pub bytes: Option<u64>,
    pub duration_us: Option<u64>,
}

/// A response, if anything is known of it.
///
/// # Errors
/// When the status is none of HTTP.
pub fn response(recorded: RecordedResponse) -> Result<Option<Response>, String> {
    let RecordedResponse { status, headers, body, bytes, duration_us } = recorded;
    if status.is_none() && headers.is_none() && body.is_none() && bytes.is_none() && duration_us.is_none() {
        return Ok(None);
    }
    let status = match status {
        // Proxies and browsers write 0 when there never was a status.
        None | Some(0) => None,
        Some(status @ 100..=999) => u16::try_from(status).ok(),
        Some(other) => return Err(format!("`status` is {other}, not an HTTP status")),
    };
    let mut headers = headers.unwrap_or_default();
    headers.retain(|(name, _)| !name.starts_with(':'));
    let grpc_status = header(&headers, "grpc-status").and_then(|status| status.trim().parse().ok());
    // A body tells its length, where nothing else does.
    let bytes = bytes.or(body.as_ref().map(|body| body.len() as u64));
    let mut kept_body = body.map(String::into_bytes).unwrap_or_default();
    kept_body.truncate(limits::RESPONSE_BODY_BYTES_DEFAULT);
    Ok(Some(Response { status, grpc_status, headers, body: kept_body, bytes, duration_us }))
}

/// The address of `10.0.0.7:51234` and `[::1]:51234`, any other text unchanged; `None` for an empty one.
pub fn address_without_port(address: &str) -> Option<String> {
    let address = address.trim();
    if address.parse::<IpAddr>().is_err()
        && let Ok(socket) = address.parse::<SocketAddr>()
    {
        return Some(socket.ip().to_string());
    }
    (!address.is_empty()).then(|| address.to_owned())
}

/// The beginning of a value, to be shown.
pub fn shown(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    shown
}
