use apiward_detector::bundle::SecretKey;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

pub fn minimal() -> Value {
    json!({
        "scope": "shop",
        "trainer": {"cluster": "apiward_trainer", "token": "t0k3n"},
        "public_keys": [SecretKey::from_seed([7; 32]).public().to_string()],
        "hash_key": "0123456789abcdef",
    })
}

fn with(path: &str, value: Value) -> Value {
    let mut configuration = minimal();
    match path.split_once('.') {
        Some((outer, inner)) => configuration[outer][inner] = value,
        None => configuration[path] = value,
    }
    configuration
}

#[track_caller]
fn check_refused(configuration: &Value, key: &str, problem: &str) {
    let error = compile(configuration.to_string().as_bytes()).unwrap_err().to_string();
    assert!(error.starts_with(&format!("configuration key {key}: ")), "{error}");
    assert!(error.contains(problem), "{error}");
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn a_minimal_configuration_monitors_and_captures_nothing() {
    let policy = compile(minimal().to_string().as_bytes()).unwrap();
    assert_eq!(policy.mode, Mode::Monitor);
    assert!(!policy.capture && !policy.fail_closed);
    assert_eq!(policy.trainer.bundle_path, "/v1/bundle");
    assert_eq!(policy.trainer.authority, "apiward_trainer");
    assert_eq!(policy.body_bytes_max, apiward_detector::limits::BODY_BYTES_DEFAULT);
    assert_eq!(policy.response_body_bytes_max, apiward_detector::limits::RESPONSE_BODY_BYTES_DEFAULT);
    assert_eq!(policy.caller_kinds.unwrap().claims, apiward_detector::observation::KindClaims::default());
}

#[test]
fn paths_carry_the_prefix_once() {
    let policy = compile(with("trainer.path_prefix", json!("/apiward/")).to_string().as_bytes()).unwrap();
    assert_eq!(policy.trainer.telemetry_path, "/apiward/v1/telemetry");
}

#[test]
fn unknown_keys_are_refused_by_name() {
    check_refused(&with("modus", json!("enforce")), "modus", "unknown field `modus`");
    check_refused(&with("trainer.url", json!("https://x")), "trainer.url", "unknown field `url`");
    check_refused(&with("caller", json!([{"headers": "x"}])), "caller[0]", "unknown variant `headers`");
    check_refused(&with("telemetry", json!({"buffer": 1})), "telemetry.buffer", "unknown field `buffer`");
}

#[test]
fn wrong_types_and_values_are_refused_by_name() {
    check_refused(&with("mode", json!("block")), "mode", "unknown variant `block`");
    check_refused(&with("min_serial", json!(-1)), "min_serial", "invalid value");
    check_refused(&with("scope", json!("")), "scope", "must not be empty");
    check_refused(&with("hash_key", json!("short")), "hash_key", "needs at least 16");
    check_refused(&with("public_keys", json!([])), "public_keys", "0 is not within 1 to 8");
    check_refused(&with("public_keys", json!(["apiward-public-00"])), "public_keys[0]", "64 hexadecimal digits");
    check_refused(&with("body_bytes_max", json!(1 << 21)), "body_bytes_max", "is not within");
    check_refused(&with("response_body_bytes_max", json!(1 << 20)), "response_body_bytes_max", "is not within");
    check_refused(&with("caller_kinds", json!({"roles": [""]})), "caller_kinds.roles[0]", "must not be empty");
    check_refused(&with("caller_kinds", json!({"scopes": vec!["a"; 17]})), "caller_kinds.scopes", "is not within");
    check_refused(&with("caller_kinds", json!({"header": "a b"})), "caller_kinds.header", "no header name");
    check_refused(&with("caller_kinds", json!({"claims": []})), "caller_kinds.claims", "unknown field");
    check_refused(&with("trainer.timeout_ms", json!(0)), "trainer.timeout_ms", "is not within");
    check_refused(&with("trainer.token", json!("a\nb")), "trainer.token", "");
    check_refused(&with("trainer.path_prefix", json!("v1")), "trainer.path_prefix", "begin with a slash");
    check_refused(&with("upstream_header", json!("x verdict")), "upstream_header", "no header name");
    check_refused(&with("upstream_header", json!("Host")), "upstream_header", "belongs to the connection");
    check_refused(&with("caller", json!([{"header": ":path"}])), "caller[0].header", "no header name");
    check_refused(&with("telemetry", json!({"batch_records_max": 5000})), "telemetry.batch_records_max", "within");
}

#[test]
fn missing_keys_are_refused_by_name() {
    let mut configuration = minimal();
    configuration.as_object_mut().unwrap().remove("hash_key");
    check_refused(&configuration, "(root)", "missing field `hash_key`");
}

#[test]
fn what_is_no_json_object_is_refused() {
    check_refused(&json!([]), "(root)", "");
    assert!(compile(b"").is_err());
    assert!(compile(b"{} {}").is_err());
    let mut trailing = minimal().to_string();
    trailing.push_str(" true");
    assert!(compile(trailing.as_bytes()).unwrap_err().to_string().contains("after the end"));
    assert!(matches!(
        compile(&vec![b' '; limits::CONFIGURATION_BYTES_MAX + 1]),
        Err(ConfigurationError::TooLarge { .. })
    ));
}

#[test]
fn filters_share_bundles_exactly_when_the_same_bundles_may_load() {
    let prefix = |configuration: Value| compile(configuration.to_string().as_bytes()).unwrap().shared_data_prefix;
    assert_eq!(prefix(minimal()), prefix(with("mode", json!("enforce"))));
    for other in [
        with("scope", json!("other")),
        with("hash_key", json!("another-hash-key")),
        with("min_serial", json!(3)),
        with("trainer.cluster", json!("other")),
        with("public_keys", json!([SecretKey::from_seed([8; 32]).public().to_string()])),
    ] {
        assert_ne!(prefix(minimal()), prefix(other));
    }
}

#[test]
fn debug_output_keeps_the_hash_key_to_itself() {
    let policy = compile(minimal().to_string().as_bytes()).unwrap();
    assert!(!format!("{:?}", policy.hasher).contains("0123456789abcdef"));
}

#[test]
fn the_published_schema_is_that_of_the_code() {
    let schema = schemars::schema_for!(Configuration);
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(path, &text).unwrap();
    }
    let published = std::fs::read_to_string(path).unwrap();
    assert_eq!(published, text, "run the test with UPDATE_GOLDEN=1 and commit filter/config.schema.json");
}

#[test]
fn every_key_is_explained_to_the_user() {
    let guide = include_str!("../../../envoy/README.md");
    let schema = serde_json::to_value(schemars::schema_for!(Configuration)).unwrap();
    let keys = |object: &Value| -> Vec<String> {
        object["properties"].as_object().unwrap().keys().map(|key| format!("{key}`")).collect()
    };
    let objects = ["TrainerConnection", "TelemetryLimits", "CallerKinds", "Sessions", "WatchlistSettings"]
        .map(|object| &schema["$defs"][object]);
    for key in std::iter::once(&schema).chain(objects).flat_map(keys) {
        if !["trainer`", "telemetry`", "sessions`", "watchlist`", "caller_kinds`"].contains(&key.as_str()) {
            assert!(guide.contains(&key), "`{key} is missing in envoy/README.md");
        }
    }
}

#[test]
fn the_configuration_of_the_bootstrap_is_accepted_once_its_secrets_are_filled_in() {
    let bootstrap = include_str!("../../../envoy/envoy.yaml");
    let block: String = bootstrap
        .lines()
        .skip_while(|line| line.trim() != "value: |")
        .skip(1)
        .take_while(|line| !line.trim_start().starts_with('#'))
        .collect();
    let mut configuration: Value = serde_json::from_str(&block).unwrap();
    assert!(compile(configuration.to_string().as_bytes()).is_err(), "placeholders are no keys");
    configuration["trainer"]["token"] = json!("t0k3n");
    configuration["public_keys"] = minimal()["public_keys"].clone();
    compile(configuration.to_string().as_bytes()).unwrap();
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_compiled_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = compile(&bytes);
    }

    #[test]
    fn any_replaced_value_is_refused_or_compiled_without_a_panic(
        key in prop::sample::select(vec!["scope", "mode", "trainer", "public_keys", "caller", "telemetry", "hash_key"]),
        number in any::<i64>(),
        text in ".{0,40}",
    ) {
        for value in [json!(number), json!(text), json!([text, number]), json!({text.clone(): number}), json!(null)] {
            let _ = compile(with(key, value).to_string().as_bytes());
        }
    }
}
