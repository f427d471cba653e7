//! Volume over real workers: a caller that spreads its calls over connections is counted as one, and stopped; nobody else is.

mod e2e;

use std::collections::{BTreeMap, BTreeSet};

use apiward_detector::verdict::DetectorKind;
use apiward_e2e::harness::{Envoy, Secrets};
use axum::http::StatusCode;
use serde_json::json;

use e2e::{
    Client, EchoService, HostileTrainer, NoteRequest, capture, filter_configuration, honest_requests, learn_over_time,
    until, until_judged_on_all_workers,
};

const CALLERS: usize = 60;
const LEARNED_EXCHANGES: usize = 900;
const SERIAL: u64 = 5;
/// Objects that the attacker walks through.
const WALKED: u32 = 60;
/// By then he must be stopped.
const STOPPED_WITHIN: usize = 40;
const CALLER: &str = "x-user-id";
const ADDRESS: &str = "x-forwarded-for";

/// The same by a caller of a network of its own.
fn by(request: NoteRequest, caller: usize) -> NoteRequest {
    let address = format!("198.18.{caller}.7");
    request.with_header(CALLER, format!("user-{caller}")).with_header(ADDRESS, address)
}

fn note(number: u32) -> NoteRequest {
    NoteRequest::get(&format!("/api/notes/{number}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_through_objects_is_stopped_whichever_worker_sees_it_and_others_are_not() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let service = EchoService::start().await?;
    let trainer = HostileTrainer::start().await?;
    let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
        .workers(2)
        .filter(&filter_configuration(&json!({"mode": "enforce"})))
        .start()
        .await?;
    let honest = honest_requests(1, LEARNED_EXCHANGES).into_iter().enumerate();
    let requests: Vec<NoteRequest> = honest.map(|(number, request)| by(request, number % CALLERS)).collect();
    let captures = capture(&envoy, &trainer, &requests).await?;
    let learned = learn_over_time(&captures, &secrets, 1).await?;
    assert!(learned.bundle.volume.is_armed(), "nothing was learned of callers");
    trainer.hand_out(learned.sealed(SERIAL)?);
    until_judged_on_all_workers(&envoy, &trainer, SERIAL).await?;

    let client = Client::with_new_connections(&envoy);
    let attacker = CALLERS + 1;
    let mut statuses = Vec::new();
    let (mut walk, mut refused, mut others) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for number in 0..WALKED {
        let request = by(note(1_000 + number), attacker);
        walk.insert(request.id.to_string());
        let status = client.send(&request).await?.status;
        if status == StatusCode::FORBIDDEN {
            refused.insert(request.id.to_string());
        }
        statuses.push(status);
        // Others work on meanwhile, on the same workers.
        let other = by(note(2_000 + number), number as usize % CALLERS);
        others.insert(other.id.to_string());
        client.send(&other).await?;
    }
    let stopped_at = statuses.iter().position(|status| *status == StatusCode::FORBIDDEN);
    let stopped_at = stopped_at.expect("the walk was never stopped");
    assert!(stopped_at < STOPPED_WITHIN, "the walk was stopped at call {stopped_at} only");
    assert!(statuses[stopped_at..].iter().all(|status| *status == StatusCode::FORBIDDEN), "{statuses:?}");

    let of_others = until("the records of the others", async || {
        let found = trainer.records_of(&others);
        Ok((found.len() >= others.len()).then_some(found))
    })
    .await?;
    for (_, record) in of_others {
        let verdict = record.verdict.expect("it was judged");
        let mut findings = verdict.findings.iter();
        let flurry = findings.find(|finding| finding.kind.detector() == DetectorKind::Volume);
        assert!(flurry.is_none(), "an honest caller: {flurry:?}");
    }

    // One caller, not one for each worker: the count goes on where the other worker left it.
    let records = until("the records of the walk", async || {
        let found = trainer.records_of(&walk);
        Ok((found.len() >= walk.len()).then_some(found))
    })
    .await?;
    let mut by_worker: BTreeMap<String, usize> = BTreeMap::new();
    for (worker, record) in &records {
        *by_worker.entry(worker.clone()).or_default() += 1;
        let verdict = record.verdict.as_ref().expect("it was judged");
        if record.request_id.as_ref().is_some_and(|id| refused.contains(id)) {
            let mut findings = verdict.findings.iter();
            let flurry = findings.find(|finding| finding.kind.detector() == DetectorKind::Volume);
            assert!(flurry.is_some_and(|flurry| flurry.reason.contains("usual")), "{:?}", verdict.findings);
        }
    }
    assert_eq!(by_worker.len(), 2, "the system gave all connections to one worker");
    assert!(by_worker.values().all(|calls| *calls < WALKED as usize), "{by_worker:?}");
    assert_eq!(envoy.metric("apiward_session_updates_total.result.lost").await?, 0);
    envoy.stop().await
}
