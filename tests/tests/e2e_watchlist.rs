//! Two Envoys of two workers each and one trainer: a walk that either Envoy sees half of is found by the trainer, and refused by
//! both; nobody else is.

mod e2e;

use std::time::{Duration, Instant};

use apiward_e2e::harness::{Envoy, Secrets, ShopServer, Trainer};
use apiward_e2e::shop::Release;
use apiward_e2e::traffic::{self, Scenario};
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use time::{Duration as Days, OffsetDateTime};

use e2e::{Client, INTERVAL_MS, NoteRequest, VERDICT_HEADER, filter_configuration, serial_of, until};

/// A week's, as it was recorded: what an hour brings, seconds do not tell.
const LEARNED_EXCHANGES: u64 = 8000;
const CONNECTIONS: usize = 24;
const ADDRESS: &str = "x-forwarded-for";
/// One call to each Envoy so often: slow enough for the trainer's word to come before an Envoy alone has seen too much.
const PAIR_EVERY: Duration = Duration::from_secs(2);
const PAIRS_MAX: u32 = 20;

/// As a customer asks for it; with what Envoy adds it has as many headers as the recorded ones.
fn product(number: u32, caller: &str, address: &str) -> NoteRequest {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let claims = json!({"sub": caller, "role": "customer", "iat": 1_790_000_000, "exp": 1_990_000_000});
    let token = format!("{}.{}.{}", part(json!({"alg": "HS256", "typ": "JWT"})), part(claims), "x".repeat(43));
    let agent = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";
    NoteRequest::get(&format!("/api/products/{number}"))
        .with_header("user-agent", agent)
        .with_header("accept", "application/json, text/plain, */*")
        .with_header("authorization", format!("Bearer {token}"))
        .with_header(ADDRESS, address)
}

async fn envoy(shop: &ShopServer, trainer: &Trainer, secrets: &Secrets) -> anyhow::Result<Envoy> {
    Envoy::builder(shop.address(), trainer.address(), secrets)?
        .workers(2)
        .filter(&filter_configuration(&json!({
            "mode": "enforce",
            "caller": [{"jwt_claim": {"claim": "sub"}}],
            "trusted_hops": 1,
            "capture": false,
            "trainer": {"poll_interval_ms": INTERVAL_MS, "flush_interval_ms": INTERVAL_MS},
        })))
        .start()
        .await
}

/// Waits until every worker has the model.
async fn until_judged(envoy: &Envoy) -> anyhow::Result<u64> {
    let client = Client::with_new_connections(envoy);
    until("the model on all workers", async || {
        let mut serials = Vec::new();
        for _ in 0..CONNECTIONS {
            serials.push(serial_of(&client.send(&NoteRequest::get("/healthz")).await?.headers));
        }
        Ok(serials.into_iter().min().flatten().filter(|serial| *serial > 0))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_over_two_proxies_is_refused_by_both() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let shop = ShopServer::start(Release::One).await?;
    let trainer = Trainer::builder(&secrets).flags(["--promotion-windows", "1"]).start().await?;
    let envoys = [envoy(&shop, &trainer, &secrets).await?, envoy(&shop, &trainer, &secrets).await?];
    let week = Scenario { start: OffsetDateTime::now_utc() - Days::days(8), ..Scenario::normal(Release::One) };
    trainer.import(&traffic::generate(&week, 1, LEARNED_EXCHANGES, |_| {}).await?).await?;
    trainer.train().await?;
    for envoy in &envoys {
        until_judged(envoy).await?;
    }

    let clients = [Client::with_new_connections(&envoys[0]), Client::with_new_connections(&envoys[1])];
    let (mut calls, mut refused) = (0, None);
    'walk: for pair in 0..PAIRS_MAX {
        let begun = Instant::now();
        for (place, client) in (0..).zip(&clients) {
            let reply = client.send(&product(2 * pair + place + 1, "walker", "203.0.113.9")).await?;
            if reply.status == StatusCode::TOO_MANY_REQUESTS {
                refused = Some(calls);
                break 'walk;
            }
            let verdict = reply.headers.get(VERDICT_HEADER);
            assert_eq!(reply.status, StatusCode::OK, "call {calls}, one Envoy alone has seen too little: {verdict:?}");
            calls += 1;
        }
        tokio::time::sleep(PAIR_EVERY.saturating_sub(begun.elapsed())).await;
    }
    assert!(refused.is_some_and(|calls| calls <= 30), "the walk was refused after {refused:?} calls");
    for (envoy, client) in envoys.iter().zip(&clients) {
        until("the refusal on this Envoy", async || {
            let reply = client.send(&product(1, "walker", "203.0.113.9")).await?;
            // Slowly: this Envoy is not to find him out by its own count.
            tokio::time::sleep(PAIR_EVERY / 2).await;
            let retry_after = reply.headers.get("retry-after").and_then(|value| value.to_str().ok());
            let seconds = retry_after.and_then(|value| value.parse::<u64>().ok());
            Ok((reply.status == StatusCode::TOO_MANY_REQUESTS).then_some(seconds))
        })
        .await?
        .filter(|seconds| (1..=900).contains(seconds))
        .ok_or_else(|| anyhow::anyhow!("429 without a sensible retry-after"))?;
        for number in 0..20 {
            let other = product(number + 1, &format!("other-{number}"), &format!("198.51.100.{}", number + 1));
            let reply = client.send(&other).await?;
            let verdict = reply.headers.get(VERDICT_HEADER);
            assert_eq!(reply.status, StatusCode::OK, "somebody else is refused: {verdict:?}");
        }
        assert_eq!(envoy.metric("apiward_session_updates_total.result.lost").await?, 0);
    }
    let listed = trainer.get("/v1/watchlist").await?;
    let entries = listed["entries"].as_array().cloned().unwrap_or_default();
    let is_walker = |entry: &&Value| {
        let reason = entry["reason"].as_str().unwrap_or_default();
        entry["subject_kind"] == json!("caller") && reason.contains("/api/products/{id}")
    };
    assert_eq!(entries.iter().filter(is_walker).count(), 1, "{listed}");
    for envoy in envoys {
        envoy.stop().await?;
    }
    trainer.stop().await
}
