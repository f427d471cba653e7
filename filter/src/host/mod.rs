//! What the filter needs of the proxy.
//!
//! Everything else in this crate is plain logic over this trait: `envoy.rs` is the only file that names host calls, and the
//! tests drive the same logic with a fake.

#[cfg(target_arch = "wasm32")]
pub mod envoy;
#[cfg(test)]
pub mod fake;

/// Header, cookie and trailer fields as the proxy gives them: names in lower case, values as bytes.
pub type HeaderMap = Vec<(String, Vec<u8>)>;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Debug,
    Info,
    Warn,
    Error,
}

/// A value of shared data with the number that a compare-and-swap needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedValue {
    pub bytes: Vec<u8>,
    pub version: SharedVersion,
}

/// What is expected of a key when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SharedVersion {
    /// The key is absent. The host inserts an absent key whatever the number says, and refuses a present one whose number is
    /// another, so a number that no key has expresses this.
    Absent,
    /// The key still has the value that was read with this number.
    Is(u32),
}

/// Somebody else wrote the key since it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict;

/// A request to another service through one of the proxy's clusters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call<'a> {
    pub cluster: &'a str,
    pub method: &'a str,
    pub authority: &'a str,
    pub path: &'a str,
    pub headers: Vec<(&'a str, &'a str)>,
    pub body: Option<&'a [u8]>,
    pub timeout_ms: u64,
}

/// The call could not be started: there is no such cluster, or the proxy refused it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallNotStarted;

/// Names a call until its answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallToken(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    Counter,
    Gauge,
    Histogram,
}

/// Names a metric once it is defined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MetricId(pub u32);

/// The proxy. Reads give nothing where the proxy has nothing or fails; writes that fail are counted by the implementation
/// and otherwise ignored, since no exchange may suffer from them.
pub trait Host {
    /// Nanoseconds since the Unix epoch.
    fn now_ns(&self) -> u64;
    /// Unpredictable bytes.
    fn random(&self) -> [u8; 16];
    fn log(&self, level: LogLevel, message: &str);

    /// Request headers, pseudo headers included; only in the request header callback.
    fn request_headers(&self) -> HeaderMap;
    fn set_request_header(&self, name: &str, value: &str);
    /// The first `bytes_max` bytes of what the body callback was called for.
    fn request_body(&self, bytes_max: usize) -> Vec<u8>;
    /// Only in the response header callback.
    fn response_headers(&self) -> HeaderMap;
    fn set_response_header(&self, name: &str, value: &str);
    /// The first `bytes_max` bytes of what the response body callback was called for.
    fn response_body(&self, bytes_max: usize) -> Vec<u8>;
    /// Only in the response trailer callback.
    fn response_trailers(&self) -> HeaderMap;
    /// Answers the request in place of the upstream.
    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8]);

    /// An attribute of the exchange or connection, as the proxy serialises it.
    fn property(&self, path: &[&str]) -> Option<Vec<u8>>;
    /// Sets the filter state `wasm.<name>`.
    fn set_filter_state(&self, name: &str, value: &str);

    fn shared_data(&self, key: &str) -> Option<SharedValue>;
    /// # Errors
    /// [`Conflict`] when the key is not as expected.
    fn set_shared_data(&self, key: &str, bytes: &[u8], expected: SharedVersion) -> Result<(), Conflict>;

    /// Starts a call; its answer comes to the worker.
    ///
    /// # Errors
    /// [`CallNotStarted`].
    fn call(&self, call: &Call<'_>) -> Result<CallToken, CallNotStarted>;
    /// Headers of the answer, `:status` included; empty when the call failed. Only while the answer is handled.
    fn call_response_headers(&self) -> HeaderMap;
    /// Only while the answer is handled.
    fn call_response_body(&self, bytes_max: usize) -> Vec<u8>;

    fn define_metric(&self, kind: MetricKind, name: &str) -> Option<MetricId>;
    /// Adds to a counter. `by` of 0 is not passed on, since the proxy takes it for an error.
    fn increment(&self, metric: MetricId, by: u64);
    /// Sets a gauge or adds an observation to a histogram.
    fn record(&self, metric: MetricId, value: u64);

    fn set_tick_period(&self, period_ms: u64);
    /// Bytes of the plugin configuration; only in the configure callback.
    fn configuration(&self) -> Vec<u8>;
}

/// The first value of that name as text, invalid UTF-8 replaced.
pub fn header_text<'h>(headers: &'h HeaderMap, name: &str) -> Option<std::borrow::Cow<'h, str>> {
    headers
        .iter()
        .find(|(header_name, _)| header_name.eq_ignore_ascii_case(name))
        .map(|(_, value)| String::from_utf8_lossy(value))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::{Path, PathBuf};

    fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }

    #[test]
    fn one_file_names_the_host_calls_and_one_more_the_sdk() {
        let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"));
        let mut files = vec![];
        sources(root, &mut files);
        let naming = |word: &str| -> Vec<String> {
            let mut names: Vec<String> = files
                .iter()
                .filter(|path| fs::read_to_string(path).unwrap().contains(word))
                .map(|path| path.strip_prefix(root).unwrap().to_string_lossy().into_owned())
                .collect();
            names.sort();
            names
        };
        assert_eq!(naming(concat!("host", "calls::")), vec!["host/envoy.rs"]);
        assert_eq!(naming(concat!("proxy_", "wasm::")), vec!["host/envoy.rs", "proxy.rs"]);
    }
}
