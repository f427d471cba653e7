use apiward_detector::exchange::{Exchange, Phase, Request};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::{Batch, CallerRecord, VerdictRecord};
use apiward_detector::verdict::{DetectorScores, FindingKind};
use proptest::prelude::*;

use super::*;

fn record(endpoint: &str, anomalous: bool) -> ExchangeRecord {
    let request = Request { method: "GET".into(), host: "h".into(), target: "/x?a=1".into(), ..Request::default() };
    let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
    ExchangeRecord {
        at_ms: Some(1),
        caller: CallerRecord::default(),
        observation: Observer::observe(&Exchange { request, ..Exchange::default() }, &hasher),
        weight: 1.0,
        verdict: Some(VerdictRecord {
            bundle_serial: 1,
            endpoint_id: None,
            endpoint: endpoint.into(),
            phase: Phase::Response,
            anomalous,
            blocked: false,
            score: 0.5,
            detectors: DetectorScores::default(),
            findings: vec![],
        }),
        request_id: None,
    }
}

fn capture(body_bytes: usize) -> CapturedExchange {
    let request = Request { body: vec![0; body_bytes], ..Request::default() };
    CapturedExchange {
        exchange: Exchange { request, ..Exchange::default() },
        request_id: None,
        bundle_serial: None,
        verdict: None,
        reconstruction_errors: vec![],
    }
}

fn buffer(buffer_records_max: usize) -> TelemetryBuffer {
    TelemetryBuffer::new(TelemetryLimits { buffer_records_max, batch_records_max: 10 }, 7)
}

#[test]
fn a_batch_takes_flagged_records_first_and_no_more_than_its_limit() {
    let mut buffer = buffer(100);
    for index in 0..20 {
        buffer.admit(record("GET /x", index % 5 == 4), None);
    }
    let content = buffer.take();
    assert_eq!(content.records.len(), 10);
    assert!(content.records[..4].iter().all(|record| record.verdict.as_ref().unwrap().anomalous));
    assert_eq!(content.counts, vec![EndpointCount { endpoint: "GET /x".into(), exchanges: 20, anomalous: 4 }]);
    assert_eq!(buffer.records_waiting(), 10);
    assert!(buffer.take().counts.is_empty());
}

#[test]
fn under_pressure_normal_records_go_first_and_flagged_ones_stay() {
    let mut buffer = buffer(16);
    let mut dropped = 0;
    for _ in 0..16 {
        buffer.admit(record("GET /x", false), None);
    }
    for _ in 0..16 {
        dropped += buffer.admit(record("GET /x", true), None).dropped;
    }
    assert_eq!(buffer.records_waiting(), 16);
    assert_eq!(buffer.flagged.records.len(), 16);
    let content = buffer.take();
    assert_eq!(content.records_dropped, dropped);
    assert_eq!(content.counts[0].exchanges, 32);
    assert_eq!(content.counts[0].anomalous, 16);
}

#[test]
fn sampled_normal_records_carry_the_weight_of_those_left_out() {
    let mut buffer = buffer(4000);
    let exchanges = 2_000 + 40_000;
    let mut sampled_out = 0_u64;
    for _ in 0..exchanges {
        sampled_out += u64::from(buffer.admit(record("GET /x", false), None).sampled_out);
    }
    assert!(sampled_out > 0);
    let kept: f64 = buffer.normal.records.iter().map(|(_, record)| f64::from(record.weight)).sum();
    assert!(buffer.normal.records.iter().any(|(_, record)| record.weight > 1.0));
    let expected = f64::from(exchanges);
    assert!((kept - expected).abs() < 0.1 * expected, "{kept} stands for {expected}");
    assert_eq!(buffer.take().counts[0].exchanges, 42_000);
}

#[test]
fn endpoints_past_the_limit_are_counted_together() {
    let mut buffer = buffer(100);
    let mut full = 0;
    for index in 0..limits::COUNTED_ENDPOINTS_MAX + 50 {
        full += u64::from(buffer.admit(record(&format!("GET /{index}"), false), None).endpoints_full);
    }
    assert_eq!(full, 50);
    let counts = buffer.take().counts;
    assert!(counts.len() <= engine_limits::BATCH_RECORDS_MAX);
    let other = counts.iter().find(|count| count.endpoint == OTHER_ENDPOINTS).unwrap();
    assert_eq!(other.exchanges, 50);
}

#[test]
fn exchanges_without_a_verdict_are_counted_as_unjudged() {
    let mut buffer = buffer(100);
    buffer.admit(ExchangeRecord { verdict: None, ..record("", false) }, None);
    assert_eq!(buffer.take().counts[0].endpoint, UNJUDGED_ENDPOINT);
}

#[test]
fn captures_are_bounded_in_bytes_and_the_oldest_go_first() {
    let mut buffer = buffer(100);
    let too_large = capture(limits::CAPTURE_BYTES_MAX);
    assert!(buffer.admit(record("GET /x", false), Some(too_large)).captures_full);
    for size in [limits::CAPTURE_BYTES_MAX / 3, limits::CAPTURE_BYTES_MAX / 5] {
        buffer.admit(record("GET /x", false), Some(capture(size)));
    }
    let captures = buffer.take().captures;
    assert_eq!(captures.len(), 1);
    assert_eq!(captures[0].exchange.request.body.len(), limits::CAPTURE_BYTES_MAX / 5);
}

#[test]
fn what_a_lost_batch_had_told_exactly_is_told_again() {
    let mut buffer = buffer(100);
    buffer.admit(record("GET /x", true), None);
    buffer.take_back(GivenUp {
        counts: vec![EndpointCount { endpoint: "GET /x".into(), exchanges: 5, anomalous: 1 }],
        refusals: vec![BundleRefusal { serial: None, reason: "r".into() }],
        records_lost: 5,
    });
    let content = buffer.take();
    assert_eq!(content.counts, vec![EndpointCount { endpoint: "GET /x".into(), exchanges: 6, anomalous: 2 }]);
    assert_eq!((content.records_dropped, content.refusals.len()), (5, 1));
}

#[test]
fn refusals_are_bounded_and_the_newest_stay() {
    let mut buffer = buffer(100);
    for serial in 0..100 {
        buffer.refuse(BundleRefusal { serial: Some(serial), reason: "r".into() });
    }
    let refusals = buffer.take().refusals;
    assert_eq!(refusals.len(), limits::REFUSALS_MAX);
    assert_eq!(refusals.last().unwrap().serial, Some(99));
}

#[test]
fn overlong_texts_do_not_make_the_trainer_refuse_the_batch() {
    let mut buffer = buffer(100);
    let mut overlong = record(&"é".repeat(2000), true);
    overlong.verdict.as_mut().unwrap().findings = vec![
        Finding {
            key: 1,
            kind: FindingKind::Length,
            phase: Phase::Body,
            score: 1.0,
            alarm: true,
            reason: "ü".repeat(3000),
            attack_class: None,
        };
        100
    ];
    buffer.admit(overlong, None);
    let content = buffer.take();
    let batch = Batch {
        version: apiward_detector::telemetry::BATCH_VERSION,
        sender: "0".repeat(32),
        sequence: 0,
        scope: "s".into(),
        hash_key_id: "k".into(),
        bundle: None,
        records: content.records,
        counts: content.counts,
        records_dropped: 0,
        refusals: vec![],
        captures: vec![],
    };
    Batch::decode(&batch.encode().unwrap()).unwrap();
}

proptest! {
    #[test]
    fn the_buffer_keeps_its_limits_and_its_count_whatever_comes(flags in proptest::collection::vec(any::<bool>(), 1..400)) {
        let mut buffer = buffer(32);
        let mut lost = 0;
        for anomalous in &flags {
            let admitted = buffer.admit(record("GET /x", *anomalous), None);
            lost += admitted.dropped + u64::from(admitted.sampled_out);
            prop_assert!(buffer.records_waiting() <= 32);
        }
        prop_assert_eq!(buffer.records_waiting() as u64 + lost, flags.len() as u64);
        let counts = buffer.take().counts;
        prop_assert_eq!(counts[0].exchanges, flags.len() as u64);
        prop_assert_eq!(counts[0].anomalous, flags.iter().filter(|anomalous| **anomalous).count() as u64);
    }
}
