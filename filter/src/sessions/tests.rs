use std::rc::Rc;

use apiward_detector::session::{
    CallAnswered, CallMade, CallStep, CallSymbol, CallerSession, Horizon, Measure, SessionStore,
};
use proptest::prelude::*;

use super::shard::{Placed, SHARD_SESSIONS_MAX, Shard, StoredSession};
use super::{SessionLimits, SharedSessions};
use crate::host::fake::{FakeHost, SharedMap};
use crate::metrics::Metrics;

fn limits(callers_max: usize) -> SessionLimits {
    SessionLimits { callers_max, addresses_max: 64, key_prefix: "test/sessions".into() }
}

fn call(host: &FakeHost, metrics: &Metrics, limits: &SessionLimits, caller: u64) -> f32 {
    let mut calls = 0.0;
    let at_ms = host.now_ms.get() as i64;
    SharedSessions { host, metrics, limits }.change_caller(caller, CallStep::Begin, &mut |session| {
        session.append(CallSymbol(1), Some(at_ms));
        session.count(&CallMade {
            at_ms,
            endpoint: CallSymbol(1),
            object: None,
            other: None,
            login: None,
            weight: 1.0,
        });
        calls = session.activity.measure(Measure::Calls, CallSymbol(1), Horizon::Hour);
    });
    calls
}

#[test]
fn workers_share_a_callers_session() {
    let map: Rc<SharedMap> = Rc::default();
    let (one, two) = (FakeHost::worker(&map, 1), FakeHost::worker(&map, 2));
    let (metrics, limits) = (Metrics::define(&one), limits(64));
    let metrics_of_two = Metrics::define(&two);
    for round in 1..=10 {
        assert_eq!(call(&one, &metrics, &limits, 5).round() as i32, 2 * round - 1);
        assert_eq!(call(&two, &metrics_of_two, &limits, 5).round() as i32, 2 * round);
    }
    assert_eq!(call(&one, &metrics, &limits, 6), 1.0);
}

#[test]
fn another_workers_write_in_between_is_built_upon() {
    let map: Rc<SharedMap> = Rc::default();
    let (one, two) = (FakeHost::worker(&map, 1), FakeHost::worker(&map, 2));
    let (metrics, limits) = (Metrics::define(&one), limits(64));
    let mut attempts = 0;
    let mut seen = 0;
    SharedSessions { host: &one, metrics: &metrics, limits: &limits }.change_caller(
        5,
        CallStep::Begin,
        &mut |session| {
            attempts += 1;
            if attempts == 1 {
                call(&two, &Metrics::define(&two), &limits, 5);
            }
            session.append(CallSymbol(2), None);
            seen = session.window.count();
        },
    );
    assert_eq!((attempts, seen), (2, 2));
    assert_eq!(one.metric("apiward_session_conflicts_total"), 1);
    assert_eq!(one.metric("apiward_session_updates_total.result.lost"), 0);
}

#[test]
fn a_flood_of_callers_costs_bounded_memory_and_spares_who_stays() {
    let map: Rc<SharedMap> = Rc::default();
    let host = FakeHost::worker(&map, 1);
    let (metrics, limits) = (Metrics::define(&host), limits(64));
    let key = |caller: u64| caller.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    for resident in 0..32 {
        call(&host, &metrics, &limits, key(resident));
    }
    for invented in 1_000..6_000 {
        host.pass(1);
        call(&host, &metrics, &limits, key(invented));
        if invented % 10 == 0 {
            call(&host, &metrics, &limits, key((invented / 10) % 32));
        }
    }
    assert!(map.keys().len() <= 64 / SHARD_SESSIONS_MAX);
    let remembered = (0..32).filter(|resident| call(&host, &metrics, &limits, key(*resident)) > 3.0).count();
    assert!(remembered >= 30, "{remembered} of 32 are remembered");
}

#[test]
fn a_full_shard_takes_a_newcomer_on_its_second_request() {
    let mut shard = Shard::default();
    let session = CallerSession::default();
    for key in 0..SHARD_SESSIONS_MAX as u64 {
        assert_eq!(shard.put(key << 32, key as i64, &session), Placed::Kept);
    }
    assert_eq!(shard.put(99 << 32, 100, &session), Placed::Waiting);
    assert_eq!(shard.get::<CallerSession>(99 << 32), None);
    assert_eq!(shard.put(99 << 32, 101, &session), Placed::Replaced);
    assert!(shard.get::<CallerSession>(99 << 32).is_some());
    assert_eq!(shard.get::<CallerSession>(0), None, "the one that was silent longest made room");
    let bytes = shard.encode(CallerSession::BYTES);
    assert_eq!(Shard::decode(&bytes, CallerSession::BYTES), shard);
}

#[test]
fn an_answer_is_no_second_request() {
    let map: Rc<SharedMap> = Rc::default();
    let host = FakeHost::worker(&map, 1);
    let (metrics, limits) = (Metrics::define(&host), limits(8));
    for resident in 0..SHARD_SESSIONS_MAX as u64 {
        host.pass(1);
        call(&host, &metrics, &limits, resident << 32);
    }
    for invented in 100..200 {
        host.pass(1);
        call(&host, &metrics, &limits, invented << 32);
        let mut sessions = SharedSessions { host: &host, metrics: &metrics, limits: &limits };
        sessions.change_caller(invented << 32, CallStep::Answer, &mut |session| {
            session.answer(CallSymbol(1), &CallAnswered::default());
        });
    }
    for resident in 0..SHARD_SESSIONS_MAX as u64 {
        assert_eq!(call(&host, &metrics, &limits, resident << 32).round(), 2.0, "{resident} was driven out");
    }
    assert_eq!(host.metric("apiward_session_updates_total.result.replaced"), 0);
}

#[test]
fn planted_bytes_are_no_sessions() {
    let map: Rc<SharedMap> = Rc::default();
    let host = FakeHost::worker(&map, 1);
    let (metrics, limits) = (Metrics::define(&host), limits(8));
    map.plant("test/sessions/callers/0", &[1; 4000]);
    assert_eq!(call(&host, &metrics, &limits, 1), 1.0);
    assert_eq!(call(&host, &metrics, &limits, 1).round(), 2.0);
}

proptest! {
    #[test]
    fn any_bytes_read_as_some_shard(bytes in prop::collection::vec(any::<u8>(), 0..6000)) {
        let shard = Shard::decode(&bytes, CallerSession::BYTES);
        prop_assert!(shard.encode(CallerSession::BYTES).len() <= 35 + 8 * (16 + CallerSession::BYTES));
    }
}
