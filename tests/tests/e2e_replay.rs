//! What the filter's networks and verdicts say in Envoy is what they say here.

mod e2e;

use apiward_detector::detector::{Detector, GOLDEN_TOLERANCE};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::CapturedExchange;
use apiward_detector::verdict::Verdict;
use apiward_e2e::harness::{Envoy, Secrets, ShopServer};
use apiward_e2e::shop::Release;
use apiward_e2e::traffic::{self, AttackPlan, AttackShare, HttpShop, Scenario};
use serde_json::json;

use e2e::{HostileTrainer, captures_of, filter_configuration, learn, until_in_use};

const LEARNED_EXCHANGES: u64 = 2000;
const REPLAYED_EXCHANGES: u64 = 800;
/// Of the replayed ones.
const ATTACK_SHARE: f64 = 0.2;
const CONCURRENCY: usize = 4;
const SERIAL: u64 = 8;
/// Scores move by no more while the networks' outputs agree.
const SCORE_TOLERANCE: f32 = 1e-3;

/// Endpoint, outcome and the findings with their alarms, without figures that floating point may move.
fn outline(verdict: &Verdict) -> impl PartialEq + std::fmt::Debug {
    let mut findings: Vec<_> =
        verdict.findings.iter().map(|finding| (finding.key, finding.kind, finding.alarm)).collect();
    findings.sort_unstable();
    (verdict.endpoint.clone(), verdict.phase, verdict.anomalous, verdict.anomalous_in, findings)
}

fn assert_same(captured: &CapturedExchange, detector: &Detector, hasher: &KeyedHasher) {
    let request = &captured.exchange.request;
    let what = format!("{} {}", request.method, request.target);
    let here =
        detector.judge_exchange(&Observer::observe_scored(&captured.exchange, hasher, detector.payload_scorer()));
    let in_envoy = captured.verdict.as_ref().unwrap_or_else(|| panic!("{what} has no verdict"));
    let errors: Vec<f32> = here.reconstruction_errors.into_iter().flatten().collect();
    assert_eq!(errors.len(), captured.reconstruction_errors.len(), "{what}: phases in which the network ran");
    for (here, in_envoy) in errors.iter().zip(&captured.reconstruction_errors) {
        let band = GOLDEN_TOLERANCE + GOLDEN_TOLERANCE * here.abs();
        assert!((here - in_envoy).abs() <= band, "{what}: {in_envoy} in Envoy, {here} here");
    }
    assert_eq!(outline(in_envoy), outline(&here.verdict), "{what}");
    let difference = (in_envoy.score - here.verdict.score).abs();
    assert!(difference <= SCORE_TOLERANCE, "{what}: score {} in Envoy, {} here", in_envoy.score, here.verdict.score);
}

#[tokio::test(flavor = "multi_thread")]
async fn captured_exchanges_replayed_natively_give_the_same_network_outputs_and_verdicts() -> anyhow::Result<()> {
    let secrets = Secrets::random()?;
    let shop = ShopServer::start(Release::One).await?;
    let trainer = HostileTrainer::start().await?;
    let envoy = Envoy::builder(shop.address(), trainer.address(), &secrets)?
        .filter(&filter_configuration(&json!({"caller": [{"jwt_claim": {"claim": "sub"}}], "trusted_hops": 1})))
        .start()
        .await?;
    let client = HttpShop::new(&envoy.url());
    let honest = Scenario::normal(Release::One).concurrent(CONCURRENCY);
    let sent = traffic::run(client.clone(), &honest, 1, LEARNED_EXCHANGES, |_| {}).await?;
    let captures = captures_of(&trainer, sent.iter().map(|exchange| exchange.id)).await?;
    let learned = learn(&captures, &secrets, 1).await?;
    trainer.hand_out(learned.sealed(SERIAL)?);
    until_in_use(&envoy, SERIAL).await?;

    let mixed = honest.with_attacks(AttackPlan::all_kinds(AttackShare::OfExchanges(ATTACK_SHARE)));
    let sent = traffic::run(client, &mixed, 2, REPLAYED_EXCHANGES, |_| {}).await?;
    let captures = captures_of(&trainer, sent.iter().map(|exchange| exchange.id)).await?;
    let detector = Detector::load(learned.bundle)?;
    let hasher = KeyedHasher::new(secrets.hash_key.as_bytes())?;
    assert_eq!(captures.len(), sent.len());
    for captured in &captures {
        assert_eq!(captured.bundle_serial, Some(SERIAL));
        assert_same(captured, &detector, &hasher);
    }
    let is_anomalous =
        |captured: &&CapturedExchange| captured.verdict.as_ref().is_some_and(|verdict| verdict.anomalous);
    let anomalous = captures.iter().filter(is_anomalous).count();
    assert!(anomalous > 0 && anomalous < captures.len(), "{anomalous} of {} are anomalous", captures.len());
    assert!(captures.iter().any(|captured| captured.reconstruction_errors.len() == 3), "the network never ran");
    envoy.stop().await
}
