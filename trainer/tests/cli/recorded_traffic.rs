//! Every format in which traffic is recorded is learned from and judged by the same commands.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::program::{run, run_with_input};
use crate::shop_traffic::{lines, normal, write_gzip};

const GUIDE: &str = include_str!("../../../docs/recorded-traffic.md");
const FIRST_MINUTE_MS: i64 = 1_793_534_400_000;
const NETWORKS: usize = 5;

/// When the exchange of this number happens: a minute apart.
fn time(first_ms: i64, number: usize) -> time::OffsetDateTime {
    let at_ms = first_ms + 60_000 * i64::try_from(number).unwrap();
    time::OffsetDateTime::from_unix_timestamp(at_ms / 1000).unwrap()
}

fn rfc3339(first_ms: i64, number: usize) -> String {
    time(first_ms, number).format(&time::format_description::well_known::Rfc3339).unwrap()
}

/// Of networks that take turns.
fn address(number: usize) -> String {
    format!("10.0.{}.7", number % NETWORKS)
}

pub fn har(exchanges: &[Value], first_ms: i64) -> String {
    let entries: Vec<Value> = exchanges
        .iter()
        .enumerate()
        .map(|(number, exchange)| {
            let headers = |member: &str| -> Vec<Value> {
                let headers = exchange[member].as_object().unwrap().iter();
                headers.map(|(name, value)| json!({ "name": name, "value": value })).collect()
            };
            let mut entry = json!({
                "startedDateTime": rfc3339(first_ms, number), "time": 2.0,
                "request": {
                    "method": exchange["method"], "headers": headers("request_headers"), "bodySize": -1,
                    "url": format!("https://{}{}", exchange["host"].as_str().unwrap(), exchange["path"].as_str().unwrap()),
                },
                "response": {
                    "status": exchange["status"], "headers": headers("response_headers"),
                    "bodySize": exchange["response_bytes"], "content": {"size": 0, "mimeType": "application/json"},
                },
            });
            if let Some(body) = exchange.get("request_body") {
                entry["request"]["postData"] = json!({ "mimeType": "application/json", "text": body });
            }
            entry
        })
        .collect();
    serde_json::to_string_pretty(&json!({ "log": { "version": "1.2", "entries": entries } })).unwrap()
}

/// As Istio's default format has it.
pub fn istio_log(exchanges: &[Value], first_ms: i64) -> String {
    let logged = exchanges.iter().enumerate().map(|(number, exchange)| {
        json!({
            "start_time": rfc3339(first_ms, number), "method": exchange["method"], "path": exchange["path"],
            "authority": exchange["host"], "user_agent": exchange["request_headers"]["user-agent"],
            "response_code": exchange["status"], "bytes_sent": exchange["response_bytes"], "duration": 2,
            "bytes_received": 0, "downstream_remote_address": format!("{}:51234", address(number)),
        })
    });
    lines(&logged.collect::<Vec<_>>())
}

pub fn combined_log(exchanges: &[Value], first_ms: i64) -> String {
    let format = time::macros::format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    let line = |(number, exchange): (usize, &Value)| {
        format!(
            "{} - - [{}] \"{} {} HTTP/1.1\" {} {} \"-\" {}\n",
            address(number),
            time(first_ms, number).format(format).unwrap(),
            exchange["method"].as_str().unwrap(),
            exchange["path"].as_str().unwrap(),
            exchange["status"],
            exchange["response_bytes"],
            exchange["request_headers"]["user-agent"],
        )
    };
    exchanges.iter().enumerate().map(line).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn train(input: &Path, bundle: &Path) {
    run(["train", "--input", text(input), "--output", text(bundle)]).succeeded();
}

fn verdicts(input: &Path, bundle: &Path) -> Vec<Value> {
    run(["score", text(input), "--bundle", text(bundle)]).succeeded().json_lines()
}

#[test]
fn every_format_is_recognised_learned_from_and_judged() {
    let folder = tempfile::tempdir().unwrap();
    let exchanges = normal(1, 1000);
    let fresh = normal(2, 200);
    let check = |name: &str, recorded: fn(&[Value], i64) -> String| {
        let path = |kind: &str| folder.path().join(format!("{name}-{kind}"));
        write_gzip(&path("train"), &recorded(&exchanges, FIRST_MINUTE_MS));
        std::fs::write(path("fresh"), recorded(&fresh, FIRST_MINUTE_MS)).unwrap();
        train(&path("train"), &path("bundle"));
        let judged = verdicts(&path("fresh"), &path("bundle"));
        let indices: Vec<u64> = judged.iter().map(|verdict| verdict["index"].as_u64().unwrap()).collect();
        assert_eq!(indices, (0..200).collect::<Vec<_>>(), "{name}");
        let endpoints: BTreeSet<&str> = judged.iter().map(|verdict| verdict["endpoint"].as_str().unwrap()).collect();
        let expected = ["GET /api/orders/{id}", "GET /api/products", "GET /api/products/{id}", "POST /api/cart"].into();
        assert_eq!(endpoints, expected, "{name}");
        let anomalous = judged.iter().filter(|verdict| verdict["verdict"] == "anomalous").count();
        assert!(anomalous <= 10, "{name}: {anomalous} of 200 normal exchanges are flagged");

        let piped = std::fs::read(path("fresh")).unwrap();
        let piped = run_with_input(["score", "-", "--bundle", text(&path("bundle"))], &piped).succeeded();
        assert_eq!(piped.json_lines(), judged, "{name}");
        let bundle = path("bundle");
        let evaluated = run(["eval", text(&path("fresh")), "--bundle", text(&bundle), "--json"]).succeeded();
        let report: Value = serde_json::from_str(&evaluated.stdout).unwrap();
        assert_eq!(report["confusion"]["false_positives"], json!(anomalous), "{name}");
    };
    check("exchanges", |exchanges, _| lines(exchanges));
    check("archive", har);
    check("istio", istio_log);
    check("combined", combined_log);
}

#[test]
fn bad_entries_of_an_archive_are_named_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let (archive, bundle) = (folder.path().join("a.har"), folder.path().join("a.bundle"));
    std::fs::write(&archive, har(&normal(1, 1000), FIRST_MINUTE_MS).replacen("https://", "chrome-extension://", 1))
        .unwrap();
    train(&archive, &bundle);
    let scored = run(["score", text(&archive), "--bundle", text(&bundle)]).succeeded();
    assert_eq!(scored.json_lines()[0]["index"], 1);
    assert!(scored.stderr.contains("a.har, entry 1: skipped: \"chrome-extension:"), "{}", scored.stderr);
    assert!(scored.stderr.contains("1 lines skipped"), "{}", scored.stderr);

    let whole = std::fs::read(&archive).unwrap();
    std::fs::write(&archive, &whole[..whole.len() / 2]).unwrap();
    run(["score", text(&archive), "--bundle", text(&bundle)]).failed(1, "it may be damaged or cut short");
}

/// A log without callers: networks count as distinct callers, so that one visitor alone makes nothing normal.
#[test]
fn networks_stand_for_callers_where_a_log_has_addresses() {
    let folder = tempfile::tempdir().unwrap();
    let (log, bundle) = (folder.path().join("access.log"), folder.path().join("site.bundle"));
    let line = |address: &str, path: &str| {
        format!("{address} - - [01/Nov/2026:12:00:00 +0000] \"GET {path} HTTP/1.1\" 200 512 \"-\" \"shopper/1.0\"\n")
    };
    let mut content = combined_log(&normal(1, 1000), FIRST_MINUTE_MS);
    for last in 0..40 {
        // Forty addresses, one network.
        content += &line(&format!("192.0.2.{last}"), "/internal/report");
        content += &line(&format!("192.0.{}.1", 2 + last % 3), "/about");
    }
    std::fs::write(&log, content).unwrap();
    train(&log, &bundle);
    let fresh = folder.path().join("fresh.log");
    std::fs::write(&fresh, line("10.0.0.7", "/internal/report") + &line("10.0.0.7", "/about")).unwrap();
    let judged = verdicts(&fresh, &bundle);
    assert_eq!(judged[0]["reasons"], json!(["endpoint GET /internal/report never seen"]));
    assert_eq!(judged[1]["endpoint"], "GET /about");
    assert_eq!(judged[1]["detectors"]["route"], json!(0.0), "{}", judged[1]);
}

/// The shell commands of the guide, in its order.
fn commands_of_the_guide() -> Vec<&'static str> {
    GUIDE.split("```sh\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn the_guide_works_as_it_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let exchanges = normal(1, 1000);
    write_gzip(&path("access.log.gz"), &combined_log(&exchanges, FIRST_MINUTE_MS));
    std::fs::write(path("new-access.log"), combined_log(&normal(2, 100), FIRST_MINUTE_MS)).unwrap();
    std::fs::write(path("monday.har"), har(&exchanges[..500], FIRST_MINUTE_MS)).unwrap();
    std::fs::write(path("tuesday.har"), har(&exchanges[500..], FIRST_MINUTE_MS)).unwrap();
    std::fs::write(path("istio.log"), istio_log(&exchanges, FIRST_MINUTE_MS)).unwrap();
    let program = PathBuf::from(env!("CARGO_BIN_EXE_apiward"));
    let mut folders = vec![program.parent().unwrap().to_owned()];
    folders.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap()));
    let commands = commands_of_the_guide();
    assert!(commands.len() >= 3, "{commands:?}");
    for command in commands {
        let output = Command::new("bash")
            .args(["-euo", "pipefail", "-c", command])
            .env("PATH", std::env::join_paths(&folders).unwrap())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{command}\n{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(std::fs::read_to_string(path("verdicts.jsonl")).unwrap().lines().count(), 100);
    assert_eq!(std::fs::read_to_string(path("mesh.jsonl")).unwrap().lines().count(), 1000);
    assert!(path("browser.bundle").exists());
}

#[test]
fn the_example_of_the_guide_is_an_exchange() {
    let example = GUIDE.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let example: Value = serde_json::from_str(example).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (log, bundle) = (folder.path().join("train.jsonl"), folder.path().join("a.bundle"));
    std::fs::write(&log, lines(&normal(1, 1000))).unwrap();
    train(&log, &bundle);
    std::fs::write(&log, format!("{example}\n")).unwrap();
    assert_eq!(verdicts(&log, &bundle).len(), 1);
}
