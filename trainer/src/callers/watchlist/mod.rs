//! Callers and addresses that all filters of a scope are told to watch.

mod rest;
mod store;

use crate::serve::ApiRouter;

pub use store::{Entry, drop_expired, of_subject, put};

pub fn router() -> ApiRouter {
    rest::router()
}
