//! Paths, methods and endpoints that no honest client uses.

use axum::http::Method;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::{Target, pick};
use crate::shop::Endpoint;
use crate::traffic::draft::Draft;

const WELL_KNOWN_LEAKS: [&str; 26] = [
    "/.git/config",
    "/.git/HEAD",
    "/.env",
    "/.env.production",
    "/.aws/credentials",
    "/.svn/entries",
    "/admin.php",
    "/wp-login.php",
    "/wp-admin/setup-config.php",
    "/phpmyadmin/index.php",
    "/server-status",
    "/actuator/env",
    "/actuator/heapdump",
    "/console",
    "/debug/vars",
    "/backup.zip",
    "/backup/db.sql.gz",
    "/shop.tar.gz",
    "/config.json.bak",
    "/api/swagger.json",
    "/graphql",
    "/api/v1/pods",
    "/cgi-bin/test.cgi",
    "/.DS_Store",
    "/vendor/phpunit/eval-stdin.php",
    "/solr/admin/info/system",
];

const GUESSED_RESOURCES: [&str; 14] = [
    "users",
    "orders",
    "invoices",
    "payments",
    "customers",
    "coupons",
    "config",
    "logs",
    "tokens",
    "secrets",
    "reports",
    "backup",
    "jobs",
    "audit",
];

pub(super) fn unknown_path(rng: &mut ChaCha8Rng) -> Draft {
    let resource = pick(&GUESSED_RESOURCES, rng);
    let number = rng.random_range(1..500);
    let path = match rng.random_range(0..8) {
        0..4 => pick(&WELL_KNOWN_LEAKS, rng).to_owned(),
        4 => format!("/api/v2/{resource}"),
        5 => format!("/api/v2/{resource}/{number}"),
        6 => format!("/api/admin/export/{resource}"),
        _ => format!("/api/{resource}.bak/{number}"),
    };
    Draft::elsewhere(Method::GET, path)
}

pub(super) fn unknown_method(target: &Target, rng: &mut ChaCha8Rng) -> Draft {
    let product = rng.random_range(1..60);
    let order = target.order_id.as_str();
    let user = rng.random_range(7..130);
    let change = json!({"price_cents": rng.random_range(1..100), "in_stock": true});
    match rng.random_range(0..12) {
        0 => Draft::at(Endpoint::GetProduct, product).method(Method::DELETE),
        1 => Draft::at(Endpoint::GetProduct, product).method(Method::PUT).json(&change),
        2 => Draft::at(Endpoint::GetProduct, product).method(Method::PATCH).json(&change),
        3 => Draft::to(Endpoint::ListProducts).method(Method::POST).json(&change),
        4 => Draft::at(Endpoint::ListReviews, product).method(Method::DELETE),
        5 => Draft::at(Endpoint::GetOrder, order).method(pick(&[Method::DELETE, Method::PUT], rng)),
        6 => Draft::at(Endpoint::AdminUpdateUser, format!("u-{user}")).method(Method::DELETE),
        7 => Draft::to(Endpoint::GetProfile).method(pick(&[Method::DELETE, Method::PUT], rng)),
        8 => Draft::to(Endpoint::Export).method(pick(&[Method::POST, Method::DELETE], rng)),
        9 => Draft::to(pick(&[Endpoint::Login, Endpoint::GetCart, Endpoint::Search], rng)).method(Method::TRACE),
        10 => Draft::to(pick(&[Endpoint::GetCart, Endpoint::ListOrders, Endpoint::Health], rng)).method(Method::PUT),
        _ => Draft::at(Endpoint::UpdateCartItem, target.cart_line + rng.random_range(0..9))
            .method(Method::PATCH)
            .json(&change),
    }
}

pub(super) fn hidden_endpoint(rng: &mut ChaCha8Rng) -> Draft {
    let draft = Draft::to(Endpoint::InternalDebug);
    match rng.random_range(0..4) {
        0 => draft,
        1 => draft.query("section", pick(&["config", "users", "env", "routes", "database"], rng)),
        2 => draft.query("trace", rng.random_range(1..1_000)),
        _ => draft.query("user", rng.random_range(1..140)),
    }
}
