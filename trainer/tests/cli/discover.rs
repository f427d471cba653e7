//! `apiward discover`: the tree and the inventory, on recorded traffic. The network that judges words needs ONNX Runtime, as
//! `ORT_DYLIB_PATH` names it.

use std::path::PathBuf;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::every_feature;
use crate::program::{Finished, run};
use crate::shop_traffic::{lines, normal};

/// A folder with `features.jsonl` and `shop.jsonl`.
static TRAFFIC: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("features.jsonl"), lines(&every_feature::exchanges())).unwrap();
    std::fs::write(folder.path().join("shop.jsonl"), lines(&normal(1, 2000))).unwrap();
    folder
});

/// The path of a file of traffic.
pub fn traffic(name: &str) -> String {
    let path: PathBuf = TRAFFIC.path().join(name);
    path.to_str().unwrap().to_owned()
}

fn discover(name: &str, more: &[&str]) -> Finished {
    let file = traffic(name);
    let mut arguments = vec!["discover", &file];
    arguments.extend(more);
    run(arguments)
}

fn inventory(name: &str, more: &[&str]) -> Value {
    let mut arguments = vec!["--json"];
    arguments.extend(more);
    serde_json::from_str(&discover(name, &arguments).succeeded().stdout).unwrap()
}

/// The endpoint of a label such as `POST /graphql GetUser`.
#[track_caller]
fn endpoint<'i>(inventory: &'i Value, label: &str) -> &'i Value {
    let endpoints = inventory["endpoints"].as_array().unwrap();
    endpoints.iter().find(|endpoint| label_of(endpoint) == label).unwrap_or_else(|| {
        panic!("{label} is not among {:?}", endpoints.iter().map(label_of).collect::<Vec<_>>());
    })
}

fn label_of(endpoint: &Value) -> String {
    let text = |member: &str| endpoint[member].as_str().unwrap_or_default().to_owned();
    format!("{} {} {}", text("method"), text("template"), text("operation")).trim().to_owned()
}

#[test]
fn the_endpoints_of_a_shop_are_shown_as_a_tree() {
    let shown = discover("shop.jsonl", &[]).succeeded();
    assert!(!shown.stdout.contains('\u{1b}'), "colours outside of a terminal:\n{}", shown.stdout);
    let expected = include_str!("data/shop_tree.txt");
    assert_eq!(shown.stdout, expected, "\n{}", shown.stdout);
}

#[test]
fn the_tree_marks_what_is_worth_a_look() {
    let shown = discover("features.jsonl", &[]).succeeded();
    let expected = include_str!("data/features_tree.txt");
    assert_eq!(shown.stdout, expected, "\n{}", shown.stdout);
}

#[test]
fn the_inventory_has_the_documented_members() {
    let inventory = inventory("shop.jsonl", &[]);
    for endpoint in inventory["endpoints"].as_array().unwrap() {
        assert_eq!(endpoint["host"], "shop.example");
        assert!(endpoint["confidence"].as_f64().unwrap() > 0.9, "{endpoint:#}");
        // Without times there are no rates and no states to tell.
        assert_eq!(endpoint["state"], "active");
        assert_eq!(endpoint["first_seen"], Value::Null);
        assert_eq!(endpoint["exchanges_per_hour"], Value::Null);
    }
    let labels: Vec<String> = inventory["endpoints"].as_array().unwrap().iter().map(label_of).collect();
    let expected = ["POST /api/cart", "GET /api/orders/{id}", "GET /api/products", "GET /api/products/{id}"];
    assert_eq!(labels, expected);
    assert!(!inventory.to_string().contains("lamp"), "a value is in the inventory");
}

#[test]
fn parameters_have_types_bounds_and_say_whether_they_are_required() {
    let inventory = inventory("features.jsonl", &[]);
    #[track_caller]
    fn check(inventory: &Value, label: &str, location: &str, name: &str, expected: Value) {
        let parameters = endpoint(inventory, label)["parameters"].as_array().unwrap();
        let parameter = parameters
            .iter()
            .find(|parameter| parameter["location"] == location && parameter["name"] == name)
            .unwrap_or_else(|| panic!("no {location} {name} in {parameters:#?}"));
        for (member, value) in expected.as_object().unwrap() {
            assert_eq!(parameter[member], *value, "{label} {location} {name} {member} in {parameter:#}");
        }
    }
    check(
        &inventory,
        "GET /users/{id}",
        "path",
        "id",
        json!({
            "required": true, "types": [{ "type": "integer", "share": 1.0 }], "confidence": 1.0,
            "range": { "minimum": 511.0, "maximum": 2047.0 },
        }),
    );
    check(
        &inventory,
        "GET /users",
        "query",
        "sort",
        json!({
            "required": true, "enumeration": 3, "types": [{ "type": "word", "share": 1.0 }],
            "length": { "minimum": 3, "maximum": 4 },
        }),
    );
    check(&inventory, "GET /search", "query", "tag", json!({ "repeated": true, "required": true }));
    check(&inventory, "GET /search", "query", "limit", json!({ "required": false, "share": 0.25, "repeated": false }));
    check(&inventory, "POST /users", "body", "items[].note", json!({ "required": true, "share": 1.0 }));
    check(&inventory, "POST /users", "body", "email", json!({ "sensitive": ["email"] }));
    check(&inventory, "POST /login", "form", "user", json!({ "required": true }));
    check(&inventory, "GET /reports/{id}.json", "path", "id", json!({ "component": "{id}.json" }));
    check(&inventory, "GET /compare/{id}...{id2}", "path", "id2", json!({ "component": "{id}...{id2}" }));
    check(
        &inventory,
        "PUT /files/{id}",
        "path",
        "id",
        json!({ "schema": { "type": "string", "format": "uuid",
        "x-apiward-observed": { "minLength": 36, "maxLength": 36 } } }),
    );
}

#[test]
fn bodies_are_json_schemas_learned_from_shapes() {
    let inventory = inventory("features.jsonl", &[]);
    let user = endpoint(&inventory, "POST /users");
    let request = &user["request_body"]["contents"][0];
    assert_eq!(user["request_body"]["required"], true);
    assert_eq!(request["media_type"], "application/json");
    let schema = &request["schema"];
    let check = |pointer: &str, expected: Value| {
        assert_eq!(schema.pointer(pointer), Some(&expected), "{pointer} in {schema:#}")
    };
    check("/type", json!("object"));
    check("/required", json!(["age", "email", "items", "labels", "name", "settings"]));
    check("/properties/age/type", json!("integer"));
    check("/properties/email/format", json!("email"));
    check("/properties/items/type", json!("array"));
    check("/properties/items/items/required", json!(["quantity"]));
    check("/properties/items/items/properties/note/x-apiward-share", json!(0.5));
    check("/properties/items/items/properties/quantity/type", json!("integer"));
    check("/properties/settings/properties/dark/type", json!("boolean"));
    // Names that are values are not told one by one.
    check("/properties/labels/additionalProperties/type", json!("string"));

    let answer = &endpoint(&inventory, "GET /users/{id}")["response_body"]["contents"][0]["schema"];
    assert_eq!(answer["properties"]["nickname"]["type"], json!(["null", "string"]));
    assert_eq!(answer["properties"]["created"]["format"], "date-time");
    assert_eq!(
        answer["properties"]["address"]["properties"]["street"]["x-apiward-sensitive"],
        json!(["postal-address"])
    );
    let batch = &endpoint(&inventory, "POST /batch")["request_body"]["contents"][0]["schema"];
    assert_eq!(batch["items"]["required"], json!(["op"]));
    assert_eq!(
        endpoint(&inventory, "POST /upload")["request_body"]["contents"][0]["media_type"],
        "multipart/form-data"
    );
    assert_eq!(endpoint(&inventory, "GET /health")["request_body"], Value::Null);
}

#[test]
fn states_callers_and_credentials_are_told() {
    let inventory = inventory("features.jsonl", &[]);
    let check = |label: &str, pointer: &str, expected: Value| {
        let endpoint = endpoint(&inventory, label);
        assert_eq!(endpoint.pointer(pointer), Some(&expected), "{label} {pointer} in {endpoint:#}");
    };
    check("GET /beta", "/state", json!("new"));
    check("GET /v0/legacy", "/state", json!("stale"));
    check("GET /health", "/state", json!("active"));
    check("GET /health", "/authentication/use", json!("never"));
    check(
        "GET /users/{id}",
        "/authentication",
        json!({
            "use": "always", "credentials": [{ "kind": "jwt", "exchanges": 60 }], "without_credentials": 0,
        }),
    );
    check("DELETE /users/{id}", "/authentication/credentials/0/kind", json!("basic"));
    check(
        "GET /users/{id}",
        "/statuses",
        json!([{ "status": 200, "exchanges": 60 }, { "status": 404, "exchanges": 60 }]),
    );
    check("GET /users/{id}", "/callers", json!(5));
    check(
        "GET /users/{id}",
        "/caller_kinds",
        json!([
            { "kind": "role:admin", "exchanges": 36 }, { "kind": "role:customer", "exchanges": 24 },
        ]),
    );
    check(
        "GET /users/{id}",
        "/sensitive",
        json!([
            { "location": "response", "name": "address.street", "classes": ["postal-address"] },
            { "location": "response", "name": "email", "classes": ["email"] },
        ]),
    );
    let later = self::inventory("features.jsonl", &["--stale-after", "90d", "--new-for", "1h"]);
    assert_eq!(endpoint(&later, "GET /v0/legacy")["state"], "active");
    assert_eq!(endpoint(&later, "GET /beta")["state"], "active");
}

#[test]
fn the_result_goes_into_a_file_but_over_no_input() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("inventory.json");
    let path = output.to_str().unwrap();
    let said = discover("shop.jsonl", &["--json", "-o", path]).succeeded();
    assert_eq!(said.stdout, "");
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&output).unwrap()).unwrap();
    assert_eq!(written, inventory("shop.jsonl", &[]));
    discover("shop.jsonl", &["-o", &traffic("shop.jsonl")]).failed(1, "is input and output at once");
    discover("shop.jsonl", &["-o", folder.path().join("absent/x").to_str().unwrap()]).failed(1, "create");
}

#[test]
fn hosts_are_chosen_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("both.jsonl");
    std::fs::write(&file, lines(&normal(1, 500)) + &lines(&every_feature::exchanges())).unwrap();
    let both = file.to_str().unwrap();
    let of_host = run(["discover", both, "--host", "shop.example", "--json", "--callers", "0"]).succeeded();
    let of_host: Value = serde_json::from_str(&of_host.stdout).unwrap();
    assert_eq!(of_host["endpoints"].as_array().unwrap().len(), 4);
    run(["discover", both, "--callers", "0", "--openapi"]).failed(1, "choose one of: api.example, shop.example");
    run(["discover", both, "--host", "x.example"]).failed(1, "there are some at: api.example");
    run(["discover", both, "--openapi", "--json"]).failed(2, "cannot be used with");
    // None of the shop's exchanges names a caller: those of the other host do not make them nobody's.
    let told = run(["discover", both, "--callers", "9"]).succeeded();
    assert!(told.stdout.contains("shop.example"), "{}", told.stdout);
    std::fs::write(&file, lines(&every_feature::exchanges())).unwrap();
    let told = run(["discover", both, "--callers", "99"]).succeeded();
    assert!(told.stderr.contains("ask for fewer with --callers"), "{}", told.stderr);
}
