//! The traffic that discovery is measured on is repeatable and as it should be, and the measure tells good from bad.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use apiward_e2e::discovery::{
    Api, Discoverer, GeneratedExchange, RecordedTraffic, RouteTable, TrafficGenerator, TrafficSettings, measure,
    read_operations,
};
use serde_json::{Value, json};

const SEED: u64 = 5;
const TIME_LIMIT: Duration = Duration::from_secs(60);
/// Prints method and path of every line as an endpoint.
const RAW_PATHS: &str = r#"printf '{"endpoints":['
sed -E 's/.*"method":"([A-Z]+)","path":"([^"?]*).*/{"method":"\1","template":"\2"}/' "$1" | sort -u | paste -s -d, -
printf ']}'
"#;

fn operations_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data/discovery/operations.tsv")
}

fn apis() -> Vec<Api> {
    read_operations(&operations_file()).expect("the project's own operations")
}

fn api(name: &str) -> Api {
    apis().into_iter().find(|api| api.name == name).expect("an API of that name")
}

fn settings(mean: u64, minimum: u64) -> TrafficSettings {
    TrafficSettings { seed: SEED, mean, minimum, ..TrafficSettings::default() }
}

fn generate(api: &Api, settings: TrafficSettings) -> Vec<GeneratedExchange> {
    TrafficGenerator::new(api, settings).exchanges().collect()
}

fn lines(exchanges: &[GeneratedExchange]) -> String {
    exchanges.iter().map(|one| serde_json::to_string(&one.exchange).expect("plain data") + "\n").collect()
}

/// Components of the path without its query.
fn components(exchange: &GeneratedExchange) -> Vec<&str> {
    exchange.exchange.path.split('?').next().unwrap_or_default().split('/').skip(1).collect()
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    let api = api("bookstore");
    let first = lines(&generate(&api, settings(10, 3)));
    assert_eq!(first, lines(&generate(&api, settings(10, 3))));
    assert_ne!(first, lines(&generate(&api, TrafficSettings { seed: SEED + 1, ..settings(10, 3) })));
}

#[test]
fn every_operation_gets_its_minimum_from_several_callers_and_the_mean_is_kept() {
    for api in apis() {
        let mut callers: BTreeMap<usize, BTreeSet<Option<String>>> = BTreeMap::new();
        let mut requests: BTreeMap<usize, u64> = BTreeMap::new();
        for one in generate(&api, settings(20, 5)) {
            let Some(operation) = one.operation else { continue };
            *requests.entry(operation).or_default() += 1;
            callers.entry(operation).or_default().insert(one.exchange.caller);
        }
        assert_eq!(requests.len(), api.operations.len(), "{}", api.name);
        assert!(requests.values().all(|count| *count >= 5), "{}: {requests:?}", api.name);
        assert!(callers.values().all(|callers| callers.len() >= 3), "{}: {callers:?}", api.name);
        let mean = requests.values().sum::<u64>() as f64 / requests.len() as f64;
        assert!((19.5..20.5).contains(&mean), "{}: {mean}", api.name);
        let most = requests.values().max().copied().unwrap_or_default();
        assert!(most >= 60, "use is uneven, {}: {most}", api.name);
    }
}

#[test]
fn every_request_leads_to_the_operation_that_it_is_said_to_belong_to() {
    for api in apis() {
        let routes = api.operations.iter().map(|operation| (operation.method.as_str(), &operation.template));
        let table = RouteTable::new(routes);
        for one in generate(&api, settings(20, 5)) {
            if one.operation.is_some() {
                assert_eq!(
                    table.find(&one.exchange.method, &one.exchange.path),
                    one.operation,
                    "{}",
                    one.exchange.path
                );
            }
        }
    }
}

#[test]
fn one_in_fifty_requests_is_a_scanners_and_some_of_these_are_answered() {
    let exchanges = generate(&api("codehost"), settings(100, 5));
    let noise: Vec<_> = exchanges.iter().filter(|one| one.operation.is_none()).collect();
    let share = noise.len() as f64 / exchanges.len() as f64;
    assert!((0.019..0.021).contains(&share), "{share}");
    assert!(noise.iter().all(|one| one.exchange.label == "scanner"));
    let answered: BTreeSet<_> =
        noise.iter().filter(|one| one.exchange.status == 200).map(|one| &one.exchange.address).collect();
    assert_eq!(answered.len(), 2, "catch-all pages answer two scanners");
    assert!(noise.iter().filter(|one| one.exchange.status == 404).count() * 2 > noise.len());
}

#[test]
fn exchanges_come_in_order_of_time_over_some_days_and_mostly_succeed() {
    let exchanges = generate(&api("clouddesk"), settings(50, 5));
    assert!(exchanges.is_sorted_by_key(|one| &one.exchange.ts));
    let days: BTreeSet<&str> = exchanges.iter().map(|one| &one.exchange.ts[..10]).collect();
    assert!((4..=6).contains(&days.len()), "{days:?}");
    let honest: Vec<_> = exchanges.iter().filter(|one| one.operation.is_some()).collect();
    let successes = honest.iter().filter(|one| one.exchange.status < 400).count();
    let share = successes as f64 / honest.len() as f64;
    assert!((0.9..0.97).contains(&share), "{share}");
    let callers: BTreeSet<_> = honest.iter().map(|one| &one.exchange.caller).collect();
    assert!(callers.len() >= 200, "{}", callers.len());
}

#[test]
fn templates_share_their_objects_and_nested_ones_belong_to_their_parents() {
    let exchanges = generate(&api("codehost"), settings(100, 5));
    let repositories = |under: &str| -> BTreeSet<(String, String)> {
        let matching = exchanges.iter().filter(|one| one.operation.is_some()).map(components);
        matching
            .filter(|path| path.len() >= 4 && path[0] == "repos" && path[3] == under)
            .map(|path| (path[1].to_owned(), path[2].to_owned()))
            .collect()
    };
    let (issues, branches) = (repositories("issues"), repositories("branches"));
    assert!(issues.len() >= 50 && branches.len() >= 50, "{} and {}", issues.len(), branches.len());
    let shared = issues.intersection(&branches).count();
    assert!(shared * 5 >= branches.len(), "{shared} of {} are shared", branches.len());
    let owners: BTreeSet<&String> = issues.iter().map(|(owner, _)| owner).collect();
    let most = owners.iter().map(|owner| issues.iter().filter(|(other, _)| *other == **owner).count()).max();
    assert!((2..=12).contains(&most.unwrap_or_default()), "an owner has some repositories, not all: {most:?}");
}

#[test]
fn ids_are_handed_out_before_they_are_used() {
    let exchanges = generate(&api("bookstore"), settings(200, 20));
    let mut used_later: BTreeSet<&str> = BTreeSet::new();
    let (mut created, mut listed) = ([0, 0], [0, 0]);
    for one in exchanges.iter().rev() {
        let told = &one.exchange;
        if let Some((_, id)) = told.response_headers.get("location").and_then(|location| location.rsplit_once('/')) {
            created[usize::from(used_later.contains(id))] += 1;
        }
        let body = told.response_body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok());
        if let Some(id) = body.as_ref().and_then(|body| body["items"][0]["id"].as_str()) {
            listed[usize::from(used_later.contains(id))] += 1;
        }
        used_later.extend(components(one));
    }
    assert!(created[1] * 4 >= created[0] && created[1] >= 20, "created, unused and used: {created:?}");
    assert!(listed[1] >= listed[0], "listed, unused and used: {listed:?}");
}

#[test]
fn the_truth_has_an_f1_of_one_and_raw_paths_a_low_one() {
    let api = api("codehost");
    let traffic = RecordedTraffic::generate(&api, &settings(20, 5)).expect("traffic");
    let folder = tempfile::tempdir().expect("a folder");
    let truth = truth_script(folder.path(), &api);
    let measured = measure(&api, &traffic, &script("truth", &truth), true).expect("figures");
    assert_eq!((measured.precision, measured.recall, measured.f1, measured.mapped_share), (1.0, 1.0, 1.0, 1.0));
    assert!(measured.quality.missing.is_empty() && measured.quality.spurious.is_empty());
    assert_eq!(measured.stable_after, Some(256), "it never changes");

    let raw = folder.path().join("raw.sh");
    fs::write(&raw, RAW_PATHS).expect("a script");
    let measured = measure(&api, &traffic, &script("raw", &raw), true).expect("figures");
    assert!(measured.f1 < 0.1, "{}", measured.f1);
    assert!(measured.mapped_share < 0.5, "{}", measured.mapped_share);
    assert_eq!(measured.stable_after, Some(traffic.requests.len()), "it grows to the end");
}

#[test]
fn a_program_that_fails_or_prints_something_else_is_named() {
    let api = api("atlas");
    let traffic = RecordedTraffic::generate(&api, &settings(2, 1)).expect("traffic");
    let check = |command: &str, expected: &str| {
        let error = measure(&api, &traffic, &Discoverer::new("x", command, Duration::from_millis(300)), false)
            .expect_err("no figures")
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check("/nowhere/apiward discover", "/nowhere/apiward cannot be run");
    check("false", "false failed");
    check("echo", "echo did not print");
    check("tail -f", "tail did not end within");
    check(" ", "the command to discover with is empty");
}

#[test]
fn the_program_fails_below_what_is_wanted() {
    let api = api("atlas");
    let folder = tempfile::tempdir().expect("a folder");
    let truth = truth_script(folder.path(), &api);
    let raw = folder.path().join("raw.sh");
    fs::write(&raw, RAW_PATHS).expect("a script");
    let run = |script: &Path, wanted: [&str; 2]| {
        Command::new(env!("CARGO_BIN_EXE_discovery-quality"))
            .arg("--operations")
            .arg(operations_file())
            .args(["--api", "atlas", "--mean", "5", "--minimum", "2", "--skip-stability", "--show-errors"])
            .args(["--discover", &format!("sh {}", script.display())])
            .args(wanted)
            .output()
            .expect("the program runs")
    };
    for wanted in [["--f1-at-least", "0.99"], ["--mapped-at-least", "0.99"]] {
        assert!(run(&truth, wanted).status.success());
        let missed = run(&raw, wanted);
        assert!(!missed.status.success());
        assert!(String::from_utf8_lossy(&missed.stderr).contains("at least 0.99 is wanted"));
        assert!(String::from_utf8_lossy(&missed.stdout).contains("missing   GET     /maps/@{lat},{lon}"));
    }
}

fn script(name: &str, path: &Path) -> Discoverer {
    Discoverer::of_words(name, vec!["sh".to_owned(), path.to_string_lossy().into_owned()], TIME_LIMIT)
}

/// A script that prints the API's operations, whatever the traffic.
fn truth_script(folder: &Path, api: &Api) -> PathBuf {
    let endpoints: Vec<_> = api
        .operations
        .iter()
        .map(|one| json!({"host": api.host, "method": one.method, "template": one.template.to_string()}))
        .collect();
    fs::write(folder.join("truth.json"), json!({"endpoints": endpoints}).to_string()).expect("a file");
    let path = folder.join("truth.sh");
    fs::write(&path, "cat \"${0%.sh}.json\"\n").expect("a script");
    path
}
