//! The shop's initial data, the same at every start.

use std::collections::BTreeMap;

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use time::format_description::well_known::Rfc3339;
use time::{Duration, OffsetDateTime};

use super::accounts::{Account, Address, AddressLines, Role};
use super::catalogue::{Product, Review};
use super::checkout::Delivery;
use super::data::Data;
use super::orders::{Order, OrderItem, OrderStatus};
use super::vocabulary::{
    ADJECTIVES, CATEGORIES, CITIES, FIRST_NAMES, LAST_NAMES, REVIEW_SENTENCES, STREETS, TAGS, THINGS,
};

/// Products have the ids `1..=PRODUCTS`.
pub const PRODUCTS: u32 = 400;
/// Accounts `u-1..=u-ADMINS` are administrators.
pub const ADMINS: u32 = 6;
/// The accounts after the administrators are customers.
pub const CUSTOMERS: u32 = 150;

const SEED: u64 = 0x5304;
const ARCHIVED_CUSTOMERS: u32 = 500;
const ARCHIVED_ORDERS: u32 = 1_500;
const SOLD_OUT_EVERY: u32 = 14;

/// The accounts as they are before anybody changes them; clients log in with these.
pub fn accounts() -> Vec<Account> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    (1..=ADMINS + CUSTOMERS).map(|number| account(number, &mut rng)).collect()
}

fn account(number: u32, rng: &mut impl Rng) -> Account {
    let first = pick(&FIRST_NAMES, rng);
    let last = pick(&LAST_NAMES, rng);
    let local: String = first.to_lowercase().chars().filter(char::is_ascii_alphabetic).collect();
    let domain = pick(&["mail.example", "post.example", "web.example", "uni.example"], rng);
    Account {
        id: format!("u-{number}"),
        email: format!("{local}.{number}@{domain}"),
        password: format!("{}-{:05}", pick(&ADJECTIVES, rng), rng.random_range(0..100_000)),
        role: if number <= ADMINS { Role::Admin } else { Role::Customer },
        name: format!("{first} {last}"),
        phone: rng.random_bool(0.6).then(|| format!("+49 170 {:07}", rng.random_range(0..10_000_000))),
        language: (*pick(&["de", "en", "fr", "es"], rng)).to_owned(),
        birthday: None,
        newsletter: rng.random_bool(0.3),
        addresses: vec![Address { id: 1, lines: address_lines("home", rng) }],
        blocked: false,
        note: None,
    }
}

fn pick<'a, T>(choices: &'a [T], rng: &mut impl Rng) -> &'a T {
    choices.choose(rng).unwrap_or(&choices[0])
}

fn address_lines(label: &str, rng: &mut impl Rng) -> AddressLines {
    let (city, zip, country) = pick(&CITIES, rng);
    AddressLines {
        label: label.to_owned(),
        street: format!("{} {}", pick(&STREETS, rng), rng.random_range(1..200)),
        zip: (*zip).to_owned(),
        city: (*city).to_owned(),
        country: (*country).to_owned(),
        company: None,
    }
}

fn sentences(count: usize, rng: &mut impl Rng) -> String {
    let chosen: Vec<&str> = (0..count).map(|_| *pick(&REVIEW_SENTENCES, rng)).collect();
    chosen.join(" ")
}

fn product(id: u32, rng: &mut impl Rng) -> Product {
    let category = (id as usize * 5) % CATEGORIES.len();
    let thing = pick(&THINGS[category], rng);
    let tag_count = rng.random_range(0..4);
    Product {
        id,
        name: format!("{} {thing} {}", pick(&ADJECTIVES, rng), rng.random_range(1..90)),
        category: CATEGORIES[category],
        price_cents: rng.random_range(3..300) * 50 - 1,
        rating: f32::from(rng.random_range(20_u8..=50)) / 10.0,
        in_stock: !id.is_multiple_of(SOLD_OUT_EVERY),
        description: sentences(rng.random_range(2..7), rng),
        tags: TAGS.sample(rng, tag_count).copied().collect(),
    }
}

fn reviews_of(product_id: u32, now: OffsetDateTime, rng: &mut impl Rng) -> Vec<Review> {
    // Popular products, those with low ids, have more.
    let count = rng.random_range(0..=40_u32 / (1 + product_id / 40) + 3);
    (0..count)
        .map(|index| Review {
            user_id: format!("u-{}", 10_000 + index),
            author: format!("{} {}.", pick(&FIRST_NAMES, rng), &pick(&["A", "K", "M", "S"], rng)),
            rating: rng.random_range(1..=5),
            title: rng.random_bool(0.4).then(|| sentences(1, rng)),
            text: sentences(rng.random_range(1..6), rng),
            written_at: rfc3339(now - Duration::hours(i64::from((count - index) * 90))),
        })
        .collect()
}

fn rfc3339(at: OffsetDateTime) -> String {
    at.format(&Rfc3339).unwrap_or_default()
}

fn order(user_id: String, at: OffsetDateTime, data: &mut Data, rng: &mut impl Rng) -> Order {
    let mut items = Vec::new();
    for _ in 0..rng.random_range(1..4) {
        if let Ok(product) = data.product(rng.random_range(1..=PRODUCTS)) {
            items.push(OrderItem {
                product_id: product.id,
                name: product.name.clone(),
                quantity: rng.random_range(1..4),
                unit_price_cents: product.price_cents,
            });
        }
    }
    Order {
        id: data.new_uuid(),
        user_id,
        placed_at: rfc3339(at),
        status: *pick(
            &[OrderStatus::Delivered, OrderStatus::Delivered, OrderStatus::Shipped, OrderStatus::Returned],
            rng,
        ),
        total_cents: items.iter().map(|item| item.unit_price_cents * item.quantity).sum(),
        items,
        delivery: *pick(&[Delivery::Standard, Delivery::Express], rng),
        city: pick(&CITIES, rng).0.to_owned(),
        note: None,
    }
}

/// All initial data, with times relative to `now`.
pub(super) fn data(now: OffsetDateTime) -> Data {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED + 1);
    let products: Vec<Product> = (1..=PRODUCTS).map(|id| product(id, &mut rng)).collect();
    let reviews: BTreeMap<u32, Vec<Review>> = (1..=PRODUCTS).map(|id| (id, reviews_of(id, now, &mut rng))).collect();
    let mut data = Data::new(products, reviews, accounts(), ChaCha8Rng::seed_from_u64(SEED + 2));

    let mut history: Vec<(OffsetDateTime, String)> = Vec::new();
    for _ in 0..ARCHIVED_ORDERS {
        let user = 1_000 + rng.random_range(0..ARCHIVED_CUSTOMERS);
        let age_h = rng.random_range(24 * 370..24 * 2_000);
        history.push((now - Duration::hours(age_h), format!("u-{user}")));
    }
    for number in ADMINS + 1..=ADMINS + CUSTOMERS {
        for _ in 0..rng.random_range(2..=12) {
            let age_h = rng.random_range(24..24 * 360);
            history.push((now - Duration::hours(age_h), format!("u-{number}")));
        }
    }
    history.sort();
    for (at, user_id) in history {
        let order = order(user_id, at, &mut data, &mut rng);
        data.add_order(order);
    }
    data
}
