use crate::exchange::Phase;
use crate::session::{Activity, CallMade, CallSymbol, Horizon, Measure};
use crate::verdict::FindingKind;

use super::*;

const LOGIN: CallSymbol = CallSymbol(7);

fn calibration() -> VolumeCalibration {
    let threshold = VolumeThreshold {
        subject: SessionSubject::Address,
        measure: Measure::EndpointCalls,
        horizon: Horizon::Minute,
        endpoint: LOGIN,
        usual: 1.0_f32.ln_1p(),
        alarm: 10.0_f32.ln_1p(),
    };
    let busy = BusySubject {
        subject: SessionSubject::Address,
        hash: 42,
        measure: Measure::EndpointCalls,
        horizon: Horizon::Minute,
        endpoint: LOGIN,
        alarm: 200.0_f32.ln_1p(),
    };
    let by_hour = BusySubject { horizon: Horizon::Hour, alarm: 3_000.0_f32.ln_1p(), ..busy };
    VolumeCalibration { rate: 1e-4, thresholds: vec![threshold], busy: vec![busy, by_hour], logins: Vec::new() }
}

fn after(calls: usize) -> Activity {
    let mut activity = Activity::default();
    for call in 0..calls {
        let at_ms = 1_000 + call as i64 * 200;
        let made = CallMade { at_ms, endpoint: LOGIN, object: None, other: None, login: None, weight: 1.0 };
        activity.begin(&made, 4);
    }
    activity
}

fn judge(hash: u64, calls: usize) -> VolumeJudgement {
    let activity = after(calls);
    let state = SubjectActivity { subject: SessionSubject::Address, hash, activity: &activity };
    calibration().judge(state, LOGIN, "POST /login", Phase::Headers)
}

#[test]
fn a_flurry_alarms_and_says_why() {
    assert!(judge(1, 9).findings.is_empty());
    let flurry = judge(1, 15);
    assert_eq!(flurry.findings[0].kind, FindingKind::CallRate);
    let reason = &flurry.findings[0].reason;
    assert!(reason.contains("calls of POST /login within the minute") && reason.contains("at most 10"), "{reason}");
    assert!(flurry.score.unwrap() > judge(1, 9).score.unwrap());
    assert!(judge(1, 9).score.unwrap() > judge(1, 3).score.unwrap());
}

#[test]
fn who_was_always_busy_may_stay_so_but_no_busier() {
    let of_rate =
        |judgement: VolumeJudgement| judgement.findings.iter().any(|finding| finding.reason.contains("minute"));
    assert!(!of_rate(judge(42, 60)));
    assert!(of_rate(judge(42, 2_000)));
    let is_busy = |subject, hash| calibration().is_busy(subject, hash);
    assert!(is_busy(SessionSubject::Address, 42) && !is_busy(SessionSubject::Address, 41));
    assert!(!is_busy(SessionSubject::Caller, 42), "a caller of the same number");
}

#[test]
fn nothing_is_judged_where_nothing_was_learned() {
    let activity = after(1_000);
    let state = SubjectActivity { subject: SessionSubject::Caller, hash: 1, activity: &activity };
    let judged = VolumeCalibration::default().judge(state, LOGIN, "POST /login", Phase::Headers);
    assert_eq!(judged, VolumeJudgement::default());
}
