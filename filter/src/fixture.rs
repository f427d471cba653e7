//! A small real bundle for tests: host `shop.example` with `GET /items` and `POST /users`, whose body has the fields `name`
//! and `email`. Routes and unknown fields alarm; nothing else is armed and there is no network.

use apiward_detector::bundle::{BUNDLE_SCHEMA, Bundle, Manifest, Policy, SecretKey, seal};
use apiward_detector::calibration::{Calibration, EXTENTS, FindingRate, RuleTail};
use apiward_detector::exchange::{Exchange, Request};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::{Location, Observation, Observer};
use apiward_detector::profile::{EndpointProfile, FeatureScale, FieldProfile, Novelty, feature_count};
use apiward_detector::route::{Endpoint, HostRoutes, MethodRoute, RouteNode, RouteTable, endpoint_id};
use apiward_detector::verdict::{DetectorKind, FindingKind};
use serde_json::{Value, json};

use crate::config::{FilterPolicy, compile};

pub const HASH_KEY: &str = "0123456789abcdef";
pub const HOST: &str = "shop.example";

pub fn signing_key() -> SecretKey {
    SecretKey::from_seed([7; 32])
}

pub fn configuration() -> Value {
    json!({
        "scope": "shop",
        "trainer": {"cluster": "apiward_trainer", "authority": "trainer.example", "token": "t0k3n"},
        "public_keys": [signing_key().public().to_string()],
        "hash_key": HASH_KEY,
    })
}

/// The configuration with some keys set.
pub fn policy(changes: Value) -> FilterPolicy {
    compile(changed(changes).to_string().as_bytes()).unwrap()
}

pub fn changed(changes: Value) -> Value {
    let mut configuration = configuration();
    for (key, value) in changes.as_object().unwrap() {
        configuration[key] = value.clone();
    }
    configuration
}

pub fn bundle(serial: u64) -> Bundle {
    let hasher = KeyedHasher::new(HASH_KEY.as_bytes()).unwrap();
    let endpoints = vec![endpoint("GET", "/items"), endpoint("POST", "/users")];
    let root = RouteNode {
        words: vec![("items".into(), leaf("GET", 0)), ("users".into(), leaf("POST", 1))],
        ..RouteNode::default()
    };
    let armed = || RuleTail { threshold: 3.0, survival: vec![(0.0, 1.0), (3.0, 0.001)] };
    Bundle {
        manifest: Manifest {
            schema: BUNDLE_SCHEMA,
            model: format!("m{serial}"),
            parent: None,
            scope: "shop".into(),
            serial,
            created_ms: 0,
            expires_ms: None,
            hash_key_id: hasher.key_id().to_owned(),
        },
        networks: vec![],
        routes: RouteTable { hosts: vec![HostRoutes { host: HOST.into(), root }], endpoints },
        profiles: vec![profile(&request("GET", "/items", b"")), profile(&known_user())],
        calibration: Calibration {
            exchanges: 1000,
            rates: route_rates(),
            route: [armed(), armed(), armed()],
            ..Calibration::default()
        },
        policy: Policy { false_alarm_budget: 0.001, enforce_overrides: vec![], payload_exceptions: vec![] },
        vocabulary: Default::default(),
        volume: Default::default(),
        sequence: None,
        golden: vec![],
        golden_payloads: vec![],
    }
}

pub fn sealed(serial: u64) -> Vec<u8> {
    seal(&bundle(serial), &signing_key()).unwrap()
}

pub fn users_endpoint_id() -> u64 {
    endpoint_id(HOST, "POST", "/users", None)
}

/// Findings of the route detector are rare, however new and far out.
fn route_rates() -> Vec<FindingRate> {
    let kinds = FindingKind::ALL.into_iter().filter(|kind| kind.detector() == DetectorKind::Route);
    kinds
        .flat_map(|kind| (0..Novelty::CLASSES as u8).map(move |class| (kind, Novelty(class))))
        .flat_map(|(kind, novelty)| {
            (0..EXTENTS as u8).map(move |extent| FindingRate { kind, novelty, extent, rate: 1e-4 })
        })
        .collect()
}

fn known_user() -> Observation {
    request("POST", "/users", br#"{"name":"ann","email":"ann@shop.example"}"#)
}

fn request(method: &str, target: &str, body: &[u8]) -> Observation {
    let request = Request {
        method: method.into(),
        host: HOST.into(),
        target: target.into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: body.to_vec(),
        body_bytes: body.len() as u64,
    };
    let hasher = KeyedHasher::new(HASH_KEY.as_bytes()).unwrap();
    Observer::observe(&Exchange { request, ..Exchange::default() }, &hasher)
}

fn endpoint(method: &str, template: &str) -> Endpoint {
    Endpoint {
        id: endpoint_id(HOST, method, template, None),
        host: HOST.into(),
        method: method.into(),
        template: template.into(),
        operation: None,
    }
}

fn leaf(method: &str, index: u32) -> RouteNode {
    RouteNode { methods: vec![(method.into(), MethodRoute::Endpoint(index))], ..RouteNode::default() }
}

fn profile(observation: &Observation) -> EndpointProfile {
    let mut fields: Vec<FieldProfile> = observation
        .fields
        .iter()
        .map(|field| FieldProfile {
            location: field.location,
            name: field.name.clone(),
            exchanges: 100,
            required: false,
            types: vec![(field.encoding, field.shape.value_type)],
            classes: field.shape.classes,
            punctuation: vec![],
            length_min: 0,
            length_max: 100,
            magnitude: None,
            patterns: None,
            enumeration: None,
            repeats_max: 1,
            novelty: Default::default(),
        })
        .collect();
    fields.sort_by(|one, other| sort_key(one).cmp(&sort_key(other)));
    EndpointProfile {
        exchanges: 100,
        fields,
        unknown_field: Novelty(0),
        statuses: vec![200],
        features: vec![FeatureScale::default(); feature_count()],
        ..EndpointProfile::default()
    }
}

fn sort_key(field: &FieldProfile) -> (Location, &str) {
    (field.location, field.name.as_str())
}
