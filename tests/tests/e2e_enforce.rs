//! Enforce mode: what is unlike normal use is answered in place of the service, everything else passes byte for byte.

mod e2e;

use apiward_detector::detector::Detector;
use apiward_detector::exchange::Phase;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::CapturedExchange;
use apiward_e2e::harness::{Envoy, Secrets};
use serde_json::{Value, json};

use e2e::{
    Client, EchoService, HostileTrainer, NoteRequest, Reply, capture, filter_configuration, honest_requests, learn,
    until_judged_on_all_workers,
};

const LEARNED_EXCHANGES: usize = 1500;
const SERIAL: u64 = 5;
/// What the filter reads of a body here; many uploads are longer.
const BODY_BYTES_MAX: usize = 64 * 1024;
/// Larger than Envoy reads at once, so that the filter holds several pieces back.
const LARGE_BODY_BYTES_MIN: usize = 32 * 1024;
const PASSED_MIN: usize = 20;

const BLOCKED_HEADERS: &str = "apiward_blocked_total.phase.headers";
const BLOCKED_BODY: &str = "apiward_blocked_total.phase.body";

fn assert_refused(reply: &Reply, request: &NoteRequest) {
    assert_eq!(reply.status, 403, "{}", String::from_utf8_lossy(&reply.body));
    assert_eq!(reply.headers["content-type"], "application/problem+json");
    let problem: Value = serde_json::from_slice(&reply.body).expect("the answer is a problem document");
    assert_eq!(problem["status"], 403);
    assert_eq!(problem["type"], "urn:apiward:problem:request-refused");
    assert_eq!(problem["request_id"], request.id.to_string());
}

/// Whether the model, run here, finds nothing in the request itself.
fn is_normal(detector: &Detector, captured: &CapturedExchange, hasher: &KeyedHasher) -> bool {
    let request = Observer::observe(&captured.exchange, hasher).at(Phase::Body);
    !detector.judge_exchange(&request).verdict.anomalous
}

#[tokio::test(flavor = "multi_thread")]
async fn anomalous_requests_are_answered_in_place_of_the_service_and_normal_ones_pass_byte_for_byte()
-> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = HostileTrainer::start().await?;
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({"mode": "enforce", "body_bytes_max": BODY_BYTES_MAX})))
        .start()
        .await?;
    let requests = honest_requests(1, LEARNED_EXCHANGES);
    let captures = capture(&envoy, &trainer, &requests).await?;
    let learned = learn(&captures, &secrets, 1).await?;
    trainer.hand_out(learned.sealed(SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, SERIAL).await?;

    let client = Client::with_new_connections(&envoy);
    let (blocked_headers, blocked_body) = (envoy.metric(BLOCKED_HEADERS).await?, envoy.metric(BLOCKED_BODY).await?);

    let unknown_endpoint = NoteRequest::get("/api/admin/export");
    assert_refused(&client.send(&unknown_endpoint).await?, &unknown_endpoint);
    let with_body = NoteRequest::json("/api/admin/import", &json!({"overwrite": true}));
    assert_refused(&client.send(&with_body).await?, &with_body);
    assert_eq!(envoy.metric(BLOCKED_HEADERS).await?, blocked_headers + 2);
    let begun = service.received().begun;
    assert!(!begun.iter().any(|path| path.starts_with("/api/admin")), "the service was reached");

    let forged = json!({"title": "Paint", "text": "Two rooms need three cans.", "pages": 3, "owner_role": "admin"});
    for forged in [NoteRequest::json("/api/notes", &forged), NoteRequest::json("/api/notes", &forged).chunked()] {
        let whole = service.received().whole.len();
        assert_refused(&client.send(&forged).await?, &forged);
        assert_eq!(service.received().whole.len(), whole, "the service got the whole request");
    }
    assert_eq!(envoy.metric(BLOCKED_BODY).await?, blocked_body + 2);

    let detector = Detector::load(learned.bundle.clone())?;
    let hasher = KeyedHasher::new(secrets.hash_key.as_bytes())?;
    let mut passed = Vec::new();
    for request in &requests {
        let captured = captures.iter().find(|captured| captured.request_id == Some(request.id.to_string()));
        let is_large = request.body.len() >= LARGE_BODY_BYTES_MIN;
        if !is_large || !captured.is_some_and(|captured| is_normal(&detector, captured, &hasher)) {
            continue;
        }
        let reply = client.send(&request.again()).await?;
        assert_eq!(reply.status, 200, "{}", String::from_utf8_lossy(&reply.body));
        assert!(reply.body == request.body, "{} of {} bytes came back", reply.body.len(), request.body.len());
        passed.push(request);
    }
    for chunked in [false, true] {
        for over_limit in [false, true] {
            let is_such = |request: &&&NoteRequest| {
                request.chunked == chunked && (request.body.len() > BODY_BYTES_MAX) == over_limit
            };
            let count = passed.iter().filter(is_such).count();
            assert!(count > 0, "none passed with chunked {chunked} and over the limit {over_limit}");
        }
    }
    assert!(passed.len() >= PASSED_MIN, "only {} large bodies were normal", passed.len());
    envoy.stop().await
}
