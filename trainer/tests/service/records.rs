//! Records and batches as a filter makes them.

use apiward_detector::exchange::{Caller, Exchange, Phase, Request, Response};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::{BATCH_VERSION, Batch, CallerRecord, ExchangeRecord, VerdictRecord};
use apiward_detector::verdict::{DetectorScores, Finding, FindingKind};
use apiward_trainer::secret::random_hex;
use time::OffsetDateTime;

use crate::harness::SCOPE;

pub fn hasher() -> KeyedHasher {
    KeyedHasher::new(b"hash key of these tests").unwrap()
}

pub fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap()
}

/// A request of one of many callers, each with a network of its own, and its answer.
pub fn exchange(caller: u16, at_ms: i64, target: &str, status: u16) -> Exchange {
    Exchange {
        at_ms: Some(at_ms),
        caller: Caller {
            identity: Some(format!("user-{caller}")),
            verified: false,
            address: Some(format!("10.{}.{}.7", caller / 256, caller % 256)),
            kinds: Vec::new(),
        },
        request: Request {
            method: "GET".to_owned(),
            host: "shop.example".to_owned(),
            target: target.to_owned(),
            headers: vec![("accept".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
            body_bytes: 0,
        },
        response: Some(Response {
            status: Some(status),
            grpc_status: None,
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: Vec::new(),
            bytes: Some(300 + u64::from(caller % 40)),
            duration_us: Some(1500 + u64::from(caller % 17) * 10),
        }),
    }
}

pub fn record(exchange: &Exchange) -> ExchangeRecord {
    let hasher = hasher();
    ExchangeRecord {
        at_ms: exchange.at_ms,
        caller: CallerRecord::of(&exchange.caller, &hasher),
        observation: Observer::observe(exchange, &hasher),
        weight: 1.0,
        verdict: None,
        request_id: None,
    }
}

/// The record with a filter's word that one thing about it is odd.
pub fn flagged(mut record: ExchangeRecord, endpoint: &str, finding_key: u64, request_id: &str) -> ExchangeRecord {
    record.request_id = Some(request_id.to_owned());
    record.verdict = Some(VerdictRecord {
        bundle_serial: 1,
        endpoint_id: Some(7),
        endpoint: endpoint.to_owned(),
        phase: Phase::Response,
        anomalous: true,
        blocked: false,
        score: 0.999,
        detectors: DetectorScores { route: Some(0.999), ..DetectorScores::default() },
        findings: vec![Finding {
            key: finding_key,
            kind: FindingKind::UnknownField,
            phase: Phase::Headers,
            score: 0.999,
            alarm: true,
            reason: format!("query parameter \"debug\" never seen on {endpoint}"),
            attack_class: None,
        }],
    });
    record
}

pub fn batch(records: Vec<ExchangeRecord>) -> Batch {
    Batch {
        version: BATCH_VERSION,
        sender: random_hex::<16>().unwrap(),
        sequence: 1,
        scope: SCOPE.to_owned(),
        hash_key_id: hasher().key_id().to_owned(),
        bundle: None,
        records,
        counts: Vec::new(),
        records_dropped: 0,
        refusals: Vec::new(),
        captures: Vec::new(),
    }
}

/// Normal traffic of one shop: many callers over three hours, some endpoints.
pub fn normal_traffic(exchanges: u16) -> Vec<ExchangeRecord> {
    let begin = now_ms() - 3 * 60 * 60 * 1000;
    (0..exchanges)
        .map(|index| {
            let caller = index * 7 % 60;
            let target = match index % 4 {
                0 => "/api/products?page=1".to_owned(),
                1 => format!("/api/products/{}", 1000 + u32::from(index) * 13 % 900),
                2 => "/api/cart".to_owned(),
                _ => format!("/api/orders/{}", 50_000 + u32::from(index) * 31 % 9000),
            };
            let at_ms = begin + i64::from(index) * 3 * 60 * 60 * 1000 / i64::from(exchanges);
            record(&exchange(caller, at_ms, &target, 200))
        })
        .collect()
}
