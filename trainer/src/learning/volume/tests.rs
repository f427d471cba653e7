use apiward_detector::exchange::{Caller, Exchange, Request, Response};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::route::{Endpoint, HostRoutes, MethodRoute, RouteNode, endpoint_id};
use apiward_detector::session::CallSymbol;
use apiward_detector::telemetry::CallerRecord;
use apiward_detector::volume::SessionSubject;

use super::*;

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 3_600_000;

fn routes() -> RouteTable {
    let endpoint = Endpoint {
        id: endpoint_id("h", "GET", "/report", None),
        host: "h".into(),
        method: "GET".into(),
        template: "/report".into(),
        operation: None,
    };
    let leaf = RouteNode { methods: vec![("GET".into(), MethodRoute::Endpoint(0))], ..RouteNode::default() };
    let root = RouteNode { words: vec![("report".into(), leaf)], ..RouteNode::default() };
    RouteTable { hosts: vec![HostRoutes { host: "h".into(), root }], endpoints: vec![endpoint] }
}

/// A call of the report by the one caller of a network.
fn call(at_ms: i64, network: u32) -> ExchangeRecord {
    let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
    let address = format!("10.{}.{}.1", network / 250, network % 250);
    let exchange = Exchange {
        at_ms: Some(at_ms),
        caller: Caller { identity: Some(format!("c{network}")), address: Some(address), ..Caller::default() },
        request: Request { method: "GET".into(), host: "h".into(), target: "/report".into(), ..Request::default() },
        response: Some(Response { status: Some(200), ..Response::default() }),
    };
    ExchangeRecord {
        at_ms: exchange.at_ms,
        caller: CallerRecord::of(&exchange.caller, &hasher),
        observation: Observer::observe(&exchange, &hasher),
        weight: 1.0,
        verdict: None,
        request_id: None,
    }
}

/// So many callers, each with so many calls a second apart, all within ten hours.
fn ordinary(callers: u32, calls: i64) -> Vec<ExchangeRecord> {
    let each = move |caller: u32| {
        (0..calls).map(move |number| call(HOUR_MS + i64::from(caller) * 7 * MINUTE_MS + number * 1000, caller))
    };
    (1..=callers).flat_map(each).collect()
}

fn learn(records: Vec<ExchangeRecord>, parent: Option<&VolumeCalibration>) -> (VolumeCalibration, VolumeFigures) {
    let admission = Admission { learned: records, ..Admission::default() };
    learn_volume(&routes(), &[], &admission, parent, &LearningSettings::default())
}

/// Calls of the report within the hour above which a caller of that network alarms.
fn calls_allowed(calibration: &VolumeCalibration, network: u32) -> f32 {
    let hash = call(0, network).caller.identity.unwrap();
    let endpoint = CallSymbol::of(routes().endpoints[0].id);
    let subject = SessionSubject::Caller;
    calibration.bounds(subject, hash, Measure::EndpointCalls, Horizon::Hour, endpoint).1.exp_m1()
}

#[test]
fn the_alarm_is_beyond_what_everybody_does_and_not_far_beyond() {
    let (calibration, figures) = learn(ordinary(80, 20), None);
    let allowed = calls_allowed(&calibration, 1);
    assert!((25.0..=70.0).contains(&allowed), "{allowed} calls are allowed where all made 20");
    assert_eq!((figures.callers, figures.alarmed, figures.busy), (80, 0, 0));
}

#[test]
fn one_flurry_in_the_first_records_is_not_learned_but_an_hourly_job_is() {
    let mut records = ordinary(80, 4);
    let flurry = (0..500).map(|number| call(5 * HOUR_MS + number * 100, 500));
    let job = (0..8).flat_map(|hour| (0..300).map(move |number| call((hour + 1) * HOUR_MS + number * 100, 600)));
    records.extend(flurry.chain(job));
    let (calibration, figures) = learn(records, None);
    let [everybody, attacker, job] = [1, 500, 600].map(|network| calls_allowed(&calibration, network));
    assert!(job > 300.0, "the job may make {job}");
    assert_eq!(attacker, everybody, "he gets no alarm of his own");
    assert!(everybody < 30.0, "everybody may make {everybody} where all but two made 4");
    assert!(figures.busy > 0);
}

#[test]
fn whoever_is_busy_in_every_training_gains_nothing() {
    let (mut calibration, _) = learn(ordinary(80, 4), None);
    let before = calls_allowed(&calibration, 1);
    for _ in 0..10 {
        let mut records = ordinary(80, 4);
        // As many as he may make without being flagged, from two networks.
        let unflagged = calls_allowed(&calibration, 500) as i64 - 1;
        let patient = |network| (0..unflagged).map(move |number| call(5 * HOUR_MS + number * 100, network));
        records.extend(patient(500).chain(patient(501)));
        (calibration, _) = learn(records, Some(&calibration));
    }
    let after = calls_allowed(&calibration, 500);
    assert!(after <= before * 1.001, "{before} calls were allowed, now {after}");
}

#[test]
fn an_alarm_rises_with_what_many_do_and_falls_slowly() {
    let (calm, _) = learn(ordinary(80, 8), None);
    let near_alarm = calls_allowed(&calm, 1) as i64 - 1;
    let (risen, _) = learn(ordinary(80, near_alarm), Some(&calm));
    assert!(calls_allowed(&risen, 1) > calls_allowed(&calm, 1) * 1.2);
    let (busy, _) = learn(ordinary(80, 200), None);
    let (fallen, _) = learn(ordinary(80, 2), Some(&busy));
    let (before, after) = (calls_allowed(&busy, 1), calls_allowed(&fallen, 1));
    assert!(after > before * 0.4 && after < before * 0.6, "{before} to {after}");
}

#[test]
fn a_few_seconds_of_records_do_not_tell_what_an_hour_brings() {
    let short: Vec<ExchangeRecord> =
        (0..30_i64).flat_map(|number| (1..=80).map(move |network| call(HOUR_MS + number * 1000, network))).collect();
    let (calibration, _) = learn(short, None);
    // Half a minute at one call a second: an hour of it is 3,600, of which the decayed count keeps some 2,500.
    assert!(calls_allowed(&calibration, 1) > 2_500.0);
}

#[test]
fn without_callers_or_times_nothing_is_learned() {
    let mut records = ordinary(80, 4);
    records.iter_mut().for_each(|record| record.at_ms = None);
    assert_eq!(learn(records, None), (VolumeCalibration::default(), VolumeFigures::default()));
}

fn login_routes() -> RouteTable {
    let mut routes = routes();
    let endpoint = &mut routes.endpoints[0];
    (endpoint.method, endpoint.template) = ("POST".into(), "/login".into());
    endpoint.id = endpoint_id("h", "POST", "/login", None);
    let leaf = RouteNode { methods: vec![("POST".into(), MethodRoute::Endpoint(0))], ..RouteNode::default() };
    routes.hosts[0].root = RouteNode { words: vec![("login".into(), leaf)], ..RouteNode::default() };
    routes
}

/// A login by a form: who gets in is sent on, who does not is shown the form again.
fn login(at_ms: i64, network: u32, gets_in: bool) -> ExchangeRecord {
    let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
    let headers = vec![("content-type".into(), "application/x-www-form-urlencoded".into())];
    let body = format!("username=user{network}&password=secret{at_ms}").into_bytes();
    let (status, bytes) = if gets_in { (302, 0) } else { (200, 3_000) };
    let exchange = Exchange {
        at_ms: Some(at_ms),
        caller: Caller { address: Some(format!("10.{}.{}.1", network / 250, network % 250)), ..Caller::default() },
        request: Request {
            method: "POST".into(),
            host: "h".into(),
            target: "/login".into(),
            headers,
            body_bytes: body.len() as u64,
            body,
        },
        response: Some(Response { status: Some(status), bytes: Some(bytes), ..Response::default() }),
    };
    ExchangeRecord {
        observation: Observer::observe(&exchange, &hasher),
        caller: CallerRecord::of(&exchange.caller, &hasher),
        ..call(at_ms, network)
    }
}

#[test]
fn logins_that_are_refused_by_200_are_counted_as_refused_whoever_tries_them() {
    let routes = login_routes();
    let mut records = Vec::new();
    for network in 0..300_u32 {
        let at_ms = HOUR_MS + i64::from(network) * 2 * MINUTE_MS;
        let mistypes = network.is_multiple_of(6);
        if mistypes {
            records.push(login(at_ms, network, false));
        }
        records.push(login(at_ms + 20_000, network, true));
    }
    let located = crate::learning::routes::locate(&routes, &records);
    let admission = Admission { learned: records.clone(), ..Admission::default() };
    let (calibration, _) = learn_volume(&routes, &located, &admission, None, &LearningSettings::default());
    let [learned] = calibration.logins.as_slice() else { panic!("{:?}", calibration.logins) };
    assert_eq!((learned.name.as_str(), learned.refusals.len(), learned.refusals[0].status), ("username", 1, 200));

    let refused_at_once = |tries: u32, gets_in: bool| {
        let attack: Vec<ExchangeRecord> =
            (0..tries).map(|number| login(HOUR_MS + i64::from(number) * 1_000, 1_000 + number, gets_in)).collect();
        let attack: Vec<&ExchangeRecord> = attack.iter().collect();
        let mut over = false;
        peaks::replay(&routes, &calibration, &attack, &mut |_, subject, hash, activity, endpoint| {
            let (measure, horizon) = (Measure::Failures, Horizon::Hour);
            let count = activity.measure(measure, endpoint, horizon).ln_1p();
            over |= subject == SessionSubject::Endpoint
                && count > calibration.bounds(subject, hash, measure, horizon, endpoint).1;
        });
        over
    };
    assert!(refused_at_once(200, false), "an address for each try");
    assert!(!refused_at_once(200, true), "whoever gets in is not counted");
}
