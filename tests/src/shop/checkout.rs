//! From cart to order; since release 2 through a quote.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Shop;
use super::auth::Caller;
use super::data::Data;
use super::endpoints::Release;
use super::error::ShopError;
use super::extract::{JsonBody, check_length};
use super::orders::{Order, OrderItem, OrderStatus};

const NOTE_CHARS_MAX: usize = 500;
const STANDARD_SHIPPING_CENTS: u32 = 490;
const EXPRESS_SHIPPING_CENTS: u32 = 1290;
/// A coupon takes a tenth off the goods.
const COUPON_DIVISOR: u32 = 10;
const COUPONS: [&str; 3] = ["WELCOME10", "AUTUMN10", "FRIENDS10"];

/// How fast the parcel should arrive.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Delivery {
    #[default]
    Standard,
    Express,
    Pickup,
}

impl Delivery {
    fn cents(self) -> u32 {
        match self {
            Self::Standard => STANDARD_SHIPPING_CENTS,
            Self::Express => EXPRESS_SHIPPING_CENTS,
            Self::Pickup => 0,
        }
    }
}

/// A price the shop stands by until the checkout; bound to its customer.
#[derive(Clone, Debug)]
pub struct Quote {
    pub user_id: String,
    pub total_cents: u32,
}

#[derive(Deserialize)]
#[serde(tag = "method", rename_all = "lowercase")]
enum Payment {
    Card { token: String },
    Paypal { payer: String },
    Invoice,
}

#[derive(Deserialize)]
pub(super) struct QuoteRequest {
    address_id: u32,
    #[serde(default)]
    delivery: Delivery,
    coupon: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CheckoutRequest {
    address_id: u32,
    payment: Payment,
    #[serde(default)]
    delivery: Delivery,
    coupon: Option<String>,
    note: Option<String>,
    quote_id: Option<Uuid>,
}

struct Price {
    items: Vec<OrderItem>,
    discount_cents: u32,
    shipping_cents: u32,
    total_cents: u32,
}

fn price(data: &Data, user_id: &str, delivery: Delivery, coupon: Option<&str>) -> Result<Price, ShopError> {
    let lines = data.cart(user_id).map(|cart| cart.lines.as_slice()).unwrap_or_default();
    if lines.is_empty() {
        return Err(ShopError::Conflict { code: "cart_empty", message: "the cart is empty" });
    }
    let mut items = Vec::new();
    for line in lines {
        let product = data.product(line.product_id)?;
        items.push(OrderItem {
            product_id: product.id,
            name: product.name.clone(),
            quantity: line.quantity,
            unit_price_cents: product.price_cents,
        });
    }
    let goods_cents: u32 = items.iter().map(|item| item.unit_price_cents * item.quantity).sum();
    let discount_cents = match coupon {
        None => 0,
        Some(code) if COUPONS.contains(&code) => goods_cents / COUPON_DIVISOR,
        Some(_) => return Err(ShopError::Invalid("this coupon does not exist".to_owned())),
    };
    let shipping_cents = delivery.cents();
    Ok(Price { items, discount_cents, shipping_cents, total_cents: goods_cents - discount_cents + shipping_cents })
}

pub(super) async fn quote(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    JsonBody(request): JsonBody<QuoteRequest>,
) -> Result<(StatusCode, Json<Value>), ShopError> {
    shop.require(Release::Two)?;
    let mut data = shop.data();
    data.address(&caller.user_id, request.address_id)?;
    let price = price(&data, &caller.user_id, request.delivery, request.coupon.as_deref())?;
    // One open quote per customer, so that abandoned ones do not pile up.
    data.quotes.retain(|_, quote| quote.user_id != caller.user_id);
    let quote_id = data.new_uuid();
    data.quotes.insert(quote_id, Quote { user_id: caller.user_id, total_cents: price.total_cents });
    let body = json!({
        "quote_id": quote_id.to_string(),
        "discount_cents": price.discount_cents,
        "shipping_cents": price.shipping_cents,
        "total_cents": price.total_cents,
        "currency": "EUR",
    });
    Ok((StatusCode::CREATED, Json(body)))
}

fn check_payment(payment: &Payment) -> Result<(), ShopError> {
    match payment {
        Payment::Card { token } => check_length("payment.token", token, 8, 64),
        Payment::Paypal { payer } => check_length("payment.payer", payer, 5, 120),
        Payment::Invoice => Ok(()),
    }
}

fn take_quote(data: &mut Data, user_id: &str, quote_id: Option<Uuid>) -> Result<u32, ShopError> {
    let quote_id = quote_id.ok_or(ShopError::Conflict { code: "quote_required", message: "ask for a quote first" })?;
    let known = data.quotes.get(&quote_id).is_some_and(|quote| quote.user_id == user_id);
    let quote = if known { data.quotes.remove(&quote_id) } else { None };
    quote.map(|quote| quote.total_cents).ok_or(ShopError::NotFound("quote"))
}

pub(super) async fn checkout(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    JsonBody(request): JsonBody<CheckoutRequest>,
) -> Result<(StatusCode, Json<Value>), ShopError> {
    check_payment(&request.payment)?;
    if let Some(note) = &request.note {
        check_length("note", note, 1, NOTE_CHARS_MAX)?;
    }
    let placed_at = shop.timestamp();
    let quoted = shop.control().release() >= Release::Two;
    let mut data = shop.data();
    let address = data.address(&caller.user_id, request.address_id)?.clone();
    let price = price(&data, &caller.user_id, request.delivery, request.coupon.as_deref())?;
    let total_cents =
        if quoted { take_quote(&mut data, &caller.user_id, request.quote_id)? } else { price.total_cents };
    let order = Order {
        id: data.new_uuid(),
        user_id: caller.user_id.clone(),
        placed_at,
        status: OrderStatus::Placed,
        items: price.items,
        delivery: request.delivery,
        total_cents,
        city: address.lines.city,
        note: request.note,
    };
    let body = order.details();
    data.add_order(order);
    data.cart_mut(&caller.user_id).lines.clear();
    Ok((StatusCode::CREATED, Json(body)))
}
