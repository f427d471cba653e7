//! A small HTTP client for REST and administration.

use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::de::DeserializeOwned;

/// Nothing takes longer, unless it hangs.
const ANSWER_MAX: Duration = Duration::from_secs(60);

/// What was answered.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body, for messages.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// When it is none, or of another form.
    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("read the answer {:?}", self.text()))
    }

    /// The same, when its status says success.
    ///
    /// # Errors
    /// When it says anything else.
    pub fn successful(self) -> anyhow::Result<Self> {
        anyhow::ensure!(self.status.is_success(), "answered {}: {}", self.status, self.text());
        Ok(self)
    }
}

/// Sends to one server, with an optional bearer token. Clones share connections.
#[derive(Debug, Clone)]
pub struct HttpClient {
    client: Client<HttpConnector, Full<Bytes>>,
    base_url: String,
    token: Option<String>,
}

impl HttpClient {
    /// `base_url` without a path.
    pub fn new(base_url: &str, token: Option<&str>) -> Self {
        Self {
            client: Client::builder(TokioExecutor::new()).build_http(),
            base_url: base_url.trim_end_matches('/').to_owned(),
            token: token.map(str::to_owned),
        }
    }

    /// Where it sends to, without a path.
    pub fn url(&self) -> &str {
        &self.base_url
    }

    /// # Errors
    /// When there is no answer.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.send(Method::GET, path, &[], Bytes::new()).await
    }

    /// # Errors
    /// When there is no answer.
    pub async fn post(&self, path: &str, json: &serde_json::Value) -> anyhow::Result<Answer> {
        self.send(Method::POST, path, &[("content-type", "application/json")], json.to_string()).await
    }

    /// Sends anything; the status is not looked at.
    ///
    /// # Errors
    /// When the request cannot be built or there is no answer.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> anyhow::Result<Answer> {
        let url = format!("{}{path}", self.base_url);
        let mut request = Request::builder().method(method).uri(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body.into())).with_context(|| format!("build the request to {url}"))?;
        let exchange = async {
            let (head, body) = self.client.request(request).await?.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: head.status, headers: head.headers, body })
        };
        tokio::time::timeout(ANSWER_MAX, exchange)
            .await
            .with_context(|| format!("no answer from {url} within {} s", ANSWER_MAX.as_secs()))?
            .with_context(|| format!("no answer from {url}"))
    }
}
