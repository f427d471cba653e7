//! Values of a type that the field never has.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::Target;
use crate::shop::Endpoint;
use crate::traffic::draft::Draft;
use crate::traffic::free_text;

fn not_a_number(rng: &mut ChaCha8Rng) -> Value {
    let n = rng.random_range(1..500);
    match rng.random_range(0..7) {
        0 => json!(n.to_string()),
        1 => json!("two"),
        2 => json!([n]),
        3 => json!({"$gt": n}),
        4 => json!(null),
        5 => json!(true),
        _ => json!([[n, [n]]]),
    }
}

fn not_a_text(rng: &mut ChaCha8Rng) -> Value {
    let n = rng.random_range(1..50_000);
    match rng.random_range(0..6) {
        0 => json!(n),
        1 => json!([n.to_string()]),
        2 => json!({"$ne": n}),
        3 => json!({"value": {"value": n}}),
        4 => json!(n % 2 == 0),
        _ => json!([null, n]),
    }
}

fn not_an_object(rng: &mut ChaCha8Rng) -> Value {
    let n = rng.random_range(1..10_000);
    match rng.random_range(0..4) {
        0 => json!([n]),
        1 => json!(format!("card:{n}")),
        2 => json!(n),
        _ => json!([{"method": n}]),
    }
}

pub(super) fn wrong_type(target: &Target, rng: &mut ChaCha8Rng) -> Draft {
    let product = target.product_id;
    match rng.random_range(0..11) {
        0 => Draft::to(Endpoint::AddCartItem).json(&json!({"product_id": not_a_number(rng), "quantity": 1})),
        1 => Draft::to(Endpoint::AddCartItem).json(&json!({"product_id": product, "quantity": not_a_number(rng)})),
        2 => Draft::to(Endpoint::AddCartItem)
            .json(&json!({"product_id": product, "quantity": 1, "options": not_an_object(rng)})),
        3 => Draft::at(Endpoint::UpdateCartItem, target.cart_line).json(&json!({"quantity": not_a_number(rng)})),
        4 => Draft::to(Endpoint::Login).json(&json!({"email": target.email, "password": not_a_text(rng)})),
        5 => Draft::to(Endpoint::Login).json(&json!({"email": not_a_text(rng), "password": not_a_text(rng)})),
        6 => Draft::to(Endpoint::Checkout).json(&json!({"address_id": 1, "payment": not_an_object(rng)})),
        7 => Draft::to(Endpoint::Checkout)
            .json(&json!({"address_id": not_a_number(rng), "payment": {"method": "invoice"}})),
        8 => Draft::at(Endpoint::PostReview, rng.random_range(1..400))
            .json(&json!({"rating": not_a_number(rng), "text": free_text::review(rng)})),
        9 => Draft::at(Endpoint::PostReview, rng.random_range(1..400))
            .json(&json!({"rating": 4, "text": not_a_text(rng)})),
        _ => Draft::to(Endpoint::UpdateProfile).json(&json!({"phone": not_a_text(rng)})),
    }
}
