use std::str::FromStr as _;

use apiward_detector::bundle::{Bundle, PublicKey, open};
use serde_json::{Value, json};

use crate::harness::{ADMIN, FILTER, OPERATOR, OTHER_FILTER, Trainer, VIEWER};
use crate::records::{batch, hasher, normal_traffic};
use crate::telemetry::send;
use crate::training_runs::train;

async fn public_key(trainer: &Trainer) -> PublicKey {
    let settings = trainer.get(VIEWER, "/v1/settings").await.expect(200).json();
    PublicKey::from_str(settings["public_key"].as_str().unwrap()).unwrap()
}

/// The bundle as a filter gets it, and its tag.
pub async fn fetch(trainer: &Trainer) -> (Bundle, String) {
    let answer = trainer.get(FILTER, "/v1/bundle").await.expect(200);
    let etag = answer.header("etag").to_owned();
    (open(&answer.body, &[public_key(trainer).await]).unwrap(), etag)
}

#[tokio::test]
async fn traffic_becomes_a_signed_bundle_and_a_roll_back_brings_the_old_one_under_a_new_serial() {
    let trainer = Trainer::start().await;
    let (starter, _) = fetch(&trainer).await;
    assert!(starter.is_starter() && starter.manifest.serial == 0 && starter.manifest.scope == "shop");
    trainer.post(OPERATOR, "/v1/models/roll-back", &json!({})).await.expect(409);

    send(&trainer, &batch(normal_traffic(1200))).await.expect(200);
    let first_run = train(&trainer).await;
    assert_eq!(first_run["state"], json!("succeeded"), "{first_run}");
    let (first, first_etag) = fetch(&trainer).await;
    assert_eq!((first.manifest.serial, first.manifest.scope.as_str()), (1, "shop"));
    assert_eq!(first.manifest.hash_key_id, hasher().key_id());
    assert_eq!(json!(first.manifest.model), first_run["model"]);

    let unchanged = trainer.get_with(FILTER, "/v1/bundle", &[("if-none-match", &first_etag)]).await.expect(304);
    assert!(unchanged.body.is_empty());
    assert_eq!(unchanged.header("etag"), first_etag);
    let of_other = trainer.get(OTHER_FILTER, "/v1/bundle").await.expect(200);
    assert!(
        open(&of_other.body, &[public_key(&trainer).await]).unwrap().is_starter(),
        "of another scope nothing was learned"
    );

    let endpoints = trainer.get(VIEWER, "/v1/endpoints").await.expect(200).json();
    let templates: Vec<&str> =
        endpoints["endpoints"].as_array().unwrap().iter().map(|known| known["template"].as_str().unwrap()).collect();
    assert!(templates.contains(&"/api/cart"), "{templates:?}");

    send(&trainer, &batch(normal_traffic(1400))).await.expect(200);
    let second_run = train(&trainer).await;
    assert_eq!(second_run["state"], json!("succeeded"), "{second_run}");
    let (second, second_etag) = fetch(&trainer).await;
    assert_eq!(second.manifest.serial, 2);
    assert_eq!(second.manifest.parent.as_ref(), Some(&first.manifest.model));
    assert_ne!(first_etag, second_etag);
    trainer.get_with(FILTER, "/v1/bundle", &[("if-none-match", &first_etag)]).await.expect(200);

    let rolled = trainer.post(OPERATOR, "/v1/models/roll-back", &json!({})).await.expect(200).json();
    assert_eq!((&rolled["serial"], &rolled["model"]), (&json!(3), &json!(first.manifest.model)));
    let (mut third, _) = fetch(&trainer).await;
    assert_eq!(third.manifest.serial, 3);
    third.manifest.serial = first.manifest.serial;
    assert_eq!(third, first);
    trainer.post(OPERATOR, "/v1/models/roll-back", &json!({})).await.expect(409);

    let second_model = second.manifest.model;
    let path = format!("/v1/models/{second_model}/activate");
    assert_eq!(trainer.post(OPERATOR, &path, &json!({})).await.expect(200).json()["serial"], json!(4));
    let models = trainer.get(VIEWER, "/v1/models").await.expect(200).json();
    let active: Vec<&Value> =
        models["models"].as_array().unwrap().iter().filter(|model| model["active"] == json!(true)).collect();
    assert_eq!(active.len(), 1);
    assert_eq!((&active[0]["id"], &active[0]["serial"]), (&json!(second_model), &json!(4)));
    trainer.get(VIEWER, &format!("/v1/models/{second_model}")).await.expect(200);
    trainer.get(VIEWER, "/v1/models/none").await.expect(404);
    trainer.post(ADMIN, "/v1/models/none/activate", &json!({})).await.expect(404);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_model_with_too_many_false_alarms_waits_for_an_operator() {
    let trainer = Trainer::start().await;
    send(&trainer, &batch(normal_traffic(1200))).await.expect(200);
    assert_eq!(train(&trainer).await["state"], json!("succeeded"));
    let model = trainer.get(VIEWER, "/v1/models").await.json()["models"][0]["id"].as_str().unwrap().to_owned();
    // What the gate writes of a model that misses the budget.
    sqlx::query("update models set state = 'rejected', reason = 'too many false alarms'")
        .execute(&trainer.service.pool)
        .await
        .unwrap();
    let path = format!("/v1/models/{model}/activate");
    let refused = trainer.post(OPERATOR, &path, &json!({})).await.expect(409).json();
    assert!(refused["detail"].as_str().unwrap().contains("too many false alarms"), "{refused}");
    trainer.post(OPERATOR, &path, &json!({"force": true})).await.expect(200);
    // Nobody can publish what filters refuse.
    sqlx::query("update models set content = '\\x00'").execute(&trainer.service.pool).await.unwrap();
    trainer.post(OPERATOR, &path, &json!({"force": true})).await.expect(500);
    trainer.stop().await.unwrap();
}
