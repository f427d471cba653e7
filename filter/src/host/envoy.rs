//! The proxy as proxy-wasm gives it. **The only file that names host calls.**
//!
//! The calls are those of `proxy_wasm::hostcalls`, which return what went wrong; the SDK's trait helpers unwrap it.

use std::time::{Duration, UNIX_EPOCH};

use proxy_wasm::hostcalls;
use proxy_wasm::types::{BufferType, LogLevel as SdkLogLevel, MapType, MetricType};

use super::{
    Call, CallNotStarted, CallToken, Conflict, HeaderMap, Host, LogLevel, MetricId, MetricKind, SharedValue,
    SharedVersion,
};

/// A number that no key has: the host counts up from 1 and would have to write four thousand million values to get there.
const NO_VERSION: u32 = u32::MAX;

/// Envoy.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envoy;

impl Host for Envoy {
    fn now_ns(&self) -> u64 {
        hostcalls::get_current_time()
            .ok()
            .and_then(|now| now.duration_since(UNIX_EPOCH).ok())
            .and_then(|since| u64::try_from(since.as_nanos()).ok())
            .unwrap_or(0)
    }

    fn random(&self) -> [u8; 16] {
        let mut bytes = [0; 16];
        if getrandom::fill(&mut bytes).is_err() {
            // Envoy has always given random bytes; should it not, senders at least differ by their start.
            bytes = u128::from(self.now_ns()).to_le_bytes();
        }
        bytes
    }

    fn log(&self, level: LogLevel, message: &str) {
        let level = match level {
            LogLevel::Debug => SdkLogLevel::Debug,
            LogLevel::Info => SdkLogLevel::Info,
            LogLevel::Warn => SdkLogLevel::Warn,
            LogLevel::Error => SdkLogLevel::Error,
        };
        let _ = hostcalls::log(level, message);
    }

    fn request_headers(&self) -> HeaderMap {
        hostcalls::get_map_bytes(MapType::HttpRequestHeaders).unwrap_or_default()
    }

    fn set_request_header(&self, name: &str, value: &str) {
        let _ = hostcalls::set_map_value(MapType::HttpRequestHeaders, name, Some(value));
    }

    fn request_body(&self, bytes_max: usize) -> Vec<u8> {
        buffer(BufferType::HttpRequestBody, bytes_max)
    }

    fn response_headers(&self) -> HeaderMap {
        hostcalls::get_map_bytes(MapType::HttpResponseHeaders).unwrap_or_default()
    }

    fn set_response_header(&self, name: &str, value: &str) {
        let _ = hostcalls::set_map_value(MapType::HttpResponseHeaders, name, Some(value));
    }

    fn response_body(&self, bytes_max: usize) -> Vec<u8> {
        buffer(BufferType::HttpResponseBody, bytes_max)
    }

    fn response_trailers(&self) -> HeaderMap {
        hostcalls::get_map_bytes(MapType::HttpResponseTrailers).unwrap_or_default()
    }

    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let _ = hostcalls::send_http_response(u32::from(status), headers.to_vec(), Some(body));
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        hostcalls::get_property(path.to_vec()).ok().flatten()
    }

    fn set_filter_state(&self, name: &str, value: &str) {
        // One part: the host joins parts with NUL bytes, which no access log format can write.
        let _ = hostcalls::set_property(vec![name], Some(value.as_bytes()));
    }

    fn shared_data(&self, key: &str) -> Option<SharedValue> {
        match hostcalls::get_shared_data(key) {
            Ok((bytes, Some(version))) => {
                Some(SharedValue { bytes: bytes.unwrap_or_default(), version: SharedVersion::Is(version) })
            }
            _ => None,
        }
    }

    fn set_shared_data(&self, key: &str, bytes: &[u8], expected: SharedVersion) -> Result<(), Conflict> {
        let version = match expected {
            SharedVersion::Absent => NO_VERSION,
            SharedVersion::Is(version) => version,
        };
        hostcalls::set_shared_data(key, Some(bytes), Some(version)).map_err(|_| Conflict)
    }

    fn call(&self, call: &Call<'_>) -> Result<CallToken, CallNotStarted> {
        let mut headers = vec![(":method", call.method), (":authority", call.authority), (":path", call.path)];
        headers.extend_from_slice(&call.headers);
        hostcalls::dispatch_http_call(call.cluster, headers, call.body, vec![], Duration::from_millis(call.timeout_ms))
            .map(CallToken)
            .map_err(|_| CallNotStarted)
    }

    fn call_response_headers(&self) -> HeaderMap {
        hostcalls::get_map_bytes(MapType::HttpCallResponseHeaders).unwrap_or_default()
    }

    fn call_response_body(&self, bytes_max: usize) -> Vec<u8> {
        buffer(BufferType::HttpCallResponseBody, bytes_max)
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<MetricId> {
        let kind = match kind {
            MetricKind::Counter => MetricType::Counter,
            MetricKind::Gauge => MetricType::Gauge,
            MetricKind::Histogram => MetricType::Histogram,
        };
        hostcalls::define_metric(kind, name).ok().map(MetricId)
    }

    fn increment(&self, metric: MetricId, by: u64) {
        if let Ok(by @ 1..) = i64::try_from(by) {
            let _ = hostcalls::increment_metric(metric.0, by);
        }
    }

    fn record(&self, metric: MetricId, value: u64) {
        let _ = hostcalls::record_metric(metric.0, value);
    }

    fn set_tick_period(&self, period_ms: u64) {
        let _ = hostcalls::set_tick_period(Duration::from_millis(period_ms));
    }

    fn configuration(&self) -> Vec<u8> {
        buffer(BufferType::PluginConfiguration, usize::MAX)
    }
}

fn buffer(kind: BufferType, bytes_max: usize) -> Vec<u8> {
    hostcalls::get_buffer(kind, 0, bytes_max).ok().flatten().unwrap_or_default()
}
