//! The commands that talk to a service, against a real one with its private PostgreSQL.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::SystemTime;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tempfile::TempDir;

use crate::program::{Finished, apiward, run};
use crate::recorded_traffic::{combined_log, har, istio_log};
use crate::shop_traffic::{attacks, lines, normal, write_gzip};

const OPERATOR: &str = "operator-token-of-all-scopes";
const FILTER: &str = "filter-token-of-the-shop";
const SCOPE: &str = "shop";
const HASH_KEY: &str = "the hash key of the shop's filters";

/// `apiward serve` on a port of its own; stopped when dropped.
struct RunningService {
    child: Child,
    url: String,
    /// Data directory, hash key and traffic.
    folder: TempDir,
}

impl RunningService {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL's account must be able to enter it when the tests run as root.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711)).unwrap();
        std::fs::write(folder.path().join("hash.key"), HASH_KEY).unwrap();
        let mut child = apiward()
            .args(["serve", "--listen", "127.0.0.1:0", "--train-interval", "off", "--log-format", "json", "--data-dir"])
            .arg(folder.path().join("data"))
            .env("APIWARD_TOKENS", format!("operator:*:{OPERATOR},filter:{SCOPE}:{FILTER}"))
            .env_remove("DATABASE_URL")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let address = log
            .by_ref()
            .map(|line| line.unwrap())
            .inspect(|line| eprintln!("{line}"))
            .find_map(|line| serde_json::from_str::<Value>(&line).ok()?["address"].as_str().map(str::to_owned))
            .expect("the service ended before it listened");
        // Its pipe must not fill up.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, url: format!("http://{address}"), folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command as operator of the scope.
    fn command(&self, arguments: &[&str]) -> Finished {
        run(arguments.iter().copied().chain(["--url", &self.url, "--token", OPERATOR, "--scope", SCOPE]))
    }

    fn import(&self, file: &str, hash_key: &str) -> Finished {
        let (file, key, data) = (self.path(file), self.path(hash_key), self.path("data"));
        run([
            "import".as_ref(),
            file.as_os_str(),
            "--scope".as_ref(),
            SCOPE.as_ref(),
            "--hash-key-file".as_ref(),
            key.as_os_str(),
            "--data-dir".as_ref(),
            data.as_os_str(),
        ])
    }

    fn fetch(&self, path: &str, token: &str) -> Vec<u8> {
        let mut response =
            ureq::get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {token}")).call().unwrap();
        response.body_mut().read_to_vec().unwrap()
    }
}

impl Drop for RunningService {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

#[test]
fn traffic_is_imported_learned_from_and_judged_by_what_the_service_published() {
    let service = RunningService::start();
    let traffic = [normal(1, 3000), attacks(5)].concat();
    write_gzip(&service.path("traffic.jsonl.gz"), &lines(&traffic));
    let none = service.command(&["models", "list"]).succeeded();
    assert!(none.stdout.contains("there is no model yet"), "{}", none.stdout);

    // The service runs meanwhile: its private database is shared.
    let imported = service.import("traffic.jsonl.gz", "hash.key").succeeded();
    assert!(imported.stdout.contains("3000 exchanges imported"), "{}", imported.stdout);
    assert!(imported.stdout.contains("20 exchanges are labelled as attacks"), "{}", imported.stdout);
    std::fs::write(service.path("other.key"), "another key than the filters have").unwrap();
    service.import("traffic.jsonl.gz", "other.key").failed(1, "could not be learned from together");

    let trained = service.command(&["train"]).succeeded();
    assert!(trained.stdout.contains("is published"), "{}", trained.stdout);
    let models: Value =
        serde_json::from_str(&service.command(&["models", "list", "--json"]).succeeded().stdout).unwrap();
    let model = models["models"][0]["id"].as_str().unwrap();
    assert_eq!(models["models"][0]["active"], true);
    assert!(service.command(&["models", "list"]).succeeded().stdout.contains("active"));
    assert!(service.command(&["models", "show", model]).succeeded().stdout.contains("hash key"));
    let endpoints = service.command(&["endpoints", "list"]).succeeded().stdout;
    assert!(endpoints.contains("/api/products/{"), "{endpoints}");
    let detections = service.command(&["detections", "list"]).succeeded().stdout;
    assert!(detections.contains("nothing was detected"), "{detections}");

    let settings: Value = serde_json::from_slice(&service.fetch("/v1/settings", OPERATOR)).unwrap();
    std::fs::write(service.path("model.bundle"), service.fetch("/v1/bundle", FILTER)).unwrap();
    std::fs::write(service.path("model.bundle.pub"), settings["public_key"].as_str().unwrap()).unwrap();
    std::fs::write(service.path("dev.jsonl"), lines(&attacks(1))).unwrap();
    let (dev, bundle, key) = (service.path("dev.jsonl"), service.path("model.bundle"), service.path("hash.key"));
    let scored = run([
        "score".as_ref(),
        dev.as_os_str(),
        "--bundle".as_ref(),
        bundle.as_os_str(),
        "--hash-key-file".as_ref(),
        key.as_os_str(),
    ])
    .succeeded();
    for verdict in scored.json_lines() {
        assert_eq!(verdict["verdict"], "anomalous", "{verdict}");
    }
}

#[test]
fn recorded_traffic_of_every_format_is_imported_into_a_running_service() {
    let exchanges = normal(1, 900);
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let yesterday_ms = i64::try_from(since_epoch.as_millis()).unwrap() - 24 * 3_600_000;
    let check = |name: &str, content: &str, host: &str| {
        let service = RunningService::start();
        write_gzip(&service.path(name), content);
        let imported = service.import(name, "hash.key").succeeded();
        assert!(imported.stdout.contains("900 exchanges imported"), "{name}: {}", imported.stdout);
        let list = service.command(&["endpoints", "list", "--json"]).succeeded().stdout;
        let list: Value = serde_json::from_str(&list).unwrap();
        let endpoints = list["endpoints"].as_array().unwrap();
        let label = |endpoint: &Value| {
            let text = |member: &str| endpoint[member].as_str().unwrap().to_owned();
            format!("{} {}{}", text("method"), text("host"), text("template"))
        };
        let found: BTreeSet<String> = endpoints.iter().map(label).collect();
        let expected = ["GET /api/orders/{id}", "GET /api/products", "GET /api/products/{id}", "POST /api/cart"];
        assert_eq!(found, expected.map(|label| label.replace(" /", &format!(" {host}/"))).into(), "{name}");
    };
    check("monday.har.gz", &har(&exchanges, yesterday_ms), "shop.example");
    check("istio.log.gz", &istio_log(&exchanges, yesterday_ms), "shop.example");
    // The combined format has no hosts.
    check("access.log.gz", &combined_log(&exchanges, yesterday_ms), "{host}");
}

#[test]
fn an_operator_rolls_back_and_activates_from_the_shell() {
    let service = RunningService::start();
    write_gzip(&service.path("first.jsonl.gz"), &lines(&normal(1, 2000)));
    write_gzip(&service.path("second.jsonl.gz"), &lines(&normal(2, 2000)));
    service.command(&["train"]).failed(1, "no records to learn from");
    service.import("first.jsonl.gz", "hash.key").succeeded();
    service.command(&["train"]).succeeded();
    service.command(&["models", "roll-back"]).failed(1, "no earlier model");
    service.import("second.jsonl.gz", "hash.key").succeeded();
    service.command(&["train"]).succeeded();

    let active = || {
        let list: Value =
            serde_json::from_str(&service.command(&["models", "list", "--json"]).succeeded().stdout).unwrap();
        let models = list["models"].as_array().unwrap();
        let of = |wanted: bool| models.iter().find(|model| model["active"] == wanted).unwrap()["id"].clone();
        (of(true), of(false))
    };
    let (newer, older) = active();
    let rolled_back = service.command(&["models", "roll-back"]).succeeded();
    assert!(rolled_back.stdout.contains("as serial 3"), "{}", rolled_back.stdout);
    assert_eq!(active(), (older, newer.clone()));
    let activated = service.command(&["models", "activate", newer.as_str().unwrap()]).succeeded();
    assert!(activated.stdout.contains("as serial 4"), "{}", activated.stdout);
    service.command(&["models", "activate", "no-such/model"]).failed(1, "there is no model");
}

#[test]
fn payload_exceptions_are_made_listed_and_removed_from_the_shell() {
    let service = RunningService::start();
    let exceptions = |arguments: &[&str]| service.command(&[&["payload-exceptions"], arguments].concat());
    assert!(exceptions(&["list"]).succeeded().stdout.contains("there is no exception"));
    let added = exceptions(&["add", "--location", "body", "--name", "html", "--class", "xss", "--json"]).succeeded();
    let added: Value = serde_json::from_str(&added.stdout).unwrap();
    let id = added["id"].to_string();
    let raised = exceptions(&["add", "--class", "sqli", "--threshold", "-1.5"]).succeeded().stdout;
    assert!(raised.contains("of scope shop is made"), "{raised}");
    let list = exceptions(&["list"]).succeeded().stdout;
    for word in ["html", "xss", "never", "sqli", "-1.5", "all", "operator"] {
        assert!(list.contains(word), "{word}: {list}");
    }
    exceptions(&["add", "--class", "sqli", "--threshold", "-4"]).failed(1, "within -3 to 50 nats");
    exceptions(&["add"]).failed(1, "turn the detector off");
    assert!(exceptions(&["remove", &id]).succeeded().stdout.contains("is removed"));
    exceptions(&["remove", &id]).failed(1, "there is no payload exception");
    let list: Value = serde_json::from_str(&exceptions(&["list", "--json"]).succeeded().stdout).unwrap();
    assert_eq!(list["exceptions"].as_array().unwrap().len(), 1);
}

#[test]
fn the_inventory_is_read_compared_and_corrected_from_the_shell() {
    let service = RunningService::start();
    write_gzip(&service.path("traffic.jsonl.gz"), &lines(&normal(1, 1500)));
    let none = service.command(&["endpoints", "list"]).succeeded().stdout;
    assert!(none.contains("there is no model yet") && none.contains("no endpoint was found"), "{none}");
    service.import("traffic.jsonl.gz", "hash.key").succeeded();
    let list = service.command(&["endpoints", "list", "--state", "active"]).succeeded().stdout;
    assert!(list.contains("GET /api/orders/{id}") && list.contains("1500 exchanges"), "{list}");
    let list: Value =
        serde_json::from_str(&service.command(&["endpoints", "list", "--json"]).succeeded().stdout).unwrap();
    let cart = list["endpoints"].as_array().unwrap().iter().find(|listed| listed["template"] == "/api/cart").unwrap();
    let shown = service.command(&["endpoints", "show", cart["id"].as_str().unwrap()]).succeeded().stdout;
    assert!(
        shown.contains("POST /api/cart") && shown.contains("quantity") && shown.contains("request body"),
        "{shown}"
    );
    service.command(&["endpoints", "show", "none"]).failed(1, "there is no endpoint");

    let document = service.command(&["endpoints", "openapi"]).succeeded().stdout;
    std::fs::write(service.path("openapi.json"), &document).unwrap();
    let path = service.path("openapi.json");
    let same = service.command(&["endpoints", "compare", path.to_str().unwrap()]).succeeded().stdout;
    assert!(same.contains("the traffic is as declared"), "{same}");
    std::fs::write(service.path("openapi.json"), document.replace("/api/cart", "/api/basket")).unwrap();
    let other = service.command(&["endpoints", "compare", path.to_str().unwrap()]).succeeded().stdout;
    assert!(other.contains("shadow") && other.contains("/api/cart") && other.contains("unused"), "{other}");
    let strict = ["endpoints", "compare", path.to_str().unwrap(), "--fail-on-difference"];
    service.command(&strict).failed(3, "the traffic is not as declared");
    service.command(&["endpoints", "compare", "no-such-file"]).failed(1, "read the specification");

    let correct =
        |kind: &str, template: &str| service.command(&["endpoints", kind, template, "--host", "shop.example"]);
    correct("merge", "/api/{id}").succeeded();
    let merged = service.command(&["endpoints", "list"]).succeeded().stdout;
    assert!(merged.contains("POST /api/{id}") && !merged.contains("/api/cart"), "{merged}");
    correct("split", "/api/cart").succeeded();
    let split = service.command(&["endpoints", "list"]).succeeded().stdout;
    assert!(split.contains("POST /api/cart"), "{split}");
    correct("pin", "/api/orders/17").failed(1, "looks like a value");
    let corrections = service.command(&["endpoints", "corrections", "list"]).succeeded().stdout;
    assert!(corrections.contains("merge") && corrections.contains("operator:*"), "{corrections}");
    service.command(&["endpoints", "corrections", "remove", "1"]).succeeded();
    service.command(&["endpoints", "corrections", "remove", "1"]).failed(1, "there is no correction 1");
    let traffic = service.command(&["endpoints", "list"]).succeeded().stdout;
    assert!(traffic.contains("GET /api/orders/{id}"), "{traffic}");
}
