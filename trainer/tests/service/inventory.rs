//! The inventory, OpenAPI and corrections over REST.

use apiward_trainer::endpoints::schedule::count;
use serde_json::{Value, json};

use crate::harness::{ADMIN, FILTER, OPERATOR, SCOPE, Trainer, VIEWER};
use crate::records::{batch, exchange, normal_traffic, now_ms, record};
use crate::telemetry::send;

const HOST: &str = "shop.example";

async fn endpoints(trainer: &Trainer, query: &str) -> Value {
    trainer.get(VIEWER, &format!("/v1/endpoints{query}")).await.expect(200).json()
}

fn templates(list: &Value) -> Vec<&str> {
    list["endpoints"].as_array().unwrap().iter().map(|listed| listed["template"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn endpoints_are_listed_as_soon_as_their_records_are_stored() {
    let trainer = Trainer::start().await;
    let none = endpoints(&trainer, "").await;
    assert_eq!((&none["endpoints"], &none["exchanges"], &none["model"]), (&json!([]), &json!(0), &json!(null)));
    send(&trainer, &batch(normal_traffic(400))).await.expect(200);
    let list = endpoints(&trainer, "").await;
    assert_eq!(templates(&list), ["/api/cart", "/api/orders/{id}", "/api/products", "/api/products/{id}"]);
    assert_eq!(list["exchanges"], json!(400));
    let order = &list["endpoints"][1];
    assert_eq!(
        (&order["method"], &order["state"], &order["exchanges"], &order["model"], &order["counted"]),
        (&json!("GET"), &json!("active"), &json!(100), &json!(null), &json!(null))
    );
    assert_eq!(order["parameters"][0]["types"][0]["type"], json!("integer"));
    let id = order["id"].as_str().unwrap();
    assert_eq!(trainer.get(VIEWER, &format!("/v1/endpoints/{id}")).await.expect(200).json(), *order);
    trainer.get(VIEWER, "/v1/endpoints/0000000000000000").await.expect(404);

    let first = endpoints(&trainer, "?limit=3").await;
    assert_eq!(templates(&first).len(), 3);
    let next = first["next"].as_str().unwrap();
    let rest = endpoints(&trainer, &format!("?limit=3&after={next}")).await;
    assert_eq!((templates(&rest), &rest["next"]), (vec!["/api/products/{id}"], &json!(null)));
    assert!(templates(&endpoints(&trainer, "?state=stale").await).is_empty());
    assert!(templates(&endpoints(&trainer, "?host=other.example").await).is_empty());
    assert_eq!(templates(&endpoints(&trainer, format!("?host={HOST}&state=active").as_str()).await).len(), 4);
    count(&trainer.service).await;
    let metrics = String::from_utf8(trainer.get("", "/metrics").await.expect(200).body).unwrap();
    for line in [
        "apiward_endpoints{state=\"active\"} 4",
        "apiward_endpoints{state=\"stale\"} 0",
        "apiward_discovery_records_total{outcome=\"read\"} 400",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}: {metrics}");
    }
    assert!(metrics.contains("apiward_discovery_update_seconds_count") && metrics.contains("apiward_discovery_nodes "));
    trainer.get(VIEWER, "/v1/endpoints?state=old").await.expect(400);
    trainer.get(VIEWER, "/v1/endpoints?after=nothing").await.expect(400);
    trainer.get(VIEWER, "/v1/endpoints?scope=other").await.expect(403);
    assert!(templates(&trainer.get(ADMIN, "/v1/endpoints?scope=other").await.expect(200).json()).is_empty());
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn what_few_callers_do_is_no_endpoint() {
    let trainer = Trainer::start_with(&["--promotion-callers", "3"]).await;
    let of = |caller: u16, target: &str, status| record(&exchange(caller, now_ms(), target, status));
    let mut records = normal_traffic(100);
    records.extend((0..50).map(|_| of(1, "/api/hidden", 200)));
    records.extend((0..50).map(|caller| of(caller, "/.env", 404)));
    send(&trainer, &batch(records)).await.expect(200);
    let list = endpoints(&trainer, "").await;
    assert!(!templates(&list).contains(&"/api/hidden") && !templates(&list).contains(&"/.env"), "{list}");
    send(&trainer, &batch((2..5).map(|caller| of(caller, "/api/hidden", 200)).collect())).await.expect(200);
    assert!(templates(&endpoints(&trainer, "").await).contains(&"/api/hidden"));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn an_openapi_document_is_served_and_compared_with() {
    let trainer = Trainer::start().await;
    trainer.get(VIEWER, "/v1/openapi.json").await.expect(404);
    send(&trainer, &batch(normal_traffic(400))).await.expect(200);
    let document = trainer.get(VIEWER, "/v1/openapi.json").await.expect(200).json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["paths"]["/api/orders/{id}"]["get"]["parameters"][0]["in"], json!("path"));
    trainer.get(VIEWER, "/v1/openapi.json?host=other.example").await.expect(404);
    trainer.get(FILTER, "/v1/openapi.json").await.expect(403);

    let compare = async |media_type: &str, text: String| {
        trainer.send(VIEWER, "/v1/openapi/comparison", &[("content-type", media_type)], text.into_bytes()).await
    };
    let same = compare("application/json", document.to_string()).await.expect(200).json();
    assert_eq!((&same["shadow"], &same["mismatches"]), (&json!([]), &json!([])), "{same}");
    let yaml = "openapi: 3.0.3\ninfo: {title: Shop, version: '1'}\npaths:\n  /api/cart:\n    get:\n      deprecated: true\n      responses: {}\n  /api/gone:\n    get:\n      responses: {}\n";
    let other = compare("application/yaml; charset=utf-8", yaml.to_owned()).await.expect(200).json();
    let shadow: Vec<&str> =
        other["shadow"].as_array().unwrap().iter().map(|found| found["template"].as_str().unwrap()).collect();
    assert!(shadow.contains(&"/api/orders/{id}") && !shadow.contains(&"/api/cart"), "{other}");
    assert_eq!(other["zombie"][0]["path"], json!("/api/cart"));
    assert_eq!(other["unused"][0]["path"], json!("/api/gone"));
    for (media_type, text, status) in [
        ("text/html", document.to_string(), 415),
        ("application/json", "{".to_owned(), 400),
        ("application/json", "{}".to_owned(), 400),
        ("application/json", " ".repeat(33 * 1024 * 1024), 413),
    ] {
        let answer = compare(media_type, text).await;
        assert_eq!((answer.status, answer.header("content-type")), (status, "application/problem+json"));
    }
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn corrections_change_templates_and_stay() {
    let trainer = Trainer::start().await;
    let records = (0..400_u16).map(|index| {
        let target =
            if index % 2 == 0 { "/api/orders/latest".to_owned() } else { format!("/api/orders/{}", 7000 + index) };
        record(&exchange(index % 40, now_ms() - 60_000, &target, 200))
    });
    send(&trainer, &batch(records.collect())).await.expect(200);
    let path = "/v1/endpoints/corrections";
    let correct = |kind: &str, template: &str| json!({"kind": kind, "host": HOST, "template": template});
    let before = templates(&endpoints(&trainer, "").await).join(" ");
    let merged = trainer.post(OPERATOR, path, &correct("merge", "/api/orders/{id}")).await.expect(201);
    let id = merged.json()["id"].as_i64().unwrap();
    assert_eq!(merged.header("location"), format!("{path}/{id}"));
    assert_eq!((&merged.json()["created_by"], &merged.json()["scope"]), (&json!("operator:shop"), &json!(SCOPE)));
    assert_eq!(templates(&endpoints(&trainer, "").await), ["/api/orders/{id}"]);
    trainer.post(OPERATOR, path, &correct("split", "/api/orders/latest")).await.expect(201);
    assert_eq!(templates(&endpoints(&trainer, "").await), ["/api/orders/latest", "/api/orders/{id}"]);

    trainer.post(OPERATOR, path, &correct("merge", "/api/orders/{id}")).await.expect(409);
    trainer.post(VIEWER, path, &correct("pin", "/api/orders")).await.expect(403);
    trainer.post(OPERATOR, path, &json!({"kind": "pin", "host": "Shop", "template": "/api"})).await.expect(400);
    trainer.post(OPERATOR, path, &correct("pin", "api")).await.expect(400);
    trainer.post(OPERATOR, path, &correct("turn", "/api")).await.expect(400);
    trainer
        .post(OPERATOR, path, &json!({"scope": "other", "kind": "pin", "host": HOST, "template": "/a"}))
        .await
        .expect(403);
    let of_other = json!({"scope": "other", "kind": "pin", "host": HOST, "template": "/a"});
    let other = trainer.post(ADMIN, path, &of_other).await.expect(201).json();
    assert_eq!(other["created_by"], json!("operator:*"));
    trainer.delete(OPERATOR, &format!("{path}/{}", other["id"])).await.expect(404);
    trainer.delete(VIEWER, &format!("{path}/{id}")).await.expect(403);

    let database = trainer.stop_and_keep_database().await;
    let trainer = Trainer::start_on(database, &[]).await;
    assert_eq!(templates(&endpoints(&trainer, "").await), ["/api/orders/latest", "/api/orders/{id}"]);
    let listed = trainer.get(VIEWER, path).await.expect(200).json();
    let kinds: Vec<&Value> = listed["corrections"].as_array().unwrap().iter().map(|listed| &listed["kind"]).collect();
    assert_eq!(kinds, ["merge", "split"]);
    for listed in listed["corrections"].as_array().unwrap() {
        assert!(trainer.delete(OPERATOR, &format!("{path}/{}", listed["id"])).await.expect(204).body.is_empty());
    }
    trainer.delete(OPERATOR, &format!("{path}/{id}")).await.expect(404);
    assert_eq!(templates(&endpoints(&trainer, "").await).join(" "), before);
    trainer.stop().await.unwrap();
}
