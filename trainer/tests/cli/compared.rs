//! `apiward discover --against`: traffic beside specifications of it.

use std::path::Path;

use serde_json::{Value, json};

use crate::discover::traffic;
use crate::program::{Finished, run};

const SPECIFICATION: &str = include_str!("data/features_spec.yaml");

/// Compares a file of traffic with the text of a specification.
fn compare(name: &str, specification: &str, more: &[&str]) -> Finished {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spec");
    std::fs::write(&path, specification).unwrap();
    compare_file(name, &path, more)
}

fn compare_file(name: &str, specification: &Path, more: &[&str]) -> Finished {
    let file = traffic(name);
    let mut arguments = vec!["discover", &file, "--against", specification.to_str().unwrap()];
    arguments.extend(more);
    run(arguments)
}

fn json_of(finished: Finished) -> Value {
    serde_json::from_str(&finished.succeeded().stdout).unwrap()
}

/// Labels of the endpoints or operations in one list of a comparison.
fn labels(comparison: &Value, list: &str) -> Vec<String> {
    let path = |item: &Value| item["template"].as_str().or(item["path"].as_str()).unwrap().to_owned();
    comparison[list]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| format!("{} {}", item["method"].as_str().unwrap(), path(item)))
        .collect()
}

#[test]
fn every_kind_of_difference_is_shown() {
    let shown = compare("features.jsonl", SPECIFICATION, &[]).succeeded();
    assert_eq!(shown.stdout, include_str!("data/features_differences.txt"), "\n{}", shown.stdout);
}

#[test]
fn programs_read_the_same() {
    let comparison = json_of(compare("features.jsonl", SPECIFICATION, &["--json"]));
    assert_eq!(
        comparison["specification"],
        json!({
            "title": "Features", "version": "1.2", "format": "OpenAPI 3.0.3", "operations": 15,
        })
    );
    assert_eq!(comparison["hosts"], json!(["api.example"]));
    assert_eq!(labels(&comparison, "zombie"), ["GET /v0/{thing}"]);
    let shadow = labels(&comparison, "shadow");
    for expected in ["GET /beta", "DELETE /users/{id}", "GET /search", "PROPFIND /dav"] {
        assert!(shadow.contains(&expected.to_owned()), "{expected} is not in {shadow:?}");
    }
    let me = comparison["unused"].as_array().unwrap().iter().find(|unused| unused["path"] == "/users/me").unwrap();
    assert_eq!(me["within"], "/users/{id}");
    let kinds: std::collections::BTreeSet<&str> =
        comparison["mismatches"].as_array().unwrap().iter().map(|one| one["kind"].as_str().unwrap()).collect();
    let all = [
        "enumeration",
        "format",
        "length",
        "location",
        "media_type",
        "required_absent",
        "status",
        "type",
        "unauthenticated",
        "undeclared",
    ];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), all);
}

#[test]
fn a_document_that_was_discovered_agrees_with_its_traffic() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    for (name, shadow) in [("shop.jsonl", &[] as &[&str]), ("features.jsonl", &["PROPFIND /dav"])] {
        run(["discover", &traffic(name), "--openapi", "-o", path.to_str().unwrap()]).succeeded();
        let comparison = json_of(compare_file(name, &path, &["--json"]));
        // A method that OpenAPI does not know is in an extension only.
        assert_eq!(labels(&comparison, "shadow"), shadow);
        assert_eq!(comparison["mismatches"], json!([]), "{comparison:#}");
        assert_eq!(comparison["unused"], json!([]), "{comparison:#}");
        assert_eq!(comparison["zombie"], json!([]), "{comparison:#}");
    }
}

#[test]
fn a_pipeline_fails_on_a_difference_if_it_asks_for_it() {
    let differs = compare("features.jsonl", SPECIFICATION, &["--fail-on-difference"]);
    let differs = differs.failed(3, "the traffic is not as declared: 6 shadow, 1 zombie, 18 mismatches");
    assert_eq!(differs.stdout, include_str!("data/features_differences.txt"), "the differences are shown");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("openapi.json");
    let file = traffic("shop.jsonl");
    run(["discover", &file, "--openapi", "-o", path.to_str().unwrap()]).succeeded();
    compare_file("shop.jsonl", &path, &["--fail-on-difference", "--json"]).succeeded();
    let unused = std::fs::read_to_string(&path).unwrap().replacen("\"paths\": {", UNUSED, 1);
    std::fs::write(&path, unused).unwrap();
    let same = compare_file("shop.jsonl", &path, &["--fail-on-difference"]).succeeded();
    assert!(same.stdout.contains("/never-asked-for"), "{}", same.stdout);
    run(["discover", &file, "--fail-on-difference"]).failed(2, "--against");
}

/// One more path at the beginning of a document's paths.
const UNUSED: &str =
    "\"paths\": { \"/never-asked-for\": { \"get\": { \"responses\": { \"200\": { \"description\": \"ok\" } } } },";

#[test]
fn older_and_other_forms_of_specifications_are_read() {
    let swagger = json!({
        "swagger": "2.0", "info": { "title": "Shop", "version": "1" }, "host": "shop.example", "basePath": "/api",
        "paths": {
            "/products": { "get": { "parameters": [
                { "name": "query", "in": "query", "type": "string", "required": true },
                { "name": "page", "in": "query", "type": "boolean" },
            ], "responses": { "200": { "description": "ok" } } } },
            "/products/{number}": { "get": { "responses": { "200": { "description": "ok" } } } },
            "/cart": { "post": { "parameters": [
                { "name": "item", "in": "body", "required": true, "schema": { "$ref": "#/definitions/Item" } },
            ], "responses": { "201": { "description": "ok" } } } },
            "/orders/{number}": { "get": { "responses": { "200": { "description": "ok" } } } },
        },
        "definitions": { "Item": { "type": "object", "required": ["product"], "additionalProperties": false, "properties": {
            "product": { "type": "integer" }, "quantity": { "type": "integer" },
        } } },
    });
    let comparison = json_of(compare("shop.jsonl", &swagger.to_string(), &["--json"]));
    assert_eq!(comparison["prefix"], "/api");
    assert_eq!(labels(&comparison, "shadow"), Vec::<String>::new());
    let mismatches: Vec<String> = comparison["mismatches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one["path"].as_str().unwrap(),
                one["kind"].as_str().unwrap(),
                one["name"].as_str().unwrap()
            )
        })
        .collect();
    // That a page is 1 is no proof that it is no boolean; that it is 2 would be, but values are not kept.
    assert_eq!(mismatches, ["/cart undeclared note"]);
    // 3.1 in YAML; a gateway took the prefix away that its server has.
    let bare = "openapi: 3.1.0\ninfo: {title: t, version: v}\nservers: [{url: /gateway}]\npaths:\n  /api/cart:\n    post: {responses: {'201': {description: ok}}, requestBody: {content: {application/json: {}}}}\n";
    let comparison = json_of(compare("shop.jsonl", bare, &["--json"]));
    assert_eq!((comparison["prefix"].as_str(), labels(&comparison, "matched").len()), (Some(""), 1));
    assert_eq!(comparison["mismatches"], json!([]));
}

#[test]
fn what_is_no_specification_is_refused_before_traffic_is_read() {
    let check = |specification: &str, said: &str| {
        let finished = compare("shop.jsonl", specification, &[]).failed(1, said);
        assert!(finished.stderr.contains("cannot be used"), "{}", finished.stderr);
    };
    check("", "it is no");
    check("{\"openapi\": \"3.0.0\"", "it is no JSON: EOF");
    check("a: [", "it is no YAML");
    check("just text", "neither `openapi: 3.…` nor `swagger: \"2.0\"`");
    check("openapi: 4.0.0", "it is OpenAPI 4.0.0; OpenAPI 3.0 and 3.1");
    check("swagger: '1.2'", "it is Swagger 1.2");
    check("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "neither");
    compare_file("shop.jsonl", Path::new("/absent/spec.yaml"), &[]).failed(1, "/absent/spec.yaml cannot be used");
    // Nine levels of ten aliases each would be a billion nodes.
    let mut bomb = "a0: &a0 [x]\n".to_owned();
    for level in 1..10 {
        bomb += &format!("a{level}: &a{level} [{}]\n", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    check(&bomb, "it is no YAML");
}
