//! A service whose answer is the body that it got.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What came, by path and query.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Requests of which the head came.
    pub begun: Vec<String>,
    /// Requests that came to their end.
    pub whole: Vec<String>,
}

/// Answers on a free loopback port until it is dropped.
pub struct EchoService {
    address: SocketAddr,
    received: Arc<Mutex<Received>>,
    serving: JoinHandle<()>,
}

impl EchoService {
    pub async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.context("listen as the service")?;
        let address = listener.local_addr()?;
        let received = Arc::<Mutex<Received>>::default();
        let router = Router::new().fallback(echo).with_state(Arc::clone(&received));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the service stopped: {error}");
            }
        });
        Ok(Self { address, received, serving })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn received(&self) -> Received {
        self.received.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for EchoService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn echo(State(received): State<Arc<Mutex<Received>>>, request: Request) -> Response {
    let note = |add: fn(&mut Received, String), path: &str| {
        add(&mut received.lock().unwrap_or_else(PoisonError::into_inner), path.to_owned());
    };
    let (head, body): (_, Body) = request.into_parts();
    let path = head.uri.to_string();
    note(|received, path| received.begun.push(path), &path);
    let body: Bytes = match to_bytes(body, usize::MAX).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    note(|received, path| received.whole.push(path), &path);
    ([(header::CONTENT_TYPE, "application/octet-stream")], body).into_response()
}
