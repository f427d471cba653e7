//! Exchanges → records: the same extraction as in the filter, so that no values get further than here.

use anyhow::Context as _;
use apiward_detector::exchange::Exchange;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::payload::PayloadScorer;
use apiward_detector::telemetry::{CallerRecord, ExchangeRecord};

use crate::payload::shipped::scorer;

/// What is said of exchanges that are not learned from.
pub const LABELLED_ATTACK: &str = "exchanges are labelled as attacks and were left out";

/// Makes records under one hash key.
pub struct Extractor {
    hasher: KeyedHasher,
    payload_scorer: PayloadScorer,
}

impl Extractor {
    /// # Errors
    /// When the payload network that comes with the program breaks a rule of bundles.
    pub fn new(hasher: KeyedHasher) -> anyhow::Result<Self> {
        Ok(Self { hasher, payload_scorer: scorer().context("load the payload network")? })
    }

    pub fn hash_key_id(&self) -> &str {
        self.hasher.key_id()
    }

    /// A record that stands for one exchange and was not judged.
    pub fn record(&self, exchange: &Exchange) -> ExchangeRecord {
        ExchangeRecord {
            at_ms: exchange.at_ms,
            caller: CallerRecord::of(&exchange.caller, &self.hasher),
            observation: Observer::observe_scored(exchange, &self.hasher, Some(&self.payload_scorer)),
            weight: 1.0,
            verdict: None,
            request_id: None,
        }
    }
}
