use apiward_detector::sequence::NextCall;
use apiward_detector::session::{CallGap, CallOutcome, CallSymbol, CallWindow};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::*;

fn calls(endpoints: &[u32]) -> Vec<Call> {
    let call = |endpoint: &u32| Call {
        endpoint: CallSymbol(*endpoint),
        gap: CallGap::Within4s,
        outcome: CallOutcome::Success,
    };
    endpoints.iter().map(call).collect()
}

/// 1, then some of 2 and 3, then 4, 5 and 6, by `callers` callers in turn.
fn workflow(sessions: usize, callers: u64, seed: u64) -> Vec<CallSequence> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    (0..sessions)
        .map(|number| {
            let mut endpoints = vec![1];
            for _ in 0..generator.random_range(1..6) {
                endpoints.push(if generator.random_bool(0.7) { 2 } else { 3 });
            }
            endpoints.extend([4, 5, 6]);
            CallSequence { caller: 1 + number as u64 % callers, calls: calls(&endpoints) }
        })
        .collect()
}

fn learn(sequences: &[CallSequence]) -> LearnedSequence {
    learn_sequence(sequences, &SequenceSettings::default(), 1, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// Whether a session alarms.
fn alarms(model: &SequenceModel, endpoints: &[u32]) -> bool {
    let detector = SequenceDetector::load(model.clone()).unwrap();
    let (mut sum, mut alarm) = (0.0, false);
    replay(&calls(endpoints), &mut |window, next| {
        let judgement = detector.judge_in_session(window, sum, next).unwrap();
        sum = judgement.sum;
        alarm |= judgement.alarm;
    });
    alarm
}

#[test]
fn a_workflow_is_learned_with_its_required_steps() {
    let learned = learn(&workflow(400, 40, 1));
    let model = learned.model.unwrap();
    assert_eq!(learned.report.endpoints, 6);
    let symbol = |endpoint: u32| model.symbols.binary_search(&CallSymbol(endpoint)).unwrap() as u32;
    let of_five: Vec<u32> =
        model.required.iter().filter(|rule| rule.symbol == symbol(5)).map(|rule| rule.predecessor).collect();
    assert!(of_five.contains(&symbol(4)) && of_five.contains(&symbol(1)), "{:?}", model.required);
    assert!(!of_five.contains(&symbol(3)), "3 is optional: {:?}", model.required);
    assert!(!alarms(&model, &[1, 2, 3, 2, 4, 5, 6]));
    assert!(alarms(&model, &[1, 2, 3, 2, 5, 6]));
    assert!(alarms(&model, &[6, 5, 4, 3, 2, 1]));
}

#[test]
fn the_same_sessions_and_seed_give_the_same_model() {
    let sessions = workflow(200, 40, 2);
    assert_eq!(learn(&sessions), learn(&sessions));
}

#[test]
fn too_few_sessions_or_callers_teach_nothing() {
    assert_eq!(learn(&workflow(40, 40, 3)).model, None);
    assert_eq!(learn(&workflow(400, 4, 3)).model, None);
    assert_eq!(learn(&[]).model, None);
}

#[test]
fn one_busy_caller_does_not_teach() {
    let mut sessions = workflow(400, 40, 4);
    // Many more sessions than all others together, all of them without steps 4 and 5, and with an endpoint that nobody else has.
    sessions.extend((0..1_000).map(|_| CallSequence { caller: 999, calls: calls(&[1, 2, 6, 7, 6, 7]) }));
    let learned = learn(&sessions);
    let model = learned.model.unwrap();
    assert!(!model.symbols.contains(&CallSymbol(7)));
    assert!(alarms(&model, &[1, 2, 6, 7, 6, 7]), "{:?} {:?}", learned.report, model.calibration);
    assert!(!alarms(&model, &[1, 2, 2, 4, 5, 6]));
}

#[test]
fn shares_are_cut_to_what_they_may_be() {
    let mut sequences: Vec<CallSequence> =
        (1..=30).map(|caller| CallSequence { caller, calls: calls(&[1; 10]) }).collect();
    sequences.push(CallSequence { caller: 99, calls: calls(&[2; 1_000]) });
    let settings = SequenceSettings { caller_share_max: 0.1, ..SequenceSettings::default() };
    let sessions = sessions::prepare(&sequences, &settings);
    let counted = |session: &Session| f64::from(session.weight) * session.calls.len() as f64;
    let total: f64 = sessions.iter().map(counted).sum();
    let largest = sessions.iter().map(counted).fold(0.0, f64::max);
    assert!((largest / total - 0.1).abs() < 1e-3, "{largest} of {total}");
    assert!(sessions.iter().filter(|session| session.caller != 99).all(|session| session.weight == 1.0));
}

#[test]
fn replaying_leaves_overtaken_calls_open_until_they_are_answered() {
    let call =
        |endpoint: u32, gap: CallGap| Call { endpoint: CallSymbol(endpoint), gap, outcome: CallOutcome::Success };
    let session =
        [call(1, CallGap::None), call(2, CallGap::Within1s), call(3, CallGap::Concurrent), call(4, CallGap::Within1s)];
    let mut open = Vec::new();
    replay(&session, &mut |window: &CallWindow, next: NextCall| {
        open.push((next.endpoint.0, window.is_open(), window.calls().len()));
    });
    assert_eq!(open, [(1, false, 0), (2, false, 1), (3, true, 2), (4, false, 3)]);
}

#[test]
fn settings_out_of_range_are_refused() {
    let settings = SequenceSettings { budget: 0.0, ..SequenceSettings::default() };
    let refused = learn_sequence(&[], &settings, 1, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert_eq!(refused.to_string(), "option budget is 0, it must be between 0 and 1");
}
