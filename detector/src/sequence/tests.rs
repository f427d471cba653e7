use proptest::prelude::*;

use crate::bundle::BundleError;
use crate::calibration::{ErrorTail, ParetoTail};
use crate::session::{Call, CallGap, CallOutcome, CallSymbol, CallWindow, VisitedEndpoints};

use super::*;

const LOGIN: CallSymbol = CallSymbol(10);
const ITEMS: CallSymbol = CallSymbol(20);
const CART: CallSymbol = CallSymbol(30);
const CHECKOUT: CallSymbol = CallSymbol(40);

/// Numbers of [`History`]: 0 for the beginning, 1 for unknown endpoints, and then the symbols.
fn context(calls: &[u32], followers: &[(u32, f32)]) -> SequenceContext {
    let followers: Vec<ContextFollower> =
        followers.iter().map(|(symbol, weight)| ContextFollower { symbol: *symbol, weight: *weight }).collect();
    let total = followers.iter().map(|follower| follower.weight).sum();
    SequenceContext { calls: calls.to_vec(), total, followers }
}

/// Login, items, cart, checkout.
fn model() -> SequenceModel {
    SequenceModel {
        symbols: vec![LOGIN, ITEMS, CART, CHECKOUT],
        contexts: vec![
            context(&[], &[(0, 100.0), (1, 150.0), (2, 100.0), (3, 80.0)]),
            context(&[0], &[(0, 100.0)]),
            context(&[2], &[(1, 100.0)]),
            context(&[3], &[(1, 50.0), (2, 100.0)]),
            context(&[4], &[(1, 20.0), (3, 80.0)]),
            context(&[3, 2], &[(2, 100.0)]),
        ],
        smoothing: [Smoothing { discount: 0.5, strength: 0.5 }; 4],
        other: OtherEndpoints { unknown_rate: 1e-3, rare_rate: 1e-3, rare_endpoints: 10 },
        visited: VisitedFactors { all: [1.2, 1.0, 1.0], endpoints: vec![] },
        required: vec![RequiredPredecessor { symbol: 3, predecessor: 2, sessions: 214, exceptions: 0 }],
        network: None,
        calibration: SequenceCalibration {
            variance_floor: 1.0,
            surprise_max: 6.0,
            drift: 0.5,
            highest_sum: ErrorTail {
                alarm: Some(8.0),
                tail: ParetoTail { peak: 2.0, peak_rate: 0.05, shape: 0.05, scale: 1.0 },
                survival: vec![(0.0, 1.0), (1.0, 0.2)],
            },
            missing_rate: 0.002,
            missing_alarms: true,
        },
    }
}

fn detector() -> SequenceDetector {
    SequenceDetector::load(model()).unwrap()
}

fn answered(endpoint: CallSymbol) -> Call {
    Call { endpoint, gap: CallGap::Within4s, outcome: CallOutcome::Success }
}

fn window(endpoints: &[CallSymbol]) -> CallWindow {
    let mut window = CallWindow::default();
    endpoints.iter().for_each(|endpoint| window.push(answered(*endpoint)));
    window
}

fn next(endpoint: CallSymbol) -> NextCall {
    NextCall { endpoint, gap: CallGap::Within4s }
}

fn label(endpoint: CallSymbol) -> String {
    match endpoint {
        LOGIN => "POST /login",
        ITEMS => "GET /items",
        CART => "POST /cart",
        CHECKOUT => "POST /checkout",
        _ => "unknown endpoints",
    }
    .to_owned()
}

/// Judgements on a whole session, each with its window.
fn judge(endpoints: &[CallSymbol]) -> Vec<(CallWindow, SequenceJudgement)> {
    let (detector, mut sum) = (detector(), 0.0);
    (0..endpoints.len())
        .map(|place| {
            let window = window(&endpoints[..place]);
            let judgement = detector.judge_in_session(&window, sum, next(endpoints[place])).unwrap();
            sum = judgement.sum;
            (window, judgement)
        })
        .collect()
}

#[test]
fn probabilities_sum_to_one_and_follow_the_longest_context() {
    let detector = detector();
    for endpoints in [&[][..], &[LOGIN], &[LOGIN, ITEMS], &[LOGIN, ITEMS, CART, CHECKOUT], &[CallSymbol(5), CART]] {
        let prediction = detector.predict(&window(endpoints));
        let total: f32 = prediction.probabilities().iter().sum::<f32>() + 2e-3;
        assert!((total - 1.0).abs() < 1e-5, "{endpoints:?}: {total}");
    }
    let after = |endpoints: &[CallSymbol]| detector.predict(&window(endpoints)).most_probable(1)[0];
    assert_eq!(after(&[]).0, 0);
    assert_eq!(after(&[LOGIN]).0, 1);
    let (cart, of_two_calls) = after(&[LOGIN, ITEMS]);
    assert!(cart == 2 && of_two_calls > 0.95, "two calls tell more than one: {of_two_calls}");
    let of_one_call = detector.predict(&window(&[CART, ITEMS])).probability(Place::Symbol(2));
    assert!(of_one_call < 0.75, "{of_one_call}");
}

#[test]
fn the_workflow_is_no_surprise_and_another_order_is() {
    let normal = judge(&[LOGIN, ITEMS, CART, CHECKOUT]);
    assert!(normal.iter().all(|(_, judgement)| !judgement.alarm && judgement.score < 0.9), "{normal:?}");
    let wrong = judge(&[CART, LOGIN, CART, LOGIN, CART, LOGIN]);
    let (_, last) = wrong.last().unwrap();
    assert!(last.alarm && last.score > 0.99 && last.sum > 8.0, "{wrong:?}");
}

#[test]
fn a_missing_step_alarms_alone_and_says_so() {
    let judged = judge(&[LOGIN, ITEMS, CHECKOUT]);
    let (window, judgement) = judged.last().unwrap();
    assert!(judgement.alarm && judgement.missing.is_some() && judgement.score >= 0.998);
    assert_eq!(
        detector().reason(window, next(CHECKOUT), judgement, &label),
        "POST /checkout without POST /cart, which came before it in every one of 214 sessions"
    );
    let mut quiet = model();
    quiet.calibration.missing_alarms = false;
    let quiet = SequenceDetector::load(quiet).unwrap();
    assert!(!quiet.judge_in_session(window, 0.0, next(CHECKOUT)).unwrap().alarm, "not within the budget");
}

#[test]
fn a_reason_names_the_history_and_what_was_expected() {
    let reason = |endpoints: &[CallSymbol], call| {
        let window = window(endpoints);
        let judgement = detector().judge_in_session(&window, 0.0, next(call)).unwrap();
        detector().reason(&window, next(call), &judgement, &label)
    };
    assert_eq!(
        reason(&[LOGIN, ITEMS], LOGIN),
        "POST /login after POST /login → GET /items; expected POST /cart (0.99)"
    );
    assert_eq!(
        reason(&[CART, ITEMS], LOGIN),
        "POST /login after POST /cart → GET /items; expected POST /cart (0.62) or GET /items (0.37)"
    );
    assert_eq!(reason(&[], ITEMS), "GET /items as the first call; expected POST /login (0.99)");
    assert!(reason(&[LOGIN, ITEMS], CART).ends_with("ends an unusual order of calls"));
}

#[test]
fn calls_that_left_the_window_are_not_missing() {
    let mut long = vec![LOGIN, ITEMS, CART];
    long.extend([ITEMS; 30]);
    let judged = detector().judge_in_session(&window(&long), 0.0, next(CHECKOUT)).unwrap();
    assert_eq!(judged.missing, None);
    // A window that knows of more calls than it has, and lost where it has been.
    let lost = CallWindow::from_parts(vec![answered(ITEMS)], VisitedEndpoints::default(), 9);
    assert_eq!(detector().judge_in_session(&lost, 0.0, next(CHECKOUT)).unwrap().missing, None);
}

#[test]
fn a_retry_neither_surprises_nor_hides_the_context() {
    let detector = detector();
    let surprise = |endpoints: &[CallSymbol], call| {
        detector.judge_in_session(&window(endpoints), 0.0, next(call)).unwrap().surprise
    };
    assert_eq!(detector.predict(&window(&[LOGIN, ITEMS, ITEMS, ITEMS])), detector.predict(&window(&[LOGIN, ITEMS])));
    let of_new = surprise(&[LOGIN, ITEMS], CHECKOUT);
    let of_retry = surprise(&[LOGIN, ITEMS], ITEMS);
    assert!(of_retry < of_new, "{of_retry} of a retry, {of_new} of another call");
}

#[test]
fn a_parallel_call_may_have_come_first() {
    let mut parallel = window(&[LOGIN, ITEMS]);
    parallel.push(Call { outcome: CallOutcome::Open, ..answered(CHECKOUT) });
    let detector = detector();
    let of_gap = |gap| detector.improbability(&parallel, NextCall { endpoint: CART, gap }).nats;
    assert!(of_gap(CallGap::Concurrent) < 0.1, "{}", of_gap(CallGap::Concurrent));
    assert!(of_gap(CallGap::Within1s) > 1.0);
}

#[test]
fn unknown_endpoints_have_their_own_rate_after_anything() {
    let detector = detector();
    for endpoints in [&[][..], &[LOGIN, ITEMS], &[CallSymbol::UNKNOWN, CallSymbol(77)]] {
        let prediction = detector.predict(&window(endpoints));
        assert_eq!(prediction.probability(detector.place(CallSymbol::UNKNOWN)), 1e-3);
        let rare = prediction.probability(detector.place(CallSymbol(77)));
        assert!((rare - 1e-4).abs() < 1e-7, "{rare}");
    }
    let unknown = judge(&[CallSymbol::UNKNOWN; 4]);
    assert!(unknown.last().unwrap().1.alarm, "{unknown:?}");
}

#[test]
fn any_stored_sum_is_bounded() {
    let detector = detector();
    for sum in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3.0, 1e30] {
        let judged = detector.judge_in_session(&window(&[LOGIN]), sum, next(ITEMS)).unwrap();
        assert!((0.0..=22.0).contains(&judged.sum), "{sum}: {judged:?}");
    }
    let mut unarmed = model();
    unarmed.calibration.highest_sum.alarm = None;
    let unarmed = SequenceDetector::load(unarmed).unwrap();
    assert_eq!(unarmed.judge_in_session(&window(&[LOGIN]), 0.0, next(ITEMS)), None);
}

fn refused(change: impl FnOnce(&mut SequenceModel)) -> String {
    let mut changed = model();
    change(&mut changed);
    SequenceDetector::load(changed).unwrap_err().to_string()
}

#[test]
fn hostile_models_are_refused() {
    let check = |change: &dyn Fn(&mut SequenceModel), expected: &str| {
        let refused = refused(change);
        assert!(refused.contains(expected), "{refused:?} instead of {expected:?}");
    };
    check(&|model| model.symbols.reverse(), "symbols are not ascending");
    check(&|model| model.symbols[0] = CallSymbol::UNKNOWN, "symbols are not ascending");
    check(&|model| model.symbols.clear(), "symbols are not ascending");
    check(&|model| model.contexts.reverse(), "contexts are not ascending");
    check(&|model| drop(model.contexts.remove(0)), "no empty context");
    check(&|model| model.contexts[4].calls = vec![6], "calls that are not there");
    check(&|model| model.contexts[5].calls = vec![3, 2, 0, 0], "calls that are not there");
    check(&|model| model.contexts[0].followers[3].symbol = 4, "what follows a context");
    check(&|model| model.contexts[0].followers.reverse(), "what follows a context");
    check(&|model| model.contexts[0].followers[0].weight = f32::NAN, "do not add up");
    check(&|model| model.contexts[0].followers[0].weight = -1.0, "do not add up");
    check(&|model| model.contexts[0].total = 1.0, "do not add up");
    check(&|model| model.smoothing[2] = Smoothing::default(), "discount or a strength");
    check(&|model| model.other.unknown_rate = 1.0, "rate of other endpoints");
    check(&|model| model.visited.all[1] = 0.0, "factor of visited endpoints");
    let own = EndpointFactors { symbol: 4, factors: [1.0; 3] };
    check(&|model| model.visited.endpoints.push(own), "symbol is named");
    check(&|model| model.required[0].predecessor = 9, "symbol is named");
    check(&|model| model.required.push(RequiredPredecessor::default()), "required predecessors are not ascending");
    check(&|model| model.calibration.variance_floor = 0.0, "calibration");
    check(&|model| model.calibration.highest_sum.alarm = Some(f32::INFINITY), "calibration");
    check(&|model| model.calibration.highest_sum.survival = vec![(0.0, 1.0); 300], "calibration");
    let many = vec![RequiredPredecessor::default(); crate::limits::SEQUENCE_REQUIRED_MAX + 1];
    let mut changed = model();
    changed.required = many;
    let limit = "required predecessors of the sequence model";
    assert_eq!(SequenceDetector::load(changed).unwrap_err(), BundleError::Limit { limit });
}

/// A network of the model's last three symbols, as it is before training.
fn network() -> SequenceNetwork {
    let symbols = vec![1, 2, 3];
    let features = SequenceFeatures::new(&symbols, &model().symbols);
    let layout = apiward_models::Classifier::new(features.count(), vec![8], features.classes()).unwrap();
    let onnx = layout.logits_onnx(&layout.initial_parameters(1).unwrap(), 1, 1.0).unwrap();
    SequenceNetwork { symbols, share: 0.5, onnx }
}

#[test]
fn a_network_is_mixed_in_and_probabilities_still_sum_to_one() {
    let mixed = SequenceDetector::load(SequenceModel { network: Some(network()), ..model() }).unwrap();
    let counted = detector();
    let known = 1.0 - 2e-3;
    for endpoints in [&[][..], &[LOGIN, ITEMS], &[LOGIN, ITEMS, CART, CHECKOUT], &[CallSymbol::UNKNOWN; 20]] {
        let window = window(endpoints);
        let prediction = mixed.predict(&window);
        let total: f32 = prediction.probabilities().iter().sum::<f32>() + 2e-3;
        assert!((total - 1.0).abs() < 1e-5, "{endpoints:?}: {total}");
        let classes = mixed.network_probabilities(&window).unwrap();
        assert_eq!(classes.len(), 4);
        let expected = 0.5 * counted.predict(&window).probabilities()[2] + 0.5 * known * classes[1];
        let found = prediction.probabilities()[2];
        assert!((found - expected).abs() < 1e-5, "{endpoints:?}: {found}, not {expected}");
    }
}

#[test]
fn features_are_within_their_number_and_each_comes_once() {
    let features = SequenceFeatures::new(&[0, 2], &model().symbols);
    let mut long = vec![LOGIN, CART, CHECKOUT, CallSymbol::UNKNOWN];
    long.extend([CART, LOGIN].repeat(10));
    for endpoints in [&[][..], &[LOGIN], &long] {
        let mut places: Vec<usize> = features.of(&window(endpoints)).iter().map(|(place, _)| *place).collect();
        assert!(places.iter().all(|place| *place < features.count()), "{places:?}");
        let count = places.len();
        places.sort_unstable();
        places.dedup();
        assert_eq!(places.len(), count);
    }
}

#[test]
fn networks_that_do_not_fit_are_refused() {
    let check = |change: &dyn Fn(&mut SequenceNetwork), expected: &str| {
        let mut network = network();
        change(&mut network);
        let refused = refused(|model| model.network = Some(network));
        assert!(refused.contains(expected), "{refused:?} instead of {expected:?}");
    };
    check(&|network| network.symbols = vec![1, 2], "network sequence cannot be used");
    check(&|network| network.symbols = vec![1, 3, 2], "the network's symbols");
    check(&|network| network.symbols = vec![1, 2, 4], "the network's symbols");
    check(&|network| network.symbols.clear(), "the network's symbols");
    check(&|network| network.share = f32::NAN, "the network's share");
    check(&|network| network.onnx.truncate(100), "network sequence cannot be used");
    check(&|network| network.onnx = vec![0; crate::limits::NETWORK_BYTES_MAX + 1], "bytes of a network");
}

proptest! {
    #[test]
    fn any_window_gives_a_sane_judgement(
        calls in prop::collection::vec((0_u32..50, 0_u8..9, 0_u8..7), 0..30),
        visited in any::<[u64; 4]>(),
        count in any::<u32>(),
        sum in any::<f32>(),
        endpoint in 0_u32..50,
        gap in 0_u8..9,
    ) {
        let calls = calls.into_iter().map(|(endpoint, gap, outcome)| Call {
            endpoint: CallSymbol(endpoint),
            gap: CallGap::from_byte(gap).unwrap(),
            outcome: CallOutcome::from_byte(outcome).unwrap(),
        });
        let window = CallWindow::from_parts(calls.collect(), VisitedEndpoints(visited), count);
        let next = NextCall { endpoint: CallSymbol(endpoint), gap: CallGap::from_byte(gap).unwrap() };
        let judged = detector().judge_in_session(&window, sum, next).unwrap();
        prop_assert!((0.0..=1.0).contains(&judged.score) && judged.sum.is_finite() && judged.surprise.is_finite());
        prop_assert!(!detector().reason(&window, next, &judged, &label).is_empty());
    }
}
