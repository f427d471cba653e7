//! Products, their reviews, search and recommendations.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Shop;
use super::auth::Caller;
use super::endpoints::Release;
use super::error::ShopError;
use super::extract::{JsonBody, PathParam, QueryParams, check_length};

const PAGE_PRODUCTS: usize = 20;
const PAGE_REVIEWS: usize = 10;
const SEARCH_RESULTS_MAX: usize = 15;
const RECOMMENDATIONS: usize = 6;
const QUERY_CHARS_MAX: usize = 200;
const REVIEW_CHARS_MIN: usize = 10;
const REVIEW_CHARS_MAX: usize = 4_000;

/// An article of the catalogue.
#[derive(Clone, Debug)]
pub struct Product {
    pub id: u32,
    pub name: String,
    pub category: &'static str,
    pub price_cents: u32,
    pub rating: f32,
    pub in_stock: bool,
    pub description: String,
    pub tags: Vec<&'static str>,
}

/// What a customer wrote about a product.
#[derive(Clone, Debug, Serialize)]
pub struct Review {
    #[serde(skip)]
    pub user_id: String,
    pub author: String,
    pub rating: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    pub text: String,
    pub written_at: String,
}

impl Product {
    fn summary(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "category": self.category,
            "price_cents": self.price_cents,
            "currency": "EUR",
            "rating": self.rating,
            "in_stock": self.in_stock,
            "image": format!("/assets/img/{}.webp", self.id),
        })
    }

    fn matches(&self, word: &str) -> bool {
        self.name.to_lowercase().contains(word) || self.category.contains(word)
    }
}

#[derive(Deserialize)]
pub(super) struct ProductQuery {
    category: Option<String>,
    page: Option<usize>,
    sort: Option<String>,
    min_price: Option<u32>,
    max_price: Option<u32>,
    in_stock: Option<bool>,
}

pub(super) async fn list_products(
    State(shop): State<Arc<Shop>>,
    QueryParams(query): QueryParams<ProductQuery>,
) -> Result<Json<Value>, ShopError> {
    let page = query.page.unwrap_or(1);
    if page == 0 {
        return Err(ShopError::Invalid("page starts at 1".to_owned()));
    }
    let data = shop.data();
    let mut found: Vec<&Product> = data
        .products()
        .filter(|product| {
            query.category.as_deref().is_none_or(|category| product.category == category)
                && query.min_price.is_none_or(|cents| product.price_cents >= cents)
                && query.max_price.is_none_or(|cents| product.price_cents <= cents)
                && query.in_stock.is_none_or(|wanted| product.in_stock == wanted)
        })
        .collect();
    match query.sort.as_deref() {
        None | Some("relevance") => {}
        Some("price") => found.sort_by_key(|product| product.price_cents),
        Some("-price") => found.sort_by_key(|product| std::cmp::Reverse(product.price_cents)),
        Some("name") => found.sort_by(|left, right| left.name.cmp(&right.name)),
        Some("rating") => found.sort_by(|left, right| right.rating.total_cmp(&left.rating)),
        Some(_) => {
            return Err(ShopError::Invalid("sort must be relevance, price, -price, name or rating".to_owned()));
        }
    }
    let items: Vec<Value> = found
        .iter()
        .skip((page - 1).saturating_mul(PAGE_PRODUCTS))
        .take(PAGE_PRODUCTS)
        .map(|product| product.summary())
        .collect();
    Ok(Json(json!({"page": page, "total": found.len(), "items": items})))
}

fn product_id(text: &str) -> Result<u32, ShopError> {
    text.parse().map_err(|_| ShopError::Invalid("product id must be a whole number".to_owned()))
}

pub(super) async fn get_product(
    State(shop): State<Arc<Shop>>,
    PathParam(id): PathParam<String>,
) -> Result<Json<Value>, ShopError> {
    let id = product_id(&id)?;
    let data = shop.data();
    let product = data.product(id)?;
    let mut body = product.summary();
    body["description"] = json!(product.description);
    body["tags"] = json!(product.tags);
    body["reviews"] = json!(data.reviews(id).len());
    Ok(Json(body))
}

#[derive(Deserialize)]
pub(super) struct PageQuery {
    page: Option<usize>,
}

pub(super) async fn list_reviews(
    State(shop): State<Arc<Shop>>,
    PathParam(id): PathParam<String>,
    QueryParams(query): QueryParams<PageQuery>,
) -> Result<Json<Value>, ShopError> {
    let id = product_id(&id)?;
    let data = shop.data();
    data.product(id)?;
    let reviews = data.reviews(id);
    let page = query.page.unwrap_or(1).max(1);
    let items: Vec<&Review> =
        reviews.iter().rev().skip((page - 1).saturating_mul(PAGE_REVIEWS)).take(PAGE_REVIEWS).collect();
    Ok(Json(json!({"page": page, "total": reviews.len(), "items": items})))
}

#[derive(Deserialize)]
pub(super) struct NewReview {
    rating: u8,
    title: Option<String>,
    text: String,
}

pub(super) async fn post_review(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    PathParam(id): PathParam<String>,
    JsonBody(review): JsonBody<NewReview>,
) -> Result<(StatusCode, Json<Review>), ShopError> {
    let id = product_id(&id)?;
    if !(1..=5).contains(&review.rating) {
        return Err(ShopError::Invalid("rating must be 1 to 5".to_owned()));
    }
    check_length("text", &review.text, REVIEW_CHARS_MIN, REVIEW_CHARS_MAX)?;
    let written_at = shop.timestamp();
    let mut data = shop.data();
    data.product(id)?;
    if data.reviews(id).iter().any(|known| known.user_id == caller.user_id) {
        return Err(ShopError::Conflict { code: "already_reviewed", message: "you have reviewed this product before" });
    }
    let stored = Review {
        author: data.account(&caller.user_id)?.name.clone(),
        user_id: caller.user_id,
        rating: review.rating,
        title: review.title,
        text: review.text,
        written_at,
    };
    data.add_review(id, stored.clone());
    Ok((StatusCode::CREATED, Json(stored)))
}

#[derive(Deserialize)]
pub(super) struct SearchQuery {
    q: String,
    page: Option<usize>,
}

pub(super) async fn search(
    State(shop): State<Arc<Shop>>,
    QueryParams(query): QueryParams<SearchQuery>,
) -> Result<Json<Value>, ShopError> {
    check_length("q", &query.q, 1, QUERY_CHARS_MAX)?;
    let lower = query.q.to_lowercase();
    let words: Vec<&str> = lower.split_whitespace().collect();
    let page = query.page.unwrap_or(1).max(1);
    let data = shop.data();
    let found: Vec<&Product> =
        data.products().filter(|product| words.iter().any(|word| product.matches(word))).collect();
    let items: Vec<Value> = found
        .iter()
        .skip((page - 1).saturating_mul(SEARCH_RESULTS_MAX))
        .take(SEARCH_RESULTS_MAX)
        .map(|product| product.summary())
        .collect();
    Ok(Json(json!({"q": query.q, "total": found.len(), "items": items})))
}

#[derive(Deserialize)]
pub(super) struct RecommendationQuery {
    product: Option<u32>,
}

pub(super) async fn recommendations(
    State(shop): State<Arc<Shop>>,
    caller: Caller,
    QueryParams(query): QueryParams<RecommendationQuery>,
) -> Result<Json<Value>, ShopError> {
    shop.require(Release::Two)?;
    let data = shop.data();
    let seen: Option<&'static str> = match query.product {
        Some(id) => Some(data.product(id)?.category),
        None => data
            .orders_of(&caller.user_id)
            .last()
            .and_then(|order| order.items.first())
            .and_then(|item| data.product(item.product_id).ok())
            .map(|product| product.category),
    };
    let items: Vec<Value> = data
        .products()
        .filter(|product| product.in_stock && seen.is_none_or(|category| product.category == category))
        .take(RECOMMENDATIONS)
        .map(|product| {
            let mut item = product.summary();
            item["reason"] = json!(if seen.is_some() { "similar" } else { "popular" });
            item
        })
        .collect();
    Ok(Json(json!({"items": items})))
}
