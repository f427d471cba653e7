//! Gets new documents: from the trainer when this worker holds the lease, from shared data otherwise.

use apiward_detector::bundle::bundle_id;

use crate::config::TrainerTarget;
use crate::host::{Call, CallToken, Host, LogLevel, header_text};
use crate::limits;
use crate::metrics::{Metric, Metrics};
use crate::telemetry::{SplitMix, backoff_ms};

use super::{SharedDocument, hold, remember_etag};

/// Bytes of a document, still unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub bytes: Vec<u8>,
    pub origin: Origin,
}

/// Where bytes came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    Trainer,
    SharedData,
}

/// A document that the trainer offers.
#[derive(Debug, Clone)]
pub struct Feed {
    /// In shared data and in what is logged: `bundle`.
    pub name: &'static str,
    /// Path and query at the trainer.
    pub path: String,
    pub bytes_max: usize,
    /// How often it is asked for, milliseconds.
    pub interval_ms: u64,
    pub metrics: PollMetrics,
}

/// What is counted of polls, by their answer.
#[derive(Debug, Clone, Copy)]
pub struct PollMetrics {
    pub fresh: Metric,
    pub unchanged: Metric,
    pub absent: Metric,
    pub failed: Metric,
}

/// Polling of one worker.
#[derive(Debug)]
pub struct DocumentPoller {
    feed: Feed,
    shared: SharedDocument,
    holder: [u8; 16],
    next_poll_ms: u64,
    flight: Option<(CallToken, u64)>,
    failures: u32,
    /// Generation of shared data that this worker has looked at.
    seen_generation: Option<u64>,
    /// Public name of the last bytes that were refused, so that the same ones are refused and reported once.
    refused_id: Option<String>,
    random: SplitMix,
    logged: Option<Option<u16>>,
}

impl DocumentPoller {
    /// `prefix` is that of the configuration's keys in shared data.
    pub fn new(feed: Feed, prefix: &str, holder: [u8; 16], seed: u64) -> Self {
        Self {
            shared: SharedDocument::new(prefix, feed.name, feed.bytes_max),
            feed,
            holder,
            next_poll_ms: 0,
            flight: None,
            failures: 0,
            seen_generation: None,
            refused_id: None,
            random: SplitMix::new(seed),
            logged: None,
        }
    }

    /// What the other workers put into shared data since the last look, if anything.
    pub fn from_shared_data(&mut self, host: &dyn Host) -> Option<Candidate> {
        let announced = self.shared.generation(host)?;
        if self.seen_generation == Some(announced) {
            return None;
        }
        self.seen_generation = Some(announced);
        let stored = self.shared.load(host)?;
        self.candidate(stored.bytes, Origin::SharedData)
    }

    /// Asks the trainer when it is time and no other worker does.
    pub fn tick(&mut self, host: &dyn Host, target: &TrainerTarget, metrics: &Metrics, now_ms: u64) {
        if let Some((token, lost_at_ms)) = self.flight {
            if now_ms <= lost_at_ms {
                return;
            }
            self.flight = None;
            host.log(LogLevel::Debug, &format!("no answer to the {} poll {}", self.feed.name, token.0));
            self.failed(host, metrics, None, now_ms);
        }
        if now_ms < self.next_poll_ms {
            return;
        }
        let interval = self.feed.interval_ms;
        self.next_poll_ms = now_ms + interval - interval / 10 + self.random.below(interval / 5 + 1);
        let lease_ms = 2 * interval + target.timeout_ms + limits::LEASE_GRACE_MS;
        let Some(lease) = hold(host, self.shared.lease_key(), self.holder, now_ms, lease_ms) else {
            return;
        };
        let mut headers = vec![("authorization", target.authorization.as_str())];
        if !lease.etag.is_empty() {
            headers.push(("if-none-match", lease.etag.as_str()));
        }
        let started = host.call(&Call {
            cluster: &target.cluster,
            method: "GET",
            authority: &target.authority,
            path: &self.feed.path,
            headers,
            body: None,
            timeout_ms: target.timeout_ms,
        });
        match started {
            Ok(token) => self.flight = Some((token, now_ms + 2 * target.timeout_ms)),
            Err(_) => self.failed(host, metrics, None, now_ms),
        }
    }

    /// Whether a call is this poller's.
    pub fn awaits(&self, token: CallToken) -> bool {
        self.flight.is_some_and(|(awaited, _)| awaited == token)
    }

    /// Takes the answer to the poll.
    pub fn settle(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        status: Option<u16>,
        now_ms: u64,
    ) -> Option<Candidate> {
        self.flight = None;
        match status {
            Some(200) => {
                self.answered(host, metrics, self.feed.metrics.fresh);
                // One byte more than allowed, so that a longer one is refused as too large and not as cut.
                let bytes = host.call_response_body(self.feed.bytes_max + 1);
                let headers = host.call_response_headers();
                if let Some(etag) = header_text(&headers, "etag") {
                    remember_etag(host, self.shared.lease_key(), self.holder, &etag);
                }
                self.candidate(bytes, Origin::Trainer)
            }
            Some(304) => {
                self.answered(host, metrics, self.feed.metrics.unchanged);
                None
            }
            Some(204 | 404) => {
                self.answered(host, metrics, self.feed.metrics.absent);
                None
            }
            status => {
                self.failed(host, metrics, status, now_ms);
                None
            }
        }
    }

    /// Passes a document from the trainer on to the other workers, now that this one accepted it.
    pub fn publish(&mut self, host: &dyn Host, bytes: &[u8]) {
        match self.shared.publish(host, bytes) {
            Ok(generation) => self.seen_generation = Some(generation),
            Err(_) => {
                let name = self.feed.name;
                host.log(LogLevel::Info, &format!("another worker put a {name} into shared data at the same time"));
            }
        }
    }

    /// Remembers bytes that were refused.
    pub fn refused(&mut self, bytes: &[u8]) {
        self.refused_id = Some(bundle_id(bytes));
    }

    fn candidate(&self, bytes: Vec<u8>, origin: Origin) -> Option<Candidate> {
        let known = self.refused_id.as_ref().is_some_and(|refused| *refused == bundle_id(&bytes));
        (!known).then_some(Candidate { bytes, origin })
    }

    fn answered(&mut self, host: &dyn Host, metrics: &Metrics, metric: Metric) {
        metrics.count(host, metric, 1);
        self.failures = 0;
        if self.logged.take().is_some() {
            host.log(LogLevel::Info, &format!("the trainer answers {} polls again", self.feed.name));
        }
    }

    fn failed(&mut self, host: &dyn Host, metrics: &Metrics, status: Option<u16>, now_ms: u64) {
        metrics.count(host, self.feed.metrics.failed, 1);
        self.failures = self.failures.saturating_add(1);
        self.next_poll_ms = self.next_poll_ms.max(now_ms + backoff_ms(self.failures, &mut self.random));
        if self.logged.replace(status) != Some(status) {
            let answer = status.map_or("no answer".to_owned(), |status| format!("status {status}"));
            host.log(
                LogLevel::Warn,
                &format!("the trainer gives no {} ({answer}), the current one stays", self.feed.name),
            );
        }
    }
}
