use apiward_detector::telemetry::CapturedExchange;
use apiward_trainer::metrics::Metrics;
use apiward_trainer::serve::look_after;
use apiward_trainer::storage::{partitions, records};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::harness::{OPERATOR, SCOPE, Trainer};
use crate::records::{batch, exchange, hasher, now_ms, record};
use crate::telemetry::send;

#[tokio::test]
async fn partitions_are_made_ahead_and_dropped_when_their_time_is_over() {
    let trainer = Trainer::start_with(&["--retention-days", "14"]).await;
    let pool = &trainer.service.pool;
    let now = OffsetDateTime::now_utc();
    let existing = partitions::existing(pool).await.unwrap();
    assert!(existing.is_superset(&partitions::days_around(now)));

    let at = |days: i64| record(&exchange(1, now_ms() - days * 24 * 3600 * 1000, "/api/cart", 200));
    let imported = records::import(pool, SCOPE, hasher().key_id(), &[at(20), at(3), at(0)], now).await.unwrap();
    assert_eq!(imported, 3);
    assert!(partitions::existing(pool).await.unwrap().contains(&(now - Duration::days(20)).date()));

    let metrics = Metrics::new().unwrap();
    look_after(pool, &trainer.service.settings, &metrics, now).await.unwrap();
    let days = partitions::existing(pool).await.unwrap();
    assert!(!days.contains(&(now - Duration::days(20)).date()));
    assert!(days.contains(&(now - Duration::days(3)).date()));
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 2);
    assert!(metrics.text().unwrap().contains("apiward_partitions_dropped_total 1"));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn records_come_back_as_they_were_in_the_order_of_time() {
    let trainer = Trainer::start().await;
    let pool = &trainer.service.pool;
    let times = [30, 10, 20];
    let mut sent: Vec<_> =
        times.iter().map(|ago| record(&exchange(1, now_ms() - ago * 1000, "/api/cart?x=1", 200))).collect();
    send(&trainer, &batch(sent.clone())).await.expect(200);
    sent.sort_by_key(|record| record.at_ms);
    let latest = records::latest(pool, SCOPE, 10).await.unwrap();
    assert_eq!((latest.hash_key_id.as_str(), latest.records), (hasher().key_id(), sent.clone()));
    let newest_two = records::latest(pool, SCOPE, 2).await.unwrap();
    assert_eq!(newest_two.records, sent[1..]);
    assert!(records::latest(pool, "other", 10).await.unwrap().records.is_empty());
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn records_of_an_older_hash_key_are_left_out() {
    let trainer = Trainer::start().await;
    let mut older = batch(vec![record(&exchange(1, now_ms() - 9000, "/api/cart", 200))]);
    older.hash_key_id = "an older key".into();
    send(&trainer, &older).await.expect(200);
    send(&trainer, &batch(vec![record(&exchange(2, now_ms(), "/api/cart", 200))])).await.expect(200);
    let latest = records::latest(&trainer.service.pool, SCOPE, 10).await.unwrap();
    assert_eq!((latest.hash_key_id.as_str(), latest.records.len()), (hasher().key_id(), 1));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn an_import_keeps_the_order_of_records_without_times() {
    let trainer = Trainer::start().await;
    let pool = &trainer.service.pool;
    let timeless = |caller| {
        let mut timeless = record(&exchange(caller, 0, "/api/cart", 200));
        timeless.at_ms = None;
        timeless
    };
    let imported: Vec<_> = (0..300).map(timeless).collect();
    records::import(pool, SCOPE, hasher().key_id(), &imported, OffsetDateTime::now_utc()).await.unwrap();
    assert_eq!(records::latest(pool, SCOPE, 1000).await.unwrap().records, imported);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn captured_exchanges_come_out_as_exchange_jsonl() {
    let trainer = Trainer::start_with(&["--captures-max", "3"]).await;
    let mut reported = batch(Vec::new());
    reported.captures = (0..5)
        .map(|caller| {
            let mut captured = exchange(caller, now_ms(), "/api/cart", 200);
            captured.request.headers.push(("accept".into(), "text/plain".into()));
            captured.request.body = vec![0, 255, 10];
            captured.request.body_bytes = 3;
            CapturedExchange {
                exchange: captured,
                request_id: Some(format!("request-{caller}")),
                bundle_serial: Some(4),
                verdict: None,
                reconstruction_errors: vec![0.25, 1.5],
            }
        })
        .collect();
    send(&trainer, &reported).await.expect(200);
    let lines = |body: &[u8]| -> Vec<Value> {
        String::from_utf8(body.to_vec()).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let exported = lines(&trainer.get(OPERATOR, "/v1/captures").await.expect(200).body);
    assert_eq!(exported.len(), 5);
    assert_eq!(exported[0]["request_body_base64"], "AP8K");
    assert_eq!(exported[0]["request_headers"]["accept"], serde_json::json!(["application/json", "text/plain"]));
    assert_eq!(exported[0]["capture"]["reconstruction_errors"], serde_json::json!([0.25, 1.5]));
    let third = exported[2]["capture"]["id"].as_i64().unwrap();
    let rest = lines(&trainer.get(OPERATOR, &format!("/v1/captures?after={third}")).await.expect(200).body);
    assert_eq!(rest, exported[3..]);

    let service = &trainer.service;
    look_after(&service.pool, &service.settings, &service.metrics, OffsetDateTime::now_utc()).await.unwrap();
    let kept = lines(&trainer.get(OPERATOR, "/v1/captures").await.expect(200).body);
    assert_eq!(kept, exported[2..]);
    trainer.stop().await.unwrap();
}
