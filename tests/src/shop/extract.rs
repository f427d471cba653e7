//! Extractors whose rejections are the shop's own errors, and field rules shared by handlers.

use axum::extract::{FromRequest, FromRequestParts};

use super::error::ShopError;

#[derive(FromRequest)]
#[from_request(via(axum::Json), rejection(ShopError))]
pub(super) struct JsonBody<T>(pub T);

#[derive(FromRequest)]
#[from_request(via(axum::Form), rejection(ShopError))]
pub(super) struct FormBody<T>(pub T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Query), rejection(ShopError))]
pub(super) struct QueryParams<T>(pub T);

#[derive(FromRequestParts)]
#[from_request(via(axum::extract::Path), rejection(ShopError))]
pub(super) struct PathParam<T>(pub T);

/// Refuses a text that is shorter than `min` or longer than `max` characters.
pub(super) fn check_length(field: &str, text: &str, min: usize, max: usize) -> Result<(), ShopError> {
    let length = text.chars().count();
    if length < min || length > max {
        return Err(ShopError::Invalid(format!("{field} must have {min} to {max} characters, has {length}")));
    }
    Ok(())
}
