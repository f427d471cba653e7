//! Switches of the running shop: which release it is, and whether it is down.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

use super::Shop;
use super::endpoints::Release;
use super::error::ShopError;
use super::extract::JsonBody;

/// The switches, changeable while the shop serves.
#[derive(Debug)]
pub struct Control {
    release: AtomicU8,
    outage: AtomicBool,
}

impl Control {
    pub(super) fn new(release: Release) -> Self {
        Self { release: AtomicU8::new(release.into()), outage: AtomicBool::new(false) }
    }

    pub fn release(&self) -> Release {
        Release::try_from(self.release.load(Ordering::Relaxed)).unwrap_or_default()
    }

    pub fn set_release(&self, release: Release) {
        self.release.store(release.into(), Ordering::Relaxed);
    }

    /// Whether everything answers 503.
    pub fn outage(&self) -> bool {
        self.outage.load(Ordering::Relaxed)
    }

    pub fn set_outage(&self, outage: bool) {
        self.outage.store(outage, Ordering::Relaxed);
    }
}

#[derive(Serialize)]
struct Switches {
    release: Release,
    outage: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    release: Option<Release>,
    outage: Option<bool>,
}

fn switches(control: &Control) -> Json<Switches> {
    Json(Switches { release: control.release(), outage: control.outage() })
}

async fn show(State(shop): State<Arc<Shop>>) -> Json<Switches> {
    switches(shop.control())
}

async fn change(
    State(shop): State<Arc<Shop>>,
    JsonBody(change): JsonBody<Change>,
) -> Result<Json<Switches>, ShopError> {
    let control = shop.control();
    if let Some(release) = change.release {
        control.set_release(release);
    }
    if let Some(outage) = change.outage {
        control.set_outage(outage);
    }
    Ok(switches(control))
}

pub(super) fn router(shop: Arc<Shop>) -> Router {
    Router::new().route("/__control", get(show).put(change)).with_state(shop)
}
