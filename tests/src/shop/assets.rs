//! Static files, the health check, and an endpoint that should have been removed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::Shop;
use super::error::ShopError;
use super::extract::PathParam;

/// The static files: name, content type and size in bytes.
pub const FILES: [(&str, &str, usize); 5] = [
    ("app.js", "text/javascript", 48_211),
    ("app.css", "text/css", 11_904),
    ("vendor.js", "text/javascript", 96_530),
    ("logo.svg", "image/svg+xml", 2_117),
    ("favicon.ico", "image/x-icon", 1_406),
];

pub(super) async fn asset(PathParam(file): PathParam<String>, headers: HeaderMap) -> Result<Response, ShopError> {
    let (name, content_type, bytes) =
        FILES.into_iter().find(|(name, _, _)| *name == file).ok_or(ShopError::NotFound("file"))?;
    let etag = format!("\"{name}-{bytes}\"");
    let known = headers.get(header::IF_NONE_MATCH).is_some_and(|value| value.as_bytes() == etag.as_bytes());
    let head = [(header::ETAG, etag), (header::CACHE_CONTROL, "public, max-age=3600".to_owned())];
    if known {
        return Ok((StatusCode::NOT_MODIFIED, head).into_response());
    }
    let filler = b"/* sample asset of the shop */\n";
    let body: Vec<u8> = filler.iter().copied().cycle().take(bytes).collect();
    Ok((head, [(header::CONTENT_TYPE, content_type)], body).into_response())
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({"status": "ok"}))
}

/// Left over from development: answers anybody.
pub(super) async fn internal_debug(State(shop): State<Arc<Shop>>) -> Json<Value> {
    let data = shop.data();
    Json(json!({
        "release": shop.control().release(),
        "accounts": data.accounts().count(),
        "orders": data.all_orders().count(),
        "database": "postgres://shop@db.internal/shop",
        "features": {"quotes": true, "archive": true},
    }))
}
