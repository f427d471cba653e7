//! The answer to a refused request: a problem document (RFC 9457) that tells the client nothing of what gave it away.

use serde_json::json;

/// Media type of problem documents.
pub const CONTENT_TYPE: &str = "application/problem+json";

/// Why a request is not passed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Problem {
    Anomalous,
    /// The caller is on the watchlist and to be slowed down.
    TooManyRequests,
    NoModel,
    /// Longer than the filter reads.
    BodyTooLarge,
}

impl Problem {
    pub fn status(self) -> u16 {
        match self {
            Problem::Anomalous => 403,
            Problem::TooManyRequests => 429,
            Problem::NoModel => 503,
            Problem::BodyTooLarge => 413,
        }
    }

    /// The document; `request_id` lets operator and client speak of the same request.
    pub fn document(self, request_id: Option<&str>) -> Vec<u8> {
        let (kind, title, detail) = match self {
            Problem::Anomalous => (
                "urn:apiward:problem:request-refused",
                "Request refused",
                "The request is unlike the normal use of this API. If it should pass, give the request id to the operator.",
            ),
            Problem::TooManyRequests => (
                "urn:apiward:problem:too-many-requests",
                "Too many requests",
                "More was asked for than is usual. Try again later.",
            ),
            Problem::NoModel => (
                "urn:apiward:problem:not-ready",
                "Not ready",
                "Requests cannot be checked yet and are refused until they can. Try again later.",
            ),
            Problem::BodyTooLarge => (
                "urn:apiward:problem:body-too-large",
                "Body too large",
                "The request's body is longer than can be checked.",
            ),
        };
        json!({
            "type": kind,
            "title": title,
            "status": self.status(),
            "detail": detail,
            "request_id": request_id,
        })
        .to_string()
        .into_bytes()
    }
}
