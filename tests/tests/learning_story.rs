//! The demo's story in one process, without Envoy and its clock: a model, attacks on it, a second release with what the attackers
//! left behind, the next model, attacks again.

use std::ops::ControlFlow;
use std::sync::Arc;

use apiward_detector::bundle::Bundle;
use apiward_detector::detector::Detector;
use apiward_detector::exchange::Exchange;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::telemetry::{CallerRecord, ExchangeRecord, VerdictRecord};
use apiward_e2e::flagged::Flagged;
use apiward_e2e::shop::{Release, Shop, ShopClock};
use apiward_e2e::traffic::{self, AttackKind, AttackPlan, InProcessShop, Scenario};
use apiward_trainer::learning::{LearnedModel, LearningSettings, Promotion, THRESHOLD_STEP_MAX, learn};

const START_MS: i64 = 1_790_000_000_000;
/// Between two exchanges, as in the demo.
const GAP_MS: i64 = 3;
const PROMOTION_WINDOW_MS: i64 = 2_000;
const SERIAL: u64 = 1;
const FALSE_ALARMS_MAX: f64 = 0.005;
const FLAGGED_MIN: f64 = 0.95;

/// A shop, what went through it, and what was recorded of it.
struct Story {
    shop: Arc<Shop>,
    client: InProcessShop,
    hasher: KeyedHasher,
    next_seed: u64,
    now_ms: i64,
    records: Vec<ExchangeRecord>,
}

impl Story {
    fn begin(seed: u64) -> Self {
        let shop = Shop::new(Release::One, ShopClock::System);
        Self {
            client: InProcessShop::new(&shop, ShopClock::System, seed),
            shop,
            hasher: KeyedHasher::new(b"the hash key of a story").expect("it is long enough"),
            next_seed: seed * 1_000,
            now_ms: START_MS,
            records: Vec::new(),
        }
    }

    /// Sends exchanges, judges and records them; counts those of one label.
    async fn send(&mut self, scenario: &Scenario, count: u64, judge: Option<&Detector>, label: &str) -> Flagged {
        self.next_seed += 1;
        traffic::run(self.client.clone(), scenario, self.next_seed, count, |_| {}).await.expect("the shop answers");
        let mut of_label = Flagged::default();
        for sent in self.client.take_exchanges() {
            self.now_ms += GAP_MS;
            let is_counted = sent.label == label;
            let exchange = Exchange { at_ms: Some(self.now_ms), ..sent.to_judge() };
            let observation = Observer::observe(&exchange, &self.hasher);
            let verdict = judge.map(|detector| detector.judge_exchange(&observation).verdict);
            if is_counted {
                of_label.count(verdict.as_ref().is_some_and(|verdict| verdict.anomalous));
            }
            self.records.push(ExchangeRecord {
                at_ms: exchange.at_ms,
                caller: CallerRecord::of(&exchange.caller, &self.hasher),
                observation,
                weight: 1.0,
                verdict: verdict.map(|verdict| VerdictRecord::of(&verdict, SERIAL, false)),
                request_id: None,
            });
        }
        of_label
    }

    async fn send_normal(&mut self, release: Release, count: u64, judge: Option<&Detector>) -> Flagged {
        self.send(&Scenario::normal(release), count, judge, "normal").await
    }

    async fn attack(&mut self, release: Release, judge: &Detector) -> Flagged {
        let plan = AttackPlan::one_kind(AttackKind::OutsizedResponse);
        let scenario = Scenario::normal(release).with_attacks(plan);
        self.send(&scenario, 120, Some(judge), AttackKind::OutsizedResponse.name()).await
    }

    fn train(&self, parent: Option<&Bundle>, threshold_step_max: Option<f32>) -> LearnedModel {
        let settings = LearningSettings {
            promotion: Promotion { window_ms: PROMOTION_WINDOW_MS, ..LearningSettings::default().promotion },
            threshold_step_max,
            ..LearningSettings::default()
        };
        learn(self.records.clone(), parent, &settings, &mut |_| ControlFlow::Continue(())).expect("a model")
    }
}

#[tokio::test]
async fn outsized_responses_stand_out_before_and_after_a_release() {
    for seed in [51, 52] {
        let mut story = Story::begin(seed);
        story.send_normal(Release::One, 6_000, None).await;
        let first = story.train(None, Some(THRESHOLD_STEP_MAX)).bundle;
        let judge = Detector::load(first.clone()).expect("the first model loads");
        let fresh = story.send_normal(Release::One, 3_000, Some(&judge)).await;
        let attacks = story.attack(Release::One, &judge).await;
        assert!(attacks.share() >= FLAGGED_MIN, "seed {seed}: {attacks:?}");
        assert!(fresh.share() <= FALSE_ALARMS_MAX, "seed {seed}: {fresh:?}");

        story.shop.control().set_release(Release::Two);
        story.send_normal(Release::Two, 1_500, Some(&judge)).await;
        story.now_ms += PROMOTION_WINDOW_MS;
        story.send_normal(Release::Two, 1_500, Some(&judge)).await;
        let second = story.train(Some(&first), Some(THRESHOLD_STEP_MAX)).bundle;
        let judge = Detector::load(second).expect("the second model loads");
        let fresh = story.send_normal(Release::Two, 2_000, Some(&judge)).await;
        let attacks = story.attack(Release::Two, &judge).await;
        assert!(attacks.share() >= FLAGGED_MIN, "seed {seed}, release 2: {attacks:?}");
        assert!(fresh.share() <= FALSE_ALARMS_MAX, "seed {seed}, release 2: {fresh:?}");
    }
}

fn thresholds(bundle: &Bundle) -> Vec<f32> {
    let calibration = &bundle.calibration;
    let rules = calibration.route.iter().chain(&calibration.profile_rules).map(|tail| tail.threshold);
    rules.chain(calibration.whole.iter().filter_map(|tails| tails.surprise.alarm)).collect()
}

#[tokio::test]
async fn a_new_model_keeps_its_thresholds_near_the_parents_unless_the_operator_lets_them_go() {
    const ABOVE: f32 = 20.0;
    let mut story = Story::begin(53);
    story.send_normal(Release::One, 2_000, None).await;
    let mut parent = story.train(None, Some(THRESHOLD_STEP_MAX)).bundle;
    for tail in parent.calibration.route.iter_mut().chain(&mut parent.calibration.profile_rules) {
        tail.threshold += ABOVE;
    }
    for tails in &mut parent.calibration.whole {
        tails.surprise.alarm = tails.surprise.alarm.map(|alarm| alarm + ABOVE);
    }
    let forced = story.train(Some(&parent), None);
    let bound = story.train(Some(&parent), Some(THRESHOLD_STEP_MAX));
    assert_eq!(thresholds(&forced.bundle).len(), 9);
    let of_all = thresholds(&parent).into_iter().zip(thresholds(&forced.bundle)).zip(thresholds(&bound.bundle));
    for ((before, free), held) in of_all {
        assert!(free < before - THRESHOLD_STEP_MAX, "the data alone gives {free} after {before}");
        assert_eq!(held, before - THRESHOLD_STEP_MAX);
    }
    // One for each of the two kinds of rules, and one for each phase of the exchange as a whole.
    assert_eq!((bound.report.thresholds_held, forced.report.thresholds_held), (5, 0));
}
