//! Small recorded traffic of a shop: seeded, so that every run of a test sees the same.

use std::io::Write as _;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::{Value, json};

const HOST: &str = "shop.example";
const WORDS: [&str; 12] =
    ["lamp", "table", "chair", "sofa", "shelf", "mirror", "carpet", "candle", "vase", "clock", "frame", "basket"];

/// Normal exchanges; other seeds give other values of the same kinds.
pub fn normal(seed: u64, count: usize) -> Vec<Value> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count).map(|_| normal_exchange(&mut random)).collect()
}

fn normal_exchange(random: &mut StdRng) -> Value {
    let word = WORDS[random.random_range(0..WORDS.len())];
    let product: u32 = random.random_range(100..1000);
    match random.random_range(0..4) {
        0 => exchange("GET", &format!("/api/products?query={word}&page={}", random.random_range(1..9)), None, 200),
        1 => exchange("GET", &format!("/api/products/{product}"), None, 200),
        2 => {
            let body = json!({ "product": product, "quantity": random.random_range(1..6), "note": word });
            exchange("POST", "/api/cart", Some(&body), 201)
        }
        _ => exchange("GET", &format!("/api/orders/{}", random.random_range(10_000..99_999)), None, 200),
    }
}

/// Exchanges that no shopper sends, labelled by what they are, `of_each` of each kind.
pub fn attacks(of_each: usize) -> Vec<Value> {
    (0..of_each)
        .flat_map(|number| {
            let sql = format!("/api/products?query=x%27%20OR%20{number}%3D{number}%20--%20&page=1");
            let role = json!({ "product": 500 + number, "quantity": 1, "note": "lamp", "role": "admin" });
            let script = json!({ "product": 500, "quantity": 1, "note": format!("<script>alert({number})</script>") });
            [
                labelled(exchange("GET", &sql, None, 200), "sql-injection"),
                labelled(exchange("POST", "/api/cart", Some(&role), 201), "mass-assignment"),
                labelled(exchange("POST", "/api/cart", Some(&script), 201), "script"),
                labelled(exchange("GET", &format!("/admin/export/{number}"), None, 404), "forced-browsing"),
            ]
        })
        .collect()
}

/// Exchanges of customers and, one in ten, of administrators with their own pages, which refuse nobody; now and then a customer whose
/// session is over is turned away.
pub fn with_roles(seed: u64, count: usize) -> Vec<Value> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..count)
        .map(|_| {
            let is_admin = random.random_bool(0.1);
            let caller: u32 = if is_admin { random.random_range(0..4) } else { random.random_range(10..90) };
            let number: u32 = random.random_range(100..1000);
            let path = match (is_admin, random.random_range(0..2)) {
                (true, 0) => "/admin/users".to_owned(),
                (true, _) => format!("/admin/users/{number}"),
                (false, 0) => "/api/orders".to_owned(),
                (false, _) => format!("/api/orders/{number}"),
            };
            if !is_admin && random.random_bool(0.02) {
                return of_caller(exchange("GET", &path, None, 401), caller, &[]);
            }
            of_caller(
                exchange("GET", &path, None, 200),
                caller,
                &[if is_admin { "role:admin" } else { "role:customer" }],
            )
        })
        .collect()
}

/// Requests of administrators, sent by a customer and by nobody in particular.
pub fn privileges(of_each: u32) -> Vec<Value> {
    (0..of_each)
        .flat_map(|number| {
            let page = || labelled(exchange("GET", &format!("/admin/users/{}", 300 + number), None, 200), "privilege");
            [of_caller(page(), 95, &["role:customer"]), of_caller(page(), 95, &[])]
        })
        .collect()
}

fn of_caller(mut exchange: Value, caller: u32, kinds: &[&str]) -> Value {
    exchange["address"] = json!(format!("10.1.{caller}.7"));
    exchange["caller_kinds"] = json!(kinds);
    exchange
}

fn exchange(method: &str, path: &str, body: Option<&Value>, status: u16) -> Value {
    let mut exchange = json!({
        "host": HOST, "method": method, "path": path, "status": status, "label": "normal",
        "request_headers": { "accept": "application/json", "user-agent": "shopper/1.0" },
        "response_headers": { "content-type": "application/json" },
        "response_bytes": 300 + path.len(), "duration_us": 2000,
    });
    if let Some(body) = body {
        exchange["request_headers"]["content-type"] = json!("application/json");
        exchange["request_body"] = json!(body.to_string());
    }
    exchange
}

fn labelled(mut exchange: Value, label: &str) -> Value {
    exchange["label"] = json!(label);
    exchange
}

/// The exchanges as JSON lines.
pub fn lines(exchanges: &[Value]) -> String {
    exchanges.iter().map(|exchange| format!("{exchange}\n")).collect()
}

/// Writes text gzipped.
pub fn write_gzip(path: &Path, text: &str) {
    let file = std::fs::File::create(path).unwrap();
    let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap();
}
