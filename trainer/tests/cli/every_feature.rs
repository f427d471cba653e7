//! Recorded traffic with everything in it that an inventory or an OpenAPI document can show.

use serde_json::{Value, json};

pub const HOST: &str = "api.example";
/// Callers, and exchanges of each endpoint: so many that something can be said of each.
const CALLERS: usize = 5;
pub const EXCHANGES: usize = 60;
/// First day of the traffic, and days that it lasts.
const FIRST_DAY: i64 = 20_000;
const DAYS: i64 = 60;
const JWT: &str = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl";

/// One exchange of an endpoint.
struct Draft {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, &'static str)>,
    body: Option<String>,
    status: u16,
    answer: Option<Value>,
}

impl Draft {
    fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self {
            method,
            path: path.into(),
            headers: vec![("user-agent", "client/1.0")],
            body: None,
            status: 200,
            answer: None,
        }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn json(self, body: &Value) -> Self {
        let text = body.to_string();
        self.body("application/json", text)
    }

    fn body(mut self, media_type: &'static str, body: String) -> Self {
        self.body = Some(body);
        self.header("content-type", media_type)
    }

    fn answer(mut self, status: u16, answer: Value) -> Self {
        self.status = status;
        self.answer = Some(answer);
        self
    }

    fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// All exchanges in order of time.
pub fn exchanges() -> Vec<Value> {
    let mut timed: Vec<(i64, Value)> = Vec::new();
    for number in 0..EXCHANGES {
        let minute = DAYS * 24 * 60 * number as i64 / EXCHANGES as i64;
        for (place, draft) in drafts(number).into_iter().enumerate() {
            timed.push((minute + place as i64, exchange(&draft, number, minute + place as i64)));
        }
    }
    timed.sort_by_key(|(minute, _)| *minute);
    timed.into_iter().map(|(_, exchange)| exchange).collect()
}

fn drafts(number: usize) -> Vec<Draft> {
    let id = 1000 + number * 7;
    let uuid = format!("2f1acc6c-1d2a-4f7e-9c55-3c1d2d3a{number:04}");
    let word = ["lamp", "table", "chair", "sofa", "shelf"][number % 5];
    let day = number * DAYS as usize / EXCHANGES;
    let user = json!({
        "id": id, "email": format!("u{number}@example.org"), "created": "2026-11-01T12:00:00Z", "score": 0.5,
        "nickname": if number % 2 == 0 { json!(word) } else { Value::Null },
        "tags": [word], "address": { "street": "221B Baker Street, London", "zip": "10115" },
    });
    let mut drafts = vec![
        Draft::new("GET", "/").header("accept", "text/html"),
        Draft::new("GET", "/health"),
        Draft::new("GET", format!("/users/{id}")).header("authorization", JWT).answer(200, user),
        Draft::new("GET", format!("/users/{id}")).header("authorization", JWT).status(404),
        Draft::new(
            "GET",
            format!("/users?page={number}&sort={}&filter%5Bname%5D={word}", ["asc", "desc", "none"][number % 3]),
        )
        .header("authorization", JWT)
        .answer(200, json!([{ "id": id, "name": word }])),
        Draft::new("GET", format!("/search?tag={word}&tag=x{}", if number % 4 == 0 { "&limit=10" } else { "" }))
            .header("x-api-key", "k"),
        Draft::new("POST", "/users").header("authorization", JWT).answer(201, json!({ "id": id })).json(&json!({
            "name": word, "email": format!("u{number}@example.org"), "age": 20 + number,
            "items": [{ "note": word, "quantity": 1 + number % 3 }, { "quantity": 2 }],
            "settings": { "dark": number % 2 == 0 }, "labels": { uuid.clone(): word },
        })),
        Draft::new("DELETE", format!("/users/{id}")).header("authorization", "Basic YTpi").status(204),
        Draft::new("GET", format!("/reports/{id}.json")).header("x-api-key", "k").answer(200, json!({ "total": 1.5 })),
        Draft::new("GET", format!("/compare/{id}...{}", id + 1)).header("cookie", "session=1"),
        Draft::new("POST", "/login")
            .body("application/x-www-form-urlencoded", format!("user=u{number}%40example.org&password=secret{number}"))
            .status(204),
        Draft::new("POST", "/upload").body("multipart/form-data; boundary=x", "--x--".to_owned()).status(201),
        Draft::new("PUT", format!("/files/{uuid}")).body("application/octet-stream", "\u{1}".to_owned()).status(204),
        Draft::new("PROPFIND", "/dav").header("authorization", "Digest x").status(207),
        Draft::new("POST", "/batch").json(&json!([{ "op": "add", "value": number }, { "op": "remove" }])),
        Draft::new("POST", "/graphql")
            .header("authorization", JWT)
            .answer(200, json!({ "data": { "user": { "id": id } } }))
            .json(&json!({ "operationName": "GetUser", "query": "query GetUser($id: ID!) { user(id: $id) { id } }",
                "variables": { "id": id } })),
        Draft::new("POST", "/graphql")
            .header("authorization", JWT)
            .answer(200, json!({ "data": { "added": true } }))
            .json(&json!({ "operationName": "AddItem", "query": "mutation AddItem { addItem { id } }",
                "variables": { "note": word } })),
    ];
    if day >= 55 {
        drafts.push(Draft::new("GET", "/beta").header("authorization", JWT));
    }
    if day < 20 {
        drafts.push(Draft::new("GET", "/v0/legacy").header("authorization", JWT));
    }
    drafts
}

fn exchange(draft: &Draft, number: usize, minute: i64) -> Value {
    let caller = number % CALLERS;
    let mut headers = serde_json::Map::new();
    for (name, value) in &draft.headers {
        headers.insert((*name).to_owned(), json!(value));
    }
    let mut exchange = json!({
        "ts": (FIRST_DAY * 24 * 60 + minute) * 60, "host": HOST, "method": draft.method, "path": draft.path,
        "caller": format!("u{caller}"), "address": format!("10.0.{caller}.7"), "caller_kinds": [format!("role:{}", ["admin", "customer"][caller % 2])],
        "request_headers": headers, "request_body": draft.body, "status": draft.status, "response_headers": {},
    });
    if let Some(answer) = &draft.answer {
        exchange["response_headers"] = json!({ "content-type": "application/json" });
        exchange["response_body"] = json!(answer.to_string());
    }
    exchange
}
