//! One method of a path, of one endpoint or of several that a body tells apart (GraphQL, JSON-RPC).

use std::collections::BTreeMap;

use apiward_detector::observation::Location;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use time::format_description::well_known::Rfc3339;

use crate::discovery::inventory::{Body, EndpointInventory, Parameter, extension};

use super::security;

/// Endpoints of one method and template as one operation.
pub fn operation(id: &str, alternatives: &[&EndpointInventory]) -> Value {
    let mut operation = Map::from_iter([("operationId".to_owned(), json!(id))]);
    let parameters = parameters(alternatives);
    if !parameters.is_empty() {
        operation.insert("parameters".to_owned(), Value::Array(parameters));
    }
    if let Some(body) = merged_body(alternatives, |endpoint| endpoint.request_body.as_ref()) {
        operation.insert("requestBody".to_owned(), body);
    }
    operation.insert("responses".to_owned(), Value::Object(responses(alternatives)));
    if let Some(security) = security::requirements(alternatives) {
        operation.insert("security".to_owned(), security);
    }
    match alternatives {
        [only] if only.operation.is_none() => operation.extend(extensions(only)),
        _ => {
            let named = alternatives.iter().map(|endpoint| {
                let mut of_one = extensions(endpoint);
                of_one.insert("operation".to_owned(), json!(endpoint.operation));
                Value::Object(of_one)
            });
            operation.insert("x-apiward-operations".to_owned(), named.collect());
        }
    }
    Value::Object(operation)
}

fn extensions(endpoint: &EndpointInventory) -> Map<String, Value> {
    let time = |at: Option<time::OffsetDateTime>| at.and_then(|at| at.format(&Rfc3339).ok());
    let all = [
        ("x-apiward-confidence", json!(endpoint.confidence)),
        ("x-apiward-exchanges", json!(endpoint.exchanges)),
        ("x-apiward-exchanges-per-hour", json!(endpoint.exchanges_per_hour)),
        ("x-apiward-state", json!(endpoint.state)),
        ("x-apiward-first-seen", json!(time(endpoint.first_seen))),
        ("x-apiward-last-seen", json!(time(endpoint.last_seen))),
        ("x-apiward-caller-kinds", json!(endpoint.caller_kinds)),
        (extension::SENSITIVE, json!(endpoint.sensitive)),
    ];
    all.into_iter()
        .filter(|(_, value)| !value.is_null() && value.as_array().is_none_or(|list| !list.is_empty()))
        .map(|(name, value)| (name.to_owned(), value))
        .collect()
}

fn parameters(alternatives: &[&EndpointInventory]) -> Vec<Value> {
    let mut by_name: BTreeMap<&str, Vec<&Parameter>> = BTreeMap::new();
    let mut unnamed: Vec<&Parameter> = Vec::new();
    let queries = alternatives.iter().flat_map(|endpoint| &endpoint.parameters);
    for parameter in queries.filter(|parameter| parameter.location == Location::Query) {
        if parameter.is_placeholder() {
            unnamed.push(parameter);
        } else {
            by_name.entry(&parameter.name).or_default().push(parameter);
        }
    }
    // The path is the same for all.
    let path = alternatives.first().into_iter().flat_map(|endpoint| &endpoint.parameters);
    let mut parameters: Vec<Value> = path
        .filter(|parameter| parameter.location == Location::Path)
        .map(|parameter| described("path", &[parameter], true))
        .collect();
    for of_name in by_name.values() {
        let required = of_name.len() == alternatives.len() && of_name.iter().all(|parameter| parameter.required);
        parameters.push(described("query", of_name, required));
    }
    if !unnamed.is_empty() {
        let values = any_of(unnamed.iter().map(|parameter| parameter.schema.clone()));
        let name = if by_name.contains_key("other") { "x-apiward-other" } else { "other" };
        parameters.push(json!({
            "name": name, "in": "query", "style": "form", "explode": true,
            "description": "Parameters whose names are values or no plain words.",
            "schema": { "type": "object", "additionalProperties": values },
        }));
    }
    parameters
}

/// `same` are the same parameter of several operations; never empty.
fn described(location: &str, same: &[&Parameter], required: bool) -> Value {
    let repeated = same.iter().any(|parameter| parameter.repeated);
    let one = any_of(same.iter().map(|parameter| parameter.schema.clone()));
    let schema = if repeated { json!({ "type": "array", "items": one }) } else { one };
    let mut described = Map::from_iter([
        ("name".to_owned(), json!(same.first().map_or("", |parameter| parameter.name.as_str()))),
        ("in".to_owned(), json!(location)),
        ("required".to_owned(), json!(required)),
        ("schema".to_owned(), schema),
    ]);
    if let [only] = same {
        if let Some(component) = &only.component {
            described.insert("x-apiward-component".to_owned(), json!(component));
        }
        match only.confidence {
            Some(confidence) => described.insert("x-apiward-confidence".to_owned(), json!(confidence)),
            None => described.insert(extension::SHARE.to_owned(), json!(only.share)),
        };
    }
    Value::Object(described)
}

/// The bodies of several endpoints as one object of OpenAPI (a request body, or the content of responses).
fn merged_body<'i>(
    alternatives: &[&'i EndpointInventory],
    body_of: impl Fn(&'i EndpointInventory) -> Option<&'i Body>,
) -> Option<Value> {
    let bodies: Vec<&Body> = alternatives.iter().filter_map(|endpoint| body_of(endpoint)).collect();
    if bodies.is_empty() {
        return None;
    }
    let required = bodies.len() == alternatives.len() && bodies.iter().all(|body| body.required);
    Some(json!({ "required": required, "content": content(&bodies) }))
}

fn content(bodies: &[&Body]) -> Map<String, Value> {
    let mut by_type: BTreeMap<&str, (u64, Vec<Value>)> = BTreeMap::new();
    for content in bodies.iter().flat_map(|body| &body.contents) {
        let (exchanges, schemas) = by_type.entry(&content.media_type).or_default();
        *exchanges += content.exchanges;
        schemas.extend(content.schema.clone());
    }
    by_type
        .into_iter()
        .map(|(media_type, (exchanges, schemas))| {
            let mut described = Map::from_iter([("x-apiward-exchanges".to_owned(), json!(exchanges))]);
            if !schemas.is_empty() {
                described.insert("schema".to_owned(), any_of(schemas));
            }
            (media_type.to_owned(), Value::Object(described))
        })
        .collect()
}

fn responses(alternatives: &[&EndpointInventory]) -> Map<String, Value> {
    let mut counts: BTreeMap<u16, u64> = BTreeMap::new();
    for status in alternatives.iter().flat_map(|endpoint| &endpoint.statuses) {
        // Others are no statuses of HTTP.
        if (100..600).contains(&status.status) {
            *counts.entry(status.status).or_default() += status.exchanges;
        }
    }
    let bodies: Vec<&Body> = alternatives.iter().filter_map(|endpoint| endpoint.response_body.as_ref()).collect();
    let mut responses: Map<String, Value> = counts
        .into_iter()
        .map(|(status, exchanges)| {
            let mut response = Map::from_iter([
                ("description".to_owned(), json!(reason(status))),
                ("x-apiward-exchanges".to_owned(), json!(exchanges)),
            ]);
            // Bodies are looked at of successful responses only; 204 and 205 have none.
            if (200..300).contains(&status) && !matches!(status, 204 | 205) && !bodies.is_empty() {
                response.insert("content".to_owned(), Value::Object(content(&bodies)));
            }
            (status.to_string(), Value::Object(response))
        })
        .collect();
    if responses.is_empty() {
        let mut unknown = Map::from_iter([("description".to_owned(), json!("no status was recorded"))]);
        if !bodies.is_empty() {
            unknown.insert("content".to_owned(), Value::Object(content(&bodies)));
        }
        responses.insert("default".to_owned(), Value::Object(unknown));
    }
    responses
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("a status of this service")
}

/// One schema for several alternatives.
fn any_of(schemas: impl IntoIterator<Item = Value>) -> Value {
    let mut different: Vec<Value> = Vec::new();
    for schema in schemas {
        if !different.contains(&schema) {
            different.push(schema);
        }
    }
    match different.pop() {
        None => json!({}),
        Some(only) if different.is_empty() => only,
        Some(last) => {
            different.push(last);
            json!({ "anyOf": different })
        }
    }
}
