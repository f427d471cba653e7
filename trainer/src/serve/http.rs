//! The routes together, and what holds for all of them.

use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tower_http::catch_panic::CatchPanicLayer;

use crate::problem::Problem;
use crate::{
    bundles, callers, captures, detections, endpoints, ingest, metrics, models, payload_exceptions, probes, senders,
    training_runs,
};

use super::{ApiRouter, Service, shown_settings};

/// Bytes of a request body, telemetry apart, which has its own limit.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// How long a request may take until its answer begins.
const REQUEST_MAX: Duration = Duration::from_secs(60);

/// Every route of the trainer.
pub fn app(service: Service) -> axum::Router {
    let routes = [
        ingest::router(),
        bundles::router(),
        callers::router(),
        models::router(),
        training_runs::router(),
        endpoints::router(),
        payload_exceptions::router(),
        detections::router(),
        captures::router(),
        senders::router(),
        shown_settings::router(),
        metrics::router(),
        probes::router(),
    ];
    routes
        .into_iter()
        .fold(ApiRouter::new(), ApiRouter::merge)
        .fallback(|| async { Problem::NotFound("there is nothing at this path".to_owned()) })
        .method_not_allowed_fallback(|| async { Problem::MethodNotAllowed })
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_fn(limit_time))
        .layer(CatchPanicLayer::custom(after_panic))
        .layer(from_fn_with_state(service.clone(), metrics::count_request))
        .with_state(service)
}

async fn limit_time(request: Request, next: Next) -> Response {
    match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => Problem::Unavailable("the request took too long, try again").into_response(),
    }
}

fn after_panic(panic: Box<dyn std::any::Any + Send>) -> Response {
    let message = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    Problem::Internal(anyhow::anyhow!("a request panicked: {message}")).into_response()
}
