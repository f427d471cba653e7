//! The cart of a customer.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shop;
use super::auth::Caller;
use super::data::Data;
use super::error::ShopError;
use super::extract::{JsonBody, PathParam, check_length};

const QUANTITY_MAX: u32 = 20;
const LINES_MAX: usize = 50;
const ENGRAVING_CHARS_MAX: usize = 40;

/// The lines that a customer has put together so far.
#[derive(Clone, Debug, Default)]
pub struct Cart {
    pub lines: Vec<CartLine>,
    next_id: u32,
}

/// One product in a cart.
#[derive(Clone, Debug)]
pub struct CartLine {
    pub id: u32,
    pub product_id: u32,
    pub quantity: u32,
    pub options: CartOptions,
}

/// How the line is to be prepared.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct CartOptions {
    #[serde(default)]
    pub gift_wrap: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engraving: Option<String>,
}

fn view(data: &Data, user_id: &str) -> Result<Value, ShopError> {
    let mut items = Vec::new();
    let mut total_cents = 0;
    for line in data.cart(user_id).map(|cart| cart.lines.as_slice()).unwrap_or_default() {
        let product = data.product(line.product_id)?;
        let line_cents = product.price_cents * line.quantity;
        total_cents += line_cents;
        items.push(json!({
            "id": line.id,
            "product_id": line.product_id,
            "name": product.name,
            "quantity": line.quantity,
            "unit_price_cents": product.price_cents,
            "line_cents": line_cents,
            "options": line.options,
        }));
    }
    Ok(json!({"items": items, "total_cents": total_cents, "currency": "EUR"}))
}

fn check_quantity(quantity: u32) -> Result<(), ShopError> {
    if (1..=QUANTITY_MAX).contains(&quantity) {
        return Ok(());
    }
    Err(ShopError::Invalid(format!("quantity must be 1 to {QUANTITY_MAX}")))
}

pub(super) async fn get_cart(State(shop): State<Arc<Shop>>, caller: Caller) -> Result<Json<Value>, ShopError> {
    Ok(Json(view(&shop.data(), &caller.user_id)?))
}

#[derive(Deserialize)]
pub(super) struct NewLine {
    product_id: u32,
    quantity: u32,
    #[serde(default)]
    options: CartOptions,
}

pub(super) async fn add_item(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    JsonBody(line): JsonBody<NewLine>,
) -> Result<(StatusCode, Json<Value>), ShopError> {
    check_quantity(line.quantity)?;
    if let Some(engraving) = &line.options.engraving {
        check_length("engraving", engraving, 1, ENGRAVING_CHARS_MAX)?;
    }
    let mut data = shop.data();
    if !data.product(line.product_id)?.in_stock {
        return Err(ShopError::Conflict { code: "sold_out", message: "this product is sold out" });
    }
    let cart = data.cart_mut(&caller.user_id);
    if cart.lines.len() >= LINES_MAX {
        return Err(ShopError::Conflict { code: "cart_full", message: "the cart holds no more lines" });
    }
    cart.next_id += 1;
    cart.lines.push(CartLine {
        id: cart.next_id,
        product_id: line.product_id,
        quantity: line.quantity,
        options: line.options,
    });
    Ok((StatusCode::CREATED, Json(view(&data, &caller.user_id)?)))
}

fn line_id(text: &str) -> Result<u32, ShopError> {
    text.parse().map_err(|_| ShopError::Invalid("cart item id must be a whole number".to_owned()))
}

#[derive(Deserialize)]
pub(super) struct LineChange {
    quantity: u32,
}

pub(super) async fn update_item(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(id): PathParam<String>,
    JsonBody(change): JsonBody<LineChange>,
) -> Result<Json<Value>, ShopError> {
    let id = line_id(&id)?;
    check_quantity(change.quantity)?;
    let mut data = shop.data();
    data.cart_mut(&caller.user_id)
        .lines
        .iter_mut()
        .find(|line| line.id == id)
        .ok_or(ShopError::NotFound("cart item"))?
        .quantity = change.quantity;
    Ok(Json(view(&data, &caller.user_id)?))
}

pub(super) async fn remove_item(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(id): PathParam<String>,
) -> Result<StatusCode, ShopError> {
    let id = line_id(&id)?;
    let mut data = shop.data();
    let lines = &mut data.cart_mut(&caller.user_id).lines;
    let before = lines.len();
    lines.retain(|line| line.id != id);
    if lines.len() == before {
        return Err(ShopError::NotFound("cart item"));
    }
    Ok(StatusCode::NO_CONTENT)
}
