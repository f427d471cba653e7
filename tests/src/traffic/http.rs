//! The shop over HTTP/1.1, directly or through a proxy in front of it.

use std::time::Duration;

use axum::body::Bytes;
use axum::http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::request::{SendError, ShopClient, ShopRequest, ShopResponse};

const RESPONSE_TIMEOUT: Duration = Duration::from_secs(30);

/// Sends to an address such as Envoy's listener, with connections kept open.
#[derive(Clone)]
pub struct HttpShop {
    client: Client<HttpConnector, Full<Bytes>>,
    base_url: String,
}

impl HttpShop {
    /// `base_url` without a path, such as `http://127.0.0.1:10000`.
    pub fn new(base_url: &str) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            base_url: base_url.trim_end_matches('/').to_owned(),
        }
    }
}

impl ShopClient for HttpShop {
    async fn send(&mut self, request: ShopRequest) -> Result<ShopResponse, SendError> {
        let url = format!("{}{}", self.base_url, request.path);
        let mut builder = Request::builder().method(request.method).uri(&url);
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        let outgoing = builder.body(Full::new(request.body.unwrap_or_default()))?;
        let exchange = async {
            let response = self
                .client
                .request(outgoing)
                .await
                .map_err(|source| SendError::Transport { url: url.clone(), source })?;
            let (head, body) = response.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| SendError::Body { url: url.clone(), reason: error.to_string() })?
                .to_bytes();
            Ok(ShopResponse { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(RESPONSE_TIMEOUT, exchange)
            .await
            .unwrap_or_else(|_| Err(SendError::Timeout { url: url.clone(), timeout_s: RESPONSE_TIMEOUT.as_secs() }))
    }
}
