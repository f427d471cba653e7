//! The whole loop with nothing in place of anything: traffic becomes a model, and the model judges traffic.

mod e2e;

use apiward_e2e::harness::{Envoy, Secrets, ShopServer, Trainer};
use apiward_e2e::shop::Release;
use apiward_e2e::traffic::{self, HOST, HttpShop, Scenario};
use axum::http::HeaderValue;
use serde_json::{Value, json};

use e2e::{Client, INTERVAL_MS, NoteRequest, PATIENCE, VERDICT_HEADER, filter_configuration, serial_of, until};

const LEARNED_EXCHANGES: u64 = 3000;
const CONCURRENCY: usize = 8;
/// Wide enough that what was never seen alarms after the few exchanges of a test.
const FALSE_ALARM_BUDGET: &str = "0.05";
const UNKNOWN: &str = "/api/backup/database";
/// Connections after which both workers had some, but for chance below one in a million.
const CONNECTIONS: usize = 24;

const RECORDS_SENT: &str = "apiward_telemetry_records_total.outcome.sent";
const POLLS_FAILED: &str = "apiward_bundle_polls_total.result.failed";

/// Each on a connection of its own.
async fn assert_unknown_endpoint_is_flagged(envoy: &Envoy, serial: u64) -> anyhow::Result<()> {
    let client = Client::with_new_connections(envoy);
    for _ in 0..CONNECTIONS {
        let reply = client.send(&NoteRequest::get(UNKNOWN)).await?;
        let verdict = reply.headers[VERDICT_HEADER].to_str()?;
        assert!(verdict.starts_with("anomalous;"), "the verdict is {verdict:?}");
        assert_eq!(serial_of(&reply.headers), Some(serial));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_becomes_a_model_that_judges_in_envoy_and_outlives_the_trainer() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let shop = ShopServer::start(Release::One).await?;
    let trainer = Trainer::builder(&secrets)
        .flags(["--false-alarm-budget", FALSE_ALARM_BUDGET, "--promotion-windows", "1", "--promotion-callers", "2"])
        .start()
        .await?;
    let envoy = Envoy::builder(shop.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({
            "caller": [{"jwt_claim": {"claim": "sub"}}],
            "trusted_hops": 1,
            "capture": false,
            "trainer": {"poll_interval_ms": INTERVAL_MS, "flush_interval_ms": INTERVAL_MS},
        })))
        .start()
        .await?;

    let honest = Scenario::normal(Release::One).concurrent(CONCURRENCY);
    let sent = traffic::run(HttpShop::new(&envoy.url()), &honest, 1, LEARNED_EXCHANGES, |_| {}).await?;
    // Nothing was learned yet: there is no bundle, or the starter bundle, which only looks at values.
    let is_passed = |verdict: &HeaderValue| {
        verdict.to_str().is_ok_and(|verdict| verdict == "unjudged" || verdict.starts_with("normal;"))
    };
    let flagged = sent.iter().filter(|exchange| !is_passed(&exchange.response_headers[VERDICT_HEADER])).count();
    assert!(flagged as u64 * 200 <= LEARNED_EXCHANGES, "{flagged} of {LEARNED_EXCHANGES} normal exchanges are flagged");
    envoy.until_metric(RECORDS_SENT, LEARNED_EXCHANGES, PATIENCE).await?;

    let run = trainer.train().await?;
    let models = trainer.get("/v1/models").await?;
    let published = models["models"].as_array().into_iter().flatten().find(|model| model["id"] == json!(run.model));
    assert!(published.is_some(), "the run's model {:?} is not among {models}", run.model);
    let client = Client::with_new_connections(&envoy);
    let serial = until("the model on all workers", async || {
        let mut serials = Vec::new();
        for _ in 0..CONNECTIONS {
            serials.push(serial_of(&client.send(&NoteRequest::get("/healthz")).await?.headers));
        }
        // The starter bundle has serial 0.
        Ok(serials.into_iter().min().flatten().filter(|serial| *serial > 0))
    })
    .await?;

    assert_unknown_endpoint_is_flagged(&envoy, serial).await?;
    let detection = until("the detection", async || {
        let listed = trainer.get("/v1/detections?kind=caller&detector=route").await?;
        let detections = listed["detections"].as_array().cloned().unwrap_or_default();
        let is_of_unknown = |detection: &Value| detection["endpoint"] == json!(format!("GET {UNKNOWN}"));
        let found =
            detections.into_iter().filter(is_of_unknown).map(|detection| (detection["exchanges"].as_i64(), detection));
        Ok(found
            .filter(|(exchanges, _)| *exchanges >= i64::try_from(CONNECTIONS).ok())
            .map(|(_, detection)| detection)
            .next())
    })
    .await?;
    assert_eq!(detection["host"], HOST);
    assert!(detection["reason"].as_str().is_some_and(|reason| reason.contains("never seen")), "{detection}");

    trainer.stop().await?;
    envoy.until_metric(POLLS_FAILED, 1, PATIENCE).await?;
    assert_unknown_endpoint_is_flagged(&envoy, serial).await?;
    envoy.stop().await
}
