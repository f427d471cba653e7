//! The inventory of a host as an OpenAPI 3.1 document.
//!
//! What OpenAPI has no word for (confidence, counts, state, kinds of callers) is in extensions named `x-apiward-…`.

mod operation;
mod security;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::inventory::{EndpointInventory, Inventory};
use operation::operation;

/// The version of the specification that is written: <https://spec.openapis.org/oas/v3.1.0>.
pub const OPENAPI_VERSION: &str = "3.1.0";

/// Methods that a path item has fields for.
const METHODS: [&str; 8] = ["GET", "PUT", "POST", "DELETE", "OPTIONS", "HEAD", "PATCH", "TRACE"];

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenApiError {
    #[error("nothing was seen of host {host}; there is traffic of: {}", .known.join(", "))]
    UnknownHost { host: String, known: Vec<String> },
    #[error("no endpoint was discovered")]
    NoEndpoints,
    #[error("an OpenAPI document is about one host, and there is traffic of several; choose one of: {}", .hosts.join(", "))]
    SeveralHosts { hosts: Vec<String> },
    #[error("the templates {one} and {next} differ only in the names of parameters, which OpenAPI does not allow")]
    Collision { one: String, next: String },
}

/// The host that a document is to be about: the given one, else the only one.
///
/// # Errors
/// When there is no such host, or a choice.
pub fn chosen_host<'i>(inventory: &'i Inventory, host: Option<&str>) -> Result<&'i str, OpenApiError> {
    let hosts = inventory.hosts();
    let owned = || hosts.iter().map(|host| (*host).to_owned()).collect();
    match (host, hosts.as_slice()) {
        (_, []) => Err(OpenApiError::NoEndpoints),
        (Some(host), _) => hosts
            .iter()
            .find(|known| **known == host)
            .copied()
            .ok_or_else(|| OpenApiError::UnknownHost { host: host.to_owned(), known: owned() }),
        (None, [only]) => Ok(only),
        (None, _) => Err(OpenApiError::SeveralHosts { hosts: owned() }),
    }
}

/// The document of one host.
///
/// # Errors
/// When two templates are the same to OpenAPI.
pub fn document(inventory: &Inventory, host: &str) -> Result<Value, OpenApiError> {
    let endpoints: Vec<&EndpointInventory> =
        inventory.endpoints.iter().filter(|endpoint| endpoint.host == host).collect();
    let mut by_path: BTreeMap<&str, BTreeMap<&str, Vec<&EndpointInventory>>> = BTreeMap::new();
    for endpoint in &endpoints {
        by_path.entry(&endpoint.template).or_default().entry(&endpoint.method).or_default().push(endpoint);
    }
    refuse_collisions(by_path.keys().copied())?;
    let mut ids = BTreeSet::new();
    let mut paths = Map::new();
    for (template, by_method) in by_path {
        let mut item = Map::new();
        let mut others = Map::new();
        for (method, alternatives) in by_method {
            let id = unique_id(method, template, &mut ids);
            let operation = operation(&id, &alternatives);
            let place = if METHODS.contains(&method) { &mut item } else { &mut others };
            place.insert(
                if METHODS.contains(&method) { method.to_ascii_lowercase() } else { method.to_owned() },
                operation,
            );
        }
        if !others.is_empty() {
            item.insert("x-apiward-other-methods".to_owned(), Value::Object(others));
        }
        paths.insert(template.to_owned(), Value::Object(item));
    }
    let mut document = json!({
        "openapi": OPENAPI_VERSION,
        "info": info(host, &endpoints),
        "servers": [{ "url": server_url(host) }],
        "paths": paths,
    });
    let schemes = security::schemes(&endpoints);
    if let (Some(document), false) = (document.as_object_mut(), schemes.is_empty()) {
        document.insert("components".to_owned(), json!({ "securitySchemes": schemes }));
    }
    Ok(document)
}

fn info(host: &str, endpoints: &[&EndpointInventory]) -> Value {
    let exchanges: u64 = endpoints.iter().map(|endpoint| endpoint.exchanges).sum();
    let last_seen = endpoints.iter().filter_map(|endpoint| endpoint.last_seen).max();
    json!({
        "title": host,
        "version": last_seen.map_or_else(|| "discovered".to_owned(), |last| last.date().to_string()),
        "description": format!("Discovered by apiward in the traffic of {host}."),
        "x-apiward-exchanges": exchanges,
    })
}

/// Without a host name (`{ip}`), relative to where the document is served.
fn server_url(host: &str) -> String {
    if host.contains('{') { "/".to_owned() } else { format!("https://{host}") }
}

fn refuse_collisions<'t>(templates: impl Iterator<Item = &'t str>) -> Result<(), OpenApiError> {
    let mut known: BTreeMap<String, &str> = BTreeMap::new();
    for template in templates {
        if let Some(one) = known.insert(without_names(template), template) {
            return Err(OpenApiError::Collision { one: one.to_owned(), next: template.to_owned() });
        }
    }
    Ok(())
}

/// `/reports/{}.json`
pub(super) fn without_names(template: &str) -> String {
    let mut pieces = template.split('{');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        text.push_str("{}");
        text.push_str(piece.split_once('}').map_or("", |(_, after)| after));
    }
    text
}

/// `get_api_cart_id`
fn unique_id(method: &str, template: &str, taken: &mut BTreeSet<String>) -> String {
    let words = template.split(|sign: char| !sign.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let plain =
        std::iter::once(method.to_ascii_lowercase()).chain(words.map(str::to_owned)).collect::<Vec<String>>().join("_");
    let mut id = plain.clone();
    let mut number = 2;
    while !taken.insert(id.clone()) {
        id = format!("{plain}_{number}");
        number += 1;
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_parameters_do_not_tell_templates_apart() {
        let check = |templates: &[&str], collide: bool| {
            assert_eq!(refuse_collisions(templates.iter().copied()).is_err(), collide, "{templates:?}");
        };
        check(&["/a/{id}", "/a/{id2}"], true);
        check(&["/a/{id}", "/a/{id}.json", "/a/me"], false);
        check(&["/a/{id}..{id2}", "/a/{x}..{y}"], true);
    }

    #[test]
    fn operation_ids_are_unique_words() {
        let mut taken = BTreeSet::new();
        assert_eq!(unique_id("GET", "/api/cart/{id}", &mut taken), "get_api_cart_id");
        assert_eq!(unique_id("GET", "/api/cart/id", &mut taken), "get_api_cart_id_2");
        assert_eq!(unique_id("GET", "/", &mut taken), "get");
    }
}
