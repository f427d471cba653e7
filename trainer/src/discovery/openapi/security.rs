use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::discovery::inventory::{AuthenticationUse, EndpointInventory};

/// Security schemes of all credentials seen, by the word of their kind.
pub fn schemes(endpoints: &[&EndpointInventory]) -> Map<String, Value> {
    kinds(endpoints).into_iter().filter_map(|kind| Some((kind.to_owned(), scheme(kind)?))).collect()
}

/// The alternatives by which an operation is used; `None` where nothing is known.
pub fn requirements(alternatives: &[&EndpointInventory]) -> Option<Value> {
    if alternatives.iter().all(|endpoint| endpoint.authentication.usage == AuthenticationUse::Unknown) {
        return None;
    }
    let mut requirements: Vec<Value> = kinds(alternatives)
        .into_iter()
        .filter(|kind| scheme(kind).is_some())
        .map(|kind| Value::Object(Map::from_iter([(kind.to_owned(), json!([]))])))
        .collect();
    if alternatives.iter().any(|endpoint| endpoint.authentication.usage != AuthenticationUse::Always) {
        requirements.push(json!({}));
    }
    Some(Value::Array(requirements))
}

fn kinds<'i>(endpoints: &[&'i EndpointInventory]) -> BTreeSet<&'i str> {
    endpoints
        .iter()
        .filter(|endpoint| endpoint.authentication.usage != AuthenticationUse::Never)
        .flat_map(|endpoint| &endpoint.authentication.credentials)
        .map(|credential| credential.kind.as_str())
        .collect()
}

/// Names of headers and cookies are not kept, so that those given here are only the usual ones.
fn scheme(kind: &str) -> Option<Value> {
    Some(match kind {
        "basic" => json!({ "type": "http", "scheme": "basic" }),
        "bearer" => json!({ "type": "http", "scheme": "bearer" }),
        "jwt" => json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }),
        "api-key" => json!({
            "type": "apiKey", "in": "header", "name": "x-api-key",
            "description": "An API key; the name of its header is not kept.",
        }),
        "cookie" => json!({
            "type": "apiKey", "in": "cookie", "name": "session",
            "description": "A cookie; which one carries the session is not known.",
        }),
        "client-certificate" => json!({ "type": "mutualTLS" }),
        "other" => json!({
            "type": "apiKey", "in": "header", "name": "authorization",
            "description": "Another scheme of the authorization header.",
        }),
        _ => return None,
    })
}
