use proptest::prelude::*;

use super::*;
use crate::observation::ResponseMeasures;

fn call(at_ms: i64, endpoint: u32, object: Option<u64>) -> CallMade {
    CallMade { at_ms, endpoint: CallSymbol(endpoint), object, other: Some(9), login: None, weight: 1.0 }
}

#[test]
fn counts_fade_by_half_lives() {
    let mut activity = Activity::default();
    for _ in 0..8 {
        activity.begin(&call(1_000, 1, None), 4);
    }
    activity.begin(&call(61_000, 2, None), 4);
    let calls = |activity: &Activity, horizon| activity.measure(Measure::Calls, CallSymbol(0), horizon);
    assert!((calls(&activity, Horizon::Minute) - 5.0).abs() < 1e-3);
    assert!((calls(&activity, Horizon::Hour) - 9.0).abs() < 0.1);
    assert_eq!(activity.measure(Measure::EndpointCalls, CallSymbol(2), Horizon::Minute), 1.0);
    assert_eq!(activity.measure(Measure::EndpointCalls, CallSymbol(3), Horizon::Minute), 0.0);
    activity.begin(&call(500, 1, None), 4);
    assert_eq!(activity.at_ms, 61_000, "a clock that runs backwards revives nothing");
}

#[test]
fn distinct_things_are_counted_about_right_and_known_ones_not_again() {
    for truth in [1_u64, 5, 30, 200] {
        let mut distinct = DistinctCount::default();
        for thing in 0..truth {
            distinct.meet(thing.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        }
        let count = distinct.count.at(Horizon::Hour);
        assert!((count - truth as f32).abs() <= 1.0 + truth as f32 * 0.3, "{count} of {truth}");
    }
    let mut distinct = DistinctCount::default();
    for _ in 0..1_000 {
        for thing in 0..6_u64 {
            distinct.meet(thing.wrapping_mul(0xD6E8_FEB8_6659_FD93));
        }
    }
    assert!(distinct.count.at(Horizon::Hour) < 8.0, "{distinct:?}");
}

#[test]
fn the_endpoint_used_least_makes_room() {
    let mut activity = Activity::default();
    for endpoint in 1..=6 {
        for _ in 0..endpoint {
            activity.begin(&call(1_000, endpoint, Some(u64::from(endpoint))), 4);
        }
    }
    assert_eq!(activity.endpoints.len(), 4);
    assert!(activity.measure(Measure::EndpointCalls, CallSymbol(6), Horizon::Hour) == 6.0);
    assert!(activity.measure(Measure::EndpointCalls, CallSymbol(1), Horizon::Hour) == 0.0);
}

#[test]
fn a_silence_begins_the_order_anew_but_not_the_counts() {
    let mut session = CallerSession::default();
    for at_ms in [1_000, 2_000] {
        session.awake(Some(at_ms));
        session.append(CallSymbol(7), Some(at_ms));
        session.count(&call(at_ms, 7, None));
        session.answer(
            CallSymbol(7),
            &CallAnswered { outcome: CallOutcome::Invalid, bytes: 100, weight: 1.0, ..CallAnswered::default() },
        );
    }
    assert_eq!(session.window.calls()[1].gap, CallGap::Within4s);
    session.awake(Some(2_000 + SESSION_GAP_MS));
    assert_eq!(session.window.count(), 0);
    assert_eq!(
        session.activity.measure(Measure::Failures, CallSymbol(0), Horizon::Minute),
        1.0 + 0.5_f32.powf(1.0 / 60.0)
    );
}

#[test]
fn a_call_before_the_answer_to_the_last_is_concurrent() {
    let mut session = CallerSession::default();
    session.append(CallSymbol(1), Some(10));
    session.append(CallSymbol(2), Some(20));
    assert_eq!(session.window.calls()[1].gap, CallGap::Concurrent);
}

#[test]
fn memory_keeps_the_sessions_that_spoke_last() {
    let mut sessions = MemorySessions::new(100);
    for caller in 0..1_000 {
        sessions.change_caller(caller, CallStep::Begin, &mut |session| session.append(CallSymbol(1), None));
    }
    assert!(sessions.caller(999).is_some() && sessions.caller(0).is_none());
    assert!((0..1_000).filter(|caller| sessions.caller(*caller).is_some()).count() <= 100);
}

fn any_session() -> impl Strategy<Value = CallerSession> {
    prop::collection::vec((any::<u32>(), 0_i64..10_000_000, any::<Option<u64>>(), any::<u16>()), 0..40).prop_map(
        |calls| {
            let mut session = CallerSession::default();
            for (endpoint, at_ms, object, bytes) in calls {
                session.awake(Some(at_ms));
                session.append(CallSymbol(endpoint), Some(at_ms));
                session.count(&call(at_ms, endpoint, object));
                let response = ResponseMeasures { status: Some(bytes), ..ResponseMeasures::default() };
                let outcome = CallOutcome::of(&response);
                session.answer(
                    CallSymbol(endpoint),
                    &CallAnswered { outcome, bytes: bytes.into(), weight: 1.0, ..CallAnswered::default() },
                );
            }
            session
        },
    )
}

proptest! {
    #[test]
    fn sessions_come_back_as_they_were(session in any_session()) {
        let bytes = session.encode();
        prop_assert_eq!(bytes.len(), CALLER_SESSION_BYTES);
        prop_assert_eq!(CallerSession::decode(&bytes), Some(session.clone()));
        let mut address = AddressSession { activity: session.activity };
        address.activity.endpoints.truncate(ADDRESS_ENDPOINTS_MAX);
        prop_assert_eq!(AddressSession::decode(&address.encode()), Some(address));
    }

    #[test]
    fn hostile_bytes_give_no_session_or_a_sane_one(
        mut bytes in prop::collection::vec(any::<u8>(), CALLER_SESSION_BYTES),
        windowed in any::<bool>(),
    ) {
        if windowed {
            // So that it is not always the first byte that gives it away.
            bytes[0] %= 17;
        }
        if let Some(session) = CallerSession::decode(&bytes) {
            prop_assert!(session.window.calls().len() <= WINDOW_CALLS_MAX);
            prop_assert!(session.activity.endpoints.len() <= CALLER_ENDPOINTS_MAX);
            prop_assert!(session.activity.calls.minute >= 0.0 && session.activity.calls.minute.is_finite());
            let mut session = session;
            session.awake(Some(i64::MAX));
            session.append(CallSymbol(1), Some(i64::MIN));
            session.count(&call(i64::MAX, 1, Some(1)));
        }
        prop_assert_eq!(CallerSession::decode(&bytes[1..]), None);
    }
}
