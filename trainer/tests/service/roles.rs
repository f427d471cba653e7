use serde_json::json;

use crate::harness::{ADMIN, FILTER, OPERATOR, OTHER_FILTER, Trainer, VIEWER};

#[tokio::test]
async fn every_role_does_what_it_may_and_nothing_else() {
    let trainer = Trainer::start().await;
    // Token, path, status of GET.
    let check = [
        (FILTER, "/v1/models", 403),
        (FILTER, "/v1/detections", 403),
        (FILTER, "/v1/settings", 403),
        (FILTER, "/v1/captures", 403),
        (FILTER, "/v1/bundle", 200),
        (VIEWER, "/v1/bundle", 403),
        (VIEWER, "/v1/payload-exceptions", 200),
        (FILTER, "/v1/payload-exceptions", 403),
        (VIEWER, "/v1/models", 200),
        (VIEWER, "/v1/training-runs", 200),
        (VIEWER, "/v1/endpoints", 200),
        (VIEWER, "/v1/captures", 403),
        (VIEWER, "/v1/settings", 200),
        (OPERATOR, "/v1/captures", 200),
        (OPERATOR, "/v1/bundle", 403),
        ("an unknown token", "/v1/models", 401),
        (ADMIN, "/v1/models", 200),
        (ADMIN, "/v1/endpoints", 400),
        (ADMIN, "/v1/endpoints?scope=shop", 200),
        (VIEWER, "/v1/nothing", 404),
        (VIEWER, "/v1/telemetry", 405),
    ];
    for (token, path, status) in check {
        let answer = trainer.get(token, path).await;
        assert_eq!(answer.status, status, "{token} {path}: {}", String::from_utf8_lossy(&answer.body));
        if status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{path}");
            assert_eq!(answer.json()["status"], json!(status));
        }
    }
    trainer.post(VIEWER, "/v1/training-runs", &json!({})).await.expect(403);
    trainer.post(VIEWER, "/v1/models/roll-back", &json!({})).await.expect(403);
    trainer.post(FILTER, "/v1/models/x/activate", &json!({})).await.expect(403);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_token_sees_and_moves_only_its_own_scope() {
    let trainer = Trainer::start().await;
    trainer.post(ADMIN, "/v1/training-runs", &json!({"scope": "other"})).await.expect(202);
    assert_eq!(trainer.get(VIEWER, "/v1/training-runs").await.expect(200).json(), json!({"training_runs": []}));
    trainer.get(VIEWER, "/v1/training-runs?scope=other").await.expect(403);
    trainer.get(VIEWER, "/v1/training-runs/1").await.expect(404);
    trainer.get(VIEWER, "/v1/training-runs/1/events").await.expect(404);
    trainer.get(ADMIN, "/v1/training-runs/1").await.expect(200);
    trainer.post(OPERATOR, "/v1/training-runs", &json!({"scope": "other"})).await.expect(403);
    trainer.post(OPERATOR, "/v1/models/roll-back", &json!({"scope": "other"})).await.expect(403);
    trainer.get(OTHER_FILTER, "/v1/bundle?scope=shop").await.expect(403);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn probes_need_no_token_and_metrics_neither() {
    let trainer = Trainer::start().await;
    for path in ["/healthz", "/readyz", "/metrics"] {
        trainer.get("", path).await.expect(200);
    }
    sqlx::query("delete from _sqlx_migrations").execute(&trainer.service.pool).await.unwrap();
    trainer.get("", "/readyz").await.expect(503);
    trainer.get("", "/healthz").await.expect(200);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_malformed_request_is_told_what_is_wrong() {
    let trainer = Trainer::start().await;
    let answer = trainer.post(OPERATOR, "/v1/training-runs", &json!({"scoop": "shop"})).await.expect(400).json();
    assert!(answer["detail"].as_str().unwrap().contains("scoop"), "{answer}");
    trainer.get(VIEWER, "/v1/training-runs/one").await.expect(400);
    trainer.get(VIEWER, "/v1/detections?subject=nobody").await.expect(400);
    trainer.post(OPERATOR, "/v1/training-runs", &json!({"scope": "x".repeat(100_000)})).await.expect(413);
    trainer.stop().await.unwrap();
}
