//! The metrics of the filter: one fixed list.
//!
//! Envoy's wasm metrics have no labels, so a label is written into the name, `….<label>.<value>`, and taken out of it by the
//! `stats_config` expressions that `envoy/envoy.yaml` shows.

use apiward_detector::exchange::Phase;
use apiward_detector::verdict::DetectorKind;

use crate::host::{Host, MetricId, MetricKind};

macro_rules! metrics {
    ($($kind:ident $variant:ident $name:literal),+ $(,)?) => {
        /// Every metric, in the order of [`Metric::ALL`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Metric {
            $($variant,)+
        }

        impl Metric {
            pub const ALL: &'static [Metric] = &[$(Metric::$variant,)+];

            pub fn name(self) -> &'static str {
                match self {
                    $(Metric::$variant => $name,)+
                }
            }

            fn kind(self) -> MetricKind {
                match self {
                    $(Metric::$variant => MetricKind::$kind,)+
                }
            }
        }
    };
}

metrics! {
    Counter ExchangesNormal "apiward_exchanges_total.verdict.normal",
    Counter ExchangesAnomalous "apiward_exchanges_total.verdict.anomalous",
    Counter ExchangesUnjudged "apiward_exchanges_total.verdict.unjudged",
    Counter BlockedHeaders "apiward_blocked_total.phase.headers",
    Counter BlockedBody "apiward_blocked_total.phase.body",
    Counter BlockedBodyTooLarge "apiward_blocked_total.phase.body_too_large",
    Counter BlockedWatchlist "apiward_blocked_total.phase.watchlist",
    Counter BlockedWithoutModel "apiward_blocked_total.phase.no_model",
    Counter AlarmsRoute "apiward_alarms_total.detector.route",
    Counter AlarmsProfile "apiward_alarms_total.detector.profile",
    Counter AlarmsSequence "apiward_alarms_total.detector.sequence",
    Counter AlarmsVolume "apiward_alarms_total.detector.volume",
    Counter AlarmsPayload "apiward_alarms_total.detector.payload",
    Counter BundleLoads "apiward_bundle_loads_total",
    Counter BundleRefusals "apiward_bundle_refusals_total",
    Counter PollsFresh "apiward_bundle_polls_total.result.fresh",
    Counter PollsUnchanged "apiward_bundle_polls_total.result.unchanged",
    Counter PollsAbsent "apiward_bundle_polls_total.result.absent",
    Counter PollsFailed "apiward_bundle_polls_total.result.failed",
    Counter WatchlistPollsFresh "apiward_watchlist_polls_total.result.fresh",
    Counter WatchlistPollsUnchanged "apiward_watchlist_polls_total.result.unchanged",
    Counter WatchlistPollsAbsent "apiward_watchlist_polls_total.result.absent",
    Counter WatchlistPollsFailed "apiward_watchlist_polls_total.result.failed",
    Counter WatchlistRefusals "apiward_watchlist_refusals_total",
    Counter BatchesAccepted "apiward_telemetry_batches_total.result.accepted",
    Counter BatchesRetried "apiward_telemetry_batches_total.result.retried",
    Counter BatchesDropped "apiward_telemetry_batches_total.result.dropped",
    Counter RecordsSent "apiward_telemetry_records_total.outcome.sent",
    Counter RecordsSampledOut "apiward_telemetry_records_total.outcome.sampled_out",
    Counter RecordsDropped "apiward_telemetry_records_total.outcome.dropped",
    Counter LimitBody "apiward_limits_hit_total.limit.body_bytes",
    Counter LimitWork "apiward_limits_hit_total.limit.work",
    Counter LimitCountedEndpoints "apiward_limits_hit_total.limit.counted_endpoints",
    Counter LimitCaptures "apiward_limits_hit_total.limit.captures",
    Counter SessionsKept "apiward_session_updates_total.result.kept",
    Counter SessionsReplaced "apiward_session_updates_total.result.replaced",
    Counter SessionsWaiting "apiward_session_updates_total.result.waiting",
    Counter SessionsLost "apiward_session_updates_total.result.lost",
    Counter SessionConflicts "apiward_session_conflicts_total",
    Gauge BundleSerial "apiward_bundle_serial",
    Gauge WatchlistEntries "apiward_watchlist_entries",
    Histogram JudgeHeaders "apiward_judge_duration_us.phase.headers",
    Histogram JudgeBody "apiward_judge_duration_us.phase.body",
    Histogram JudgeResponse "apiward_judge_duration_us.phase.response",
    Histogram BundleLoadDuration "apiward_bundle_load_duration_ms",
    Histogram BatchRecords "apiward_telemetry_batch_records",
}

impl Metric {
    pub fn judge_duration(phase: Phase) -> Self {
        match phase {
            Phase::Headers => Metric::JudgeHeaders,
            Phase::Body => Metric::JudgeBody,
            Phase::Response => Metric::JudgeResponse,
        }
    }

    pub fn alarms(detector: DetectorKind) -> Self {
        match detector {
            DetectorKind::Route => Metric::AlarmsRoute,
            DetectorKind::Profile => Metric::AlarmsProfile,
            DetectorKind::Sequence => Metric::AlarmsSequence,
            DetectorKind::Volume => Metric::AlarmsVolume,
            DetectorKind::Payload => Metric::AlarmsPayload,
        }
    }
}

/// The defined metrics. One that the proxy refused to define is not counted.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    ids: Vec<Option<MetricId>>,
}

impl Metrics {
    pub fn define(host: &dyn Host) -> Self {
        Self { ids: Metric::ALL.iter().map(|metric| host.define_metric(metric.kind(), metric.name())).collect() }
    }

    /// Adds to a counter; nothing for 0.
    pub fn count(&self, host: &dyn Host, metric: Metric, by: u64) {
        if let Some(id) = self.id(metric).filter(|_| by > 0) {
            host.increment(id, by);
        }
    }

    /// Sets a gauge or adds an observation to a histogram.
    pub fn record(&self, host: &dyn Host, metric: Metric, value: u64) {
        if let Some(id) = self.id(metric) {
            host.record(id, value);
        }
    }

    fn id(&self, metric: Metric) -> Option<MetricId> {
        self.ids.get(metric as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_metric_has_a_name_of_its_own_and_its_place_in_the_list() {
        let names: HashSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        for (index, metric) in Metric::ALL.iter().enumerate() {
            assert_eq!(*metric as usize, index);
        }
    }

    #[test]
    fn labels_are_written_the_way_the_tag_expressions_of_the_bootstrap_take_them_out() {
        for metric in Metric::ALL {
            let parts: Vec<&str> = metric.name().split('.').collect();
            assert!(parts.len() == 1 || parts.len() == 3, "{}", metric.name());
            assert!(parts.iter().all(|part| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')));
        }
    }

    #[test]
    fn every_metric_and_its_label_is_explained_to_the_user() {
        let guide = include_str!("../../envoy/README.md");
        let bootstrap = include_str!("../../envoy/envoy.yaml");
        for metric in Metric::ALL {
            let mut parts = metric.name().split('.');
            let name = parts.next().unwrap();
            let line = guide.lines().find(|line| line.contains(&format!("`{name}`")));
            let line = line.unwrap_or_else(|| panic!("{name} is missing in envoy/README.md"));
            let (Some(label), Some(value)) = (parts.next(), parts.next()) else { continue };
            assert!(line.contains(&format!("`{label}`")) && line.contains(value), "{}", metric.name());
            let expression =
                format!("{{tag_name: {label}, regex: '^wasmcustom\\.apiward_\\w+(\\.{label}\\.(\\w+))$'}}");
            assert!(bootstrap.contains(&expression), "{label} is missing in envoy/envoy.yaml");
        }
    }
}
