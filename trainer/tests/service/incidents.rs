use serde_json::{Value, json};

use crate::harness::{OPERATOR, Trainer};
use crate::records::{batch, exchange, flagged, now_ms, record};
use crate::telemetry::send;

async fn detections(trainer: &Trainer, kind: &str) -> Vec<Value> {
    let listed = trainer.get(OPERATOR, &format!("/v1/detections?kind={kind}")).await.expect(200).json();
    listed["detections"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_outage_is_one_incident_and_nobody_is_flagged() {
    let trainer = Trainer::start().await;
    let begin = now_ms() - 5 * 60 * 1000;
    // Five minutes in which everything fails, reported in pieces by several senders, every exchange flagged by the filter.
    for piece in 0..10 {
        let records = (0..30)
            .map(|index| {
                let at_ms = begin + (piece * 30 + i64::from(index)) * 1000;
                let target = if index % 2 == 0 { "/api/cart" } else { "/api/products" };
                let failed = record(&exchange(index, at_ms, target, 503));
                flagged(failed, &format!("GET {target}"), 5, "x")
            })
            .collect();
        send(&trainer, &batch(records)).await.expect(200);
    }
    assert_eq!(detections(&trainer, "caller").await, Vec::<Value>::new());
    let incidents = detections(&trainer, "incident").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    let incident = &incidents[0];
    assert_eq!((&incident["endpoint"], &incident["subject"]), (&json!("shop.example"), &Value::Null));
    assert_eq!(incident["exchanges"], json!(300));
    assert_eq!(incident["ongoing"], json!(true));
    assert!(incident["callers"].as_i64().unwrap() >= 20, "{incident}");
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn an_endpoint_that_fails_alone_is_named() {
    let trainer = Trainer::start().await;
    let records = (0..200)
        .map(|index| {
            let (target, status) = if index % 10 == 0 { ("/api/cart", 500) } else { ("/api/products", 200) };
            let mut reported = record(&exchange(index, now_ms() - 1000, target, status));
            reported = flagged(reported, &format!("GET {target}"), 5, "x");
            reported.verdict.as_mut().unwrap().anomalous = false;
            reported
        })
        .collect();
    send(&trainer, &batch(records)).await.expect(200);
    let incidents = detections(&trainer, "incident").await;
    assert_eq!(incidents.len(), 1, "{incidents:?}");
    assert_eq!(incidents[0]["endpoint"], json!("GET /api/cart"));
    assert_eq!(incidents[0]["reason"], json!("20 of 20 exchanges with GET /api/cart failed within 60 s"));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn failures_that_one_caller_causes_are_no_incident() {
    let trainer = Trainer::start().await;
    let records = (0..50).map(|_| record(&exchange(1, now_ms(), "/api/cart", 500))).collect();
    send(&trainer, &batch(records)).await.expect(200);
    assert_eq!(detections(&trainer, "incident").await, Vec::<Value>::new());
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_later_outage_is_another_incident() {
    let trainer = Trainer::start().await;
    for minutes_ago in [40, 5] {
        let at_ms = now_ms() - minutes_ago * 60 * 1000;
        let records = (0..20).map(|caller| record(&exchange(caller, at_ms, "/api/cart", 502))).collect();
        send(&trainer, &batch(records)).await.expect(200);
    }
    assert_eq!(detections(&trainer, "incident").await.len(), 2);
    trainer.stop().await.unwrap();
}
