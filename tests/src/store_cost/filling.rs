//! A store full of varied records.

use anyhow::Context as _;
use apiward_detector::exchange::{Caller, Exchange as DetectorExchange, Request, Response};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::{CallerRecord, ExchangeRecord};
use apiward_trainer::storage::records;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::SCOPE;
use crate::discovery::{Api, TrafficGenerator, TrafficSettings};
use crate::traffic::Exchange;

/// Records of one transaction.
const TRANSACTION_RECORDS: usize = 4096;
/// Transactions that are made ahead.
const AHEAD: usize = 4;
const HASH_KEY: &[u8] = b"hash key of the measured records";

/// What was put into the store.
#[derive(Clone, Copy, Debug)]
pub struct Filled {
    pub records: u64,
    pub operations: usize,
}

/// Puts about that many records of the APIs into the store, over a few days, with several hundred callers and scanner noise.
///
/// # Errors
/// When the database refuses.
pub async fn fill(pool: &PgPool, apis: &[Api], exchanges: u64, seed: u64) -> anyhow::Result<Filled> {
    let operations = apis.iter().map(|api| api.operations.len()).sum::<usize>();
    anyhow::ensure!(operations > 0, "there are no operations");
    let settings = TrafficSettings { seed, minimum: 1, ..TrafficSettings::default() };
    let of_operations = exchanges as f64 * (1.0 - settings.noise_share);
    let settings = TrafficSettings { mean: (of_operations / operations as f64).round() as u64, ..settings };
    let hasher = KeyedHasher::new(HASH_KEY).context("make a hasher")?;
    let key_id = hasher.key_id().to_owned();
    let (sender, mut made) = mpsc::channel::<Vec<ExchangeRecord>>(AHEAD);
    let apis = apis.to_vec();
    let making = tokio::task::spawn_blocking(move || make(&apis, &settings, &hasher, &sender));
    let mut stored = 0;
    while let Some(records) = made.recv().await {
        stored += records::import(pool, SCOPE, &key_id, &records, OffsetDateTime::now_utc()).await?;
    }
    making.await.context("make records")?;
    Ok(Filled { records: stored, operations })
}

fn make(apis: &[Api], settings: &TrafficSettings, hasher: &KeyedHasher, sender: &mpsc::Sender<Vec<ExchangeRecord>>) {
    let mut records = Vec::with_capacity(TRANSACTION_RECORDS);
    for api in apis {
        let generator = TrafficGenerator::new(api, settings.clone());
        for generated in generator.exchanges() {
            records.push(record(generated.exchange, hasher));
            if records.len() >= TRANSACTION_RECORDS && sender.blocking_send(std::mem::take(&mut records)).is_err() {
                return;
            }
        }
    }
    // Nobody takes the rest only when storing failed, which is told there.
    let _ = sender.blocking_send(records);
}

/// As a filter records it.
fn record(exchange: Exchange, hasher: &KeyedHasher) -> ExchangeRecord {
    let body = exchange.request_body.unwrap_or_default().into_bytes();
    let exchange = DetectorExchange {
        at_ms: i64::try_from(exchange.sent_at.unix_timestamp_nanos() / 1_000_000).ok(),
        caller: Caller {
            identity: exchange.caller,
            verified: false,
            address: Some(exchange.address),
            kinds: Vec::new(),
        },
        request: Request {
            method: exchange.method,
            host: exchange.host,
            target: exchange.path,
            headers: exchange.request_headers.into_iter().collect(),
            body_bytes: body.len() as u64,
            body,
        },
        response: Some(Response {
            status: Some(exchange.status),
            grpc_status: None,
            headers: exchange.response_headers.into_iter().collect(),
            body: exchange.response_body.unwrap_or_default().into_bytes(),
            bytes: Some(exchange.response_bytes as u64),
            duration_us: Some(exchange.duration_us),
        }),
    };
    ExchangeRecord {
        at_ms: exchange.at_ms,
        caller: CallerRecord::of(&exchange.caller, hasher),
        observation: Observer::observe(&exchange, hasher),
        weight: 1.0,
        verdict: None,
        request_id: None,
    }
}
