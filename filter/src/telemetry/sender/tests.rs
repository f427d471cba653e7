use apiward_detector::telemetry::BundleRefusal;
use serde_json::json;

use super::*;
use crate::fixture;
use crate::host::fake::{FakeHost, SentCall};

struct Sending {
    host: FakeHost,
    policy: FilterPolicy,
    metrics: Metrics,
    buffer: TelemetryBuffer,
    sender: TelemetrySender,
}

impl Sending {
    fn new() -> Self {
        let host = FakeHost::new();
        let policy = fixture::policy(json!({}));
        Self {
            metrics: Metrics::define(&host),
            buffer: TelemetryBuffer::new(policy.telemetry.clone(), 1),
            sender: TelemetrySender::new([0xab; 16], 1),
            host,
            policy,
        }
    }

    fn refuse(&mut self, reason: &str) {
        self.buffer.refuse(BundleRefusal { serial: None, reason: reason.into() });
    }

    fn tick(&mut self, bundle: Option<&ActiveBundle>) -> Vec<SentCall> {
        let now_ms = self.host.now_ms.get();
        self.sender.tick(&self.host, &self.policy, &self.metrics, &mut self.buffer, bundle.cloned(), now_ms);
        self.host.take_calls()
    }

    fn settle(&mut self, call: &SentCall, status: Option<u16>, retry_after: Option<&str>) {
        let now_ms = self.host.now_ms.get();
        let Self { host, metrics, buffer, sender, .. } = self;
        assert!(sender.settle(host, metrics, buffer, call.token, status, retry_after, now_ms));
    }

    /// Milliseconds until the next call, which is returned.
    fn until_call(&mut self, longest_ms: u64) -> (u64, SentCall) {
        for waited in (0..=longest_ms).step_by(50) {
            if let Some(call) = self.tick(None).pop() {
                return (waited, call);
            }
            self.host.pass(50);
        }
        panic!("no call within {longest_ms} ms");
    }
}

fn only(mut calls: Vec<SentCall>) -> SentCall {
    assert_eq!(calls.len(), 1);
    calls.remove(0)
}

#[test]
fn a_batch_goes_to_the_trainer_with_the_token() {
    let mut sending = Sending::new();
    sending.refuse("r");
    let call = only(sending.tick(None));
    assert_eq!(
        (call.cluster.as_str(), call.method.as_str(), call.path.as_str()),
        ("apiward_trainer", "POST", "/v1/telemetry")
    );
    assert_eq!(call.header("authorization"), Some("Bearer t0k3n"));
    assert_eq!(call.header("content-type"), Some("application/msgpack"));
    let batch = Batch::decode(&call.body).unwrap();
    assert_eq!((batch.sender.as_str(), batch.sequence), ("abababababababababababababababab", 0));
    assert_eq!(batch.hash_key_id, sending.policy.hasher.key_id());
}

#[test]
fn nothing_to_say_sends_nothing_but_a_new_bundle_is_told_once() {
    let mut sending = Sending::new();
    assert!(sending.tick(None).is_empty());
    sending.host.pass(3000);
    let bundle = ActiveBundle { id: "b".into(), serial: 4 };
    let call = only(sending.tick(Some(&bundle)));
    assert_eq!(Batch::decode(&call.body).unwrap().bundle, Some(bundle.clone()));
    sending.settle(&call, Some(202), None);
    sending.host.pass(10_000);
    assert!(sending.tick(Some(&bundle)).is_empty());
}

#[test]
fn one_batch_is_in_flight_and_the_next_counts_on() {
    let mut sending = Sending::new();
    sending.refuse("one");
    let first = only(sending.tick(None));
    sending.refuse("two");
    sending.host.pass(4000);
    assert!(sending.tick(None).is_empty());
    sending.settle(&first, Some(200), None);
    let second = only(sending.tick(None));
    assert_eq!(Batch::decode(&second.body).unwrap().sequence, 1);
    assert_eq!(sending.host.metric("apiward_telemetry_batches_total.result.accepted"), 1);
}

#[test]
fn the_same_batch_is_sent_again_after_a_growing_wait_until_it_is_given_up() {
    let mut sending = Sending::new();
    sending.refuse("r");
    let first = only(sending.tick(None));
    let mut call = first.clone();
    for attempt in 1..limits::BATCH_ATTEMPTS_MAX {
        sending.settle(&call, Some(503), None);
        let longest = limits::BACKOFF_FIRST_MS << (attempt - 1);
        let (waited, again) = sending.until_call(longest + 50);
        assert!(waited >= longest / 2, "attempt {attempt} after {waited} ms");
        assert_eq!(again.body, first.body);
        call = again;
    }
    sending.settle(&call, None, None);
    assert_eq!(sending.host.metric("apiward_telemetry_batches_total.result.dropped"), 1);
    let (_, next) = sending.until_call(5000);
    let batch = Batch::decode(&next.body).unwrap();
    assert_eq!((batch.sequence, batch.refusals.len()), (1, 1));
}

#[test]
fn retry_after_is_honoured() {
    let mut sending = Sending::new();
    sending.refuse("r");
    let call = only(sending.tick(None));
    sending.settle(&call, Some(429), Some("7"));
    sending.host.pass(6_900);
    assert!(sending.tick(None).is_empty());
    sending.host.pass(200);
    only(sending.tick(None));
}

#[test]
fn a_refused_batch_is_dropped_counted_and_logged_once() {
    let mut sending = Sending::new();
    for _ in 0..3 {
        sending.refuse("r");
        let (_, call) = sending.until_call(5000);
        sending.settle(&call, Some(401), None);
    }
    assert_eq!(sending.host.metric("apiward_telemetry_batches_total.result.dropped"), 3);
    assert_eq!(sending.host.logged("refuses telemetry"), 1);
    let (_, call) = sending.until_call(5000);
    sending.settle(&call, Some(200), None);
    assert_eq!(sending.host.logged("accepts telemetry again"), 1);
}

#[test]
fn a_call_that_cannot_start_or_is_never_answered_is_repeated() {
    let mut sending = Sending::new();
    sending.refuse("r");
    sending.host.calls_fail.set(true);
    assert!(sending.tick(None).is_empty());
    sending.host.calls_fail.set(false);
    let (_, first) = sending.until_call(1000);
    sending.host.pass(2 * sending.policy.trainer.timeout_ms + 1);
    let (_, again) = sending.until_call(2000);
    assert_eq!(again.body, first.body);
    let now_ms = sending.host.now_ms.get();
    let Sending { host, metrics, buffer, sender, .. } = &mut sending;
    assert!(!sender.settle(host, metrics, buffer, first.token, Some(200), None, now_ms), "a late answer is ignored");
}

#[test]
fn answers_are_told_apart() {
    for (status, retry_after, expected) in [
        (Some(200), None, Reception::Accepted),
        (Some(202), None, Reception::Accepted),
        (Some(429), Some("3"), Reception::Again { wait_ms: Some(3000) }),
        (Some(429), Some("999999999"), Reception::Again { wait_ms: Some(limits::RETRY_AFTER_MAX_S * 1000) }),
        (Some(429), Some("Fri, 31 Dec 1999 23:59:59 GMT"), Reception::Again { wait_ms: None }),
        (Some(408), None, Reception::Again { wait_ms: None }),
        (Some(400), None, Reception::Refused),
        (Some(413), None, Reception::Refused),
        (Some(500), None, Reception::Again { wait_ms: None }),
        (None, None, Reception::Again { wait_ms: None }),
    ] {
        assert_eq!(Reception::of(status, retry_after), expected, "{status:?}");
    }
}

#[test]
fn waits_are_bounded() {
    let mut random = SplitMix::new(3);
    for attempts in 0..100 {
        let wait = backoff_ms(attempts, &mut random);
        assert!((limits::BACKOFF_FIRST_MS / 2..=limits::BACKOFF_MAX_MS).contains(&wait), "{wait}");
    }
}
