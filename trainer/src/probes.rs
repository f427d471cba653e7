//! `/healthz` and `/readyz`.

use axum::extract::State;
use axum::routing::get;

use crate::problem::Problem;
use crate::serve::{ApiRouter, Service};
use crate::storage;

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/healthz", get(|| async { "ok\n" })).route("/readyz", get(ready))
}

/// Ready when the database answers with this trainer's schema.
async fn ready(State(service): State<Service>) -> Result<&'static str, Problem> {
    match storage::is_ready(&service.pool).await {
        Ok(true) => Ok("ok\n"),
        Ok(false) => Err(Problem::Unavailable("the database has another schema than this trainer")),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            Err(Problem::Unavailable("the database does not answer"))
        }
    }
}
