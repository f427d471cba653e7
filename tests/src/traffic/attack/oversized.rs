//! Too much sent, or too much fetched.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::{Target, pick};
use crate::shop::Endpoint;
use crate::traffic::draft::Draft;

/// A text of 20 to 200 kB without anything else that is odd about it.
fn huge_text(rng: &mut ChaCha8Rng) -> String {
    let sentence = "It's exactly what I was looking for! ";
    sentence.repeat(rng.random_range(550..5_500))
}

fn many_fields(rng: &mut ChaCha8Rng) -> Value {
    let count = rng.random_range(1_000..4_000);
    let fields: Map<String, Value> = (0..count).map(|index| (format!("f{index}"), json!(index))).collect();
    Value::Object(fields)
}

fn many_items(rng: &mut ChaCha8Rng) -> Value {
    let count = rng.random_range(2_000..20_000);
    json!((0..count).collect::<Vec<u32>>())
}

pub(super) fn oversized_body(target: &Target, rng: &mut ChaCha8Rng) -> Draft {
    let product = target.product_id;
    match rng.random_range(0..7) {
        0 => Draft::at(Endpoint::PostReview, rng.random_range(1..400))
            .json(&json!({"rating": 5, "text": huge_text(rng)})),
        1 => Draft::to(Endpoint::UpdateProfile).json(&json!({"name": huge_text(rng)})),
        2 => Draft::to(Endpoint::UpdateProfile).json(&many_fields(rng)),
        3 => {
            let mut body = many_fields(rng);
            body["product_id"] = json!(product);
            body["quantity"] = json!(1);
            Draft::to(Endpoint::AddCartItem).json(&body)
        }
        4 => Draft::to(Endpoint::Checkout).json(&json!({
            "address_id": 1,
            "payment": {"method": "invoice"},
            "note": huge_text(rng),
        })),
        5 => Draft::to(Endpoint::Login).json(&json!({"email": target.email, "password": huge_text(rng)})),
        _ => Draft::to(Endpoint::AddCartItem)
            .json(&json!({"product_id": product, "quantity": 1, "options": many_items(rng)})),
    }
}

/// Nothing but the answer gives most of these away: the date looks like any other.
pub(super) fn outsized_response(rng: &mut ChaCha8Rng) -> Draft {
    let draft = Draft::to(Endpoint::Export);
    let year = rng.random_range(1970..2020);
    let month = rng.random_range(1..=12);
    let draft = match rng.random_range(0..10) {
        0 => draft.query("all", "true").query("since", format!("{}-{month:02}-01", year + 6)),
        1 => draft.query("scope", "all").query("since", format!("{}-{month:02}-01", year + 6)),
        _ => draft.query("since", format!("{year}-{month:02}-01")),
    };
    match rng.random_range(0..3) {
        0 => draft.query("format", pick(&["csv", "json"], rng)),
        _ => draft,
    }
}
