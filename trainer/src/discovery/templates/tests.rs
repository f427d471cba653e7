//! Templates from made-up requests, judged by the rule of thumb, so that what is tested is what the graph says.

use std::convert::Infallible;

use apiward_detector::exchange::{Caller, Exchange, Request, Response};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::{CallerRecord, ExchangeRecord};

use super::habits::{CommonTraits, Habits, same_habits};
use super::words::WordOdds;
use crate::discovery::{Corrections, EndpointsNeeded, Evidence, RuleOfThumb, UrlGraph, ValueOdds, endpoints, fold};

/// Requests of an API, in order of time.
struct Traffic {
    graph: UrlGraph,
    hasher: KeyedHasher,
    sent: i64,
}

impl Traffic {
    fn new() -> Self {
        let hasher = KeyedHasher::new(b"a key that is long enough for tests").unwrap();
        Self { graph: UrlGraph::new(3_600_000), hasher, sent: 0 }
    }

    /// Caller number, method and target, and the status of the answer.
    fn answered(&mut self, caller: usize, method: &str, target: &str, status: u16) {
        let response = Response { status: Some(status), ..Response::default() };
        self.exchanged(named(caller), method, target, response);
    }

    /// The same request by many callers, answered with an object of these fields.
    fn told(&mut self, times: usize, method: &str, target: &str, fields: &[&str]) {
        let members: Vec<String> = fields.iter().map(|field| format!("\"{field}\":\"text\"")).collect();
        let response = Response {
            status: Some(200),
            headers: vec![("content-type".to_owned(), "application/json".to_owned())],
            body: format!("{{{}}}", members.join(",")).into_bytes(),
            ..Response::default()
        };
        (0..times).for_each(|caller| self.exchanged(named(caller % 23), method, target, response.clone()));
    }

    /// Endpoints with answers of their own.
    fn others(&mut self) -> Vec<String> {
        let words = ["accounts", "invoices", "tickets", "labels", "members", "regions", "alerts", "backups"];
        for (place, word) in words.iter().enumerate() {
            self.told(20 + place, "GET", &format!("/v1/{word}"), &[word, "total"]);
            self.told(20 + place, "POST", &format!("/v1/{word}"), &[word, "created"]);
        }
        words.iter().flat_map(|word| ["GET", "POST"].map(|method| format!("{method} /v1/{word}"))).collect()
    }

    /// Answered with success by nobody known.
    fn callerless(&mut self, target: &str) {
        let response = Response { status: Some(200), ..Response::default() };
        self.exchanged(Caller::default(), "GET", target, response);
    }

    fn exchanged(&mut self, caller: Caller, method: &str, target: &str, response: Response) {
        self.sent += 1;
        let exchange = Exchange {
            at_ms: Some(self.sent * 1_000),
            caller,
            request: Request {
                method: method.to_owned(),
                host: "api.example".to_owned(),
                target: target.to_owned(),
                ..Request::default()
            },
            response: Some(response),
        };
        let record = ExchangeRecord {
            at_ms: exchange.at_ms,
            caller: CallerRecord::of(&exchange.caller, &self.hasher),
            observation: Observer::observe(&exchange, &self.hasher),
            weight: 1.0,
            verdict: None,
            request_id: None,
        };
        self.graph.add(&record);
    }

    /// The same request by many callers.
    fn by_many(&mut self, times: usize, method: &str, target: &str) {
        (0..times).for_each(|caller| self.answered(caller % 23, method, target, 200));
    }

    /// Methods with templates, sorted.
    fn discovered(&self) -> Vec<String> {
        self.discovered_by(&mut RuleOfThumb)
    }

    fn discovered_by(&self, judge: &mut dyn ValueOdds<Error = Infallible>) -> Vec<String> {
        let hosts = fold(&self.graph, judge, &Corrections::default(), Evidence::default()).unwrap();
        let needed = EndpointsNeeded { callers: 3, ..EndpointsNeeded::default() };
        let mut found: Vec<String> = endpoints(&self.graph, &hosts, &needed)
            .into_iter()
            .map(|found| format!("{} {}", found.endpoint.method, found.endpoint.template))
            .collect();
        found.sort();
        found
    }
}

fn named(caller: usize) -> Caller {
    Caller { identity: Some(format!("u-{caller}")), ..Caller::default() }
}

/// Takes everything for a word of an API.
struct AllWords;

impl ValueOdds for AllWords {
    type Error = Infallible;

    fn log_odds(&mut self, texts: &[&str]) -> Result<Vec<f32>, Self::Error> {
        Ok(vec![-3.0; texts.len()])
    }
}

/// A name like those of people and things, different for each number.
fn name(number: usize) -> String {
    const FIRST: [&str; 12] =
        ["anna", "liam", "zoe", "paul", "ingrid", "luca", "karl", "olga", "emma", "ravi", "yuki", "grace"];
    const LAST: [&str; 12] =
        ["garcia", "smith", "weiss", "dubois", "nowak", "rossi", "kim", "singh", "silva", "jones", "meyer", "khan"];
    format!("{}-{}", FIRST[number % FIRST.len()], LAST[number / FIRST.len() % LAST.len()])
}

#[test]
fn literals_beside_a_parameter_stay_apart() {
    let mut traffic = Traffic::new();
    for number in 0..300 {
        traffic.answered(number % 40, "GET", &format!("/users/{}", 1_000 + number * 7), 200);
        traffic.answered(number % 40, "GET", &format!("/issues/{}", number % 90), 200);
    }
    traffic.by_many(60, "GET", "/users/me");
    traffic.by_many(40, "GET", "/issues/comments");
    traffic.by_many(40, "GET", "/issues/comments/17");
    traffic.by_many(40, "GET", "/issues/comments/23");
    assert_eq!(
        traffic.discovered(),
        ["GET /issues/comments", "GET /issues/comments/{id}", "GET /issues/{id}", "GET /users/me", "GET /users/{id}"]
    );
}

#[test]
fn procedures_are_not_folded() {
    let mut traffic = Traffic::new();
    let mut expected = Vec::new();
    for (place, object) in ["chat", "users", "files", "pins", "team", "views", "search", "stars"].iter().enumerate() {
        for (step, verb) in ["list", "add", "remove", "postMessage", "getInfo", "setTopic"].iter().enumerate() {
            traffic.by_many(12 + 5 * place + 11 * step, "POST", &format!("/api/{object}.{verb}"));
            expected.push(format!("POST /api/{object}.{verb}"));
        }
    }
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn few_siblings_that_are_followed_by_the_same_are_not_folded() {
    let mut traffic = Traffic::new();
    let mut expected = Vec::new();
    for (place, word) in ["albums", "tracks", "shows", "episodes", "audiobooks", "following"].iter().enumerate() {
        for (step, call) in [("GET", ""), ("PUT", ""), ("DELETE", ""), ("GET", "/contains")].iter().enumerate() {
            let (method, below) = call;
            traffic.by_many(20 + (place * 37 + step * 59) % 170, method, &format!("/me/{word}{below}"));
            expected.push(format!("{method} /me/{word}{below}"));
        }
    }
    expected.sort();
    assert_eq!(traffic.discovered_by(&mut AllWords), expected);
}

#[test]
fn words_that_answer_alike_are_an_enumeration() {
    let mut traffic = Traffic::new();
    let mut expected = traffic.others();
    for (place, word) in ["cpu", "memory", "latency", "errors", "requests"].iter().enumerate() {
        for period in ["day", "week", "month", "quarter"] {
            traffic.told(9 + place, "GET", &format!("/v1/metrics/{word}/{period}"), &["points", "unit", "resolution"]);
        }
    }
    for (place, word) in ["restart", "resume", "start", "stop", "suspend"].iter().enumerate() {
        traffic.told(20 + place, "POST", &format!("/v1/commands/{word}"), &["queued", "position"]);
    }
    expected.extend(["GET /v1/metrics/{id}/{id2}".to_owned(), "POST /v1/commands/{id}".to_owned()]);
    expected.sort();
    assert_eq!(traffic.discovered_by(&mut AllWords), expected);
}

#[test]
fn verbs_of_one_object_that_answer_alike_stay_apart() {
    let mut traffic = Traffic::new();
    let mut expected = traffic.others();
    for verb in ["start", "stop", "restart", "approve", "reject", "archive"] {
        for number in 0..30 {
            let target = format!("/v1/machines/{}/{verb}", 1_000 + number);
            traffic.told(3, "POST", &target, &["machine", "state", "changed_by"]);
        }
        expected.push(format!("POST /v1/machines/{{id}}/{verb}"));
    }
    for verb in ["followers", "following", "friends"] {
        for number in 0..30 {
            traffic.told(3, "GET", &format!("/v1/users/{}/{verb}", 1_000 + number), &["users", "next", "count"]);
        }
        expected.push(format!("GET /v1/users/{{id}}/{verb}"));
    }
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn endpoints_that_answer_like_all_others_stay_apart() {
    let mut traffic = Traffic::new();
    let mut expected = Vec::new();
    for parent in ["auth", "cache", "jobs", "rooms"] {
        for (place, verb) in ["open", "close", "clear", "warm", "check"].iter().enumerate() {
            traffic.told(20 + place, "POST", &format!("/v1/{parent}/{verb}"), &["ok", "error"]);
            expected.push(format!("POST /v1/{parent}/{verb}"));
        }
    }
    expected.sort();
    assert_eq!(traffic.discovered_by(&mut AllWords), expected);
}

#[test]
fn an_open_set_of_names_is_a_parameter() {
    let mut traffic = Traffic::new();
    for number in 0..600 {
        // A long tail: some names come often, most of them once or twice.
        let rank = (number * number / 2_500) % 144;
        traffic.answered(number % 37, "GET", &format!("/people/{}", name(rank)), 200);
        traffic.answered(number % 41, "GET", &format!("/people/{}/orders", name(rank)), 200);
    }
    assert_eq!(traffic.discovered_by(&mut AllWords), ["GET /people/{id}", "GET /people/{id}/orders"]);
}

#[test]
fn what_a_scanner_tries_draws_no_literals_into_a_group() {
    let mut traffic = Traffic::new();
    let words = ["branches", "commits", "hooks", "labels", "issues", "pulls", "releases", "keys"];
    for (place, word) in words.iter().enumerate() {
        traffic.by_many(30 + 9 * place, "GET", &format!("/project/{word}"));
        for number in 0..60 {
            traffic.answered(number % 19, "GET", &format!("/project/{word}/{}", 100 + number), 200);
        }
    }
    let known = traffic.discovered();
    for number in 0..60 {
        let probe = format!("/project/{}", name(number));
        traffic.answered(900, "GET", &probe, if number % 2 == 0 { 200 } else { 404 });
        traffic.answered(900, "GET", &format!("{probe}.bak"), 404);
    }
    assert_eq!(traffic.discovered(), known);
}

#[test]
fn taking_the_same_speaks_for_one_parameter_and_taking_others_against_it() {
    let mut traffic = Traffic::new();
    for word in ["small", "medium", "large"] {
        traffic.by_many(15, "GET", &format!("/photos/{word}?watermark=1&tone=2"));
    }
    traffic.by_many(15, "GET", "/photos/search?text=1");
    traffic.by_many(15, "GET", "/albums?page=1");
    traffic.by_many(15, "GET", "/tags?page=1");
    let root = &traffic.graph.hosts["api.example"].root;
    let mut words = WordOdds::default();
    words.learn(root, &mut RuleOfThumb).unwrap();
    let common = CommonTraits::of(root, &words);
    let photos = &root.words.get("photos").unwrap().words;
    let mut group = Habits::default();
    ["medium", "large"].iter().for_each(|word| group.add(&Habits::of(&[photos.get(*word).unwrap()], &words)));
    let evidence = |word: &str| same_habits(&Habits::of(&[photos.get(word).unwrap()], &words), &group, false, &common);
    assert!(evidence("small") > 1.0, "{}", evidence("small"));
    assert!(evidence("search") < -3.0, "{}", evidence("search"));
}

#[test]
fn names_are_given_up_before_literals_when_memory_runs_out() {
    let mut traffic = Traffic::new();
    let words = ["branches", "commits", "hooks", "labels", "issues", "pulls", "releases", "keys", "tags", "forks"];
    for owner in 0..144 {
        for project in 0..60 {
            for (place, word) in words.iter().enumerate() {
                let caller = (owner * 7 + project * 3 + place) % 91;
                traffic.answered(caller, "GET", &format!("/{}/{}-x/{word}", name(owner), name(project)), 200);
            }
        }
    }
    let mut expected: Vec<String> = words.iter().map(|word| format!("GET /{{id}}/{{id2}}/{word}")).collect();
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn values_with_literals_in_them_are_mixed() {
    let mut traffic = Traffic::new();
    for number in 0..140 {
        let caller = number % 29;
        traffic.answered(caller, "GET", &format!("/reports/{}.json", 500 + number), 200);
        traffic.answered(caller, "GET", &format!("/compare/{}...{}", name(number), name(number + 1)), 200);
        traffic.answered(caller, "GET", &format!("/objects/v1:{}", name(number)), 200);
        traffic.answered(caller, "POST", &format!("/jobs/{}:cancel", 9_000 + number), 200);
        traffic.answered(caller, "GET", &format!("/jobs/{}", 9_000 + number), 200);
        traffic.answered(caller, "GET", &format!("/@{}", name(number)), 200);
    }
    assert_eq!(
        traffic.discovered(),
        [
            "GET /@{id}",
            "GET /compare/{id}...{id2}",
            "GET /jobs/{id}",
            "GET /objects/v1:{id}",
            "GET /reports/{id}.json",
            "POST /jobs/{id}:cancel",
        ]
    );
}

#[test]
fn a_file_name_with_one_extension_is_mixed() {
    let mut traffic = Traffic::new();
    for number in 0..120 {
        traffic.answered(number % 29, "GET", &format!("/invoices/{}.pdf", 70_000 + number), 200);
        traffic.answered(number % 29, "GET", &format!("/invoices/{}", 70_000 + number), 200);
        traffic.answered(number % 23, "GET", &format!("/tiles/{}/{}.pbf", number % 15, number * 37 % 101), 200);
    }
    assert_eq!(traffic.discovered(), ["GET /invoices/{id}", "GET /invoices/{id}.pdf", "GET /tiles/{id}/{id2}.pbf"]);
}

#[test]
fn ranges_have_a_value_on_both_sides() {
    let mut traffic = Traffic::new();
    for number in 0..120 {
        traffic.answered(number % 29, "GET", &format!("/logs/{}..{}", 100 + number, 300 + number * 2), 200);
        let (from, to) = (1 + number % 27, 1 + number * 5 % 27);
        traffic.answered(number % 23, "GET", &format!("/rates/2026-01-{from:02}..2026-02-{to:02}"), 200);
    }
    assert_eq!(traffic.discovered(), ["GET /logs/{id}..{id2}", "GET /rates/{id}..{id2}"]);
}

#[test]
fn custom_methods_of_collections_and_items_are_told_apart() {
    let mut traffic = Traffic::new();
    let mut expected = Vec::new();
    for (place, verb) in ["commit", "batchGet", "runQuery", "listen"].iter().enumerate() {
        for project in 0..40 {
            for caller in 0..3 {
                let target = format!("/v1/projects/{}/documents:{verb}", 88_000 + project);
                traffic.answered((project + 7 * caller + place) % 31, "POST", &target, 200);
            }
        }
        expected.push(format!("POST /v1/projects/{{id}}/documents:{verb}"));
    }
    for verb in ["cancel", "retry"] {
        for number in 0..60 {
            traffic.answered(number % 19, "POST", &format!("/v1/operations/{}:{verb}", 5_000 + number), 200);
        }
        expected.push(format!("POST /v1/operations/{{id}}:{verb}"));
    }
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn entity_sets_keep_their_names_before_keys_in_brackets() {
    let mut traffic = Traffic::new();
    let sets = [
        "Products",
        "Orders",
        "Customers",
        "Suppliers",
        "Categories",
        "Employees",
        "Regions",
        "Shippers",
        "Territories",
        "Invoices",
        "Payments",
        "Addresses",
        "Warehouses",
        "Contacts",
        "Brands",
        "Reviews",
    ];
    let mut expected = Vec::new();
    for (place, set) in sets.iter().enumerate() {
        traffic.by_many(30 + place, "GET", &format!("/odata/{set}"));
        for number in 0..40 {
            let key = if place % 4 == 3 { format!("'{}'", name(number)) } else { (1 + number).to_string() };
            traffic.answered((number + place) % 29, "GET", &format!("/odata/{set}({key})"), 200);
            traffic.answered((number + place) % 23, "GET", &format!("/odata/{set}({key})/Notes"), 200);
        }
        let key = if place % 4 == 3 { "('{id}')" } else { "({id})" };
        expected.push(format!("GET /odata/{set}"));
        expected.push(format!("GET /odata/{set}{key}"));
        expected.push(format!("GET /odata/{set}{key}/Notes"));
    }
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn a_name_and_its_version_are_two_values() {
    let mut traffic = Traffic::new();
    for number in 0..160 {
        let version = format!("{}.{}.{}", number % 5, number % 11, number % 7);
        traffic.answered(number % 29, "GET", &format!("/npm/{}@{version}", name(number % 70)), 200);
        traffic.answered(number % 29, "GET", &format!("/npm/{}@{version}/index.js", name(number % 70)), 200);
    }
    assert_eq!(traffic.discovered(), ["GET /npm/{id}@{id2}", "GET /npm/{id}@{id2}/index.js"]);
}

#[test]
fn a_prefix_names_the_value_where_nothing_else_does() {
    let mut traffic = Traffic::new();
    let mut expected = Vec::new();
    for (place, call) in ["sendMessage", "getUpdates", "getMe", "setWebhook", "answerCallbackQuery"].iter().enumerate()
    {
        for number in 0..40_u64 {
            let token = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let target = format!("/bot{}:AAF{token:016X}xQ_w{token:08x}/{call}", 110_201_543 + number * 7919);
            traffic.answered((number as usize + place) % 31, "POST", &target, 200);
        }
        expected.push(format!("POST /bot{{id}}/{call}"));
    }
    for number in 0..60 {
        traffic.answered(number % 31, "GET", &format!("/orders/ord{}", 1_000_000 + number * 37), 200);
    }
    expected.push("GET /orders/{id}".to_owned());
    expected.sort();
    assert_eq!(traffic.discovered(), expected);
}

#[test]
fn one_caller_in_a_log_without_callers_does_not_make_the_rest_nobodys() {
    let mut traffic = Traffic::new();
    for number in 0..40 {
        traffic.callerless(&format!("/users/{}", 1_000 + number));
    }
    traffic.callerless("/health");
    traffic.answered(1, "GET", "/users/17", 200);
    assert_eq!(traffic.discovered(), ["GET /health", "GET /users/{id}"]);

    // The other way about, a call without a caller is no endpoint's proof.
    let mut traffic = Traffic::new();
    traffic.by_many(40, "GET", "/users/me");
    traffic.callerless("/backup");
    assert_eq!(traffic.discovered(), ["GET /users/me"]);
    // As many as callers are asked for are.
    (0..2).for_each(|_| traffic.callerless("/backup"));
    assert_eq!(traffic.discovered(), ["GET /backup", "GET /users/me"]);
}
