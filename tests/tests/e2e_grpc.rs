//! gRPC over HTTP/2: the status of a call is in its trailers, and messages pass as they are.

mod e2e;

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use apiward_e2e::harness::{Envoy, Secrets};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde_json::json;
use tokio::net::TcpListener;
use uuid::Uuid;

use e2e::{HostileTrainer, PATIENCE, filter_configuration, until};

/// A message with its prefix: not compressed, three bytes long.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 3, 8, 150, 1];
const NOT_FOUND: u16 = 5;

/// A service whose calls give their message back and end with the status that their path ends in.
async fn grpc_service() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
    Ok(address)
}

async fn answer(request: Request) -> Response<Body> {
    let status = match request.uri().path() {
        "/shop.Cart/Get" => "0",
        _ => "5",
    };
    let message = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let trailers = HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from_static(status))]);
    let body = Full::new(message).with_trailers(async { Some(Ok::<_, Infallible>(trailers)) });
    Response::builder().header("content-type", "application/grpc").body(Body::new(body)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_of_a_call_is_recorded_from_its_trailers() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let trainer = HostileTrainer::start().await?;
    let envoy = Envoy::builder(grpc_service().await?, trainer.address(), &secrets)?
        .http2_upstream()
        .filter(&filter_configuration(&json!({"mode": "enforce"})))
        .start()
        .await?;
    let client = legacy::Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    for (number, (path, expected)) in [("/shop.Cart/Get", 0), ("/shop.Cart/Remove", NOT_FOUND)].into_iter().enumerate()
    {
        let id = Uuid::from_u64_pair(7, number as u64).to_string();
        let call = axum::http::Request::post(format!("{}{path}", envoy.url()))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("x-request-id", &id)
            .body(Full::new(Bytes::from_static(MESSAGE)))?;
        let reply = tokio::time::timeout(PATIENCE, client.request(call)).await.context("no answer")??;
        let collected = reply.into_body().collect().await?;
        let status = collected.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        assert_eq!(status, Some(HeaderValue::from(expected)), "the caller gets the trailers");
        assert_eq!(collected.to_bytes(), MESSAGE);

        let ids = BTreeSet::from([id]);
        let record = until("the record of the call", async || Ok(trainer.records_of(&ids).pop())).await?.1;
        let response = record.observation.response.context("the call was answered")?;
        assert_eq!((response.status, response.grpc_status), (Some(200), Some(expected)), "{path}");
        assert_eq!(record.observation.method, "POST");
    }
    envoy.stop().await
}
