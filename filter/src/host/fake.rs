//! A proxy for tests: it keeps what the filter did, and shared data behaves as proxy-wasm's does.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::{
    Call, CallNotStarted, CallToken, Conflict, HeaderMap, Host, LogLevel, MetricId, MetricKind, SharedValue,
    SharedVersion,
};

/// Shared data of one VM id, seen by several workers.
#[derive(Debug, Default)]
pub struct SharedMap {
    values: RefCell<HashMap<String, (Vec<u8>, u32)>>,
    next_version: Cell<u32>,
}

impl SharedMap {
    /// Puts hostile bytes under a key.
    pub fn plant(&self, key: &str, bytes: &[u8]) {
        let version = self.version();
        self.values.borrow_mut().insert(key.to_owned(), (bytes.to_vec(), version));
    }

    pub fn keys(&self) -> Vec<String> {
        self.values.borrow().keys().cloned().collect()
    }

    fn version(&self) -> u32 {
        self.next_version.set(self.next_version.get() + 1);
        self.next_version.get()
    }
}

/// A call that the filter started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCall {
    pub token: CallToken,
    pub cluster: String,
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl SentCall {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalResponse {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

#[derive(Default)]
pub struct FakeHost {
    pub now_ms: Cell<u64>,
    pub identity: [u8; 16],
    pub shared: Rc<SharedMap>,
    pub request_headers: RefCell<HeaderMap>,
    pub body: RefCell<Vec<u8>>,
    pub response_headers: RefCell<HeaderMap>,
    pub response_body: RefCell<Vec<u8>>,
    pub response_trailers: RefCell<HeaderMap>,
    pub properties: RefCell<HashMap<String, Vec<u8>>>,
    pub call_headers: RefCell<HeaderMap>,
    pub call_body: RefCell<Vec<u8>>,
    pub calls_fail: Cell<bool>,
    pub calls: RefCell<Vec<SentCall>>,
    pub responses: RefCell<Vec<LocalResponse>>,
    pub filter_state: RefCell<HashMap<String, String>>,
    pub set_headers: RefCell<HashMap<String, String>>,
    pub log: RefCell<Vec<(LogLevel, String)>>,
    metrics: RefCell<Vec<(String, u64)>>,
}

/// Header map from text pairs.
pub fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.as_bytes().to_vec())).collect()
}

impl FakeHost {
    /// One worker among those that share `shared`.
    pub fn worker(shared: &Rc<SharedMap>, number: u8) -> Self {
        let host = Self { identity: [number; 16], shared: Rc::clone(shared), ..Self::default() };
        host.now_ms.set(1_790_000_000_000);
        host
    }

    pub fn new() -> Self {
        Self::worker(&Rc::default(), 1)
    }

    pub fn pass(&self, milliseconds: u64) {
        self.now_ms.set(self.now_ms.get() + milliseconds);
    }

    pub fn metric(&self, name: &str) -> u64 {
        self.metrics.borrow().iter().find(|(metric, _)| metric == name).map_or(0, |(_, value)| *value)
    }

    pub fn state(&self, name: &str) -> Option<String> {
        self.filter_state.borrow().get(name).cloned()
    }

    pub fn take_calls(&self) -> Vec<SentCall> {
        self.calls.borrow_mut().split_off(0)
    }

    /// What the next handled answer says.
    pub fn answer(&self, status: u16, answer_headers: &[(&str, &str)], body: &[u8]) {
        let status = status.to_string();
        let mut pairs = vec![(":status", status.as_str())];
        pairs.extend_from_slice(answer_headers);
        *self.call_headers.borrow_mut() = headers(&pairs);
        *self.call_body.borrow_mut() = body.to_vec();
    }

    /// The next handled answer is a failed call.
    pub fn answer_nothing(&self) {
        self.call_headers.borrow_mut().clear();
        self.call_body.borrow_mut().clear();
    }

    pub fn logged(&self, text: &str) -> usize {
        self.log.borrow().iter().filter(|(_, message)| message.contains(text)).count()
    }
}

impl Host for FakeHost {
    fn now_ns(&self) -> u64 {
        self.now_ms.get() * 1_000_000
    }

    fn random(&self) -> [u8; 16] {
        self.identity
    }

    fn log(&self, level: LogLevel, message: &str) {
        self.log.borrow_mut().push((level, message.to_owned()));
    }

    fn request_headers(&self) -> HeaderMap {
        self.request_headers.borrow().clone()
    }

    fn set_request_header(&self, name: &str, value: &str) {
        self.set_headers.borrow_mut().insert(format!("request {name}"), value.to_owned());
    }

    fn request_body(&self, bytes_max: usize) -> Vec<u8> {
        self.body.borrow().iter().copied().take(bytes_max).collect()
    }

    fn response_headers(&self) -> HeaderMap {
        self.response_headers.borrow().clone()
    }

    fn set_response_header(&self, name: &str, value: &str) {
        self.set_headers.borrow_mut().insert(format!("response {name}"), value.to_owned());
    }

    fn response_body(&self, bytes_max: usize) -> Vec<u8> {
        self.response_body.borrow().iter().copied().take(bytes_max).collect()
    }

    fn response_trailers(&self) -> HeaderMap {
        self.response_trailers.borrow().clone()
    }

    fn respond(&self, status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.responses.borrow_mut().push(LocalResponse { status, headers, body: body.to_vec() });
    }

    fn property(&self, path: &[&str]) -> Option<Vec<u8>> {
        self.properties.borrow().get(&path.join("/")).cloned()
    }

    fn set_filter_state(&self, name: &str, value: &str) {
        self.filter_state.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    fn shared_data(&self, key: &str) -> Option<SharedValue> {
        let values = self.shared.values.borrow();
        let (bytes, version) = values.get(key)?;
        Some(SharedValue { bytes: bytes.clone(), version: SharedVersion::Is(*version) })
    }

    fn set_shared_data(&self, key: &str, bytes: &[u8], expected: SharedVersion) -> Result<(), Conflict> {
        let version = self.shared.version();
        let mut values = self.shared.values.borrow_mut();
        // As the host does it: an absent key is inserted whatever is expected of it.
        if let Some((_, current)) = values.get(key)
            && expected != SharedVersion::Is(*current)
        {
            return Err(Conflict);
        }
        values.insert(key.to_owned(), (bytes.to_vec(), version));
        Ok(())
    }

    fn call(&self, call: &Call<'_>) -> Result<CallToken, CallNotStarted> {
        if self.calls_fail.get() {
            return Err(CallNotStarted);
        }
        let token = CallToken(u32::try_from(self.calls.borrow().len()).unwrap() + 1 + self.now_ms.get() as u32);
        self.calls.borrow_mut().push(SentCall {
            token,
            cluster: call.cluster.to_owned(),
            method: call.method.to_owned(),
            path: call.path.to_owned(),
            headers: call.headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: call.body.unwrap_or_default().to_vec(),
        });
        Ok(token)
    }

    fn call_response_headers(&self) -> HeaderMap {
        self.call_headers.borrow().clone()
    }

    fn call_response_body(&self, bytes_max: usize) -> Vec<u8> {
        self.call_body.borrow().iter().copied().take(bytes_max).collect()
    }

    fn define_metric(&self, _kind: MetricKind, name: &str) -> Option<MetricId> {
        let mut metrics = self.metrics.borrow_mut();
        metrics.push((name.to_owned(), 0));
        u32::try_from(metrics.len() - 1).ok().map(MetricId)
    }

    fn increment(&self, metric: MetricId, by: u64) {
        assert!(by > 0, "Envoy takes an increment by 0 for an error");
        self.metrics.borrow_mut()[metric.0 as usize].1 += by;
    }

    fn record(&self, metric: MetricId, value: u64) {
        self.metrics.borrow_mut()[metric.0 as usize].1 = value;
    }

    fn set_tick_period(&self, _period_ms: u64) {}

    fn configuration(&self) -> Vec<u8> {
        Vec::new()
    }
}
