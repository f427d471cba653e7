//! Envoy's configuration: the one that users copy, with its places to change filled in.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value, json};

use super::secrets::{SCOPE, Secrets};

/// The file that users copy.
const SHIPPED: &str = include_str!("../../../envoy/envoy.yaml");
const LOOPBACK: &str = "127.0.0.1";
/// Envoy takes a free port for this one.
const ANY_PORT: u16 = 0;

/// What is filled in.
#[derive(Debug, Clone)]
pub struct Places<'p> {
    pub upstream: SocketAddr,
    /// Whether it speaks HTTP/2.
    pub http2_upstream: bool,
    pub trainer: SocketAddr,
    pub module: &'p Path,
    pub access_log: &'p Path,
    /// Further access logs: where each goes, and its `json_format`.
    pub more_access_logs: &'p [(PathBuf, Value)],
    /// The filter's configuration.
    pub filter: &'p Value,
    /// HTTP filters before it.
    pub filters_before: &'p [Value],
    /// A folder with `server.pem`, `server.key` and `authority.pem`, for one more listener that asks for client certificates.
    pub certificates: Option<&'p Path>,
}

/// The listener that users copy, and the one beside it that asks for client certificates.
pub const LISTENER: &str = "api";
pub const MUTUAL_TLS_LISTENER: &str = "mutual-tls";

/// The filter's configuration that users copy, filled in for a shop.
pub fn filter_configuration(secrets: &Secrets) -> anyhow::Result<Value> {
    let mut shipped = shipped()?;
    let text = place(&mut shipped, FILTER_CONFIGURATION)?.as_str().unwrap_or_default();
    let mut configuration: Value = serde_json::from_str(text).context("read the shipped filter configuration")?;
    merge(
        &mut configuration,
        &json!({
            "scope": SCOPE,
            "trainer": {"token": secrets.filter_token},
            "public_keys": [secrets.signing.public().to_string()],
            "hash_key": secrets.hash_key,
        }),
    );
    Ok(configuration)
}

/// The whole configuration.
pub fn bootstrap(places: &Places<'_>) -> anyhow::Result<Value> {
    let mut bootstrap = shipped()?;
    *place(&mut bootstrap, "/admin/address/socket_address/port_value")? = json!(ANY_PORT);
    *place(&mut bootstrap, "/static_resources/listeners/0/address")? = socket_address(LOOPBACK, ANY_PORT);
    for (cluster, address) in [(0, places.upstream), (1, places.trainer)] {
        let pointer =
            format!("/static_resources/clusters/{cluster}/load_assignment/endpoints/0/lb_endpoints/0/endpoint/address");
        *place(&mut bootstrap, &pointer)? = socket_address(&address.ip().to_string(), address.port());
    }
    if places.http2_upstream {
        merge(place(&mut bootstrap, "/static_resources/clusters/0")?, &http2());
    }
    let manager = place(&mut bootstrap, CONNECTION_MANAGER)?;
    merge(manager, &connection_manager_changes());
    let log = place(manager, "/access_log/0")?;
    merge(log, &file_access_log(places.access_log));
    let shipped_log = log.clone();
    let logs = place(manager, "/access_log")?.as_array_mut().context("the access logs are no list")?;
    for (path, json_format) in places.more_access_logs {
        let mut log = shipped_log.clone();
        merge(&mut log, &file_access_log(path));
        *place(&mut log, "/typed_config/log_format/json_format")? = json_format.clone();
        logs.push(log);
    }
    *place(&mut bootstrap, FILTER_CONFIGURATION)? = json!(places.filter.to_string());
    *place(&mut bootstrap, MODULE)? = json!(places.module);
    let filters = place(&mut bootstrap, HTTP_FILTERS)?.as_array_mut().context("the HTTP filters are no list")?;
    filters.splice(0..0, places.filters_before.iter().cloned());
    if let Some(certificates) = places.certificates {
        let mut listener = place(&mut bootstrap, "/static_resources/listeners/0")?.clone();
        merge(&mut listener, &json!({"name": MUTUAL_TLS_LISTENER}));
        let chain = listener.pointer_mut("/filter_chains/0").context("the listener has no filters")?;
        merge(chain, &mutual_tls(certificates));
        let listeners = place(&mut bootstrap, "/static_resources/listeners")?.as_array_mut();
        listeners.context("the listeners are no list")?.push(listener);
    }
    Ok(bootstrap)
}

const CONNECTION_MANAGER: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config";
const HTTP_FILTERS: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters";
const FILTER_CONFIGURATION: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0\
                                    /typed_config/config/configuration/value";
const MODULE: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/http_filters/0/typed_config\
                      /config/vm_config/code/local/filename";

/// Simulated clients come through one trusted hop, the simulation, which names their addresses; and the ids that they give
/// their requests are kept, bit by bit, so that verdicts can be told apart.
fn connection_manager_changes() -> Value {
    json!({
        "xff_num_trusted_hops": 1,
        "preserve_external_request_id": true,
        "request_id_extension": {"typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
            "pack_trace_reason": false,
        }},
    })
}

/// What makes Envoy speak HTTP/2 to a cluster.
fn http2() -> Value {
    json!({"typed_extension_protocol_options": {"envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }}})
}

/// What makes a filter chain ask for a client's certificate.
fn mutual_tls(certificates: &Path) -> Value {
    let file = |name: &str| json!({"filename": certificates.join(name)});
    json!({"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": true,
        "common_tls_context": {
            "tls_certificates": [{"certificate_chain": file("server.pem"), "private_key": file("server.key")}],
            "validation_context": {"trusted_ca": file("authority.pem")},
        },
    }}})
}

/// What turns an access log on standard output into one in a file.
fn file_access_log(path: &Path) -> Value {
    json!({
        "name": "envoy.access_loggers.file",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog",
            "path": path,
        },
    })
}

fn shipped() -> anyhow::Result<Value> {
    serde_saphyr::from_str(SHIPPED).context("read envoy/envoy.yaml")
}

fn place<'v>(value: &'v mut Value, pointer: &str) -> anyhow::Result<&'v mut Value> {
    value.pointer_mut(pointer).with_context(|| format!("envoy/envoy.yaml has no {pointer}"))
}

fn socket_address(address: &str, port: u16) -> Value {
    json!({"socket_address": {"address": address, "port_value": port}})
}

/// Sets the keys of `changes`, object by object.
pub fn merge(value: &mut Value, changes: &Value) {
    match (value, changes) {
        (Value::Object(object), Value::Object(changes)) => {
            for (key, change) in changes {
                merge(object.entry(key.as_str()).or_insert(Value::Null), change);
            }
        }
        (value, change) => *value = change.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_made_where_they_are_named_and_nowhere_else() {
        let mut value = json!({"mode": "monitor", "trainer": {"cluster": "t", "token": "old"}});
        merge(&mut value, &json!({"trainer": {"token": "new"}, "caller": [1]}));
        assert_eq!(value, json!({"mode": "monitor", "trainer": {"cluster": "t", "token": "new"}, "caller": [1]}));
    }
}
