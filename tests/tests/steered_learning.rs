//! Weeks of traffic under a simulated clock, and a training after each: what an attacker does time and again stays foreign, and
//! what many callers do since a release becomes normal.

use std::ops::ControlFlow;
use std::time::Duration;

use apiward_detector::bundle::Bundle;
use apiward_detector::calls::CallContext;
use apiward_detector::detector::Detector;
use apiward_detector::exchange::Exchange;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::session::MemorySessions;
use apiward_detector::telemetry::{CallerRecord, ExchangeRecord, VerdictRecord};
use apiward_e2e::flagged::Flagged;
use apiward_e2e::shop::Release;
use apiward_e2e::traffic::{self, AttackKind, AttackPlan, AttackShare, START, Scenario};
use apiward_trainer::learning::{LearningSettings, learn};

const EXCHANGES_OF_A_WEEK: u64 = 3_000;
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
const SESSIONS_MAX: usize = 10_000;
const TRAININGS: usize = 10;
/// What of normal traffic may be flagged.
const FALSE_ALARMS_MAX: f64 = 0.01;

/// An exchange with whether it is an attack.
type Labelled = (Exchange, &'static str);

/// Week after week: judged by the model of the week before, and learned from with its predecessor.
struct Weeks {
    hasher: KeyedHasher,
    model: Option<Bundle>,
    /// Of the last week and this one.
    records: [Vec<ExchangeRecord>; 2],
}

/// The labels of a week's exchanges, and whether they were flagged.
struct JudgedWeek(Vec<(&'static str, bool)>);

impl JudgedWeek {
    fn flagged(&self, wanted: &str) -> Flagged {
        let mut of_label = Flagged::default();
        self.0.iter().filter(|(label, _)| *label == wanted).for_each(|(_, flagged)| of_label.count(*flagged));
        of_label
    }
}

impl Weeks {
    fn begin() -> Self {
        let hasher = KeyedHasher::new(b"the hash key of some weeks").expect("it is long enough");
        Self { hasher, model: None, records: [Vec::new(), Vec::new()] }
    }

    /// Judges a week, which must be in the order of time.
    fn judge(&mut self, week: Vec<Labelled>) -> JudgedWeek {
        let detector = self.model.clone().map(|model| Detector::load(model).expect("the model loads"));
        let mut sessions = MemorySessions::new(SESSIONS_MAX);
        let mut judged: Vec<(&'static str, bool)> = Vec::new();
        let mut records = Vec::new();
        for (exchange, label) in week {
            let scorer = detector.as_ref().and_then(Detector::payload_scorer);
            let observation = Observer::observe_scored(&exchange, &self.hasher, scorer);
            let caller = CallerRecord::of(&exchange.caller, &self.hasher);
            let context = CallContext { caller, at_ms: exchange.at_ms, weight: 1.0 };
            let verdict = detector
                .as_ref()
                .map(|detector| detector.judge_exchange_of(&observation, context, &mut sessions).verdict);
            judged.push((label, verdict.as_ref().is_some_and(|verdict| verdict.anomalous)));
            records.push(ExchangeRecord {
                at_ms: exchange.at_ms,
                caller,
                observation,
                weight: 1.0,
                verdict: verdict.map(|verdict| VerdictRecord::of(&verdict, 1, false)),
                request_id: None,
            });
        }
        self.records.rotate_left(1);
        self.records[1] = records;
        JudgedWeek(judged)
    }

    fn train(&mut self) {
        let parent = self.model.take();
        let settings = LearningSettings::default();
        let learned = learn(self.records.concat(), parent.as_ref(), &settings, &mut |_| ControlFlow::Continue(()));
        self.model = Some(learned.expect("a model").bundle);
    }
}

/// What a scenario sends in a week, counted from 0.
async fn sent(scenario: &Scenario, week: usize, seed: u64, exchanges: u64) -> Vec<Labelled> {
    let start = START + WEEK * u32::try_from(week).expect("few weeks");
    let scenario = Scenario { start, ..scenario.clone() };
    let sent = traffic::generate(&scenario, seed, exchanges, |_| {}).await.expect("the shop answers");
    sent.iter().map(|exchange| (exchange.to_judge(), exchange.label)).collect()
}

async fn normal(week: usize) -> Vec<Labelled> {
    sent(&Scenario::normal(Release::One), week, 300 + week as u64, EXCHANGES_OF_A_WEEK).await
}

fn in_order(mut week: Vec<Labelled>) -> Vec<Labelled> {
    week.sort_by_key(|(exchange, _)| exchange.at_ms);
    week
}

#[tokio::test]
async fn ten_trainings_do_not_make_an_attackers_behaviour_normal() {
    // One network, many accounts: cookies are free.
    let kinds = [
        AttackKind::SkippedSteps,
        AttackKind::Enumeration,
        AttackKind::StuffingFast,
        AttackKind::Exfiltration,
        AttackKind::UnknownParameter,
    ];
    let mut weeks = Weeks::begin();
    weeks.judge(in_order(normal(0).await));
    weeks.train();
    let mut courses: Vec<Vec<Flagged>> = vec![Vec::new(); kinds.len()];
    for week in 1..=TRAININGS {
        let mut exchanges = normal(week).await;
        for (place, kind) in kinds.into_iter().enumerate() {
            let attackers = AttackPlan {
                kinds: vec![kind],
                share: AttackShare::Only,
                callers: 4,
                first_caller: 4 * place,
                networks: 1,
            };
            let scenario = Scenario::normal(Release::One).with_attacks(attackers);
            exchanges.extend(sent(&scenario, week, 900 + (10 * week + place) as u64, 150).await);
        }
        let judged = weeks.judge(in_order(exchanges));
        for (course, kind) in courses.iter_mut().zip(kinds) {
            course.push(judged.flagged(kind.name()));
        }
        let normal = judged.flagged("normal");
        assert!(normal.share() <= FALSE_ALARMS_MAX, "week {week}: {normal:?}");
        weeks.train();
    }
    for (course, kind) in courses.iter().zip(kinds) {
        let (first, last) = (course[0].share(), course[TRAININGS - 1].share());
        assert!(first > 0.2, "{}: {course:?}", kind.name());
        assert!(last >= first - 0.1, "{}: {course:?}", kind.name());
    }
}

#[tokio::test]
async fn what_many_do_more_often_since_a_release_is_normal_after_one_training() {
    const POLLS: i64 = 30;
    const POLL_EVERY_MS: i64 = 2_000;
    let polling = |week: Vec<Labelled>| {
        let mut polled = Vec::new();
        for (exchange, label) in week {
            // Since the release the page with the cart asks for it again and again.
            let repeats =
                if exchange.request.target == "/api/cart" && exchange.request.method == "GET" { POLLS } else { 0 };
            let label = if repeats > 0 { "polled" } else { label };
            let again = |number: i64| Exchange {
                at_ms: exchange.at_ms.map(|at_ms| at_ms + number * POLL_EVERY_MS),
                ..exchange.clone()
            };
            polled.extend((0..=repeats).map(|number| (again(number), label)));
        }
        in_order(polled)
    };
    let mut weeks = Weeks::begin();
    weeks.judge(in_order(normal(0).await));
    weeks.train();
    let before = weeks.judge(polling(normal(1).await)).flagged("polled");
    assert!(before.share() > 0.2, "the first week after the release: {before:?}");
    weeks.train();
    let after = weeks.judge(polling(normal(2).await));
    for label in ["polled", "normal"] {
        let flagged = after.flagged(label);
        assert!(flagged.share() <= FALSE_ALARMS_MAX, "{label} after a training: {flagged:?}, {before:?} before");
    }
}
