//! An exchange: one request and its response, as a proxy sees them or as a line of exchange JSONL tells them.

use serde::{Deserialize, Serialize};

/// A request and, once it came, its response.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// Start of the request, milliseconds since the Unix epoch.
    pub at_ms: Option<i64>,
    pub caller: Caller,
    pub request: Request,
    pub response: Option<Response>,
}

/// Who sent the request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Caller {
    /// Identity by header, cookie, JWT claim or certificate; `None` when unauthenticated.
    pub identity: Option<String>,
    /// Whether the identity was verified by the proxy (a certificate, a JWT that Envoy checked) and not merely claimed.
    pub verified: bool,
    /// The address of the trusted hop, without a port.
    pub address: Option<String>,
    /// Of what kinds its credentials say it is, names as they are: `certificate:spiffe://shop/cart`, `role:admin`,
    /// `scope:orders.read`; anything else is taken for a role. Only [`crate::observation::UNKNOWN`] where credentials are not
    /// known. See [`crate::observation::Observation::caller_kinds`].
    pub kinds: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    pub method: String,
    pub host: String,
    /// Path and query as on the wire, still encoded.
    pub target: String,
    /// Names in lower case, without HTTP/2 pseudo headers.
    pub headers: Vec<(String, String)>,
    /// What was read of the body.
    pub body: Vec<u8>,
    /// Length of the whole body, bytes; larger than `body` when it was cut at the limit.
    pub body_bytes: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Response {
    /// HTTP status; `None` when it is not known.
    pub status: Option<u16>,
    /// `grpc-status` from headers or trailers.
    pub grpc_status: Option<u16>,
    pub headers: Vec<(String, String)>,
    /// What was read of the body.
    pub body: Vec<u8>,
    /// Body bytes sent to the caller.
    pub bytes: Option<u64>,
    /// From the first byte of the request to the last of the response, microseconds.
    pub duration_us: Option<u64>,
}

/// How far an exchange has come; what later phases tell is not known in an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    Headers,
    Body,
    Response,
}

impl Phase {
    pub const ALL: [Phase; 3] = [Phase::Headers, Phase::Body, Phase::Response];

    /// 0, 1 or 2, for tables with one row per phase.
    pub fn index(self) -> usize {
        match self {
            Phase::Headers => 0,
            Phase::Body => 1,
            Phase::Response => 2,
        }
    }
}

/// The first header of that name (given in lower case).
pub fn header<'h>(headers: &'h [(String, String)], name: &str) -> Option<&'h str> {
    headers.iter().find(|(header_name, _)| header_name.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}
