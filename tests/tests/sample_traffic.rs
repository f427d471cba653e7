//! The simulated traffic is varied, repeatable, and its attacks differ from what customers do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use apiward_e2e::shop::{self, Endpoint, Release, Shop, ShopClock};
use apiward_e2e::traffic::{
    self, AttackKind, AttackPlan, AttackShare, Exchange, ExchangeKind, HttpShop, InProcessShop, Scenario, SentExchange,
};
use axum::http::StatusCode;
use serde_json::Value;
use tokio::net::TcpListener;

const SEED: u64 = 11;
/// A behaviour rarer than one in so many exchanges could not be learned.
const LEARNABLE_ONE_IN: usize = 500;

async fn generate(scenario: &Scenario, seed: u64, count: u64) -> Vec<Exchange> {
    traffic::generate(scenario, seed, count, |_| {}).await.expect("a complete run")
}

async fn send_in_process(scenario: &Scenario, seed: u64, count: u64) -> Vec<SentExchange> {
    let clock = ShopClock::simulated(scenario.start);
    let shop = Shop::new(scenario.release, clock.clone());
    let client = InProcessShop::new(&shop, clock, seed);
    traffic::run(client, scenario, seed, count, |_| {}).await.expect("a complete run")
}

fn attacks_only(kind: AttackKind) -> Scenario {
    Scenario::normal(Release::One).with_attacks(AttackPlan::one_kind(kind))
}

fn lines(exchanges: &[Exchange]) -> String {
    exchanges.iter().map(|exchange| serde_json::to_string(exchange).expect("plain data") + "\n").collect()
}

fn request_of(exchange: &Exchange) -> (String, String, Option<String>) {
    (exchange.method.clone(), exchange.path.clone(), exchange.request_body.clone())
}

fn client_of(exchange: &Exchange) -> String {
    exchange.caller.clone().unwrap_or_else(|| exchange.address.clone())
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let scenario = Scenario::normal(Release::Two).with_attacks(AttackPlan::all_kinds(AttackShare::OfExchanges(0.1)));
    let first = lines(&generate(&scenario, SEED, 1_500).await);
    assert_eq!(first, lines(&generate(&scenario, SEED, 1_500).await));
    assert_ne!(first, lines(&generate(&scenario, SEED + 1, 1_500).await));
}

#[tokio::test]
async fn exchanges_come_in_order_of_time_and_fill_the_days() {
    let mut scenario = Scenario::normal(Release::One);
    scenario.days = 3.0;
    let exchanges = generate(&scenario, SEED, 3_000).await;
    assert_eq!(exchanges.len(), 3_000);
    assert!(exchanges.is_sorted_by_key(|exchange| &exchange.ts));
    let days: BTreeSet<&str> = exchanges.iter().map(|exchange| &exchange.ts[..10]).collect();
    assert!((3..=5).contains(&days.len()), "{days:?}");
}

#[tokio::test]
async fn most_honest_requests_succeed_and_some_fail() {
    for release in [Release::One, Release::Two] {
        let exchanges = generate(&Scenario::normal(release), SEED, 3_000).await;
        let successes = exchanges.iter().filter(|exchange| exchange.status / 100 == 2).count();
        let share = successes as f64 / exchanges.len() as f64;
        assert!((0.85..0.98).contains(&share), "{release:?}: {share}");
        assert!(exchanges.iter().all(|exchange| exchange.status < 500));
    }
}

#[tokio::test]
async fn every_endpoint_of_a_release_has_several_users() {
    for release in [Release::One, Release::Two] {
        let mut users: BTreeMap<(String, &str), BTreeSet<String>> = BTreeMap::new();
        for exchange in send_in_process(&Scenario::normal(release), SEED, 3_000).await {
            let template = exchange.template.expect("honest clients know the paths");
            users.entry((exchange.method.to_string(), template)).or_default().insert(exchange.client);
        }
        let expected: BTreeSet<(String, &str)> = Endpoint::of_release(release)
            .map(|endpoint| (endpoint.method().to_string(), endpoint.template()))
            .collect();
        assert_eq!(users.keys().cloned().collect::<BTreeSet<_>>(), expected);
        for (endpoint, clients) in users {
            assert!(clients.len() >= 3, "{endpoint:?}: {clients:?}");
        }
    }
}

#[tokio::test]
async fn honest_traffic_comes_from_many_people_and_networks() {
    let exchanges = generate(&Scenario::normal(Release::One), SEED, 3_000).await;
    let callers: BTreeSet<&str> = exchanges.iter().filter_map(|exchange| exchange.caller.as_deref()).collect();
    assert!(callers.len() >= 60, "{}", callers.len());
    let networks: BTreeSet<&str> = exchanges
        .iter()
        .filter_map(|exchange| exchange.address.rsplit_once(['.', ':']))
        .map(|(network, _)| network)
        .collect();
    assert!(networks.len() >= 40, "{}", networks.len());
}

fn field_paths(prefix: &str, value: &Value, found: &mut BTreeSet<String>) {
    found.insert(format!("{prefix} {}", type_name(value)));
    if let Value::Object(fields) = value {
        for (name, field) in fields {
            field_paths(&format!("{prefix}.{name}"), field, found);
        }
    }
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "bool",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// Query parameters, body fields with their types, and statuses that occur in an exchange.
fn behaviours(exchange: &Exchange, template: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::from([format!("status {}", exchange.status)]);
    let (_, query) = exchange.path.split_once('?').unwrap_or_default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, _) = pair.split_once('=').unwrap_or_default();
        found.insert(format!("query {name}"));
    }
    if let Some(Ok(body)) = exchange.request_body.as_deref().map(serde_json::from_str::<Value>) {
        field_paths("body", &body, &mut found);
    }
    found.into_iter().map(|behaviour| format!("{} {template}: {behaviour}", exchange.method)).collect()
}

#[tokio::test]
async fn every_honest_behaviour_occurs_often_enough_to_be_learned() {
    let count = 24_000;
    for release in [Release::One, Release::Two] {
        let scenario = Scenario::normal(release);
        let clock = ShopClock::simulated(scenario.start);
        let shop = Shop::new(release, clock.clone());
        let client = InProcessShop::new(&shop, clock, SEED);
        let sent = traffic::run(client.clone(), &scenario, SEED, count, |_| {}).await.expect("a complete run");
        let templates: BTreeMap<String, &str> =
            sent.iter().filter_map(|exchange| Some((exchange.id.to_string(), exchange.template?))).collect();
        let mut seen: BTreeMap<String, (usize, BTreeSet<String>)> = BTreeMap::new();
        for exchange in client.take_exchanges() {
            let template = templates[&exchange.request_headers["x-request-id"]];
            for behaviour in behaviours(&exchange, template) {
                let (times, clients) = seen.entry(behaviour).or_default();
                *times += 1;
                clients.insert(client_of(&exchange));
            }
        }
        let rare: Vec<_> = seen
            .iter()
            .filter(|(_, (times, clients))| times * LEARNABLE_ONE_IN < count as usize || clients.len() < 3)
            .map(|(behaviour, (times, clients))| (behaviour, *times, clients.len()))
            .collect();
        assert!(rare.is_empty(), "{release:?}: {rare:#?}");
    }
}

#[tokio::test]
async fn each_kind_of_attack_differs_from_honest_traffic_in_many_ways() {
    let honest: BTreeSet<_> =
        generate(&Scenario::normal(Release::One), SEED, 12_000).await.iter().map(request_of).collect();
    // What is an administrator's is told apart by the caller alone.
    for kind in AttackKind::OF_EXCHANGES.into_iter().filter(|kind| *kind != AttackKind::Privilege) {
        let exchanges = generate(&attacks_only(kind), SEED, 400).await;
        let attacks: Vec<_> = exchanges.iter().filter(|exchange| exchange.label == kind.name()).collect();
        let distinct: BTreeSet<_> = attacks.iter().map(|exchange| request_of(exchange)).collect();
        assert!(distinct.len() >= 20, "{kind:?}: {} variants", distinct.len());
        let shared: Vec<_> = distinct.intersection(&honest).collect();
        assert!(shared.is_empty(), "{kind:?}: {shared:?}");
    }
}

#[tokio::test]
async fn attackers_are_few_and_apart_from_the_customers() {
    let mut plan = AttackPlan::all_kinds(AttackShare::OfExchanges(0.2));
    plan.callers = 3;
    plan.networks = 2;
    let exchanges = generate(&Scenario::normal(Release::One).with_attacks(plan), SEED, 4_000).await;
    let (attacks, honest): (Vec<_>, Vec<_>) = exchanges.iter().partition(|exchange| exchange.label != "normal");
    let share = attacks.len() as f64 / exchanges.len() as f64;
    assert!((0.14..0.26).contains(&share), "{share}");
    let addresses: BTreeSet<&str> = attacks.iter().map(|exchange| exchange.address.as_str()).collect();
    assert_eq!(addresses.len(), 3);
    let networks: BTreeSet<&str> =
        addresses.iter().filter_map(|address| address.rsplit_once('.')).map(|(net, _)| net).collect();
    assert_eq!(networks.len(), 2);
    let kinds: BTreeSet<&str> = attacks.iter().map(|exchange| exchange.label).collect();
    assert_eq!(kinds.len(), AttackKind::OF_EXCHANGES.len());
    assert!(honest.iter().any(|exchange| !addresses.contains(exchange.address.as_str())));
}

#[tokio::test]
async fn the_hidden_endpoint_answers_attackers_only() {
    let exchanges = generate(&attacks_only(AttackKind::HiddenEndpoint), SEED, 100).await;
    assert!(exchanges.iter().all(|exchange| exchange.status == 200));
    let honest = generate(&Scenario::normal(Release::One), SEED, 3_000).await;
    assert!(honest.iter().all(|exchange| !exchange.path.starts_with("/api/internal")));
}

#[tokio::test]
async fn what_is_an_administrators_is_used_by_no_honest_customer_and_mostly_answered() {
    let honest = generate(&Scenario::normal(Release::One), SEED, 6_000).await;
    let of_staff: Vec<_> = honest.iter().filter(|exchange| exchange.path.starts_with("/api/admin")).collect();
    let attacks = generate(&attacks_only(AttackKind::Privilege), SEED, 400).await;
    let attacks: Vec<_> = attacks.iter().filter(|exchange| exchange.label == "privilege").collect();
    assert!(attacks.iter().all(|exchange| exchange.path.starts_with("/api/admin")));
    let callers =
        |exchanges: &[&Exchange]| -> BTreeSet<String> { exchanges.iter().map(|one| client_of(one)).collect() };
    assert!(callers(&of_staff).is_disjoint(&callers(&attacks)));
    let answered = attacks.iter().filter(|exchange| exchange.status == 200).count();
    assert!(answered * 2 > attacks.len() && answered < attacks.len(), "{answered} of {}", attacks.len());
}

#[tokio::test]
async fn outsized_responses_are_far_larger_than_any_usual_one() {
    let honest = generate(&Scenario::normal(Release::One), SEED, 6_000).await;
    let mut usual: Vec<usize> = honest
        .iter()
        .filter(|exchange| exchange.path.starts_with("/api/export"))
        .map(|exchange| exchange.response_bytes)
        .collect();
    usual.sort_unstable();
    let (median, largest) = (usual[usual.len() / 2], usual[usual.len() - 1]);
    let attacks = generate(&attacks_only(AttackKind::OutsizedResponse), SEED, 200).await;
    let smallest = attacks
        .iter()
        .filter(|exchange| exchange.label != "normal")
        .map(|exchange| exchange.response_bytes)
        .min()
        .expect("attacks were sent");
    assert!(smallest >= 20 * median, "{smallest} against a median of {median}");
    assert!(smallest >= 4 * largest, "{smallest} against at most {largest}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_visits_go_over_http_in_order_per_user() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound socket"));
    let shop = Shop::new(Release::Two, ShopClock::System);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn({
        let shop = shop.clone();
        async move {
            shop::serve(&shop, listener, async {
                let _ = stopped.await;
            })
            .await
        }
    });
    let scenario =
        Scenario::normal(Release::Two).with_attacks(AttackPlan::all_kinds(AttackShare::OfExchanges(0.1))).concurrent(8);
    let sent = traffic::run(HttpShop::new(&url), &scenario, SEED, 2_000, |_| {}).await.expect("a complete run");
    assert_eq!(sent.len(), 2_000);
    let ids: BTreeSet<_> = sent.iter().map(|exchange| exchange.id).collect();
    assert_eq!(ids.len(), sent.len());
    let (normal, attacks): (Vec<_>, Vec<_>) = sent.iter().partition(|exchange| exchange.kind == ExchangeKind::Normal);
    assert!(attacks.len() > 100);
    let successes = normal.iter().filter(|exchange| exchange.status.is_success()).count();
    assert!(successes * 100 > normal.len() * 85, "{successes} of {}", normal.len());
    assert!(sent.iter().all(|exchange| exchange.response_headers.contains_key("content-type")
        || matches!(exchange.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)));

    shop.control().set_outage(true);
    let down = traffic::run(HttpShop::new(&url), &scenario, SEED + 1, 200, |_| {}).await.expect("a complete run");
    assert!(down.iter().all(|exchange| exchange.status == StatusCode::SERVICE_UNAVAILABLE));
    stop.send(()).expect("the shop is still serving");
    let drained = tokio::time::timeout(Duration::from_secs(10), serving).await;
    assert!(drained.is_ok(), "the shop stops once its clients are gone");
}
