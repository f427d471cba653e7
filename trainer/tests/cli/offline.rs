//! Train, score and eval on files, without a service. Training needs ONNX Runtime, as `ORT_DYLIB_PATH` names it.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::LazyLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::program::{Finished, apiward, run, run_with_input};
use crate::shop_traffic::{attacks, lines, normal, privileges, with_roles, write_gzip};

const NORMALS: usize = 800;
const ATTACKS_OF_EACH: usize = 10;

/// A folder with `train.jsonl.gz`, the `model.bundle` learned from it, and `dev.jsonl` with fresh normals and attacks.
struct Trained {
    folder: TempDir,
    said: Finished,
}

static TRAINED: LazyLock<Trained> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    write_gzip(&folder.path().join("train.jsonl.gz"), &lines(&normal(1, 3000)));
    let dev = [normal(2, NORMALS), attacks(ATTACKS_OF_EACH)].concat();
    std::fs::write(folder.path().join("dev.jsonl"), lines(&dev)).unwrap();
    let said = train(&folder.path().join("train.jsonl.gz"), &folder.path().join("model.bundle"), &[]).succeeded();
    Trained { folder, said }
});

impl Trained {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn train(input: &Path, output: &Path, more: &[&str]) -> Finished {
    let mut arguments = vec!["train", "--input", text(input), "--output", text(output)];
    arguments.extend(more);
    run(arguments)
}

fn score(input: &Path, bundle: &Path) -> Finished {
    run(["score", text(input), "--bundle", text(bundle)])
}

fn eval_json(input: &Path, more: &[&str]) -> Value {
    let bundle = TRAINED.path("model.bundle");
    let mut arguments = vec!["eval", text(input), "--bundle", text(&bundle), "--json"];
    arguments.extend(more);
    serde_json::from_str(&run(arguments).succeeded().stdout).unwrap()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The number at a JSON pointer.
#[track_caller]
fn number(value: &Value, pointer: &str) -> f64 {
    value.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number {pointer} in {value:#}"))
}

#[test]
fn a_model_from_files_flags_attacks_and_leaves_fresh_normals_alone() {
    let report = eval_json(&TRAINED.path("dev.jsonl"), &[]);
    assert_eq!(number(&report, "/normals"), NORMALS as f64);
    assert_eq!(number(&report, "/attacks"), (4 * ATTACKS_OF_EACH) as f64);
    assert!(number(&report, "/recall") >= 0.95, "{report:#}");
    assert!(number(&report, "/false_positive_rate") <= 0.01, "{report:#}");
    assert!(number(&report, "/roc_auc") >= 0.99, "{report:#}");
    assert!(number(&report, "/pr_auc") >= 0.95, "{report:#}");
}

#[test]
fn a_caller_of_a_kind_that_never_uses_an_endpoint_is_flagged_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    write_gzip(&path("train.jsonl.gz"), &lines(&with_roles(1, 3000)));
    train(&path("train.jsonl.gz"), &path("model.bundle"), &[]).succeeded();
    let honest = with_roles(2, 1000);
    std::fs::write(path("dev.jsonl"), lines(&[honest.clone(), privileges(10)].concat())).unwrap();
    let verdicts = score(&path("dev.jsonl"), &path("model.bundle")).succeeded().json_lines();
    let (honest_verdicts, privileged) = verdicts.split_at(honest.len());
    for (number, verdict) in privileged.iter().enumerate() {
        let who = ["role:customer never calls", "anonymous callers never call"][number % 2];
        assert_eq!(verdict["verdict"], "anomalous", "{verdict}");
        // Its order of calls may be odd as well.
        let reason = json!(format!("{who} GET /admin/users/{{id}}, only role:admin"));
        assert!(verdict["reasons"].as_array().unwrap().contains(&reason), "{verdict}");
    }
    let false_alarms = honest_verdicts.iter().filter(|verdict| verdict["verdict"] == "anomalous").count();
    assert!(false_alarms <= 3, "{false_alarms} of {} honest exchanges", honest.len());
}

#[test]
fn the_figures_of_eval_are_those_of_the_verdicts() {
    let dev = TRAINED.path("dev.jsonl");
    let report = eval_json(&dev, &[]);
    let verdicts = score(&dev, &TRAINED.path("model.bundle")).succeeded().json_lines();
    let flagged = |range: std::ops::Range<usize>| {
        verdicts[range].iter().filter(|verdict| verdict["verdict"] == "anomalous").count() as f64
    };
    assert_eq!(number(&report, "/confusion/false_positives"), flagged(0..NORMALS));
    assert_eq!(number(&report, "/confusion/true_positives"), flagged(NORMALS..verdicts.len()));
    let kinds: Vec<&str> =
        report["attack_kinds"].as_array().unwrap().iter().map(|kind| kind["attack"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["forced-browsing", "mass-assignment", "script", "sql-injection"]);
}

#[test]
fn a_verdict_has_exactly_the_documented_members() {
    let verdicts = score(&TRAINED.path("dev.jsonl"), &TRAINED.path("model.bundle")).succeeded().json_lines();
    assert_eq!(verdicts.len(), NORMALS + 4 * ATTACKS_OF_EACH);
    for (index, verdict) in verdicts.iter().enumerate() {
        let members: Vec<&str> = verdict.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["attack_class", "detectors", "endpoint", "index", "reasons", "score", "verdict"]);
        let detectors: Vec<&str> = verdict["detectors"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(detectors, ["payload", "profile", "route", "sequence", "volume"]);
        assert_eq!(verdict["index"], json!(index));
        assert!((0.0..=1.0).contains(&number(verdict, "/score")), "{verdict}");
        assert!(number(verdict, "/detectors/route") >= 0.0);
        // Files without callers say nothing of sequences and volumes.
        assert_eq!(verdict["detectors"]["sequence"], Value::Null);
        assert_eq!(verdict["detectors"]["volume"], Value::Null);
    }
    let mass_assignment = &verdicts[NORMALS + 1];
    assert_eq!(mass_assignment["endpoint"], "POST /api/cart");
    assert_eq!(mass_assignment["verdict"], "anomalous");
    let reasons = mass_assignment["reasons"].as_array().unwrap();
    assert!(reasons.iter().any(|reason| reason.as_str().unwrap().contains("role")), "{mass_assignment}");
}

#[test]
fn plain_gzip_and_standard_input_give_the_same_verdicts() {
    let bundle = TRAINED.path("model.bundle");
    let plain = score(&TRAINED.path("dev.jsonl"), &bundle).succeeded().stdout;
    let content = std::fs::read_to_string(TRAINED.path("dev.jsonl")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // The name does not tell: the first bytes do.
    let zipped = folder.path().join("dev.jsonl");
    write_gzip(&zipped, &content);
    let output = folder.path().join("out.jsonl");
    let written = run(["score", text(&zipped), "--bundle", text(&bundle), "-o", text(&output)]).succeeded();
    assert_eq!(written.stdout, "");
    assert_eq!(std::fs::read_to_string(&output).unwrap(), plain);
    let piped = run_with_input(["score", "-", "--bundle", text(&bundle)], content.as_bytes()).succeeded();
    assert_eq!(piped.stdout, plain);
}

#[test]
fn bad_lines_are_named_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mixed.jsonl");
    let good = lines(&normal(3, 2));
    std::fs::write(&file, format!("{good}{}{good}", "{\"method\":\"GET\"}\n".repeat(7))).unwrap();
    let scored = score(&file, &TRAINED.path("model.bundle")).succeeded();
    let indices: Vec<u64> = scored.json_lines().iter().map(|verdict| verdict["index"].as_u64().unwrap()).collect();
    assert_eq!(indices, [0, 1, 9, 10]);
    for line in 3..=7 {
        assert!(scored.stderr.contains(&format!("line {line}: skipped: missing field `path`")), "{}", scored.stderr);
    }
    assert!(!scored.stderr.contains("line 8:"), "{}", scored.stderr);
    assert!(scored.stderr.contains("7 lines skipped"), "{}", scored.stderr);
    assert_eq!(number(&eval_json(&file, &[]), "/skipped_lines"), 7.0);
}

#[test]
fn a_file_without_an_exchange_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let check = |content: &[u8], said: &str| {
        let file = folder.path().join("traffic");
        std::fs::write(&file, content).unwrap();
        score(&file, &TRAINED.path("model.bundle")).failed(1, said);
    };
    check(b"", "is empty");
    check(b"not traffic\nat all\n", "is not recognised");
    check(b"{\"verb\":\"GET\"}\n", "has no exchange that can be read");
    check(b"{\n  \"openapi\": \"3.1.0\"\n}\n", "is no HTTP Archive");
    check(&[0x1f, 0x8b, 8, 0], "cannot be");
    score(&folder.path().join("absent"), &TRAINED.path("model.bundle")).failed(1, "cannot be opened");
}

#[test]
fn a_bundle_is_judged_by_only_if_its_signature_is_good() {
    let folder = tempfile::tempdir().unwrap();
    let dev = TRAINED.path("dev.jsonl");
    let copy = folder.path().join("copy.bundle");
    let mut bytes = std::fs::read(TRAINED.path("model.bundle")).unwrap();
    std::fs::write(&copy, &bytes).unwrap();
    score(&dev, &copy).failed(1, "--public-key");

    let public = TRAINED.path("model.bundle.pub");
    run(["score", text(&dev), "--bundle", text(&copy), "--public-key", text(&public)]).succeeded();
    run(["keygen", "-o", text(folder.path())]).succeeded();
    let other = folder.path().join("apiward.pub");
    run(["score", text(&dev), "--bundle", text(&copy), "--public-key", text(&other)]).failed(1, "signed by key");

    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&copy, &bytes).unwrap();
    run(["score", text(&dev), "--bundle", text(&copy), "--public-key", text(&public)])
        .failed(1, "the signature does not match");
}

#[test]
fn a_bundle_is_not_used_with_another_hash_key() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("hash.key");
    std::fs::write(&key, "0123456789abcdef").unwrap();
    let (dev, bundle) = (TRAINED.path("dev.jsonl"), TRAINED.path("model.bundle"));
    run(["score", text(&dev), "--bundle", text(&bundle), "--hash-key-file", text(&key)])
        .failed(1, "was made with hash key");
    std::fs::write(&key, "short").unwrap();
    run(["score", text(&dev), "--bundle", text(&bundle), "--hash-key-file", text(&key)]).failed(1, "at least 16");
}

#[test]
fn training_again_gives_the_same_model_and_keeps_the_key() {
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("again.bundle");
    let model = |said: &Finished| said.stdout.split("(model ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    let first = train(&TRAINED.path("train.jsonl.gz"), &bundle, &[]).succeeded();
    assert_eq!(model(&first), model(&TRAINED.said));
    let key = std::fs::read(folder.path().join("again.bundle.key")).unwrap();
    train(&TRAINED.path("train.jsonl.gz"), &bundle, &["--serial", "2"]).succeeded();
    assert_eq!(std::fs::read(folder.path().join("again.bundle.key")).unwrap(), key);
    let files = std::fs::read_dir(folder.path()).unwrap().count();
    assert_eq!(files, 3, "bundle, public and secret key, nothing half written");
}

#[test]
fn labelled_attacks_are_not_learned_from() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("mixed.jsonl");
    let bundle = folder.path().join("mixed.bundle");
    let secret = folder.path().join("apiward.key");
    std::fs::write(&input, lines(&[normal(1, 3000), attacks(50)].concat())).unwrap();
    run(["keygen", "-o", text(folder.path())]).succeeded();
    let said = train(&input, &bundle, &["--key", text(&secret)]).succeeded();
    assert!(said.stderr.contains("200 exchanges are labelled as attacks"), "{}", said.stderr);
    assert!(!folder.path().join("mixed.bundle.key").exists(), "a key was made although one was given");
    let verdicts = score(&TRAINED.path("dev.jsonl"), &bundle).succeeded().json_lines();
    assert_eq!(verdicts[NORMALS + 1]["verdict"], "anomalous");
}

#[test]
fn too_little_traffic_is_refused_and_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("few.jsonl");
    std::fs::write(&input, lines(&normal(1, 5))).unwrap();
    train(&input, &folder.path().join("few.bundle"), &[]).failed(1, "let more traffic pass first");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    train(&input, &folder.path().join("absent/few.bundle"), &[]).failed(1, "does not exist");
}

#[test]
fn the_table_tells_novel_normals_and_examples() {
    let (dev, bundle) = (TRAINED.path("dev.jsonl"), TRAINED.path("model.bundle"));
    let train = TRAINED.path("train.jsonl.gz");
    let novel = number(&eval_json(&dev, &["--train-input", text(&train)]), "/novel_normals/false_alarms/total");
    assert!(novel > 0.0 && novel < NORMALS as f64, "{novel}");
    let shown = run(["eval", text(&dev), "--bundle", text(&bundle), "--train-input", text(&train)]).succeeded();
    for expected in
        ["recall", "false-positive rate", &format!("on the {novel} novel normals"), "autoencoder", "mass-assignment"]
    {
        assert!(shown.stdout.contains(expected), "{expected:?} is not in:\n{}", shown.stdout);
    }
    // Normals under an attack's label are missed attacks, whatever the model.
    let folder = tempfile::tempdir().unwrap();
    let mislabelled = folder.path().join("mislabelled.jsonl");
    std::fs::write(&mislabelled, lines(&normal(2, 40)).replace("\"label\":\"normal\"", "\"label\":\"imagined\""))
        .unwrap();
    let shown = run(["eval", text(&mislabelled), "--bundle", text(&bundle), "--examples", "2"]).succeeded();
    assert!(shown.stdout.contains("missed attacks, the first 2:\n  line 1: imagined"), "{}", shown.stdout);
}

#[test]
fn eval_writes_its_figures_into_a_file_but_over_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let (dev, bundle) = (TRAINED.path("dev.jsonl"), TRAINED.path("model.bundle"));
    let report = folder.path().join("report.json");
    for _ in 0..2 {
        let shown = run(["eval", text(&dev), "--bundle", text(&bundle), "--json", text(&report)]).succeeded();
        assert!(shown.stdout.contains("recall"), "{}", shown.stdout);
    }
    let written: Value = serde_json::from_str(&std::fs::read_to_string(&report).unwrap()).unwrap();
    assert_eq!(written, eval_json(&dev, &[]));
    let traffic = folder.path().join("traffic.jsonl");
    std::fs::copy(&dev, &traffic).unwrap();
    run(["eval", "--json", text(&traffic), text(&dev), "--bundle", text(&bundle)]).failed(1, "it is not overwritten");
    assert_eq!(std::fs::read(&traffic).unwrap(), std::fs::read(&dev).unwrap());
    run(["score", text(&traffic), "--bundle", text(&bundle), "-o", text(&traffic)])
        .failed(1, "input and output at once");
    assert_eq!(std::fs::read(&traffic).unwrap(), std::fs::read(&dev).unwrap());
}

#[test]
fn a_reader_that_stops_early_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("long.jsonl");
    // More verdicts than a pipe holds.
    std::fs::write(&file, lines(&normal(4, 2000))).unwrap();
    let mut child = apiward()
        .args(["score", text(&file), "--bundle", text(&TRAINED.path("model.bundle"))])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
