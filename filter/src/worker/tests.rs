use apiward_detector::bundle::{SecretKey, seal};
use apiward_detector::exchange::Phase;
use apiward_detector::telemetry::{Batch, CallerRecord};
use apiward_detector::verdict::Verdict;
use apiward_detector::volume::SessionSubject;
use apiward_detector::watchlist::{WatchEntry, Watchlist};
use serde_json::json;

use super::*;
use crate::distribution::SharedDocument;
use crate::fixture;
use crate::host::fake::{FakeHost, SentCall, SharedMap};
use crate::watchlist::AlarmCause;

/// Workers of one proxy, each with its own VM and all with the same shared data. Telemetry is accepted at once.
struct Proxy {
    workers: Vec<(FakeHost, Worker)>,
    shared: Rc<SharedMap>,
    polls: Vec<(usize, SentCall)>,
    batches: Vec<Batch>,
    /// What every poll for the watchlist gets.
    watchlist: Vec<u8>,
    watchlist_polls: usize,
}

impl Proxy {
    fn start(workers: u8) -> Self {
        let shared = Rc::new(SharedMap::default());
        let workers = (1..=workers).map(|number| Self::worker(&shared, number)).collect();
        Self { workers, shared, polls: vec![], batches: vec![], watchlist: vec![], watchlist_polls: 0 }
    }

    fn worker(shared: &Rc<SharedMap>, number: u8) -> (FakeHost, Worker) {
        let host = FakeHost::worker(shared, number);
        let worker = Worker::configure(&host, fixture::configuration().to_string().as_bytes()).unwrap();
        (host, worker)
    }

    fn tick(&mut self) {
        for (index, (host, worker)) in self.workers.iter_mut().enumerate() {
            worker.tick(host);
            for call in host.take_calls() {
                if call.method == "POST" {
                    self.batches.push(Batch::decode(&call.body).unwrap());
                    host.answer(202, &[], b"");
                    worker.call_answered(host, call.token);
                } else if call.path.starts_with("/v1/watchlist/signed") {
                    self.watchlist_polls += 1;
                    host.answer(if self.watchlist.is_empty() { 204 } else { 200 }, &[], &self.watchlist);
                    worker.call_answered(host, call.token);
                } else {
                    self.polls.push((index, call));
                }
            }
        }
    }

    fn pass(&self, milliseconds: u64) {
        for (host, _) in &self.workers {
            host.pass(milliseconds);
        }
    }

    /// The poll started since the last look, with the index of the worker that started it.
    fn only_poll(&mut self) -> (usize, SentCall) {
        assert_eq!(self.polls.len(), 1);
        self.polls.remove(0)
    }

    fn answer(&mut self, poll: &(usize, SentCall), status: u16, headers: &[(&str, &str)], body: &[u8]) {
        let (host, worker) = &mut self.workers[poll.0];
        host.answer(status, headers, body);
        worker.call_answered(host, poll.1.token);
    }

    /// Lets one poll happen and answers it with a bundle.
    fn offer(&mut self, bundle: &[u8], etag: &str) {
        self.pass(20_000);
        self.tick();
        let poll = self.only_poll();
        self.answer(&poll, 200, &[("etag", etag)], bundle);
    }

    fn serials(&self) -> Vec<Option<u64>> {
        self.workers.iter().map(|(_, worker)| worker.shared().model().map(|model| model.serial())).collect()
    }

    /// Refusals that were told since the last look.
    fn reported(&mut self) -> Vec<BundleRefusal> {
        self.pass(3_000);
        self.tick();
        self.batches.drain(..).flat_map(|batch| batch.refusals).collect()
    }
}

#[test]
fn a_configuration_is_accepted_though_the_trainer_is_not_there() {
    let mut proxy = Proxy::start(1);
    proxy.workers[0].0.calls_fail.set(true);
    for _ in 0..50 {
        proxy.tick();
        proxy.pass(1000);
    }
    assert_eq!(proxy.serials(), vec![None]);
    assert_eq!(proxy.workers[0].0.logged("gives no bundle"), 1, "an outage is one line in the log");
}

#[test]
fn a_wrong_configuration_is_refused_by_key() {
    let host = FakeHost::new();
    let error = Worker::configure(&host, fixture::changed(json!({"mood": 1})).to_string().as_bytes()).err().unwrap();
    assert!(error.to_string().contains("mood"), "{error}");
}

#[test]
fn a_worker_knows_its_own_configuration() {
    let proxy = Proxy::start(1);
    let worker = &proxy.workers[0].1;
    assert!(worker.is_configured_by(fixture::configuration().to_string().as_bytes()));
    assert!(!worker.is_configured_by(fixture::changed(json!({"mode": "enforce"})).to_string().as_bytes()));
}

#[test]
fn one_worker_polls_and_all_get_the_bundle() {
    let mut proxy = Proxy::start(3);
    proxy.tick();
    let poll = proxy.only_poll();
    assert_eq!((poll.1.path.as_str(), poll.1.header("if-none-match")), ("/v1/bundle", None));
    proxy.answer(&poll, 200, &[("etag", "\"e5\"")], &fixture::sealed(5));
    proxy.tick();
    assert_eq!(proxy.serials(), vec![Some(5); 3]);
    for _ in 0..5 {
        proxy.pass(6_000);
        proxy.tick();
        let again = proxy.only_poll();
        assert_eq!(again.0, poll.0, "the holder keeps the lease");
        assert_eq!(again.1.header("if-none-match"), Some("\"e5\""));
        proxy.answer(&again, 304, &[], b"");
    }
}

#[test]
fn another_worker_polls_when_the_holder_is_gone() {
    let mut proxy = Proxy::start(2);
    proxy.tick();
    let (holder, _) = proxy.only_poll();
    proxy.workers.remove(holder);
    proxy.pass(60_000);
    proxy.tick();
    proxy.only_poll();
}

#[test]
fn a_newer_bundle_replaces_the_one_in_use_on_all_workers() {
    let mut proxy = Proxy::start(2);
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    proxy.tick();
    proxy.offer(&fixture::sealed(6), "\"e6\"");
    proxy.tick();
    assert_eq!(proxy.serials(), vec![Some(6); 2]);
    assert_eq!(proxy.workers[0].0.metric("apiward_bundle_serial"), 6);
}

#[test]
fn what_may_not_load_is_refused_reported_once_and_the_old_bundle_stays_on_all_workers() {
    let mut flipped = fixture::sealed(9);
    *flipped.last_mut().unwrap() ^= 1;
    let mut other_scope = fixture::bundle(9);
    other_scope.manifest.scope = "other".into();
    let mut older_schema = fixture::bundle(9);
    older_schema.manifest.schema = 0;
    let mut other_hash_key = fixture::bundle(9);
    other_hash_key.manifest.hash_key_id = "0000000000000000".into();
    let key = fixture::signing_key();
    let cases: [(&str, Vec<u8>); 7] = [
        ("signature", flipped),
        ("not among the configured public keys", seal(&fixture::bundle(9), &SecretKey::from_seed([9; 32])).unwrap()),
        ("serial 4 is below 5", fixture::sealed(4)),
        ("made for scope", seal(&other_scope, &key).unwrap()),
        ("schema 0", seal(&older_schema, &key).unwrap()),
        ("hash key", seal(&other_hash_key, &key).unwrap()),
        ("no apiward bundle", b"<html>".to_vec()),
    ];
    for (reason, bytes) in cases {
        let mut proxy = Proxy::start(2);
        proxy.offer(&fixture::sealed(5), "\"e5\"");
        proxy.tick();
        proxy.offer(&bytes, "\"bad\"");
        proxy.tick();
        assert_eq!(proxy.serials(), vec![Some(5); 2], "{reason}");
        let reported = proxy.reported();
        assert_eq!(reported.len(), 1, "{reason}");
        assert!(reported[0].reason.contains(reason), "{reason}: {}", reported[0].reason);
        proxy.offer(&bytes, "\"bad again\"");
        assert!(proxy.reported().is_empty(), "{reason} twice");
        let logged: usize = proxy.workers.iter().map(|(host, _)| host.logged("bundle refused")).sum();
        assert_eq!(logged, 1, "{reason}");
        proxy.offer(&fixture::sealed(10), "\"e10\"");
        proxy.tick();
        assert_eq!(proxy.serials(), vec![Some(10); 2], "after {reason}");
    }
}

#[test]
fn bytes_from_shared_data_are_checked_in_every_vm() {
    let mut proxy = Proxy::start(2);
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    proxy.tick();
    let prefix = proxy.workers[0].1.shared().policy().shared_data_prefix.clone();
    let forged = seal(&fixture::bundle(50), &SecretKey::from_seed([9; 32])).unwrap();
    SharedDocument::new(&prefix, "bundle", engine_limits::BUNDLE_BYTES_MAX)
        .publish(&proxy.workers[1].0, &forged)
        .unwrap();
    proxy.tick();
    assert_eq!(proxy.serials(), vec![Some(5); 2]);
    for (host, _) in &proxy.workers {
        assert_eq!(host.metric("apiward_bundle_refusals_total"), 1);
    }
}

#[test]
fn a_restarted_vm_has_the_last_good_bundle_before_it_polls() {
    let mut proxy = Proxy::start(1);
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    let (host, mut restarted) = Proxy::worker(&proxy.shared, 9);
    restarted.tick(&host);
    assert_eq!(restarted.shared().model().unwrap().serial(), 5);
    assert!(host.take_calls().iter().all(|call| call.method == "POST"), "the other worker still holds the lease");
}

#[test]
fn keys_in_shared_data_do_not_grow() {
    let mut proxy = Proxy::start(3);
    for serial in 1..20 {
        proxy.offer(&fixture::sealed(serial), &format!("\"e{serial}\""));
        proxy.tick();
    }
    assert_eq!(proxy.shared.keys().len(), 4, "bundle, its generation, and a lease each for bundle and watchlist");
}

#[test]
fn one_worker_asks_for_the_watchlist_and_all_refuse_who_is_on_it() {
    let mut proxy = Proxy::start(3);
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    let watched = CallerRecord::of(
        &apiward_detector::exchange::Caller { address: Some("10.0.0.9".into()), ..Default::default() },
        &proxy.workers[0].1.shared().policy().hasher,
    );
    let entry = WatchEntry {
        subject: SessionSubject::Address,
        hash: watched.address.unwrap(),
        expires_ms: i64::MAX,
        score: 0.9999,
        reason: "about 25 login identifiers within the hour".into(),
    };
    proxy.watchlist = Watchlist::new("shop".into(), 1, vec![entry]).seal(&fixture::signing_key()).unwrap();
    let polls = proxy.watchlist_polls;
    proxy.pass(2_000);
    proxy.tick();
    proxy.tick();
    assert_eq!(proxy.watchlist_polls, polls + 1);
    for (host, worker) in &proxy.workers {
        assert_eq!(host.metric("apiward_watchlist_entries"), 1);
        let mut verdict = empty_verdict();
        worker.shared().watchlist().judge(&watched, Some(1_000), &mut verdict);
        assert!(verdict.anomalous);
        assert_eq!(AlarmCause::of(&verdict), AlarmCause::Watched { by_itself: true });
        assert!(verdict.reasons()[0].contains("address is on the watchlist: about 25"), "{:?}", verdict.reasons());
    }
    proxy.watchlist = Watchlist::new("shop".into(), 2, vec![]).seal(&SecretKey::from_seed([1; 32])).unwrap();
    proxy.pass(2_000);
    proxy.tick();
    let refused: u64 = proxy.workers.iter().map(|(host, _)| host.metric("apiward_watchlist_refusals_total")).sum();
    assert_eq!(refused, 1, "signed by another key");
}

fn empty_verdict() -> Verdict {
    Verdict {
        phase: Phase::Headers,
        endpoint_id: None,
        endpoint: "GET /items".into(),
        anomalous: false,
        anomalous_in: None,
        score: 0.0,
        detectors: Default::default(),
        findings: vec![],
    }
}

#[test]
fn no_bundle_yet_is_no_failure() {
    let mut proxy = Proxy::start(1);
    for status in [404, 204] {
        proxy.pass(20_000);
        proxy.tick();
        let poll = proxy.only_poll();
        proxy.answer(&poll, status, &[], b"");
    }
    let host = &proxy.workers[0].0;
    assert_eq!(host.metric("apiward_bundle_polls_total.result.absent"), 2);
    assert_eq!(host.logged("gives no bundle"), 0);
}

#[test]
fn failed_polls_are_logged_once_and_tried_again() {
    let mut proxy = Proxy::start(1);
    for _ in 0..3 {
        proxy.pass(40_000);
        proxy.tick();
        let poll = proxy.only_poll();
        let (host, worker) = &mut proxy.workers[poll.0];
        host.answer_nothing();
        worker.call_answered(host, poll.1.token);
    }
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    let host = &proxy.workers[0].0;
    assert_eq!(host.logged("gives no bundle"), 1);
    assert_eq!(host.logged("answers bundle polls again"), 1);
    assert_eq!(proxy.serials(), vec![Some(5)]);
}

#[test]
fn answers_to_unknown_calls_are_ignored() {
    let mut proxy = Proxy::start(1);
    let (host, worker) = &mut proxy.workers[0];
    host.answer(200, &[], &fixture::sealed(5));
    worker.call_answered(host, CallToken(4_000_000_000));
    assert_eq!(proxy.serials(), vec![None]);
}

#[test]
fn senders_differ_and_tell_which_bundle_they_use() {
    let mut proxy = Proxy::start(2);
    proxy.offer(&fixture::sealed(5), "\"e5\"");
    for _ in 0..2 {
        proxy.pass(5_000);
        proxy.tick();
    }
    let batches = &proxy.batches;
    assert_eq!(batches.len(), 2);
    assert_ne!(batches[0].sender, batches[1].sender);
    assert!(batches.iter().all(|batch| batch.bundle.as_ref().unwrap().serial == 5));
}

#[test]
fn a_full_batch_follows_the_last_one_at_once() {
    let proxy = Proxy::start(1);
    let (host, mut worker) = Proxy::worker(&proxy.shared, 7);
    let batch_records = worker.shared().policy().telemetry.batch_records_max;
    *host.request_headers.borrow_mut() = crate::host::fake::headers(&[(":method", "GET"), (":path", "/items")]);
    for _ in 0..2 * batch_records {
        let mut flow = worker.exchange();
        flow.request_headers(&host, true);
        flow.finish(&host);
    }
    worker.tick(&host);
    let mut sizes = vec![];
    while let Some(call) = host.take_calls().into_iter().find(|call| call.method == "POST") {
        sizes.push(Batch::decode(&call.body).unwrap().records.len());
        host.pass(1);
        host.answer(202, &[], b"");
        worker.call_answered(&host, call.token);
    }
    assert_eq!(sizes, vec![batch_records; 2]);
}
