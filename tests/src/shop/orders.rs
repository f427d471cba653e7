//! Past orders and their export.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Shop;
use super::auth::Caller;
use super::checkout::Delivery;
use super::error::ShopError;
use super::extract::{PathParam, QueryParams};

const LIST_ORDERS_MAX: usize = 20;
/// The shop opened in this year; the export takes an earlier date for a request to the archive.
const FIRST_YEAR: i32 = 2020;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OrderStatus {
    Placed,
    Shipped,
    Delivered,
    Returned,
}

/// A product as it was ordered.
#[derive(Clone, Debug, Serialize)]
pub struct OrderItem {
    pub product_id: u32,
    pub name: String,
    pub quantity: u32,
    pub unit_price_cents: u32,
}

/// A placed order.
#[derive(Clone, Debug)]
pub struct Order {
    pub id: Uuid,
    pub user_id: String,
    /// RFC 3339.
    pub placed_at: String,
    pub status: OrderStatus,
    pub items: Vec<OrderItem>,
    pub delivery: Delivery,
    pub total_cents: u32,
    pub city: String,
    pub note: Option<String>,
}

impl Order {
    fn summary(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "placed_at": self.placed_at,
            "status": self.status,
            "items": self.items.len(),
            "total_cents": self.total_cents,
        })
    }

    pub(super) fn details(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "placed_at": self.placed_at,
            "status": self.status,
            "items": self.items,
            "delivery": self.delivery,
            "city": self.city,
            "note": self.note,
            "total_cents": self.total_cents,
            "currency": "EUR",
        })
    }

    fn write_csv(&self, csv: &mut String) {
        for item in &self.items {
            // Writing to a String cannot fail.
            let _ = writeln!(
                csv,
                "{},{},{},{},\"{}\",{},{}",
                self.id, self.user_id, self.placed_at, item.product_id, item.name, item.quantity, item.unit_price_cents
            );
        }
    }
}

pub(super) async fn list_orders(State(shop): State<Arc<Shop>>, caller: Caller) -> Result<Json<Value>, ShopError> {
    let data = shop.data();
    let orders: Vec<&Order> = data.orders_of(&caller.user_id).collect();
    let newest: Vec<Value> = orders.iter().rev().take(LIST_ORDERS_MAX).map(|order| order.summary()).collect();
    Ok(Json(json!({"total": orders.len(), "orders": newest})))
}

pub(super) async fn get_order(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(id): PathParam<String>,
) -> Result<Json<Value>, ShopError> {
    let id = Uuid::parse_str(&id).map_err(|_| ShopError::Invalid("order id must be a uuid".to_owned()))?;
    let data = shop.data();
    let order = data.order(id).ok_or(ShopError::NotFound("order"))?;
    if order.user_id != caller.user_id {
        return Err(ShopError::Forbidden("not your order"));
    }
    Ok(Json(order.details()))
}

#[derive(Deserialize)]
pub(super) struct ExportQuery {
    since: Option<String>,
    format: Option<String>,
    scope: Option<String>,
    #[serde(default)]
    all: bool,
}

impl ExportQuery {
    /// The flaw that attackers pull everything through: nobody removed the operators' switches
    /// `all` and `scope`, and a date before the first order opens the archive of all customers.
    fn opens_archive(&self) -> bool {
        self.all
            || self.scope.as_deref() == Some("all")
            || self.since.as_deref().and_then(year_of).is_some_and(|year| year < FIRST_YEAR)
    }
}

fn year_of(date: &str) -> Option<i32> {
    date.split('-').next()?.parse().ok()
}

pub(super) async fn export(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    QueryParams(query): QueryParams<ExportQuery>,
) -> Result<Response, ShopError> {
    let data = shop.data();
    let orders: Vec<&Order> = if query.opens_archive() {
        data.all_orders().collect()
    } else {
        let since = query.since.unwrap_or_default();
        data.orders_of(&caller.user_id).filter(|order| order.placed_at.as_str() >= since.as_str()).collect()
    };
    match query.format.as_deref() {
        None | Some("json") => {
            let rows: Vec<Value> = orders.iter().map(|order| order.details()).collect();
            Ok(Json(json!({"generated_at": shop.timestamp(), "orders": rows})).into_response())
        }
        Some("csv") => {
            let mut csv = String::from("order,customer,placed_at,product,name,quantity,unit_price\n");
            for order in orders {
                order.write_csv(&mut csv);
            }
            let headers = [
                (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
                (header::CONTENT_DISPOSITION, "attachment; filename=\"orders.csv\""),
            ];
            Ok((headers, csv).into_response())
        }
        Some(_) => Err(ShopError::Invalid("format must be json or csv".to_owned())),
    }
}
