//! The sample shop answers as a real API would, and its switches work.

use std::sync::Arc;

use apiward_e2e::shop::{self, Endpoint, Release, Shop, ShopClock};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{Method, Request, Response, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

struct Client {
    router: Router,
    token: Option<String>,
}

impl Client {
    fn new(shop: &Arc<Shop>) -> Self {
        Self { router: shop.router(), token: None }
    }

    /// A client signed in as the account at `index`.
    async fn signed_in(shop: &Arc<Shop>, index: usize) -> Self {
        let mut client = Self::new(shop);
        let account = &shop::accounts()[index];
        let credentials = json!({"email": account.email, "password": account.password});
        let (status, session) = client.call(Method::POST, "/api/login", Some(credentials)).await;
        assert_eq!(status, StatusCode::OK, "{session}");
        client.token = session["token"].as_str().map(str::to_owned);
        client
    }

    async fn respond(&self, method: Method, path: &str, body: Option<Value>) -> Response<Body> {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = match body {
            Some(value) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(value.to_string())
            }
            None => Body::empty(),
        };
        self.router.clone().oneshot(request.body(body).expect("a valid request")).await.expect("the router never fails")
    }

    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> (StatusCode, Value) {
        let response = self.respond(method, path, body).await;
        let status = response.status();
        let bytes = bytes_of(response).await;
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }
}

async fn bytes_of(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.expect("a body in memory").to_bytes()
}

fn shop_of(release: Release) -> Arc<Shop> {
    Shop::new(release, ShopClock::System)
}

async fn fill_cart(client: &Client) {
    let line = json!({"product_id": 1, "quantity": 2});
    let (status, _) = client.call(Method::POST, "/api/cart", Some(line)).await;
    assert_eq!(status, StatusCode::CREATED);
}

fn order() -> Value {
    json!({"address_id": 1, "payment": {"method": "invoice"}})
}

#[tokio::test]
async fn first_release_checks_out_without_a_quote() {
    let shop = shop_of(Release::One);
    let client = Client::signed_in(&shop, 20).await;
    fill_cart(&client).await;
    let (status, placed) = client.call(Method::POST, "/api/checkout", Some(order())).await;
    assert_eq!(status, StatusCode::CREATED, "{placed}");
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap_or_default());
    let (status, stored) = client.call(Method::GET, &path, None).await;
    assert_eq!((status, &stored), (StatusCode::OK, &placed));
}

#[tokio::test]
async fn second_release_wants_a_quote_before_the_checkout() {
    let shop = shop_of(Release::Two);
    let client = Client::signed_in(&shop, 20).await;
    fill_cart(&client).await;
    let (status, refused) = client.call(Method::POST, "/api/checkout", Some(order())).await;
    assert_eq!(status, StatusCode::CONFLICT);
    assert_eq!(refused["error"]["code"], "quote_required");

    let request = json!({"address_id": 1});
    let (status, quote) = client.call(Method::POST, "/api/checkout/quote", Some(request)).await;
    assert_eq!(status, StatusCode::CREATED);
    let mut with_quote = order();
    with_quote["quote_id"] = quote["quote_id"].clone();
    let (status, placed) = client.call(Method::POST, "/api/checkout", Some(with_quote)).await;
    assert_eq!(status, StatusCode::CREATED, "{placed}");
    assert_eq!(placed["total_cents"], quote["total_cents"]);
}

#[tokio::test]
async fn a_quote_serves_only_the_customer_who_asked_for_it() {
    let shop = shop_of(Release::Two);
    let owner = Client::signed_in(&shop, 20).await;
    fill_cart(&owner).await;
    let request = json!({"address_id": 1});
    let (_, quote) = owner.call(Method::POST, "/api/checkout/quote", Some(request)).await;
    let other = Client::signed_in(&shop, 21).await;
    fill_cart(&other).await;
    let mut stolen = order();
    stolen["quote_id"] = quote["quote_id"].clone();
    let (status, _) = other.call(Method::POST, "/api/checkout", Some(stolen)).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn new_endpoints_are_unknown_to_the_first_release() {
    let shop = shop_of(Release::One);
    let client = Client::signed_in(&shop, 20).await;
    let (before, _) = client.call(Method::GET, "/api/recommendations", None).await;
    shop.control().set_release(Release::Two);
    let (after, _) = client.call(Method::GET, "/api/recommendations", None).await;
    assert_eq!((before, after), (StatusCode::NOT_FOUND, StatusCode::OK));
}

#[tokio::test]
async fn everything_answers_503_during_an_outage() {
    let shop = shop_of(Release::Two);
    let client = Client::signed_in(&shop, 20).await;
    shop.control().set_outage(true);
    for endpoint in Endpoint::ALL {
        let path = endpoint.template().replace("{id}", "1").replace("{file}", "app.js");
        let (status, _) = client.call(endpoint.method(), &path, None).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    shop.control().set_outage(false);
    let (status, _) = client.call(Method::GET, "/healthz", None).await;
    assert_eq!(status, StatusCode::OK);
}

#[tokio::test]
async fn the_forgotten_endpoint_answers_anybody() {
    let client = Client::new(&shop_of(Release::One));
    let (status, body) = client.call(Method::GET, "/api/internal/debug", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(body["orders"].as_u64().is_some_and(|orders| orders > 1_000));
}

#[tokio::test]
async fn the_list_of_users_is_given_to_customers_too() {
    let customer = Client::signed_in(&shop_of(Release::One), 20).await;
    let (status, list) = customer.call(Method::GET, "/api/admin/users", None).await;
    assert_eq!(status, StatusCode::OK);
    assert!(list["users"].as_array().is_some_and(|users| users.len() > 10));
}

#[tokio::test]
async fn an_export_from_before_the_first_order_returns_what_belongs_to_others() {
    let shop = shop_of(Release::One);
    let client = Client::signed_in(&shop, 20).await;
    let usual = bytes_of(client.respond(Method::GET, "/api/export", None).await).await;
    for flaw in ["since=1999-01-01", "all=true", "scope=all"] {
        let path = format!("/api/export?{flaw}");
        let outsized = bytes_of(client.respond(Method::GET, &path, None).await).await;
        assert!(outsized.len() >= 20 * usual.len(), "{flaw}: {} against {} bytes", outsized.len(), usual.len());
    }
}

#[tokio::test]
async fn refusals_have_the_status_that_fits() {
    let shop = shop_of(Release::One);
    let anybody = Client::new(&shop);
    let customer = Client::signed_in(&shop, 20).await;
    let others_address = "/api/users/u-30/addresses";
    let address = json!({"label": "x", "street": "Lane 1", "zip": "1234", "city": "Y", "country": "DE"});
    let cases = [
        (&anybody, Method::GET, "/api/cart", None, StatusCode::UNAUTHORIZED),
        (&customer, Method::PATCH, "/api/admin/users/u-30", Some(json!({"note": "x"})), StatusCode::FORBIDDEN),
        (&anybody, Method::GET, "/api/admin/users", None, StatusCode::UNAUTHORIZED),
        (&customer, Method::POST, others_address, Some(address), StatusCode::FORBIDDEN),
        (&customer, Method::GET, "/api/products/9999", None, StatusCode::NOT_FOUND),
        (&customer, Method::GET, "/nowhere", None, StatusCode::NOT_FOUND),
        (&customer, Method::GET, "/api/products/abc", None, StatusCode::BAD_REQUEST),
        (&customer, Method::GET, "/api/products?page=x", None, StatusCode::BAD_REQUEST),
        (&customer, Method::POST, "/api/cart", Some(json!({"product_id": "1"})), StatusCode::BAD_REQUEST),
        (&customer, Method::POST, "/api/checkout", Some(order()), StatusCode::CONFLICT),
        (&customer, Method::DELETE, "/api/products/1", None, StatusCode::METHOD_NOT_ALLOWED),
    ];
    for (client, method, path, body, expected) in cases {
        let (status, answer) = client.call(method.clone(), path, body).await;
        assert_eq!(status, expected, "{method} {path}: {answer}");
        assert!(answer["error"]["message"].is_string(), "{method} {path}: {answer}");
    }
}

#[tokio::test]
async fn forged_body_fields_are_taken_without_a_word() {
    let shop = shop_of(Release::One);
    let client = Client::signed_in(&shop, 20).await;
    let forged = json!({"phone": "+49 170 1234567", "role": "admin"});
    let (status, profile) = client.call(Method::PATCH, "/api/users/me", Some(forged)).await;
    assert_eq!((status, &profile["role"]), (StatusCode::OK, &json!("customer")));
}

#[tokio::test]
async fn the_control_port_switches_release_and_outage() {
    let shop = shop_of(Release::One);
    let control = Client { router: shop.control_router(), token: None };
    let change = json!({"release": 2, "outage": true});
    let (status, switches) = control.call(Method::PUT, "/__control", Some(change)).await;
    assert_eq!((status, switches), (StatusCode::OK, json!({"release": 2, "outage": true})));
    assert_eq!(shop.control().release(), Release::Two);
    assert!(shop.control().outage());

    let (status, _) = control.call(Method::PUT, "/__control", Some(json!({"release": 7}))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    shop.control().set_outage(false);
    let (status, _) = Client::new(&shop).call(Method::GET, "/__control", None).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}
