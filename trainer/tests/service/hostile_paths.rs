//! Whoever makes paths up costs bounded memory and makes no endpoint.

use apiward_trainer::discovery::{Corrections, EndpointsNeeded, Evidence, RuleOfThumb, UrlGraph, endpoints, fold};
use apiward_trainer::scope_graphs::state::ScopeGraph;
use apiward_trainer::storage::new_records::Snapshot;

use crate::records::{exchange, record};

const PATHS: u32 = 200_000;
/// Nodes of a host, see the limits of discovery.
const NODES_MAX: usize = 60_000;
/// Bytes of the graph as it is stored; it grows with nodes only.
const STORED_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Words that no recogniser takes for values, in paths of one to four components.
fn random_path(number: u32) -> String {
    let mut state = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5bd1_e995;
    let mut next = |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut path = String::new();
    for _ in 0..1 + next(4) {
        path.push('/');
        for _ in 0..3 + next(3) {
            path.push(char::from(b"bcdfglmnprst"[usize::try_from(next(12)).unwrap()]));
            path.push(char::from(b"aeiou"[usize::try_from(next(5)).unwrap()]));
        }
    }
    path
}

#[test]
fn random_paths_of_one_and_of_a_few_callers() {
    for callers in [1_u32, 2] {
        let mut graph = UrlGraph::new(3_600_000);
        for caller in 0..20 {
            for page in 0..5_i64 {
                graph.add(&record(&exchange(1000 + caller, page * 60_000, "/api/cart", 200)));
            }
        }
        for number in 0..PATHS {
            let caller = u16::try_from(number % callers).unwrap();
            graph.add(&record(&exchange(caller, i64::from(number), &random_path(number), 200)));
        }
        let nodes: usize = graph.hosts.values().map(|host| host.root.count_nodes()).sum();
        assert!(nodes <= NODES_MAX + 64, "{nodes} nodes");
        let hosts = fold(&graph, &mut RuleOfThumb, &Corrections::default(), Evidence::default()).unwrap();
        let needed = EndpointsNeeded { callers: 3, ..EndpointsNeeded::default() };
        let found: Vec<String> =
            endpoints(&graph, &hosts, &needed).iter().map(|found| found.endpoint.label()).collect();
        assert_eq!(found, ["GET /api/cart"], "{callers} callers");
        let stored = ScopeGraph { graph, seen: Snapshot::default() }.encode().unwrap().len();
        assert!(stored <= STORED_BYTES_MAX, "{stored} bytes");
    }
}
