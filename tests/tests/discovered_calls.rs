//! Operations that bodies name, and gRPC's methods, are found again in traffic.

use std::collections::BTreeSet;
use std::process::Command;

use apiward_e2e::discovery::{RemoteOperation, remote_calls, remote_operations};
use apiward_e2e::harness::apiward;
use serde_json::Value;

const SEEDS: [u64; 2] = [3, 4];
const CALLS_MIN: u64 = 12;

/// Labels of the endpoints that the program finds.
fn discovered(lines: &str) -> BTreeSet<String> {
    let folder = tempfile::tempdir().expect("make a folder");
    let file = folder.path().join("calls.jsonl");
    std::fs::write(&file, lines).expect("write the traffic");
    let program = apiward().expect("find apiward");
    let output = Command::new(program).args(["discover", "--json"]).arg(&file).output().expect("run apiward");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let inventory: Value = serde_json::from_slice(&output.stdout).expect("the inventory is JSON");
    let text = |endpoint: &Value, name: &str| endpoint[name].as_str().map(str::to_owned);
    let label = |endpoint: &Value| {
        let parts = ["method", "template", "operation"].into_iter().filter_map(|name| text(endpoint, name));
        parts.collect::<Vec<_>>().join(" ")
    };
    inventory["endpoints"].as_array().expect("a list").iter().map(label).collect()
}

#[test]
fn operations_of_graphql_json_rpc_and_grpc_are_endpoints_and_what_a_scanner_asks_for_is_none() {
    for seed in SEEDS {
        let operations = remote_operations(seed);
        let calls = remote_calls(&operations, CALLS_MIN, seed);
        let lines: String = calls.iter().map(|call| serde_json::to_string(call).expect("plain data") + "\n").collect();
        let expected: BTreeSet<String> = operations.iter().map(RemoteOperation::label).collect();
        for path in ["/graphql", "/rpc", "/acme.shop.v1."] {
            assert!(expected.iter().filter(|label| label.contains(path)).count() > 20, "few of {path}: {expected:?}");
        }
        let found = discovered(&lines);
        let missing: Vec<_> = expected.difference(&found).collect();
        let spurious: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && spurious.is_empty(), "seed {seed}: missing {missing:?}, spurious {spurious:?}");
    }
}
