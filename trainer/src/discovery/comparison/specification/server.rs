use apiward_detector::observation::normalised_host;
use serde_json::Value;

use super::{Dialect, text_of};

/// Where the paths of a specification are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// As in route tables; `None` for a relative URL.
    pub host: Option<String>,
    /// Without a slash at its end: `/v1`, or nothing.
    pub prefix: String,
}

pub fn servers(root: &Value, dialect: Dialect) -> Vec<Server> {
    let declared: Vec<Server> = match dialect {
        Dialect::Swagger2 => {
            let host = root.get("host").and_then(Value::as_str).map(normalised_host);
            let prefix = prefix_of(root.get("basePath").and_then(Value::as_str).unwrap_or_default());
            vec![Server { host, prefix }]
        }
        Dialect::OpenApi3 => root.get("servers").and_then(Value::as_array).into_iter().flatten().map(server).collect(),
    };
    if declared.is_empty() { vec![Server { host: None, prefix: String::new() }] } else { declared }
}

fn server(declared: &Value) -> Server {
    let mut url = declared.get("url").map(text_of).unwrap_or_default();
    for (name, variable) in declared.get("variables").and_then(Value::as_object).into_iter().flatten() {
        let default = variable.get("default").map(text_of).unwrap_or_default();
        url = url.replace(&format!("{{{name}}}"), &default);
    }
    let after_scheme = url.split_once("://").map(|(_, rest)| rest).or_else(|| url.strip_prefix("//"));
    match after_scheme {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            Server { host: Some(normalised_host(authority)), prefix: prefix_of(path) }
        }
        None => Server { host: None, prefix: prefix_of(&url) },
    }
}

fn prefix_of(path: &str) -> String {
    let path = path.split(['?', '#']).next().unwrap_or_default().trim_matches('/');
    if path.is_empty() { String::new() } else { format!("/{path}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn servers_give_hosts_and_prefixes() {
        let check = |dialect: Dialect, root: Value, host: Option<&str>, prefix: &str| {
            let expected = Server { host: host.map(str::to_owned), prefix: prefix.to_owned() };
            assert_eq!(servers(&root, dialect), [expected], "{root}");
        };
        let open_api =
            |url: &str| json!({ "servers": [{ "url": url, "variables": { "stage": { "default": "v2" } } }] });
        check(Dialect::OpenApi3, json!({}), None, "");
        check(Dialect::OpenApi3, open_api("/"), None, "");
        check(Dialect::OpenApi3, open_api("https://Shop.example:8443/api/v1/"), Some("shop.example"), "/api/v1");
        check(Dialect::OpenApi3, open_api("https://shop.example/{stage}"), Some("shop.example"), "/v2");
        check(Dialect::OpenApi3, open_api("//shop.example"), Some("shop.example"), "");
        check(Dialect::OpenApi3, open_api("api"), None, "/api");
        let swagger = json!({ "host": "shop.example", "basePath": "/v1" });
        check(Dialect::Swagger2, swagger, Some("shop.example"), "/v1");
    }
}
