//! What no single proxy sees: calls of one caller over several of them, followed together, and told to all.

use std::str::FromStr as _;
use std::time::{Duration, Instant};

use apiward_detector::bundle::PublicKey;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::SessionSubject;
use apiward_detector::watchlist::Watchlist;
use serde_json::{Value, json};

use crate::harness::{ADMIN, Answer, FILTER, OPERATOR, OTHER_FILTER, Trainer, VIEWER};
use crate::records::{batch, exchange, normal_traffic, now_ms, record};
use crate::telemetry::send;
use crate::training_runs::train;

const PATH: &str = "/v1/watchlist";
const SIGNED: &str = "/v1/watchlist/signed";
/// A caller that nothing was learned of.
const WALKER: u16 = 900;
/// How soon filters must be able to hear of it.
const SOON: Duration = Duration::from_secs(5);

async fn opened(trainer: &Trainer, answer: &Answer) -> Watchlist {
    let settings = trainer.get(VIEWER, "/v1/settings").await.expect(200).json();
    let key = PublicKey::from_str(settings["public_key"].as_str().unwrap()).unwrap();
    Watchlist::open(&answer.body, &[key], "shop").unwrap()
}

/// A walk through orders, one a second until now.
fn walk(orders: std::ops::Range<u32>) -> Vec<ExchangeRecord> {
    let last = orders.end;
    let call = |order: u32| {
        let at_ms = now_ms() - i64::from(last - order) * 1000;
        record(&exchange(WALKER, at_ms, &format!("/api/orders/{}", 50_000 + order), 200))
    };
    orders.map(call).collect()
}

/// Two proxies report every other call each.
async fn report_by_two_proxies(trainer: &Trainer, records: Vec<ExchangeRecord>) {
    let (mut one, mut other) = (Vec::new(), Vec::new());
    for (number, record) in records.into_iter().enumerate() {
        if number % 2 == 0 { one.push(record) } else { other.push(record) }
    }
    send(trainer, &batch(one)).await.expect(200);
    send(trainer, &batch(other)).await.expect(200);
}

/// A trainer with a model.
async fn trained() -> Trainer {
    let trainer = Trainer::start().await;
    send(&trainer, &batch(normal_traffic(1200))).await.expect(200);
    assert_eq!(train(&trainer).await["state"], json!("succeeded"));
    trainer
}

async fn signed_within(trainer: &Trainer, patience: Duration) -> Answer {
    let begun = Instant::now();
    loop {
        let answer = trainer.get(FILTER, SIGNED).await;
        if answer.status == 200 {
            return answer;
        }
        assert_eq!(answer.status, 204);
        assert!(begun.elapsed() < patience, "nobody is on the watchlist after {patience:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_walk_over_two_proxies_is_on_the_watchlist_soon_and_a_person_clears_it() {
    let trainer = trained().await;
    trainer.get(FILTER, SIGNED).await.expect(204);
    // The trainer follows from now on; what came before is only remembered.
    tokio::time::sleep(Duration::from_secs(2)).await;
    report_by_two_proxies(&trainer, walk(0..60)).await;

    let answer = signed_within(&trainer, SOON).await;
    let etag = answer.header("etag").to_owned();
    let watchlist = opened(&trainer, &answer).await;
    let walker = walk(0..1)[0].caller;
    let entry = watchlist.find(&walker, now_ms()).expect("the walker is on it");
    assert_eq!((entry.subject, entry.hash), (SessionSubject::Caller, walker.identity.unwrap()));
    assert!(entry.expires_ms > now_ms() + 10 * 60 * 1000 && entry.score > 0.99, "{entry:?}");
    assert!(watchlist.entries.iter().all(|entry| [walker.identity, walker.address].contains(&Some(entry.hash))));
    trainer.get_with(FILTER, SIGNED, &[("if-none-match", &etag)]).await.expect(304);
    trainer.get(OTHER_FILTER, SIGNED).await.expect(204);

    let id = format!("{:016x}", walker.identity.unwrap());
    let shown = trainer.get(VIEWER, &format!("/v1/callers/{id}?calls=5")).await.expect(200).json();
    assert_eq!((&shown["subject_kind"], shown["sequence"].as_array().unwrap().len()), (&json!("caller"), 5));
    assert_eq!(shown["watchlist"][0]["subject"], json!(id));
    let objects = shown["activity"]
        .as_array()
        .unwrap()
        .iter()
        .find(|activity| activity["measure"] == json!("endpoint_objects") && activity["horizon"] == json!("hour"));
    let objects = objects.expect("objects are counted");
    assert!(objects["count"].as_f64() > objects["alarm"].as_f64(), "{objects}");
    trainer.get(VIEWER, "/v1/callers/0123456789abcdef").await.expect(404);
    trainer.get(VIEWER, "/v1/callers/nobody").await.expect(400);

    let listed = trainer.get(VIEWER, PATH).await.expect(200).json();
    let listed: Vec<&Value> = listed["entries"].as_array().unwrap().iter().collect();
    let entry = listed.iter().find(|entry| entry["subject"] == json!(id)).expect("it is listed");
    assert_eq!((&entry["source"], &entry["subject_kind"]), (&json!("detected"), &json!("caller")));

    trainer.delete(VIEWER, &format!("{PATH}/caller/{id}")).await.expect(403);
    trainer.delete(OPERATOR, &format!("{PATH}/caller/{id}")).await.expect(204);
    trainer.delete(OPERATOR, &format!("{PATH}/caller/{id}")).await.expect(404);
    trainer.delete(OPERATOR, PATH).await.expect(200);
    let cleared = trainer.get(FILTER, SIGNED).await.expect(200);
    assert!(opened(&trainer, &cleared).await.entries.is_empty(), "filters hear of it");
    // It goes on, and a person said that it is nothing.
    report_by_two_proxies(&trainer, walk(60..80)).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(trainer.get(VIEWER, PATH).await.expect(200).json()["entries"], json!([]));
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn another_trainer_goes_on_where_one_stopped() {
    let trainer = trained().await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    report_by_two_proxies(&trainer, walk(0..8)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    trainer.get(FILTER, SIGNED).await.expect(204);
    let database = trainer.stop_and_keep_database().await;
    let next = Trainer::start_on(database, &[]).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    report_by_two_proxies(&next, walk(8..40)).await;
    signed_within(&next, SOON).await;
    next.stop().await.unwrap();
}

#[tokio::test]
async fn people_put_callers_there_and_what_makes_no_sense_is_refused() {
    let trainer = Trainer::start().await;
    let entry =
        json!({"subject_kind": "address", "subject": "00000000000000ff", "minutes": 30, "reason": "asked to leave"});
    trainer.post(VIEWER, PATH, &entry).await.expect(403);
    let made = trainer.post(OPERATOR, PATH, &entry).await.expect(201).json();
    assert_eq!((&made["source"], &made["subject"]), (&json!("operator:shop"), &json!("00000000000000ff")));
    let watchlist = opened(&trainer, &trainer.get(FILTER, SIGNED).await.expect(200)).await;
    assert_eq!((watchlist.entries[0].subject, watchlist.entries[0].hash), (SessionSubject::Address, 255));
    for (key, value, reason) in [
        ("subject_kind", json!("user"), "neither caller nor address"),
        ("subject", json!("ff"), "16 hexadecimal digits"),
        ("minutes", json!(0), "minutes"),
        ("reason", json!(" "), "reason"),
    ] {
        let mut wrong = entry.clone();
        wrong[key] = value;
        let answer = trainer.post(OPERATOR, PATH, &wrong).await.expect(400);
        assert!(String::from_utf8_lossy(&answer.body).contains(reason), "{key}");
    }
    trainer.post(ADMIN, PATH, &entry).await.expect(400);
    trainer.get(VIEWER, SIGNED).await.expect(403);
    trainer.stop().await.unwrap();
}
