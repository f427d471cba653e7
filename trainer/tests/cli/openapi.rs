//! `apiward discover --openapi`: valid by a public validator, which `APIWARD_PYTHON` must have (`make test` sets it).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::discover::traffic;
use crate::program::run;

/// Fails the test unless the validator accepts the document.
#[track_caller]
fn validate(document: &Path) {
    let python = std::env::var_os("APIWARD_PYTHON")
        .expect("APIWARD_PYTHON must name a Python interpreter with openapi-spec-validator; `make test` sets it");
    let output = Command::new(python).args(["-m", "openapi_spec_validator"]).arg(document).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{} is not valid:\n{said}", document.display());
}

fn document(name: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    run(["discover", &traffic(name), "--openapi", "--output", path.to_str().unwrap()]).succeeded();
    validate(&path);
    serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap()
}

#[test]
fn a_shop_gives_a_valid_document() {
    let document = document("shop.jsonl");
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["servers"], json!([{ "url": "https://shop.example" }]));
    let paths: Vec<&String> = document["paths"].as_object().unwrap().keys().collect();
    assert_eq!(paths, ["/api/cart", "/api/orders/{id}", "/api/products", "/api/products/{id}"]);
}

#[test]
fn the_validator_can_say_no() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    // `id` is not declared as a parameter.
    let document = json!({ "openapi": "3.1.0", "info": { "title": "t", "version": "1" },
        "paths": { "/a/{id}": { "get": { "responses": { "200": { "description": "ok" } } } } } });
    std::fs::write(&path, document.to_string()).unwrap();
    let refused = std::panic::catch_unwind(|| validate(&path));
    assert!(refused.is_err(), "an undeclared path parameter was accepted");
}

#[test]
fn every_feature_gives_a_valid_document() {
    let document = document("features.jsonl");
    let check = |pointer: &str, expected: Value| {
        assert_eq!(document.pointer(pointer), Some(&expected), "{pointer} in {document:#}");
    };
    // A `/` in a path is `~1` in a pointer.
    check("/paths/~1users~1{id}/get/parameters/0/in", json!("path"));
    check("/paths/~1users~1{id}/get/parameters/0/schema/type", json!("integer"));
    check("/paths/~1users~1{id}/get/responses/404/description", json!("Not Found"));
    check("/paths/~1users~1{id}/get/security", json!([{ "jwt": [] }]));
    check(
        "/paths/~1users~1{id}/get/responses/200/content/application~1json/schema/properties/email/format",
        json!("email"),
    );
    check(
        "/paths/~1users~1{id}/delete/responses/204",
        json!({ "description": "No Content", "x-apiward-exchanges": 60 }),
    );
    check("/paths/~1health/get/security", json!([{}]));
    // Values of mixed components are parameters of their own.
    check("/paths/~1compare~1{id}...{id2}/get/parameters/1/name", json!("id2"));
    check("/paths/~1reports~1{id}.json/get/parameters/0/x-apiward-component", json!("{id}.json"));
    check("/paths/~1search/get/parameters/1/schema/type", json!("array"));
    // Names that are no words are parameters of any name.
    check("/paths/~1users/get/parameters/2/explode", json!(true));
    check("/paths/~1users/post/requestBody/required", json!(true));
    check(
        "/paths/~1login/post/requestBody/content/application~1x-www-form-urlencoded/schema/required",
        json!(["password", "user"]),
    );
    // One path item for all operations of a path.
    check("/paths/~1graphql/post/x-apiward-operations/0/operation", json!("AddItem"));
    check("/paths/~1graphql/post/x-apiward-operations/1/x-apiward-exchanges", json!(60));
    check("/paths/~1graphql/post/requestBody/content/application~1json/schema/anyOf/0/type", json!("object"));
    check("/paths/~1dav/x-apiward-other-methods/PROPFIND/operationId", json!("propfind_dav"));
    check("/components/securitySchemes/jwt", json!({ "type": "http", "scheme": "bearer", "bearerFormat": "JWT" }));
    check("/paths/~1beta/get/x-apiward-state", json!("new"));
    let schemes: Vec<&String> = document["components"]["securitySchemes"].as_object().unwrap().keys().collect();
    assert_eq!(schemes, ["api-key", "basic", "cookie", "jwt", "other"]);
}
