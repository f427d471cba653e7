//! The sample shop, discovered from its traffic: its endpoints are found, and the document about them is valid.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use apiward_e2e::harness::apiward;
use apiward_e2e::shop::{Endpoint, Release};
use apiward_e2e::traffic::{self, Scenario};
use serde_json::{Map, Value, json};
use tempfile::TempDir;

const SEED: u64 = 21;
const EXCHANGES: u64 = 6_000;

/// A folder with the shop's `traffic.jsonl`.
async fn recorded() -> TempDir {
    let folder = tempfile::tempdir().expect("make a folder");
    let exchanges =
        traffic::generate(&Scenario::normal(Release::One), SEED, EXCHANGES, |_| {}).await.expect("a complete run");
    let lines: String =
        exchanges.iter().map(|exchange| serde_json::to_string(exchange).expect("plain data") + "\n").collect();
    std::fs::write(folder.path().join("traffic.jsonl"), lines).expect("write the traffic");
    folder
}

/// Runs `apiward discover` there. Every caller counts: some endpoints are for a handful of administrators.
fn discover(folder: &Path, arguments: &[&str]) -> Output {
    let program = apiward().expect("find apiward");
    let mut command = Command::new(program);
    command.current_dir(folder).args(["discover", "traffic.jsonl", "--callers", "1"]).args(arguments);
    let output = command.output().expect("run apiward");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What the shop's developers would declare.
fn specification() -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for endpoint in Endpoint::of_release(Release::One) {
        let method = endpoint.method().as_str().to_ascii_lowercase();
        let operation = json!({ "responses": { "default": { "description": "an answer" } } });
        paths.entry(endpoint.template()).or_default().insert(method, operation);
    }
    json!({ "openapi": "3.1.0", "info": { "title": "Shop", "version": "1" }, "paths": paths })
}

fn labels(comparison: &Value, list: &str, path: &str) -> BTreeSet<String> {
    let label = |item: &Value| format!("{} {}", item["method"].as_str().unwrap(), item[path].as_str().unwrap());
    comparison[list].as_array().unwrap().iter().map(label).collect()
}

#[tokio::test]
async fn the_endpoints_of_the_sample_shop_are_those_that_it_has() {
    let folder = recorded().await;
    std::fs::write(folder.path().join("shop.json"), specification().to_string()).unwrap();
    let output = discover(folder.path(), &["--against", "shop.json", "--json"]);
    let comparison: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(labels(&comparison, "shadow", "template"), BTreeSet::new(), "{comparison:#}");
    assert_eq!(labels(&comparison, "unused", "path"), BTreeSet::new(), "{comparison:#}");
}

#[tokio::test]
async fn the_document_of_the_sample_shop_is_valid() {
    let folder = recorded().await;
    discover(folder.path(), &["--openapi", "--output", "openapi.json"]);
    let python = std::env::var_os("APIWARD_PYTHON")
        .expect("APIWARD_PYTHON must name a Python interpreter with openapi-spec-validator; `make test` sets it");
    let document = folder.path().join("openapi.json");
    let validated = Command::new(python).args(["-m", "openapi_spec_validator"]).arg(&document).output().unwrap();
    assert!(validated.status.success(), "{}", String::from_utf8_lossy(&validated.stdout));
    let document: Value = serde_json::from_slice(&std::fs::read(&document).unwrap()).unwrap();
    let cart = &document["paths"]["/api/cart"]["post"];
    assert_eq!(cart["requestBody"]["content"]["application/json"]["schema"]["type"], "object", "{cart:#}");
}
