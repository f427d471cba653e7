//! One exchange on its way through the proxy: observed as its phases come, judged in each, recorded at its end.
//!
//! The request path never waits for anything but its own body, never fails, and never blocks in monitor mode.

mod body;
mod head;
mod history;
mod problem;
mod verdict_text;

use std::rc::Rc;

use apiward_detector::calls::{BegunCall, CallContext};
use apiward_detector::exchange::{Exchange, Phase, Response, header};
use apiward_detector::observation::{ContentClass, Observer, ResponseMeasures};
use apiward_detector::telemetry::{CallerRecord, CapturedExchange, ExchangeRecord, VerdictRecord, bounded_request_id};
use apiward_detector::verdict::{DetectorKind, Verdict};

use crate::bundle::ActiveModel;
use crate::caller::identify;
use crate::config::{BodyOverLimit, Mode, WatchlistAction};
use crate::host::Host;
use crate::limits;
use crate::metrics::Metric;
use crate::telemetry::truncate;
use crate::watchlist::AlarmCause;
use crate::worker::Shared;

use body::BodyReader;
use problem::Problem;

/// What the proxy is to do with what it called for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    Continue,
    /// Hold it back: the rest of the body is awaited, or the request was answered in place of the upstream.
    Pause,
}

/// Filter state, readable as `wasm.<name>`.
pub mod filter_state {
    /// `normal`, `anomalous` or `unjudged`.
    pub const VERDICT: &str = "apiward.verdict";
    /// Highest calibrated score of all detectors, four decimals.
    pub const SCORE: &str = "apiward.score";
    /// `POST /api/cart/{id}`
    pub const ENDPOINT: &str = "apiward.endpoint";
    /// Why it is anomalous, joined by `; `; not set for a normal exchange.
    pub const REASONS: &str = "apiward.reasons";
    /// What attack a value looks like: `sqli`, `xss`, …; not set otherwise.
    pub const ATTACK_CLASS: &str = "apiward.attack_class";
    /// The last phase that was judged: `headers`, `body` or `response`.
    pub const PHASE: &str = "apiward.phase";
    /// Serial of the bundle that judged.
    pub const SERIAL: &str = "apiward.serial";
    /// `true` where the filter refused the request; not set otherwise.
    pub const BLOCKED: &str = "apiward.blocked";
}

/// One exchange.
pub struct ExchangeFlow {
    shared: Rc<Shared>,
    /// The model of the request's start judges all phases, whatever is swapped in meanwhile.
    model: Option<Rc<ActiveModel>>,
    progress: Option<Progress>,
}

/// What is known once the request headers came.
struct Progress {
    started_ns: u64,
    observer: Observer,
    caller: CallerRecord,
    request_id: Option<String>,
    declared_bytes: Option<u64>,
    body: BodyReader,
    /// Whether the body may be held back for its verdict.
    may_hold_back: bool,
    body_judged: bool,
    response: Option<Response>,
    response_body: BodyReader,
    verdict: Option<Verdict>,
    reconstruction_errors: Vec<f32>,
    /// The call as the sessions know it, once its endpoint is known.
    call: Option<BegunCall>,
    blocked: bool,
    finished: bool,
    /// The exchange with its values, where capture is on.
    captured: Option<Exchange>,
    shown: Shown,
}

/// What filter state says so far, so that only changes are written.
#[derive(Default)]
struct Shown {
    word: Option<&'static str>,
    endpoint: Option<String>,
}

impl ExchangeFlow {
    pub fn new(shared: Rc<Shared>) -> Self {
        let model = shared.model();
        Self { shared, model, progress: None }
    }

    pub fn request_headers(&mut self, host: &dyn Host, end_of_stream: bool) -> Flow {
        let progress = self.begin(host);
        let enforced_without_model = self.model.is_none() && self.shared.policy().mode == Mode::Enforce;
        self.progress = Some(progress);
        self.judge_phase(host);
        if enforced_without_model && self.shared.policy().fail_closed {
            return self.refuse(host, Problem::NoModel, Metric::BlockedWithoutModel);
        }
        if let Some((problem, metric)) = self.refusal(Metric::BlockedHeaders) {
            return self.refuse(host, problem, metric);
        }
        let declared = self.progress.as_ref().and_then(|progress| progress.declared_bytes).unwrap_or(0);
        if self.refuses_length(declared) {
            return self.refuse(host, Problem::BodyTooLarge, Metric::BlockedBodyTooLarge);
        }
        if end_of_stream {
            self.judge_body(host);
            if let Some((problem, metric)) = self.refusal(Metric::BlockedBody) {
                return self.refuse(host, problem, metric);
            }
        }
        if let (Some(name), Some(progress)) = (&self.shared.policy().upstream_header, &self.progress) {
            host.set_request_header(name, &self.verdict_header(progress));
        }
        Flow::Continue
    }

    /// `size` is that of the chunk, or of all that is held back.
    pub fn request_body(&mut self, host: &dyn Host, size: usize, end_of_stream: bool) -> Flow {
        let enforces = self.enforces();
        let Some(progress) = &mut self.progress else {
            return Flow::Continue;
        };
        if progress.blocked {
            return Flow::Pause;
        }
        if progress.body_judged {
            return Flow::Continue;
        }
        progress.body.take(size, |bytes_max| host.request_body(bytes_max));
        let total = progress.body.total();
        if self.refuses_length(total) {
            return self.refuse(host, Problem::BodyTooLarge, Metric::BlockedBodyTooLarge);
        }
        let Some(progress) = &mut self.progress else {
            return Flow::Continue;
        };
        // Where longer bodies are refused, what comes after the last byte that is read still decides.
        let refuses_longer = self.shared.policy().body_over_limit == BodyOverLimit::Refuse;
        let is_read = progress.body.is_full() && !refuses_longer;
        let decide_now = end_of_stream || (progress.may_hold_back && enforces && is_read);
        if !decide_now {
            let hold_back = progress.may_hold_back && enforces;
            progress.body.hold_back(hold_back);
            return if hold_back { Flow::Pause } else { Flow::Continue };
        }
        self.body_verdict(host)
    }

    pub fn request_trailers(&mut self, host: &dyn Host) -> Flow {
        match &self.progress {
            Some(progress) if progress.blocked => Flow::Pause,
            Some(progress) if !progress.body_judged => self.body_verdict(host),
            _ => Flow::Continue,
        }
    }

    pub fn response_headers(&mut self, host: &dyn Host, end_of_stream: bool) {
        let Some(progress) = &mut self.progress else {
            return;
        };
        let response = head::response(host.response_headers());
        if head::is_plain_json(&response) {
            progress.response_body = BodyReader::new(self.shared.policy().response_body_bytes_max);
        }
        progress.response = Some(response);
        if let (Some(name), Some(progress)) = (&self.shared.policy().response_header, &self.progress) {
            host.set_response_header(name, &self.verdict_header(progress));
        }
        if end_of_stream {
            self.finish(host);
        }
    }

    pub fn response_body(&mut self, host: &dyn Host, size: usize, end_of_stream: bool) {
        if let Some(progress) = &mut self.progress {
            progress.response_body.take(size, |bytes_max| host.response_body(bytes_max));
        }
        if end_of_stream {
            self.finish(host);
        }
    }

    pub fn response_trailers(&mut self, host: &dyn Host) {
        if let Some(response) = self.progress.as_mut().and_then(|progress| progress.response.as_mut())
            && let Some(status) = head::grpc_status(&host.response_trailers())
        {
            response.grpc_status = Some(status);
        }
        self.finish(host);
    }

    /// Judges what is left to judge and records the exchange, once. The last callback of every exchange, also of one that was
    /// cut off.
    pub fn finish(&mut self, host: &dyn Host) {
        if self.progress.as_ref().is_none_or(|progress| progress.finished) {
            return;
        }
        self.judge_body(host);
        let Some(progress) = &mut self.progress else {
            return;
        };
        progress.finished = true;
        // What a refused request is answered is the filter's own doing and says nothing of the service.
        if let Some(mut response) = progress.response.take().filter(|_| !progress.blocked) {
            let body = std::mem::take(&mut progress.response_body);
            response.bytes = Some(body.total());
            response.duration_us = Some(host.now_ns().saturating_sub(progress.started_ns) / 1000);
            let measures = ResponseMeasures::of(&response);
            progress.observer.response_body(measures.content, body.read(), &self.shared.policy().hasher);
            progress.observer.response(measures);
            if let Some(captured) = &mut progress.captured {
                response.body = body.into_read();
                captured.response = Some(response);
            }
            self.judge_phase(host);
        }
        self.record(host);
    }

    fn begin(&self, host: &dyn Host) -> Progress {
        let policy = self.shared.policy();
        let started_ns = host.now_ns();
        let at_ms = at_ms(started_ns);
        let headers = host.request_headers();
        let caller = identify(host, &headers, policy);
        let request = head::request(headers);
        let mut observer = Observer::request_headers(
            &request.method,
            &request.host,
            &request.target,
            &request.headers,
            at_ms,
            &policy.hasher,
        );
        observer.caller(&caller, &policy.hasher);
        let content = ContentClass::of(header(&request.headers, "content-type"));
        let is_tunnel = request.method == "CONNECT" || header(&request.headers, "upgrade").is_some();
        let declared = header(&request.headers, "content-length").and_then(|length| length.parse().ok());
        Progress {
            started_ns,
            observer,
            caller: CallerRecord::of(&caller, &policy.hasher),
            request_id: header(&request.headers, "x-request-id").map(bounded_request_id),
            declared_bytes: declared,
            body: BodyReader::new(policy.body_bytes_max),
            // A stream that both sides write at once would wait for itself for ever.
            may_hold_back: content != ContentClass::Grpc && !is_tunnel,
            body_judged: false,
            response: None,
            response_body: BodyReader::default(),
            verdict: None,
            reconstruction_errors: Vec::new(),
            call: None,
            blocked: false,
            finished: false,
            captured: policy.capture.then_some(Exchange { at_ms, caller, request, response: None }),
            shown: Shown::default(),
        }
    }

    fn body_verdict(&mut self, host: &dyn Host) -> Flow {
        self.judge_body(host);
        // What has passed cannot be refused any more: a stream that was not held back, or a request already answered.
        let is_refusable =
            self.progress.as_ref().is_some_and(|progress| progress.may_hold_back && progress.response.is_none());
        match self.refusal(Metric::BlockedBody).filter(|_| is_refusable) {
            Some((problem, metric)) => self.refuse(host, problem, metric),
            None => Flow::Continue,
        }
    }

    fn judge_body(&mut self, host: &dyn Host) {
        let shared = Rc::clone(&self.shared);
        let Some(progress) = self.progress.as_mut().filter(|progress| !progress.body_judged) else {
            return;
        };
        progress.body_judged = true;
        if progress.blocked {
            return;
        }
        let body = std::mem::take(&mut progress.body);
        let length = body.length(progress.declared_bytes);
        progress.observer.request_body(body.read(), length, &shared.policy().hasher);
        if (body.read().len() as u64) < length {
            shared.metrics().count(host, Metric::LimitBody, 1);
        }
        if let Some(captured) = &mut progress.captured {
            captured.request.body = body.into_read();
            captured.request.body_bytes = length;
        }
        self.judge_phase(host);
    }

    /// Judges the phase that the observation has reached and shows the verdict.
    fn judge_phase(&mut self, host: &dyn Host) {
        let serial = self.serial();
        let Some(progress) = &mut self.progress else {
            return;
        };
        if let Some(model) = &self.model {
            let began_ns = host.now_ns();
            if let Some(scorer) = model.payload_scorer() {
                let policy = self.shared.policy();
                progress.observer.score_payloads(scorer, policy.evidence, &policy.hasher);
            }
            let (observation, budget) = progress.observer.parts();
            let mut judgement = model.judge(observation, progress.verdict.as_ref(), budget);
            let context = CallContext { caller: progress.caller, at_ms: at_ms(progress.started_ns), weight: 1.0 };
            let verdict = &mut judgement.verdict;
            if verdict.phase == Phase::Headers {
                self.shared.watchlist().judge(&context.caller, context.at_ms, verdict);
            }
            history::follow(host, &self.shared, model, context, &mut progress.call, observation, verdict);
            let took_us = host.now_ns().saturating_sub(began_ns) / 1000;
            self.shared.metrics().record(host, Metric::judge_duration(judgement.verdict.phase), took_us);
            progress.reconstruction_errors.extend(judgement.reconstruction_error);
            progress.verdict = Some(judgement.verdict);
        }
        progress.show(host, serial);
    }

    /// How a request is refused for what is known of it by now, and what that is counted as; `phase` counts anomalous requests.
    fn refusal(&self, phase: Metric) -> Option<(Problem, Metric)> {
        let verdict = self.progress.as_ref()?.verdict.as_ref()?;
        if !verdict.anomalous || !self.enforces() {
            return None;
        }
        Some(match AlarmCause::of(verdict) {
            AlarmCause::Anomaly => (Problem::Anomalous, phase),
            AlarmCause::Watched { by_itself } => match self.shared.policy().watchlist.action {
                WatchlistAction::TooManyRequests => (Problem::TooManyRequests, Metric::BlockedWatchlist),
                WatchlistAction::Forbid => (Problem::Anomalous, Metric::BlockedWatchlist),
                WatchlistAction::Off | WatchlistAction::Log if by_itself => return None,
                WatchlistAction::Off | WatchlistAction::Log => (Problem::Anomalous, phase),
            },
        })
    }

    /// Whether a body of that many bytes is refused because it could not be read to its end.
    fn refuses_length(&self, bytes: u64) -> bool {
        let policy = self.shared.policy();
        let may_hold_back = self.progress.as_ref().is_some_and(|progress| progress.may_hold_back);
        policy.body_over_limit == BodyOverLimit::Refuse
            && bytes > policy.body_bytes_max as u64
            && may_hold_back
            && self.enforces()
    }

    /// Whether a verdict on this exchange has consequences: by the endpoint's own mode, else by the filter's.
    fn enforces(&self) -> bool {
        let Some(model) = &self.model else {
            return false;
        };
        let verdict = self.progress.as_ref().and_then(|progress| progress.verdict.as_ref());
        model
            .enforce_override(verdict.and_then(|verdict| verdict.endpoint_id))
            .unwrap_or(self.shared.policy().mode == Mode::Enforce)
    }

    fn refuse(&mut self, host: &dyn Host, problem: Problem, metric: Metric) -> Flow {
        let Some(progress) = &mut self.progress else {
            return Flow::Continue;
        };
        progress.blocked = true;
        self.shared.metrics().count(host, metric, 1);
        host.set_filter_state(filter_state::BLOCKED, "true");
        let document = problem.document(progress.request_id.as_deref());
        let mut headers = vec![("content-type", problem::CONTENT_TYPE)];
        let at_ms = at_ms(progress.started_ns);
        let retry_after = self.shared.watchlist().retry_after_s(&progress.caller, at_ms).to_string();
        if problem == Problem::TooManyRequests {
            headers.push(("retry-after", &retry_after));
        }
        host.respond(problem.status(), &headers, &document);
        Flow::Pause
    }

    fn serial(&self) -> Option<u64> {
        self.model.as_ref().map(|model| model.serial())
    }

    fn verdict_header(&self, progress: &Progress) -> String {
        verdict_text::header_value(progress.verdict.as_ref(), self.serial())
    }

    fn record(&mut self, host: &dyn Host) {
        let serial = self.serial();
        let Some(progress) = self.progress.take() else {
            return;
        };
        let metrics = self.shared.metrics();
        let metric = match &progress.verdict {
            None => Metric::ExchangesUnjudged,
            Some(verdict) if verdict.anomalous => Metric::ExchangesAnomalous,
            Some(_) => Metric::ExchangesNormal,
        };
        metrics.count(host, metric, 1);
        for detector in alarmed_detectors(progress.verdict.as_ref()) {
            metrics.count(host, Metric::alarms(detector), 1);
        }
        let observation = progress.observer.into_observation();
        if observation.incomplete {
            metrics.count(host, Metric::LimitWork, 1);
        }
        let capture = progress.captured.map(|exchange| CapturedExchange {
            exchange,
            request_id: progress.request_id.clone(),
            bundle_serial: serial,
            verdict: progress.verdict.clone(),
            reconstruction_errors: progress.reconstruction_errors,
        });
        let login = progress.call.as_ref().and_then(|call| call.login);
        let record = ExchangeRecord {
            at_ms: i64::try_from(progress.started_ns / 1_000_000).ok(),
            caller: CallerRecord { login, ..progress.caller },
            observation,
            weight: 1.0,
            verdict: progress
                .verdict
                .zip(serial)
                .map(|(verdict, serial)| VerdictRecord::of(&verdict, serial, progress.blocked)),
            request_id: progress.request_id,
        };
        self.shared.record(host, record, capture);
    }
}

impl Progress {
    fn show(&mut self, host: &dyn Host, serial: Option<u64>) {
        let word = verdict_text::word(self.verdict.as_ref());
        let Some(verdict) = &self.verdict else {
            if self.shown.word.replace(word).is_none() {
                host.set_filter_state(filter_state::VERDICT, word);
            }
            return;
        };
        if self.shown.word.is_none()
            && let Some(serial) = serial
        {
            host.set_filter_state(filter_state::SERIAL, &serial.to_string());
        }
        if self.shown.word.replace(word) != Some(word) {
            host.set_filter_state(filter_state::VERDICT, word);
        }
        if self.shown.endpoint.as_deref() != Some(verdict.endpoint.as_str()) {
            let mut endpoint = verdict.endpoint.clone();
            truncate(&mut endpoint, limits::FILTER_STATE_BYTES_MAX);
            host.set_filter_state(filter_state::ENDPOINT, &endpoint);
            self.shown.endpoint = Some(verdict.endpoint.clone());
        }
        host.set_filter_state(filter_state::SCORE, &verdict_text::score(verdict));
        host.set_filter_state(filter_state::PHASE, verdict_text::phase_name(verdict.phase));
        if verdict.anomalous {
            host.set_filter_state(filter_state::REASONS, &verdict_text::reasons(verdict));
            if let Some(class) = verdict.attack_class() {
                host.set_filter_state(filter_state::ATTACK_CLASS, class.name());
            }
        }
    }
}

/// Milliseconds since the Unix epoch; `None` where the proxy has no clock.
fn at_ms(now_ns: u64) -> Option<i64> {
    i64::try_from(now_ns / 1_000_000).ok().filter(|at_ms| *at_ms > 0)
}

/// Each detector with an alarm, once.
fn alarmed_detectors(verdict: Option<&Verdict>) -> Vec<DetectorKind> {
    let mut detectors: Vec<DetectorKind> = verdict
        .into_iter()
        .flat_map(|verdict| &verdict.findings)
        .filter(|finding| finding.alarm)
        .map(|finding| finding.kind.detector())
        .collect();
    detectors.sort_unstable();
    detectors.dedup();
    detectors
}

#[cfg(test)]
mod tests;
