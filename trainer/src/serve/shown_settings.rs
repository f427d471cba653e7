//! `GET /v1/settings`: what the trainer goes by, and the public key that filters need. Nothing secret.

use axum::Json;
use axum::extract::State;
use axum::routing::get;
use serde::Serialize;

use crate::auth::ViewerToken;

use super::{ApiRouter, Service};

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/v1/settings", get(show))
}

#[derive(Debug, Serialize)]
struct ShownSettings {
    version: &'static str,
    /// For the filters' configuration.
    public_key: String,
    /// Seconds; `null` when nothing is trained by schedule.
    train_interval_s: Option<u64>,
    train_records_min: u32,
    train_records_max: u32,
    false_alarm_budget: f64,
    watchlist_for_s: u64,
    promotion_callers: usize,
    promotion_windows: usize,
    promotion_window_s: i64,
    /// Nats; `null` when thresholds are not bound to the model in use.
    threshold_step_max: Option<f32>,
    retention_days: u32,
    captures_max: u32,
    endpoint_new_for_s: i64,
    endpoint_stale_after_s: i64,
}

async fn show(ViewerToken(_): ViewerToken, State(service): State<Service>) -> Json<ShownSettings> {
    let settings = &service.settings;
    Json(ShownSettings {
        version: env!("CARGO_PKG_VERSION"),
        public_key: service.publisher.public_key(),
        train_interval_s: settings.train_interval.map(|interval| interval.as_secs()),
        train_records_min: settings.train_records_min,
        train_records_max: settings.train_records_max,
        false_alarm_budget: settings.false_alarm_budget,
        watchlist_for_s: settings.watchlist_for.as_secs(),
        promotion_callers: settings.learning.promotion.callers,
        promotion_windows: settings.learning.promotion.windows,
        promotion_window_s: settings.learning.promotion.window_ms / 1000,
        threshold_step_max: settings.learning.threshold_step_max,
        retention_days: settings.retention_days,
        captures_max: settings.captures_max,
        endpoint_new_for_s: settings.endpoint_states.new_for_ms / 1000,
        endpoint_stale_after_s: settings.endpoint_states.stale_after_ms / 1000,
    })
}
