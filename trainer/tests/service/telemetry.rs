use std::io::Write as _;

use apiward_detector::telemetry::{ActiveBundle, Batch, BundleRefusal, EndpointCount};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::harness::{Answer, FILTER, OPERATOR, OTHER_FILTER, Trainer};
use crate::records::{batch, exchange, flagged, now_ms, record};

const MSGPACK: (&str, &str) = ("content-type", "application/msgpack");

pub async fn send(trainer: &Trainer, batch: &Batch) -> Answer {
    trainer.send(FILTER, "/v1/telemetry", &[MSGPACK], batch.encode().unwrap()).await
}

fn some_records(count: u16) -> Vec<apiward_detector::telemetry::ExchangeRecord> {
    (0..count).map(|caller| record(&exchange(caller, now_ms(), "/api/cart", 200))).collect()
}

#[tokio::test]
async fn a_repeated_batch_is_recognised_and_stored_once() {
    let trainer = Trainer::start().await;
    let mut batch = batch(some_records(5));
    batch.counts = vec![EndpointCount { endpoint: "GET /api/cart".into(), exchanges: 50, anomalous: 0 }];
    let first = send(&trainer, &batch).await.expect(200).json();
    assert_eq!(
        first,
        json!({"duplicate": false, "accepted": 5, "refused": {"too_old": 0, "too_new": 0, "without_time": 0}})
    );
    let again = send(&trainer, &batch).await.expect(200).json();
    assert_eq!((&again["duplicate"], &again["accepted"]), (&json!(true), &json!(5)));
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 5);
    assert_eq!(trainer.count("select sum(exchanges)::bigint from endpoint_counts").await, 50);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn the_same_batch_at_the_same_time_is_stored_once() {
    let trainer = Trainer::start().await;
    let batch = batch(some_records(200));
    let answers =
        tokio::join!(send(&trainer, &batch), send(&trainer, &batch), send(&trainer, &batch), send(&trainer, &batch));
    let duplicates = [answers.0, answers.1, answers.2, answers.3]
        .into_iter()
        .filter(|answer| answer.json()["duplicate"] == json!(true))
        .count();
    assert_eq!(duplicates, 3);
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 200);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_batch_that_fails_leaves_nothing_behind_and_does_not_hold_others_up() {
    let trainer = Trainer::start().await;
    sqlx::query("alter table endpoint_counts add constraint refused check (endpoint <> 'GET /refused')")
        .execute(&trainer.service.pool)
        .await
        .unwrap();
    let mut refused = batch(some_records(3));
    refused.counts = vec![EndpointCount { endpoint: "GET /refused".into(), exchanges: 3, anomalous: 0 }];
    let accepted = batch(some_records(4));
    let (failed, stored) = tokio::join!(send(&trainer, &refused), send(&trainer, &accepted));
    failed.expect(500);
    stored.expect(200);
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 4);
    assert_eq!(trainer.count("select count(*) from telemetry_batches").await, 1);
    sqlx::query("alter table endpoint_counts drop constraint refused").execute(&trainer.service.pool).await.unwrap();
    let repeated = send(&trainer, &refused).await.expect(200).json();
    assert_eq!(repeated["duplicate"], json!(false));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_full_queue_is_answered_with_retry_after_and_what_waits_is_stored() {
    let trainer = Trainer::start_with(&["--ingest-queue-batches", "1"]).await;
    let mut blocker = trainer.service.pool.begin().await.unwrap();
    sqlx::query("lock table telemetry_batches in access exclusive mode").execute(&mut *blocker).await.unwrap();
    let waiting = batch(some_records(2));
    let mut first = Box::pin(send(&trainer, &waiting));
    tokio::select! {
        answer = &mut first => panic!("answered before it was stored: {answer:?}"),
        () = trainer.until("select exists (select from pg_stat_activity where wait_event_type = 'Lock')") => {}
    }
    let busy = send(&trainer, &batch(some_records(1))).await.expect(429);
    assert_eq!(busy.header("content-type"), "application/problem+json");
    assert!(busy.header("retry-after").parse::<u32>().unwrap() >= 1);
    blocker.commit().await.unwrap();
    (&mut first).await.expect(200);
    drop(first);
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 2);
    send(&trainer, &batch(some_records(1))).await.expect(200);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn records_out_of_time_are_refused_and_counted() {
    let trainer = Trainer::start().await;
    let minute = 60 * 1000;
    let at = |at_ms: i64| record(&exchange(1, at_ms, "/api/cart", 200));
    let mut timeless = at(now_ms());
    timeless.at_ms = None;
    let records = vec![
        at(now_ms() - 25 * 60 * minute),
        at(now_ms() - 23 * 60 * minute),
        at(now_ms() + 4 * minute),
        at(now_ms() + 6 * minute),
        at(now_ms() + 7 * minute),
        timeless,
        at(i64::MAX),
        at(i64::MIN),
    ];
    let answer = send(&trainer, &batch(records)).await.expect(200).json();
    assert_eq!(answer["accepted"], json!(2));
    assert_eq!(answer["refused"], json!({"too_old": 2, "too_new": 3, "without_time": 1}));
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 2);
    let metrics = String::from_utf8(trainer.get(OPERATOR, "/metrics").await.expect(200).body).unwrap();
    assert!(metrics.contains("apiward_telemetry_records_total{outcome=\"too_new\"} 3"), "{metrics}");
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn compressed_batches_are_read_within_limits() {
    let trainer = Trainer::start().await;
    let gzip = |bytes: &[u8]| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    };
    let headers = [MSGPACK, ("content-encoding", "gzip")];
    let packed = gzip(&batch(some_records(9)).encode().unwrap());
    trainer.send(FILTER, "/v1/telemetry", &headers, packed).await.expect(200);
    let bomb = gzip(&vec![0; 64 << 20]);
    assert!(bomb.len() < 1 << 20);
    trainer.send(FILTER, "/v1/telemetry", &headers, bomb).await.expect(413);
    assert!(announce(&trainer, 5 << 20).await.starts_with("HTTP/1.1 413 "));
    trainer.send(FILTER, "/v1/telemetry", &headers, b"no gzip".to_vec()).await.expect(400);
    trainer.send(FILTER, "/v1/telemetry", &[MSGPACK], b"no batch".to_vec()).await.expect(400);
    trainer.send(FILTER, "/v1/telemetry", &[], b"no type".to_vec()).await.expect(415);
    let brotli = [MSGPACK, ("content-encoding", "br")];
    trainer.send(FILTER, "/v1/telemetry", &brotli, b"x".to_vec()).await.expect(415);
    assert_eq!(trainer.count("select count(*) from exchange_records").await, 9);
    trainer.stop().await.unwrap();
}

/// The answer to a body that is announced and never sent.
async fn announce(trainer: &Trainer, bytes: usize) -> String {
    let mut connection = tokio::net::TcpStream::connect(trainer.url("").trim_start_matches("http://")).await.unwrap();
    let head = format!(
        "POST /v1/telemetry HTTP/1.1\r\nhost: trainer\r\nauthorization: Bearer {FILTER}\r\n\
         content-type: application/msgpack\r\ncontent-length: {bytes}\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 1024];
    let read = connection.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..read]).into_owned()
}

#[tokio::test]
async fn a_filter_reports_only_for_its_scope() {
    let trainer = Trainer::start().await;
    let body = batch(some_records(1)).encode().unwrap();
    trainer.send(OTHER_FILTER, "/v1/telemetry", &[MSGPACK], body).await.expect(403);
    assert_eq!(trainer.count("select count(*) from telemetry_batches").await, 0);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn detections_are_grouped_by_caller_endpoint_and_reason() {
    let trainer = Trainer::start().await;
    let odd = |caller, key, id: &str| {
        flagged(record(&exchange(caller, now_ms(), "/api/cart?debug=1", 200)), "GET /api/cart", key, id)
    };
    send(&trainer, &batch(vec![odd(1, 10, "a"), odd(1, 10, "b"), odd(1, 11, "c"), odd(2, 10, "d")])).await.expect(200);
    send(&trainer, &batch(vec![odd(1, 10, "e")])).await.expect(200);
    let listed = trainer.get(OPERATOR, "/v1/detections").await.expect(200).json();
    let mut counts: Vec<i64> =
        listed["detections"].as_array().unwrap().iter().map(|group| group["exchanges"].as_i64().unwrap()).collect();
    counts.sort_unstable();
    assert_eq!(counts, [1, 1, 3]);
    let first = &listed["detections"][0];
    assert_eq!(first["reason"], json!("query parameter \"debug\" never seen on GET /api/cart"));
    assert_eq!(
        (&first["kind"], &first["detector"], &first["finding"]),
        (&json!("caller"), &json!("route"), &json!("unknown_field"))
    );
    let subject = first["subject"].as_str().unwrap();
    let mine = trainer.get(OPERATOR, &format!("/v1/detections?subject={subject}&kind=caller")).await.expect(200).json();
    assert!(mine["detections"].as_array().unwrap().iter().all(|group| group["subject"] == json!(subject)));
    assert_eq!(trainer.get(OPERATOR, "/v1/detections?kind=incident").await.json()["detections"], json!([]));

    let thrice = listed["detections"].as_array().unwrap().iter().find(|group| group["exchanges"] == json!(3)).unwrap();
    assert_eq!(thrice.get("sequence"), None, "lists are short");
    let shown = trainer.get(OPERATOR, &format!("/v1/detections/{}", thrice["id"])).await.expect(200).json();
    let sequence = shown["sequence"].as_array().unwrap();
    assert_eq!(sequence.len(), 4, "all calls of the first caller: {sequence:?}");
    assert!(sequence.iter().all(|call| call["verdict"] == json!("anomalous") && call["status"] == json!(200)));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn detections_come_in_pages() {
    let trainer = Trainer::start().await;
    let records = (0..5)
        .map(|caller| flagged(record(&exchange(caller, now_ms(), "/api/cart", 200)), "GET /api/cart", 1, "x"))
        .collect();
    send(&trainer, &batch(records)).await.expect(200);
    let mut seen = Vec::new();
    let mut path = "/v1/detections?limit=2".to_owned();
    for _ in 0..3 {
        let page = trainer.get(OPERATOR, &path).await.expect(200).json();
        seen.extend(page["detections"].as_array().unwrap().iter().map(|group| group["id"].as_i64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/detections?limit=2&after={next}"),
            None => break,
        }
    }
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5);
    trainer.get(OPERATOR, "/v1/detections?after=nonsense").await.expect(400);
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn what_senders_use_and_refuse_is_remembered() {
    let trainer = Trainer::start().await;
    let mut batch = batch(Vec::new());
    batch.records_dropped = 12;
    batch.bundle = Some(ActiveBundle { id: "b".into(), serial: 8 });
    batch.refusals = vec![BundleRefusal { serial: Some(9), reason: "the signature does not match".into() }];
    send(&trainer, &batch).await.expect(200);
    let listed = trainer.get(OPERATOR, "/v1/senders").await.expect(200).json();
    assert_eq!(listed["senders"][0]["records_dropped"], json!(12));
    assert_eq!(listed["senders"][0]["bundle_serial"], json!(8));
    assert_eq!(listed["refusals"][0]["serial"], json!(9));
    assert_eq!(listed["refusals"][0]["reason"], json!("the signature does not match"));
    trainer.stop().await.unwrap();
}
