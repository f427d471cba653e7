//! What a real Envoy logs is read as recorded traffic: in the documented format and in the defaults of Istio and Envoy Gateway.

mod e2e;

use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use apiward_detector::exchange::{Exchange, header};
use apiward_e2e::harness::{Envoy, HttpClient, Secrets, free_address};
use apiward_trainer::traffic::{Entry, Format, open};
use axum::http::Method;
use serde_json::{Value, json};

use e2e::{EchoService, until};

const GUIDE: &str = include_str!("../../docs/recorded-traffic.md");
const SHIPPED: &str = include_str!("../../envoy/envoy.yaml");
const SHIPPED_FORMAT: &str = "/static_resources/listeners/0/filter_chains/0/filters/0/typed_config/access_log/0\
                              /typed_config/log_format/json_format";

/// The log that every Envoy of the harness writes.
const SHIPPED_LOG: &str = "access";
const TARGET: &str = "/api/notes?page=2";
const BODY: &str = r#"{"title":"Paint"}"#;
/// As the gateway in front of this Envoy names it: see the harness.
const ADDRESS: &str = "203.0.113.9";
const AGENT: &str = "notes/1.0";

/// The `json_format` of the guide.
fn documented_format() -> anyhow::Result<Value> {
    let yaml =
        GUIDE.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).context("no yaml in the guide")?;
    let document: Value = serde_saphyr::from_str(yaml)?;
    document.pointer("/log_format/json_format").cloned().context("no json_format in the guide")
}

/// Istio's default, from its documentation of `accessLogEncoding: JSON`.
fn istio_format() -> Value {
    json!({
        "start_time": "%START_TIME%", "route_name": "%ROUTE_NAME%", "method": "%REQ(:METHOD)%",
        "path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%", "response_code": "%RESPONSE_CODE%",
        "response_flags": "%RESPONSE_FLAGS%", "response_code_details": "%RESPONSE_CODE_DETAILS%",
        "connection_termination_details": "%CONNECTION_TERMINATION_DETAILS%", "bytes_received": "%BYTES_RECEIVED%",
        "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%",
        "upstream_service_time": "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)%", "x_forwarded_for": "%REQ(X-FORWARDED-FOR)%",
        "user_agent": "%REQ(USER-AGENT)%", "request_id": "%REQ(X-REQUEST-ID)%", "authority": "%REQ(:AUTHORITY)%",
        "upstream_host": "%UPSTREAM_HOST%", "upstream_cluster": "%UPSTREAM_CLUSTER%",
        "upstream_local_address": "%UPSTREAM_LOCAL_ADDRESS%", "downstream_local_address": "%DOWNSTREAM_LOCAL_ADDRESS%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "requested_server_name": "%REQUESTED_SERVER_NAME%",
        "upstream_transport_failure_reason": "%UPSTREAM_TRANSPORT_FAILURE_REASON%",
    })
}

/// Envoy Gateway's default, from its documentation of proxy access logs.
fn envoy_gateway_format() -> Value {
    json!({
        "start_time": "%START_TIME%", "method": "%REQ(:METHOD)%",
        "x-envoy-origin-path": "%REQ(X-ENVOY-ORIGINAL-PATH?:PATH)%", "protocol": "%PROTOCOL%",
        "response_code": "%RESPONSE_CODE%", "response_flags": "%RESPONSE_FLAGS%",
        "bytes_received": "%BYTES_RECEIVED%", "bytes_sent": "%BYTES_SENT%", "duration": "%DURATION%",
        "x-forwarded-for": "%REQ(X-FORWARDED-FOR)%", "user-agent": "%REQ(USER-AGENT)%",
        "x-request-id": "%REQ(X-REQUEST-ID)%", ":authority": "%REQ(:AUTHORITY)%", "upstream_host": "%UPSTREAM_HOST%",
        "downstream_remote_address": "%DOWNSTREAM_REMOTE_ADDRESS%", "route_name": "%ROUTE_NAME%",
    })
}

/// The exchange with [`TARGET`], once Envoy has written it; no line may be one that cannot be read.
async fn logged(file: &Path) -> anyhow::Result<Exchange> {
    until("the access log", async || {
        for entry in Format::Auto.entries(open(file)?)? {
            match entry? {
                Entry::Exchange(labelled) if labelled.exchange.request.target == TARGET => {
                    return Ok(Some(labelled.exchange));
                }
                Entry::Exchange(_) => {}
                // Envoy's last line may be half written, and requests without a host have no path.
                Entry::Bad(bad) => eprintln!("{}, {}: {}", file.display(), bad.place, bad.reason),
            }
        }
        Ok(None)
    })
    .await
}

fn now_ms() -> i64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("the clock is after 1970");
    i64::try_from(since_epoch.as_millis()).expect("the clock is before the year 292277026")
}

#[test]
fn the_shipped_configuration_logs_what_the_guide_says() -> anyhow::Result<()> {
    let shipped: Value = serde_saphyr::from_str(SHIPPED)?;
    let shipped = shipped.pointer(SHIPPED_FORMAT).context("no json_format in envoy.yaml")?;
    let documented = documented_format()?;
    let members = documented.as_object().context("the format is an object")?;
    for (name, operator) in members {
        assert_eq!(shipped.get(name), Some(operator), "{name}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_envoy_writes_lines_that_are_read_in_every_format() -> anyhow::Result<()> {
    let service = EchoService::start().await?;
    let envoy = Envoy::builder(service.address(), free_address()?, &Secrets::random()?)?
        .access_log("documented", documented_format()?)
        .access_log("istio", istio_format())
        .access_log("envoy-gateway", envoy_gateway_format())
        .start()
        .await?;
    let before_ms = now_ms();
    let headers = [
        ("host", "shop.example"),
        ("user-agent", AGENT),
        ("x-user-id", "u-17"),
        ("x-forwarded-for", ADDRESS),
        ("content-type", "application/json"),
    ];
    let answer = HttpClient::new(&envoy.url(), None).send(Method::POST, TARGET, &headers, BODY).await?.successful()?;
    let after_ms = now_ms();
    assert_eq!(answer.text(), BODY);

    for name in [SHIPPED_LOG, "documented", "istio", "envoy-gateway"] {
        let exchange = logged(&envoy.access_log_file(name)).await?;
        let at_ms = exchange.at_ms.context("no time")?;
        assert!((before_ms - 1..=after_ms).contains(&at_ms), "{name}: {at_ms} is not in {before_ms}..={after_ms}");
        assert_eq!(exchange.caller.address.as_deref(), Some(ADDRESS), "{name}");
        let request = &exchange.request;
        assert_eq!((request.method.as_str(), request.host.as_str()), ("POST", "shop.example"), "{name}");
        assert_eq!(header(&request.headers, "user-agent"), Some(AGENT), "{name}");
        assert_eq!(request.body_bytes, BODY.len() as u64, "{name}");
        let response = exchange.response.as_ref().context("no response")?;
        assert_eq!((response.status, response.bytes), (Some(200), Some(BODY.len() as u64)), "{name}");
        let duration_us = response.duration_us.context("no duration")?;
        assert!(duration_us <= u64::try_from(after_ms - before_ms + 1)? * 1000, "{name}: {duration_us} us");
        let is_documented = [SHIPPED_LOG, "documented"].contains(&name);
        assert_eq!(exchange.caller.identity.as_deref(), is_documented.then_some("u-17"), "{name}");
        let content_types = (header(&request.headers, "content-type"), header(&response.headers, "content-type"));
        let expected = is_documented.then_some(("application/json", "application/octet-stream")).unzip();
        assert_eq!(content_types, expected, "{name}");
        assert!(!is_documented || duration_us > 0, "microseconds are told apart");
    }
    envoy.stop().await
}
