//! Header maps of the proxy taken apart into pseudo headers and ordinary ones.

use apiward_detector::exchange::{Request, Response, header};
use apiward_detector::observation::ContentClass;

use crate::host::HeaderMap;

/// The request as far as its headers tell; what is no UTF-8 is replaced, not refused.
pub fn request(headers: HeaderMap) -> Request {
    let mut request = Request::default();
    for (name, value) in headers {
        let value = text(value);
        match name.strip_prefix(':') {
            Some("method") => request.method = value,
            Some("authority") => request.host = value,
            Some("path") => request.target = value,
            Some(_) => {}
            None => request.headers.push((name, value)),
        }
    }
    if request.host.is_empty()
        && let Some(host) = header(&request.headers, "host")
    {
        request.host = host.to_owned();
    }
    request
}

/// The response as far as its headers tell.
pub fn response(headers: HeaderMap) -> Response {
    let mut response = Response::default();
    for (name, value) in headers {
        let value = text(value);
        match name.strip_prefix(':') {
            Some("status") => response.status = value.parse().ok(),
            Some(_) => {}
            None => response.headers.push((name, value)),
        }
    }
    response.grpc_status = header(&response.headers, "grpc-status").and_then(|status| status.parse().ok());
    response
}

/// Whether the body is JSON as it is, not compressed.
pub fn is_plain_json(response: &Response) -> bool {
    ContentClass::of(header(&response.headers, "content-type")) == ContentClass::Json
        && header(&response.headers, "content-encoding")
            .is_none_or(|encoding| encoding.eq_ignore_ascii_case("identity"))
}

/// `grpc-status` of trailers.
pub fn grpc_status(trailers: &HeaderMap) -> Option<u16> {
    crate::host::header_text(trailers, "grpc-status")?.trim().parse().ok()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
