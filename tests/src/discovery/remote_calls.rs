//! Traffic of APIs whose operations are named elsewhere than by method and path: GraphQL and JSON-RPC in the body, gRPC by service and
//! method; each exchange with the operation that is true of it.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand::{Rng, RngExt};
use serde_json::json;
use time::Duration;

use super::clients::{Callers, Client};
use super::names::{self, NameStyle};
use super::seeds::Seed;
use crate::traffic::{Exchange, START};

const HOST: &str = "calls.example";
const CALLERS: usize = 120;
const JSON: &str = "application/json";
const GRPC: &str = "application/grpc+proto";
/// Between two calls, milliseconds.
const CALL_EVERY_MS: i64 = 900;
const VERBS: [&str; 8] = ["Get", "List", "Create", "Update", "Delete", "Archive", "Search", "Watch"];
const NOUNS: [&str; 12] = [
    "Order", "Invoice", "Customer", "Product", "Shipment", "Refund", "Price", "Coupon", "Address", "Review", "Session",
    "Report",
];
const SERVICES: [&str; 5] = ["CartService", "CatalogService", "BillingService", "AccountService", "FleetService"];
/// Of a hundred calls of an operation, so many come in a batch of its own kind, or fail.
const BATCH_PERCENT: u32 = 10;
const FAILED_PERCENT: u32 = 4;

/// How an operation is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Style {
    GraphQl,
    /// Without a name, by the field that it asks for.
    GraphQlField,
    JsonRpc,
    Grpc,
}

/// An operation as discovery lists it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RemoteOperation {
    style: Style,
    pub path: String,
    /// What the body names; `None` where the path says it all.
    pub name: Option<String>,
}

impl RemoteOperation {
    /// `POST /graphql GetOrder`
    pub fn label(&self) -> String {
        match &self.name {
            Some(name) => format!("POST {} {name}", self.path),
            None => format!("POST {}", self.path),
        }
    }
}

/// Some operations of every style, the same for the same seed.
pub fn remote_operations(seed: u64) -> Vec<RemoteOperation> {
    let seed = Seed::new(seed).with("operations");
    let mut operations = Vec::new();
    for (verb, noun) in VERBS.into_iter().flat_map(|verb| NOUNS.map(|noun| (verb, noun))) {
        let own = seed.with(verb).with(noun);
        let lower = format!("{}{noun}", verb.to_ascii_lowercase());
        let body = |style, path: &str, name| RemoteOperation { style, path: path.to_owned(), name: Some(name) };
        // About a third of all combinations of each style.
        if own.with("graphql").below(3) == 0 {
            operations.push(body(Style::GraphQl, "/graphql", format!("{verb}{noun}")));
        }
        if own.with("field").below(6) == 0 {
            operations.push(body(Style::GraphQlField, "/graphql", lower));
        }
        if own.with("rpc").below(3) == 0 {
            let (object, verb) = (noun.to_ascii_lowercase(), verb.to_ascii_lowercase());
            operations.push(body(Style::JsonRpc, "/rpc", format!("{object}.{verb}")));
        }
        if own.with("grpc").below(3) == 0 {
            let service = SERVICES[own.with("service").below(SERVICES.len() as u64) as usize];
            let path = format!("/acme.shop.v1.{service}/{verb}{noun}");
            operations.push(RemoteOperation { style: Style::Grpc, path, name: None });
        }
    }
    operations
}

/// Calls of these operations in order of time, at least `minimum` of each, some operations far more often than others; and a scanner
/// that asks for operations that there are not.
pub fn remote_calls(operations: &[RemoteOperation], minimum: u64, seed: u64) -> Vec<Exchange> {
    let seed = Seed::new(seed);
    let callers = Callers::new(CALLERS, seed);
    let mut planned: Vec<Option<&RemoteOperation>> = Vec::new();
    for operation in operations {
        let own = seed.with("calls").with(&operation.label());
        let calls = minimum + own.below(minimum * 4);
        planned.extend((0..calls).map(|_| Some(operation)));
    }
    let probes = planned.len() / 50;
    planned.extend(std::iter::repeat_n(None, probes));
    let mut rng = seed.with("order").rng();
    planned.shuffle(&mut rng);
    let scanner = Client { identity: None, address: "198.51.100.66".to_owned(), program: "python-requests/2.32.3" };
    planned
        .into_iter()
        .zip(0..)
        .map(|(operation, number)| {
            let at = START + Duration::milliseconds(CALL_EVERY_MS * number);
            let (client, call) = match operation {
                Some(operation) => (callers.pick(&mut rng), Call::of(operation, &mut rng)),
                None => (&scanner, Call::probing(&mut rng)),
            };
            call.sent_by(client, Exchange::at(at), &mut rng)
        })
        .collect()
}

/// What goes out and comes back.
struct Call {
    path: String,
    content_type: &'static str,
    body: String,
    status: u16,
    answer: String,
}

impl Call {
    fn of(operation: &RemoteOperation, rng: &mut impl Rng) -> Self {
        let name = operation.name.as_deref().unwrap_or_default();
        let failed = rng.random_range(0..100) < FAILED_PERCENT;
        let (content_type, body, answer) = match operation.style {
            Style::GraphQl => (JSON, graphql(name, true, rng), data(name, failed)),
            Style::GraphQlField => (JSON, graphql(name, false, rng), data(name, failed)),
            Style::JsonRpc => (JSON, json_rpc(name, rng), result(failed)),
            Style::Grpc => (GRPC, framed(rng), framed(rng)),
        };
        Self { path: operation.path.clone(), content_type, body, status: 200, answer }
    }

    /// A scanner learns that there is no such operation from the body of a success.
    fn probing(rng: &mut impl Rng) -> Self {
        let name = format!("{}{}", names::name(NameStyle::Camel, rng), rng.random_range(0..100));
        let (path, content_type, body, answer, status) = match rng.random_range(0..4) {
            0 => ("/graphql".to_owned(), JSON, graphql("IntrospectionQuery", true, rng), data("schema", false), 200),
            1 => ("/graphql".to_owned(), JSON, graphql(&name, true, rng), data(&name, true), 200),
            2 => ("/rpc".to_owned(), JSON, json_rpc(&format!("system.{name}"), rng), result(true), 200),
            _ => (format!("/acme.shop.v1.AdminService/{name}"), GRPC, framed(rng), String::new(), 404),
        };
        Self { path, content_type, body, status, answer }
    }

    fn sent_by(self, client: &Client, exchange: Exchange, rng: &mut impl Rng) -> Exchange {
        let headers = |content_type: &str| ("content-type".to_owned(), content_type.to_owned());
        Exchange {
            caller: client.identity.clone(),
            address: client.address.clone(),
            host: HOST.to_owned(),
            method: "POST".to_owned(),
            path: self.path,
            request_headers: BTreeMap::from([
                headers(self.content_type),
                ("user-agent".to_owned(), client.program.to_owned()),
            ]),
            request_body: Some(self.body),
            status: self.status,
            response_headers: BTreeMap::from([headers(self.content_type)]),
            response_bytes: self.answer.len(),
            response_body: Some(self.answer),
            duration_us: rng.random_range(800..60_000),
            ..exchange
        }
    }
}

/// A query, or a mutation by its verb; its name in `operationName`, in the document, in both, or nowhere.
fn graphql(name: &str, is_named: bool, rng: &mut impl Rng) -> String {
    let field = format!("{}{}", name[..1].to_ascii_lowercase(), &name[1..]);
    let kind = if ["get", "list", "search", "watch"].iter().any(|verb| field.starts_with(verb)) {
        "query"
    } else {
        "mutation"
    };
    let id = rng.random_range(1_000..90_000);
    if !is_named {
        let document = format!("{kind} {{ {field}(id: {id}) {{ id name updatedAt }} }}");
        return json!({"query": document.replacen("query ", ["", "query "].choose(rng).copied().unwrap_or(""), 1)})
            .to_string();
    }
    let document = format!("{kind} {name}($id: ID!) {{\n  {field}(id: $id) {{ id name updatedAt }}\n}}");
    let variables = json!({"id": id.to_string()});
    let body = match rng.random_bool(0.5) {
        true => json!({"operationName": name, "query": document, "variables": variables}),
        false => json!({"query": document, "variables": variables}),
    };
    body.to_string()
}

/// One call or several of the same method.
fn json_rpc(method: &str, rng: &mut impl Rng) -> String {
    let mut call = || {
        let params = json!({"id": rng.random_range(1_000..90_000), "note": names::name(NameStyle::Kebab, rng)});
        json!({"jsonrpc": "2.0", "id": rng.random_range(1..1_000), "method": method, "params": params})
    };
    let (first, second) = (call(), call());
    if rng.random_range(0..100) < BATCH_PERCENT { json!([first, second]).to_string() } else { first.to_string() }
}

fn data(name: &str, failed: bool) -> String {
    let answer = match failed {
        true => json!({"data": null, "errors": [{"message": "it cannot be done"}]}),
        false => json!({"data": {name: {"id": "17", "name": "a name", "updatedAt": "2026-10-01T10:00:00Z"}}}),
    };
    answer.to_string()
}

fn result(failed: bool) -> String {
    let answer = match failed {
        true => json!({"jsonrpc": "2.0", "id": 1, "error": {"code": -32601, "message": "method not found"}}),
        false => json!({"jsonrpc": "2.0", "id": 1, "result": {"id": 17, "state": "done"}}),
    };
    answer.to_string()
}

/// A message of gRPC as text: its prefix and a field of a few letters.
fn framed(rng: &mut impl Rng) -> String {
    let text = names::name(NameStyle::Kebab, rng);
    let length = u8::try_from(text.len().min(100)).unwrap_or(0);
    let prefix: String = [0, 0, 0, 0, length + 2, 10, length].map(char::from).iter().collect();
    format!("{prefix}{text}")
}
