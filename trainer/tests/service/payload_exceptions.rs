//! What people decide about values that look like attacks reaches filters, with the starter bundle and with every model.

use apiward_detector::observation::Location;
use apiward_detector::payload::{PayloadClass, PayloadException};
use serde_json::json;

use crate::harness::{ADMIN, OPERATOR, Trainer, VIEWER};
use crate::models::fetch;
use crate::records::{batch, normal_traffic};
use crate::telemetry::send;
use crate::training_runs::train;

const PATH: &str = "/v1/payload-exceptions";

#[tokio::test]
async fn exceptions_are_in_every_bundle_until_they_are_removed() {
    let trainer = Trainer::start().await;
    let exception = json!({"location": "body", "name": "html", "class": "xss"});
    let made = trainer.post(OPERATOR, PATH, &exception).await.expect(201);
    let id = made.json()["id"].as_i64().unwrap();
    assert_eq!(made.header("location"), format!("{PATH}/{id}"));
    assert_eq!(made.json()["created_by"], json!("operator:shop"));
    let expected = PayloadException {
        endpoint_id: None,
        location: Some(Location::Body),
        name: Some("html".to_owned()),
        class: Some(PayloadClass::Xss),
        threshold: None,
    };
    assert_eq!(fetch(&trainer).await.0.policy.payload_exceptions, std::slice::from_ref(&expected));

    send(&trainer, &batch(normal_traffic(1200))).await.expect(200);
    assert_eq!(train(&trainer).await["state"], json!("succeeded"));
    let (trained, _) = fetch(&trainer).await;
    assert_eq!((trained.manifest.serial, &trained.policy.payload_exceptions), (1, &vec![expected]));

    let raised = json!({"endpoint": format!("{:016x}", trained.routes.endpoints[0].id), "threshold": 7.5});
    trainer.post(OPERATOR, PATH, &raised).await.expect(201);
    let (raised, _) = fetch(&trainer).await;
    assert_eq!((raised.manifest.serial, raised.policy.payload_exceptions.len()), (2, 2), "it is published at once");
    assert_eq!(raised.policy.payload_exceptions[1].threshold, Some(7.5));
    assert_eq!(raised.manifest.model, trained.manifest.model);

    trainer.delete(OPERATOR, &format!("{PATH}/{id}")).await.expect(204);
    trainer.delete(OPERATOR, &format!("{PATH}/{id}")).await.expect(404);
    assert_eq!(fetch(&trainer).await.0.policy.payload_exceptions.len(), 1);
    let list = trainer.get(VIEWER, PATH).await.expect(200).json();
    assert_eq!(list["exceptions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_with_a_reason() {
    let trainer = Trainer::start().await;
    for (body, reason) in [
        (json!({}), "would turn the detector off"),
        (json!({"class": "sql"}), "class \\\"sql\\\" is unknown"),
        (json!({"location": "here"}), "location"),
        (json!({"endpoint": "POST /a"}), "no endpoint id"),
        (json!({"class": "xss", "threshold": 1e9}), "threshold"),
        (json!({"class": "xss", "threshold": -3.5}), "within -3 to 50 nats"),
    ] {
        let answer = trainer.post(OPERATOR, PATH, &body).await.expect(400);
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        assert!(text.contains(reason), "{body}: {text}");
    }
    let exception = json!({"class": "xss"});
    trainer.post(VIEWER, PATH, &exception).await.expect(403);
    trainer.post(ADMIN, PATH, &exception).await.expect(400);
    let of_other = trainer.post(ADMIN, PATH, &json!({"class": "xss", "scope": "other"})).await.expect(201).json();
    trainer.delete(OPERATOR, &format!("{PATH}/{}", of_other["id"])).await.expect(404);
}
