//! Metrics of the trainer, served as Prometheus text.
//!
//! Labels are bounded: outcomes, states, route templates; never scopes, hosts or callers.

use apiward_detector::telemetry::Batch;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};

use crate::ingest::Receipt;
use crate::problem::Problem;
use crate::serve::{ApiRouter, Service};

/// Every metric of one trainer.
#[derive(Debug, Clone)]
pub struct Metrics {
    registry: Registry,
    /// By `outcome`: accepted, duplicate, busy, malformed, failed.
    pub telemetry_batches: IntCounterVec,
    /// By `outcome`: accepted, too_old, too_new, without_time, dropped_by_filter.
    pub telemetry_records: IntCounterVec,
    pub bundle_refusals: IntCounter,
    pub ingest_queue_batches: IntGauge,
    pub ingest_transaction_seconds: Histogram,
    /// By `outcome`: sent, not_modified, none.
    pub bundle_requests: IntCounterVec,
    /// By `state`: succeeded, failed, rejected, interrupted.
    pub training_runs: IntCounterVec,
    pub training_seconds: Histogram,
    pub publications: IntCounter,
    /// Alarms of callers and addresses over all proxies.
    pub watchlist_alarms: IntCounter,
    pub watched_records_unreadable: IntCounter,
    pub partitions_dropped: IntCounter,
    /// By `outcome`: read, unreadable.
    pub discovery_records: IntCounterVec,
    pub discovery_update_seconds: Histogram,
    pub discovery_nodes: IntGauge,
    /// By `state`: new, active, stale.
    pub endpoints: IntGaugeVec,
    http_requests: IntCounterVec,
    http_request_seconds: HistogramVec,
}

impl Metrics {
    /// # Errors
    /// Only when two metrics have the same name.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new_custom(Some("apiward".to_owned()), None)?;
        let counters = |name: &str, help: &str, labels: &[&str]| -> prometheus::Result<IntCounterVec> {
            let counters = IntCounterVec::new(Opts::new(name, help), labels)?;
            registry.register(Box::new(counters.clone()))?;
            Ok(counters)
        };
        let counter = |name: &str, help: &str| -> prometheus::Result<IntCounter> {
            let counter = IntCounter::new(name, help)?;
            registry.register(Box::new(counter.clone()))?;
            Ok(counter)
        };
        let histogram = |name: &str, help: &str, buckets: Vec<f64>| -> prometheus::Result<Histogram> {
            let histogram = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets))?;
            registry.register(Box::new(histogram.clone()))?;
            Ok(histogram)
        };
        let gauge = |name: &str, help: &str| -> prometheus::Result<IntGauge> {
            let gauge = IntGauge::new(name, help)?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let endpoints = IntGaugeVec::new(Opts::new("endpoints", "Endpoints that were discovered."), &["state"])?;
        registry.register(Box::new(endpoints.clone()))?;
        let http_request_seconds = HistogramVec::new(
            HistogramOpts::new("http_request_seconds", "Time to the head of the response.").buckets(fast_buckets()),
            &["route"],
        )?;
        registry.register(Box::new(http_request_seconds.clone()))?;
        Ok(Self {
            telemetry_batches: counters("telemetry_batches_total", "Telemetry batches received.", &["outcome"])?,
            telemetry_records: counters("telemetry_records_total", "Exchange records received.", &["outcome"])?,
            bundle_refusals: counter("bundle_refusals_total", "Bundles that filters reported as refused.")?,
            ingest_queue_batches: gauge("ingest_queue_batches", "Batches that wait for the database.")?,
            ingest_transaction_seconds: histogram(
                "ingest_transaction_seconds",
                "Time of a telemetry transaction.",
                fast_buckets(),
            )?,
            bundle_requests: counters("bundle_requests_total", "Requests for a bundle.", &["outcome"])?,
            training_runs: counters("training_runs_total", "Training runs that ended here.", &["state"])?,
            training_seconds: histogram(
                "training_seconds",
                "Time of a training run from its claim to its end.",
                vec![1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 900.0, 3600.0],
            )?,
            publications: counter("publications_total", "Bundles published.")?,
            watchlist_alarms: counter(
                "watchlist_alarms_total",
                "Callers and addresses that alarmed over all proxies, once per look at new records.",
            )?,
            watched_records_unreadable: counter(
                "watched_records_unreadable_total",
                "Stored records that could not be read when callers were followed.",
            )?,
            partitions_dropped: counter("partitions_dropped_total", "Daily partitions dropped by retention.")?,
            discovery_records: counters(
                "discovery_records_total",
                "Stored records that discovery read.",
                &["outcome"],
            )?,
            discovery_update_seconds: histogram(
                "discovery_update_seconds",
                "Time of taking new records into the URL graph of a scope.",
                vec![0.01, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 120.0],
            )?,
            discovery_nodes: gauge("discovery_nodes", "Nodes of the URL graphs in memory.")?,
            endpoints,
            http_requests: counters("http_requests_total", "Requests served.", &["route", "status"])?,
            http_request_seconds,
            registry,
        })
    }

    /// Counts a batch that the writer dealt with; `None` when it failed.
    pub fn count_receipt(&self, batch: &Batch, receipt: Option<&Receipt>) {
        let outcome = match receipt {
            None => "failed",
            Some(receipt) if receipt.duplicate => "duplicate",
            Some(_) => "accepted",
        };
        self.telemetry_batches.with_label_values(&[outcome]).inc();
        let Some(receipt) = receipt.filter(|receipt| !receipt.duplicate) else {
            return;
        };
        let refused = receipt.refused;
        for (outcome, records) in [
            ("accepted", receipt.accepted),
            ("too_old", refused.too_old),
            ("too_new", refused.too_new),
            ("without_time", refused.without_time),
            ("dropped_by_filter", batch.records_dropped),
        ] {
            self.telemetry_records.with_label_values(&[outcome]).inc_by(records);
        }
        self.bundle_refusals.inc_by(batch.refusals.len() as u64);
    }

    /// The metrics as text.
    ///
    /// # Errors
    /// When a metric cannot be written, which none of these can cause.
    pub fn text(&self) -> prometheus::Result<String> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

fn fast_buckets() -> Vec<f64> {
    vec![0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0]
}

pub fn router() -> ApiRouter {
    ApiRouter::new().route("/metrics", get(show))
}

async fn show(State(service): State<Service>) -> Result<Response, Problem> {
    let text = service.metrics.text().map_err(anyhow::Error::new)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// Counts every request by its route template and status.
pub async fn count_request(State(service): State<Service>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let timer = service.metrics.http_request_seconds.with_label_values(&[&route]).start_timer();
    let response = next.run(request).await;
    timer.observe_duration();
    service.metrics.http_requests.with_label_values(&[route.as_str(), response.status().as_str()]).inc();
    response
}
