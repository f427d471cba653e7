mod observing;
mod watched;

use apiward_detector::bundle::seal;
use apiward_detector::detector::Detector;
use apiward_detector::exchange::Phase;
use serde_json::{Value, json};

use super::*;
use crate::bundle::ActiveModel;
use crate::fixture;
use crate::host::fake::{FakeHost, headers};
use crate::metrics::Metrics;
use crate::telemetry::Content;

/// One exchange after the other through one worker's filter.
struct Proxy {
    host: FakeHost,
    shared: Rc<Shared>,
}

impl Proxy {
    /// With the fixture's bundle loaded.
    fn judging(changes: Value) -> Self {
        let proxy = Self::observing(changes);
        proxy.load(&fixture::sealed(3));
        proxy
    }

    fn observing(changes: Value) -> Self {
        let host = FakeHost::new();
        let shared = Rc::new(Shared::new(fixture::policy(changes), Metrics::define(&host), 1));
        Self { host, shared }
    }

    fn load(&self, bytes: &[u8]) {
        self.shared.swap_in(ActiveModel::load(bytes, self.shared.policy(), None, 0).unwrap());
    }

    fn flow(&self, method: &str, path: &str, more: &[(&str, &str)]) -> ExchangeFlow {
        let mut pairs = vec![
            (":method", method),
            (":path", path),
            (":authority", fixture::HOST),
            (":scheme", "http"),
            ("x-request-id", "r-1"),
            ("content-type", "application/json"),
        ];
        pairs.extend_from_slice(more);
        *self.host.request_headers.borrow_mut() = headers(&pairs);
        ExchangeFlow::new(Rc::clone(&self.shared))
    }

    fn get(&self, path: &str) -> (ExchangeFlow, Flow) {
        let mut flow = self.flow("GET", path, &[]);
        let action = flow.request_headers(&self.host, true);
        (flow, action)
    }

    /// One body callback with what the proxy holds at that time.
    fn body(&self, flow: &mut ExchangeFlow, visible: &[u8], end_of_stream: bool) -> Flow {
        *self.host.body.borrow_mut() = visible.to_vec();
        flow.request_body(&self.host, visible.len(), end_of_stream)
    }

    fn answer(&self, flow: &mut ExchangeFlow, status: &str, bytes: usize) {
        *self.host.response_headers.borrow_mut() =
            headers(&[(":status", status), ("content-type", "application/json")]);
        flow.response_headers(&self.host, bytes == 0);
        if bytes > 0 {
            flow.response_body(&self.host, bytes, true);
        }
        flow.finish(&self.host);
    }

    fn sent(&self) -> Content {
        self.shared.with_telemetry(crate::telemetry::TelemetryBuffer::take).unwrap()
    }
}

const BAD_USER: &[u8] = br#"{"name":"x","email":"y@z.example","role":"admin"}"#;
const GOOD_USER: &[u8] = br#"{"name":"x","email":"y@z.example"}"#;

#[test]
fn without_a_model_exchanges_are_observed_and_pass() {
    let proxy = Proxy::observing(json!({"mode": "enforce"}));
    let (mut flow, action) = proxy.get("/anything?x=1");
    assert_eq!(action, Flow::Continue);
    proxy.answer(&mut flow, "200", 10);
    assert_eq!(proxy.host.state(filter_state::VERDICT).as_deref(), Some("unjudged"));
    assert_eq!(proxy.host.metric("apiward_exchanges_total.verdict.unjudged"), 1);
    let content = proxy.sent();
    assert_eq!(content.records[0].verdict, None);
    assert_eq!(content.records[0].observation.fields.len(), 1);
    assert_eq!(content.counts[0].exchanges, 1);
}

#[test]
fn monitor_mode_flags_and_lets_pass() {
    let proxy = Proxy::judging(json!({}));
    let (mut flow, action) = proxy.get("/admin");
    assert_eq!(action, Flow::Continue);
    proxy.answer(&mut flow, "404", 10);
    assert!(proxy.host.responses.borrow().is_empty());
    assert_eq!(proxy.host.state(filter_state::VERDICT).as_deref(), Some("anomalous"));
    assert!(proxy.host.state(filter_state::REASONS).unwrap().contains("/admin never seen"));
    assert_eq!(proxy.host.state(filter_state::SERIAL).as_deref(), Some("3"));
    assert_eq!(proxy.host.state(filter_state::BLOCKED), None);
    let verdict = proxy.sent().records[0].verdict.clone().unwrap();
    assert!(verdict.anomalous && !verdict.blocked);
    assert_eq!(verdict.phase, Phase::Response);
    assert_eq!(proxy.host.metric("apiward_alarms_total.detector.route"), 1);
}

#[test]
fn a_normal_exchange_is_normal_in_every_phase() {
    let proxy = Proxy::judging(json!({"mode": "enforce"}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    assert_eq!(flow.request_headers(&proxy.host, false), Flow::Continue);
    assert_eq!(proxy.host.state(filter_state::PHASE).as_deref(), Some("headers"));
    assert_eq!(proxy.body(&mut flow, GOOD_USER, true), Flow::Continue);
    assert_eq!(proxy.host.state(filter_state::PHASE).as_deref(), Some("body"));
    proxy.host.pass(12);
    proxy.answer(&mut flow, "201", 512);
    assert_eq!(proxy.host.state(filter_state::PHASE).as_deref(), Some("response"));
    assert_eq!(proxy.host.state(filter_state::VERDICT).as_deref(), Some("normal"));
    assert_eq!(proxy.host.state(filter_state::REASONS), None);
    let response = proxy.sent().records[0].observation.response.unwrap();
    assert_eq!((response.status, response.bytes, response.duration_us), (Some(201), Some(512), Some(12_000)));
    assert_eq!(proxy.host.metric("apiward_exchanges_total.verdict.normal"), 1);
}

#[test]
fn enforce_mode_answers_what_the_headers_tell_with_a_problem_document() {
    let proxy = Proxy::judging(json!({"mode": "enforce"}));
    let (mut flow, action) = proxy.get("/admin");
    assert_eq!(action, Flow::Pause);
    let response = proxy.host.responses.borrow()[0].clone();
    assert_eq!(response.status, 403);
    assert_eq!(response.headers, vec![("content-type".to_owned(), "application/problem+json".to_owned())]);
    let problem: Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((problem["status"].as_u64(), problem["request_id"].as_str()), (Some(403), Some("r-1")));
    for member in ["type", "title", "detail"] {
        assert!(problem[member].is_string());
    }
    assert!(!String::from_utf8(response.body).unwrap().contains("never seen"), "reasons are not for the client");
    proxy.answer(&mut flow, "403", 100);
    let record = proxy.sent().records.remove(0);
    assert!(record.verdict.unwrap().blocked);
    assert_eq!(record.observation.response, None, "our own answer is not the service's");
    assert_eq!(proxy.host.metric("apiward_blocked_total.phase.headers"), 1);
    assert_eq!(proxy.host.state(filter_state::BLOCKED).as_deref(), Some("true"));
}

#[test]
fn enforce_mode_holds_the_body_back_for_its_verdict() {
    let proxy = Proxy::judging(json!({"mode": "enforce"}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, &BAD_USER[..20], false), Flow::Pause);
    assert_eq!(proxy.body(&mut flow, BAD_USER, true), Flow::Pause);
    assert_eq!(proxy.host.responses.borrow().len(), 1);
    assert_eq!(proxy.host.metric("apiward_blocked_total.phase.body"), 1);
    proxy.answer(&mut flow, "403", 100);
    let record = proxy.sent().records.remove(0);
    assert_eq!(record.observation.body.bytes, BAD_USER.len() as u64);
    let reasons: Vec<_> = record.verdict.unwrap().findings.into_iter().map(|finding| finding.reason).collect();
    assert_eq!(reasons, vec!["body field \"role\" never seen on POST /users"]);
}

#[test]
fn monitor_mode_streams_the_body_and_still_reads_it_whole() {
    let proxy = Proxy::judging(json!({}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, &BAD_USER[..20], false), Flow::Continue);
    assert_eq!(proxy.body(&mut flow, &BAD_USER[20..], true), Flow::Continue);
    proxy.answer(&mut flow, "201", 0);
    assert_eq!(proxy.host.state(filter_state::VERDICT).as_deref(), Some("anomalous"));
    assert_eq!(proxy.sent().records[0].observation.body.bytes, BAD_USER.len() as u64);
}

#[test]
fn a_body_is_never_held_back_past_the_own_limit() {
    let proxy = Proxy::judging(json!({"mode": "enforce", "body_bytes_max": 64}));
    let mut flow = proxy.flow("POST", "/users", &[("content-length", "1000")]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, &[b' '; 40], false), Flow::Pause);
    assert_eq!(proxy.body(&mut flow, &[b' '; 80], false), Flow::Continue);
    assert_eq!(proxy.body(&mut flow, &[b' '; 500], false), Flow::Continue);
    assert_eq!(proxy.body(&mut flow, &[b' '; 420], true), Flow::Continue);
    proxy.answer(&mut flow, "201", 0);
    let body = proxy.sent().records[0].observation.body;
    assert_eq!((body.bytes, body.cut), (1000, true));
    assert_eq!(proxy.host.metric("apiward_limits_hit_total.limit.body_bytes"), 1);
}

#[test]
fn the_policy_decides_whether_a_body_over_the_limit_is_refused() {
    let refusing =
        |mode: &str| Proxy::judging(json!({"mode": mode, "body_bytes_max": 64, "body_over_limit": "refuse"}));
    let proxy = refusing("enforce");
    let mut declared = proxy.flow("POST", "/users", &[("content-length", "65")]);
    assert_eq!(declared.request_headers(&proxy.host, false), Flow::Pause, "by what it declares, before it is sent");
    let mut streamed = proxy.flow("POST", "/users", &[]);
    assert_eq!(streamed.request_headers(&proxy.host, false), Flow::Continue);
    assert_eq!(proxy.body(&mut streamed, &[b' '; 64], false), Flow::Pause);
    assert_eq!(proxy.body(&mut streamed, &[b' '; 65], true), Flow::Pause, "when more comes than is read");
    let statuses: Vec<u16> = proxy.host.responses.borrow().iter().map(|response| response.status).collect();
    assert_eq!(statuses, [413, 413]);

    let mut fits = proxy.flow("POST", "/users", &[("content-length", "34")]);
    assert_eq!(fits.request_headers(&proxy.host, false), Flow::Continue);
    assert_eq!(proxy.body(&mut fits, GOOD_USER, true), Flow::Continue);
    let proxy = refusing("monitor");
    let mut monitored = proxy.flow("POST", "/users", &[("content-length", "65")]);
    assert_eq!(monitored.request_headers(&proxy.host, false), Flow::Continue);
    assert_eq!(proxy.body(&mut monitored, &[b' '; 65], true), Flow::Continue);
    assert!(proxy.host.responses.borrow().is_empty());
}

#[test]
fn in_monitor_mode_a_long_body_is_counted_to_its_end() {
    let proxy = Proxy::judging(json!({"body_bytes_max": 64}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    for _ in 0..10 {
        assert_eq!(proxy.body(&mut flow, &[b' '; 50], false), Flow::Continue);
    }
    assert_eq!(proxy.body(&mut flow, b"", true), Flow::Continue);
    proxy.answer(&mut flow, "201", 0);
    let body = proxy.sent().records[0].observation.body;
    assert_eq!((body.bytes, body.cut), (500, true));
}

#[test]
fn streams_that_both_sides_write_are_not_held_back() {
    for more in [[("content-type", "application/grpc"), ("te", "trailers")], [("upgrade", "websocket"), ("x", "y")]] {
        let proxy = Proxy::judging(json!({"mode": "enforce"}));
        let mut pairs = headers(&more);
        pairs.extend(headers(&[(":method", "POST"), (":path", "/users"), (":authority", fixture::HOST)]));
        *proxy.host.request_headers.borrow_mut() = pairs;
        let mut flow = ExchangeFlow::new(Rc::clone(&proxy.shared));
        assert_eq!(flow.request_headers(&proxy.host, false), Flow::Continue);
        assert_eq!(proxy.body(&mut flow, b"part", false), Flow::Continue, "{more:?}");
        assert_eq!(proxy.body(&mut flow, BAD_USER, true), Flow::Continue, "{more:?}");
        assert!(proxy.host.responses.borrow().is_empty(), "what has passed cannot be refused");
    }
}

#[test]
fn a_request_that_the_upstream_answered_before_its_body_ended_is_not_answered_twice() {
    let proxy = Proxy::judging(json!({"mode": "enforce"}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, &BAD_USER[..20], false), Flow::Pause);
    *proxy.host.response_headers.borrow_mut() = headers(&[(":status", "413")]);
    flow.response_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, BAD_USER, true), Flow::Continue);
    assert!(proxy.host.responses.borrow().is_empty());
    flow.finish(&proxy.host);
    assert!(proxy.sent().records[0].verdict.as_ref().unwrap().anomalous);
}

#[test]
fn request_trailers_end_the_body() {
    let proxy = Proxy::judging(json!({"mode": "enforce"}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, BAD_USER, false), Flow::Pause);
    assert_eq!(flow.request_trailers(&proxy.host), Flow::Pause);
    assert_eq!(proxy.host.responses.borrow().len(), 1);
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    assert_eq!(proxy.body(&mut flow, GOOD_USER, false), Flow::Pause);
    assert_eq!(flow.request_trailers(&proxy.host), Flow::Continue);
}

#[test]
fn the_operators_word_on_an_endpoint_overrides_the_mode() {
    for (mode, enforced) in [("monitor", true), ("enforce", false)] {
        let proxy = Proxy::observing(json!({"mode": mode}));
        let mut bundle = fixture::bundle(4);
        bundle.policy.enforce_overrides = vec![(fixture::users_endpoint_id(), enforced)];
        proxy.load(&seal(&bundle, &fixture::signing_key()).unwrap());
        let mut flow = proxy.flow("POST", "/users", &[]);
        flow.request_headers(&proxy.host, false);
        let expected = if enforced { Flow::Pause } else { Flow::Continue };
        assert_eq!(proxy.body(&mut flow, BAD_USER, true), expected);
        assert_eq!(proxy.host.responses.borrow().len(), usize::from(enforced));
    }
}

#[test]
fn fail_closed_answers_503_while_there_is_no_model() {
    let proxy = Proxy::observing(json!({"mode": "enforce", "fail_closed": true}));
    let (_, action) = proxy.get("/items");
    assert_eq!(action, Flow::Pause);
    assert_eq!(proxy.host.responses.borrow()[0].status, 503);
    proxy.load(&fixture::sealed(3));
    assert_eq!(proxy.get("/items").1, Flow::Continue);
}

#[test]
fn the_upstream_is_told_the_verdict_and_never_what_the_client_made_up() {
    let proxy = Proxy::judging(json!({"upstream_header": "X-Apiward-Verdict"}));
    let told = || proxy.host.set_headers.borrow().get("request x-apiward-verdict").cloned().unwrap();
    proxy.get("/items");
    assert!(told().starts_with("normal;score="), "{}", told());
    let mut flow = proxy.flow("GET", "/admin", &[("x-apiward-verdict", "normal")]);
    flow.request_headers(&proxy.host, true);
    assert!(told().starts_with("anomalous;") && told().contains("never seen"), "{}", told());
    let unjudged = Proxy::observing(json!({"upstream_header": "x-apiward-verdict"}));
    unjudged.get("/items");
    assert_eq!(unjudged.host.set_headers.borrow()["request x-apiward-verdict"], "unjudged");
}

#[test]
fn the_response_header_is_set_only_where_configured() {
    let proxy = Proxy::judging(json!({"response_header": "x-apiward"}));
    let (mut flow, _) = proxy.get("/items");
    proxy.answer(&mut flow, "200", 5);
    assert!(proxy.host.set_headers.borrow()["response x-apiward"].starts_with("normal;score="));
    let silent = Proxy::judging(json!({}));
    let (mut flow, _) = silent.get("/items");
    silent.answer(&mut flow, "200", 5);
    assert!(silent.host.set_headers.borrow().is_empty());
}

#[test]
fn grpc_status_comes_from_headers_or_trailers() {
    let proxy = Proxy::judging(json!({}));
    let (mut flow, _) = proxy.get("/items");
    *proxy.host.response_headers.borrow_mut() = headers(&[(":status", "200"), ("grpc-status", "5")]);
    flow.response_headers(&proxy.host, true);
    let (mut flow, _) = proxy.get("/items");
    *proxy.host.response_headers.borrow_mut() = headers(&[(":status", "200")]);
    *proxy.host.response_trailers.borrow_mut() = headers(&[("grpc-status", "14")]);
    flow.response_headers(&proxy.host, false);
    flow.response_body(&proxy.host, 10, false);
    flow.response_trailers(&proxy.host);
    let statuses: Vec<_> =
        proxy.sent().records.iter().map(|record| record.observation.response.unwrap().grpc_status).collect();
    assert_eq!(statuses, vec![Some(5), Some(14)]);
}

#[test]
fn an_exchange_is_recorded_once_also_when_it_is_cut_off() {
    let proxy = Proxy::judging(json!({}));
    let (mut flow, _) = proxy.get("/items");
    proxy.answer(&mut flow, "200", 5);
    flow.finish(&proxy.host);
    let mut cut_off = proxy.flow("POST", "/users", &[]);
    cut_off.request_headers(&proxy.host, false);
    proxy.body(&mut cut_off, &GOOD_USER[..10], false);
    cut_off.finish(&proxy.host);
    let records = proxy.sent().records;
    assert_eq!(records.len(), 2);
    assert_eq!(records[1].observation.response, None);
    assert_eq!(records[1].observation.phase, Phase::Body);
}

#[test]
fn callbacks_without_a_request_do_nothing() {
    let proxy = Proxy::judging(json!({}));
    let mut flow = ExchangeFlow::new(Rc::clone(&proxy.shared));
    assert_eq!(flow.request_body(&proxy.host, 10, true), Flow::Continue);
    assert_eq!(flow.request_trailers(&proxy.host), Flow::Continue);
    flow.response_headers(&proxy.host, true);
    flow.response_trailers(&proxy.host);
    flow.finish(&proxy.host);
    assert!(proxy.sent().records.is_empty());
}

#[test]
fn values_that_are_no_utf_8_are_observed_all_the_same() {
    let proxy = Proxy::judging(json!({}));
    let mut flow = proxy.flow("GET", "/items", &[]);
    proxy.host.request_headers.borrow_mut().push(("x-odd".into(), vec![0xff, 0xfe]));
    assert_eq!(flow.request_headers(&proxy.host, true), Flow::Continue);
    proxy.answer(&mut flow, "200", 1);
    assert_eq!(proxy.sent().records[0].observation.request.header_count, 3);
}

#[test]
fn one_exchange_is_judged_by_one_model_though_another_is_swapped_in() {
    let proxy = Proxy::judging(json!({}));
    let mut flow = proxy.flow("POST", "/users", &[]);
    flow.request_headers(&proxy.host, false);
    proxy.load(&fixture::sealed(9));
    proxy.body(&mut flow, GOOD_USER, true);
    proxy.answer(&mut flow, "201", 5);
    assert_eq!(proxy.sent().records[0].verdict.as_ref().unwrap().bundle_serial, 3);
    let (mut flow, _) = proxy.get("/items");
    proxy.answer(&mut flow, "200", 5);
    assert_eq!(proxy.sent().records[0].verdict.as_ref().unwrap().bundle_serial, 9);
}

#[test]
fn nothing_is_captured_unless_it_is_turned_on() {
    let proxy = Proxy::judging(json!({}));
    let (mut flow, _) = proxy.get("/items?token=secret");
    proxy.answer(&mut flow, "200", 5);
    let content = proxy.sent();
    assert!(content.captures.is_empty());
    assert!(!format!("{content:?}").contains("secret"));
}

#[test]
fn a_captured_exchange_replayed_natively_gives_the_same_verdict() {
    let proxy = Proxy::judging(json!({"capture": true, "caller": [{"header": "x-user"}]}));
    let mut flow = proxy.flow("POST", "/users?debug=1", &[("x-user", "ann")]);
    flow.request_headers(&proxy.host, false);
    proxy.body(&mut flow, BAD_USER, true);
    proxy.host.pass(3);
    proxy.answer(&mut flow, "201", 512);
    let content = proxy.sent();
    let captured = &content.captures[0];
    assert_eq!(captured.exchange.caller.identity.as_deref(), Some("ann"));
    assert_eq!(captured.exchange.request.body, BAD_USER);
    assert_eq!(captured.bundle_serial, Some(3));
    let observation = Observer::observe(&captured.exchange, &proxy.shared.policy().hasher);
    assert_eq!(observation, content.records[0].observation);
    let detector = Detector::load(fixture::bundle(3)).unwrap();
    assert_eq!(Some(detector.judge_exchange(&observation).verdict), captured.verdict);
}
