//! What drivers exchange with the shop.

use std::future::Future;
use std::net::IpAddr;

use axum::body::Bytes;
use axum::http::{HeaderMap, Method, StatusCode};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::attack::AttackKind;

/// Whether a request was sent by an honest client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExchangeKind {
    Normal,
    Attack(AttackKind),
}

impl ExchangeKind {
    /// The label in exchange JSONL: `normal` or the attack's name.
    pub fn label(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Attack(kind) => kind.name(),
        }
    }
}

/// A request, complete but for what the transport adds.
#[derive(Clone, Debug)]
pub struct ShopRequest {
    /// Goes out as `x-request-id`, to find the request again in access logs.
    pub id: Uuid,
    pub kind: ExchangeKind,
    pub method: Method,
    /// Path and query.
    pub path: String,
    /// The endpoint's path template; `None` for a path that the shop does not have.
    pub template: Option<&'static str>,
    /// Lower-case names; `host`, `x-request-id` and `x-forwarded-for` included.
    pub headers: Vec<(&'static str, String)>,
    pub body: Option<Bytes>,
    /// The client's address.
    pub address: IpAddr,
    /// The user's id where a token is sent.
    pub caller: Option<String>,
    /// Simulated time.
    pub at: OffsetDateTime,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct ShopResponse {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl ShopResponse {
    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }
}

/// A request that got no response.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the request could not be built: {0}")]
    Build(#[from] axum::http::Error),
    #[error("no response from {url}: {source}")]
    Transport { url: String, source: hyper_util::client::legacy::Error },
    #[error("the response from {url} broke off: {reason}")]
    Body { url: String, reason: String },
    #[error("no response from {url} within {timeout_s} s")]
    Timeout { url: String, timeout_s: u64 },
}

/// A way to reach the shop. Clones share connections.
pub trait ShopClient: Clone + Send + 'static {
    /// Sends one request and reads the whole response.
    fn send(&mut self, request: ShopRequest) -> impl Future<Output = Result<ShopResponse, SendError>> + Send;
}
