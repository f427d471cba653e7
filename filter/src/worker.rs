//! One worker: a policy, the model in use, what it has recorded, and its dealings with the trainer.

use std::cell::RefCell;
use std::rc::Rc;

use apiward_detector::limits as engine_limits;
use apiward_detector::telemetry::{ActiveBundle, BundleRefusal, CapturedExchange, ExchangeRecord};

use crate::bundle::{ActiveModel, Refusal};
use crate::config::{ConfigurationError, FilterPolicy, WatchlistAction, compile};
use crate::distribution::{Candidate, DocumentPoller, Feed, Origin, PollMetrics};
use crate::exchange::ExchangeFlow;
use crate::host::{CallToken, Host, LogLevel, header_text};
use crate::limits;
use crate::metrics::{Metric, Metrics};
use crate::telemetry::{TelemetryBuffer, TelemetrySender};
use crate::watchlist::CurrentWatchlist;

/// What the exchanges of a worker share with it.
pub struct Shared {
    policy: FilterPolicy,
    metrics: Metrics,
    model: RefCell<Option<Rc<ActiveModel>>>,
    watchlist: CurrentWatchlist,
    telemetry: RefCell<TelemetryBuffer>,
}

impl Shared {
    pub fn new(policy: FilterPolicy, metrics: Metrics, seed: u64) -> Self {
        let telemetry = RefCell::new(TelemetryBuffer::new(policy.telemetry.clone(), seed));
        Self { policy, metrics, model: RefCell::new(None), watchlist: CurrentWatchlist::default(), telemetry }
    }

    pub fn policy(&self) -> &FilterPolicy {
        &self.policy
    }

    pub fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    /// The model in use.
    pub fn model(&self) -> Option<Rc<ActiveModel>> {
        self.model.try_borrow().ok()?.clone()
    }

    pub fn watchlist(&self) -> &CurrentWatchlist {
        &self.watchlist
    }

    pub fn swap_in(&self, model: ActiveModel) {
        if let Ok(mut current) = self.model.try_borrow_mut() {
            *current = Some(Rc::new(model));
        }
    }

    /// Keeps the record of an exchange that ended.
    pub fn record(&self, host: &dyn Host, record: ExchangeRecord, capture: Option<CapturedExchange>) {
        let Some(admitted) = self.with_telemetry(|buffer| buffer.admit(record, capture)) else {
            return;
        };
        self.metrics.count(host, Metric::RecordsSampledOut, u64::from(admitted.sampled_out));
        self.metrics.count(host, Metric::RecordsDropped, admitted.dropped);
        self.metrics.count(host, Metric::LimitCountedEndpoints, u64::from(admitted.endpoints_full));
        self.metrics.count(host, Metric::LimitCaptures, u64::from(admitted.captures_full));
    }

    /// Callbacks do not nest, so the buffer is never in use twice; should it be, the exchange matters more than its record.
    pub(crate) fn with_telemetry<R>(&self, with: impl FnOnce(&mut TelemetryBuffer) -> R) -> Option<R> {
        self.telemetry.try_borrow_mut().ok().map(|mut buffer| with(&mut buffer))
    }
}

/// One worker's root of all exchanges.
pub struct Worker {
    configuration: Vec<u8>,
    shared: Rc<Shared>,
    bundles: DocumentPoller,
    /// `None` where the watchlist is turned off.
    watchlists: Option<DocumentPoller>,
    sender: TelemetrySender,
}

impl Worker {
    /// Compiles the configuration. The trainer is not needed for it: until a bundle comes, exchanges are observed only.
    ///
    /// # Errors
    /// When the configuration is wrong; the error names the key.
    pub fn configure(host: &dyn Host, configuration: &[u8]) -> Result<Self, ConfigurationError> {
        let policy = compile(configuration)?;
        let id = host.random();
        let seed = u128::from_le_bytes(id) as u64;
        let prefix = &policy.shared_data_prefix;
        let bundles = DocumentPoller::new(bundle_feed(&policy), prefix, id, seed);
        let watchlists = (policy.watchlist.action != WatchlistAction::Off)
            .then(|| DocumentPoller::new(watchlist_feed(&policy), prefix, id, seed.rotate_left(48)));
        let sender = TelemetrySender::new(id, seed.rotate_left(16));
        let shared = Rc::new(Shared::new(policy, Metrics::define(host), seed.rotate_left(32)));
        host.set_tick_period(limits::TICK_MS);
        Ok(Self { configuration: configuration.to_vec(), shared, bundles, watchlists, sender })
    }

    /// Whether this is the configuration it was made from. Envoy configures a root anew when anything else of its listener
    /// changes; model and buffer should outlive that.
    pub fn is_configured_by(&self, configuration: &[u8]) -> bool {
        self.configuration == configuration
    }

    /// The beginning of an exchange.
    pub fn exchange(&self) -> ExchangeFlow {
        ExchangeFlow::new(Rc::clone(&self.shared))
    }

    pub fn shared(&self) -> &Rc<Shared> {
        &self.shared
    }

    /// Looks for a new bundle and a new watchlist, then sends what is due.
    pub fn tick(&mut self, host: &dyn Host) {
        let now_ms = host.now_ns() / 1_000_000;
        if let Some(candidate) = self.bundles.from_shared_data(host) {
            self.adopt(host, candidate, now_ms);
        }
        if let Some(candidate) = self.watchlists.as_mut().and_then(|poller| poller.from_shared_data(host)) {
            self.adopt_watchlist(host, &candidate);
        }
        let (trainer, metrics) = (&self.shared.policy.trainer, &self.shared.metrics);
        self.bundles.tick(host, trainer, metrics, now_ms);
        if let Some(poller) = &mut self.watchlists {
            poller.tick(host, trainer, metrics, now_ms);
        }
        self.send(host, now_ms);
    }

    /// Takes the answer to a call of this worker.
    pub fn call_answered(&mut self, host: &dyn Host, token: CallToken) {
        let now_ms = host.now_ns() / 1_000_000;
        let headers = host.call_response_headers();
        let status = header_text(&headers, ":status").and_then(|status| status.parse().ok());
        if self.bundles.awaits(token) {
            if let Some(candidate) = self.bundles.settle(host, &self.shared.metrics, status, now_ms) {
                self.adopt(host, candidate, now_ms);
            }
            return;
        }
        if let Some(poller) = self.watchlists.as_mut().filter(|poller| poller.awaits(token)) {
            if let Some(candidate) = poller.settle(host, &self.shared.metrics, status, now_ms) {
                self.adopt_watchlist(host, &candidate);
            }
            return;
        }
        let retry_after = header_text(&headers, "retry-after");
        let Self { shared, sender, .. } = self;
        shared.with_telemetry(|buffer| {
            sender.settle(host, &shared.metrics, buffer, token, status, retry_after.as_deref(), now_ms)
        });
        // Under load the next batch is full already; waiting for the tick would make the tick the limit of what can be sent.
        self.send(host, now_ms);
    }

    fn send(&mut self, host: &dyn Host, now_ms: u64) {
        let bundle = self.bundle();
        let Self { shared, sender, .. } = self;
        shared.with_telemetry(|buffer| {
            sender.tick(host, &shared.policy, &shared.metrics, buffer, bundle, now_ms);
        });
    }

    fn bundle(&self) -> Option<ActiveBundle> {
        self.shared.model().map(|model| model.bundle().clone())
    }

    /// Loads a candidate in place of the model in use, which stays when anything about the candidate is wrong.
    fn adopt(&mut self, host: &dyn Host, candidate: Candidate, now_ms: u64) {
        let current = self.bundle();
        if current.as_ref().is_some_and(|bundle| bundle.id == apiward_detector::bundle::bundle_id(&candidate.bytes)) {
            return;
        }
        let current_serial = current.map(|bundle| bundle.serial);
        let began_ns = host.now_ns();
        let loaded = ActiveModel::load(&candidate.bytes, &self.shared.policy, current_serial, now_ms);
        let metrics = &self.shared.metrics;
        match loaded {
            Ok(model) => {
                let took_ms = host.now_ns().saturating_sub(began_ns) / 1_000_000;
                metrics.record(host, Metric::BundleLoadDuration, took_ms);
                metrics.record(host, Metric::BundleSerial, model.serial());
                metrics.count(host, Metric::BundleLoads, 1);
                let bundle = model.bundle();
                host.log(
                    LogLevel::Info,
                    &format!("loaded bundle {} with serial {} in {took_ms} ms", bundle.id, bundle.serial),
                );
                self.shared.swap_in(model);
                if candidate.origin == Origin::Trainer {
                    self.bundles.publish(host, &candidate.bytes);
                }
            }
            Err(refusal) => {
                self.bundles.refused(&candidate.bytes);
                self.report(host, &refusal);
            }
        }
    }

    fn adopt_watchlist(&mut self, host: &dyn Host, candidate: &Candidate) {
        let Some(poller) = &mut self.watchlists else { return };
        let metrics = &self.shared.metrics;
        match self.shared.watchlist.adopt(&candidate.bytes, &self.shared.policy) {
            Ok(entries) => {
                metrics.record(host, Metric::WatchlistEntries, entries as u64);
                if candidate.origin == Origin::Trainer {
                    poller.publish(host, &candidate.bytes);
                }
            }
            Err(refusal) => {
                metrics.count(host, Metric::WatchlistRefusals, 1);
                host.log(LogLevel::Warn, &format!("watchlist refused, the current one stays: {refusal}"));
                poller.refused(&candidate.bytes);
            }
        }
    }

    fn report(&self, host: &dyn Host, refusal: &Refusal) {
        self.shared.metrics.count(host, Metric::BundleRefusals, 1);
        let reason = refusal.error.to_string();
        host.log(LogLevel::Warn, &format!("bundle refused, the current one stays: {reason}"));
        let mut bounded = reason;
        crate::telemetry::truncate(&mut bounded, apiward_detector::limits::BATCH_TEXT_BYTES_MAX);
        self.shared.with_telemetry(|buffer| buffer.refuse(BundleRefusal { serial: refusal.serial, reason: bounded }));
    }
}

fn bundle_feed(policy: &FilterPolicy) -> Feed {
    Feed {
        name: "bundle",
        path: policy.trainer.bundle_path.clone(),
        bytes_max: engine_limits::BUNDLE_BYTES_MAX,
        interval_ms: policy.trainer.poll_interval_ms,
        metrics: PollMetrics {
            fresh: Metric::PollsFresh,
            unchanged: Metric::PollsUnchanged,
            absent: Metric::PollsAbsent,
            failed: Metric::PollsFailed,
        },
    }
}

fn watchlist_feed(policy: &FilterPolicy) -> Feed {
    Feed {
        name: "watchlist",
        path: policy.trainer.watchlist_path.clone(),
        bytes_max: engine_limits::WATCHLIST_BYTES_MAX,
        interval_ms: policy.watchlist.poll_interval_ms,
        metrics: PollMetrics {
            fresh: Metric::WatchlistPollsFresh,
            unchanged: Metric::WatchlistPollsUnchanged,
            absent: Metric::WatchlistPollsAbsent,
            failed: Metric::WatchlistPollsFailed,
        },
    }
}

#[cfg(test)]
mod tests;
