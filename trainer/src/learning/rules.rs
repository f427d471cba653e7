//! What fields usually hold, and what a surprise in them is worth.
//!
//! Learning and calibration are one pass in order of time (prequential, Dawid 1984): every exchange is first judged by what
//! was learned from the earlier ones, the findings are counted, and then it is learned. So each rate is that of findings in
//! normal exchanges that were not known yet, and no part of the data has to be set aside for it.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::ControlFlow;

use apiward_detector::bundle::Bundle;
use apiward_detector::calibration::{Calibration, EXTENTS, FindingRate, RuleTail};
use apiward_detector::findings::{Odd, odd_in_profile, rule_statistic};
use apiward_detector::observation::{Location, Observation};
use apiward_detector::profile::{EndpointProfile, FIELD_KINDS, Novelty, Vocabulary};
use apiward_detector::route::RouteTable;
use apiward_detector::verdict::{DetectorKind, FindingKind};
use serde::Serialize;

use crate::evaluation::Proportion;

use super::admission::{SupportCounter, SupportNeeded, is_flagged, succeeded};
use super::callers::{admitted_kinds, has_caller_news, is_caller_news};
use super::continuity::Continuity;
use super::endpoint::{EndpointLearner, FieldKey};
use super::novelty::NoveltyCounter;
use super::routes::Located;
use super::vocabulary::VocabularyLearner;
use super::{LearningError, LearningSettings, Progress, step};

/// Share of the exchanges that only teach, before findings are counted.
const WARM_UP_SHARE: f64 = 0.3;
/// Shares of the false-alarm budget.
const ROUTE_BUDGET_SHARE: f64 = 0.2;
const PROFILE_BUDGET_SHARE: f64 = 0.4;
/// No alarm below this statistic, −ln of a rate of 1 %: with less evidence there is none.
const STATISTIC_MIN: f32 = 4.6;
/// Weight of the next novelty class's rate in a class's own.
const PRIOR_EXCHANGES: f64 = 50.0;
/// Smallest rate that is told apart.
const RATE_MIN: f32 = 1e-7;
/// Points kept of a survival function.
const SURVIVAL_POINTS: usize = 24;
/// Exchanges between two progress reports.
const PROGRESS_EXCHANGES: usize = 5_000;

/// Profiles without their features, and what the calibration is built on.
pub struct LearnedRules {
    pub profiles: Vec<EndpointProfile>,
    pub vocabulary: Vocabulary,
    pub figures: RuleFigures,
}

/// How the rules did on exchanges that were not learned yet.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct RuleFigures {
    /// Exchanges judged before they were learned.
    pub exchanges: usize,
    /// Of them, over the threshold of the route or profile detector.
    pub alarms: usize,
}

impl RuleFigures {
    pub fn false_alarms(&self) -> Proportion {
        Proportion::of(self.alarms as u64, self.exchanges as u64)
    }
}

/// The findings of one exchange that count for calibration.
struct Judged {
    odd: Vec<Odd>,
}

#[allow(clippy::too_many_arguments)]
pub fn learn_rules(
    routes: &RouteTable,
    located: &[Located<'_>],
    parent: Option<&Bundle>,
    needed: &SupportNeeded,
    settings: &LearningSettings,
    continuity: &Continuity<'_>,
    calibration: &mut Calibration,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<LearnedRules, LearningError> {
    let admitted = admitted_fields(routes, located, parent, needed);
    let admitted_kinds = admitted_kinds(routes, located, parent, needed);
    let mut learners: Vec<EndpointLearner> =
        routes.endpoints.iter().map(|_| EndpointLearner::new(EndpointProfile::default())).collect();
    let labels: Vec<String> = routes.endpoints.iter().map(|endpoint| endpoint.label()).collect();
    let warm_up = (located.len() as f64 * WARM_UP_SHARE) as usize;
    let mut unknown_route = NoveltyCounter::default();
    let mut unknown_caller_kind = NoveltyCounter::default();
    let mut vocabulary = VocabularyLearner::default();
    let mut judged: Vec<Judged> = Vec::new();
    let mut exposure = Exposure::default();
    let mut seen_before: HashSet<u64> = HashSet::new();
    let mut exchanges = 0_usize;
    for (number, place) in located.iter().enumerate() {
        if number % PROGRESS_EXCHANGES == 0 {
            step(progress, Progress::Rules { done: number, of: located.len() })?;
        }
        let learner = &mut learners[place.endpoint];
        let observation = &place.record.observation;
        let id = routes.endpoints[place.endpoint].id;
        // Sessions end at all endpoints alike, also at one that has not seen it yet.
        learner.profile.unknown_caller_kind = learner.unknown_caller_kind.novelty().max(unknown_caller_kind.novelty());
        let is_first = learner.profile.exchanges == 0;
        let odd = if is_first {
            Vec::new()
        } else {
            {
                let label = &labels[place.endpoint];
                odd_in_profile(id, label, &learner.profile, &vocabulary.vocabulary, observation, &place.parameters)
            }
        };
        let is_admitted = |key: &FieldKey| admitted.contains(&(place.endpoint, key.clone()));
        // What was flagged and turned out to be a release was no false alarm. Files without times repeat themselves; a repeated
        // exchange would count as proof that nothing new comes.
        let counts = number >= warm_up
            && !is_flagged(place.record)
            && (place.record.at_ms.is_some() || seen_before.insert(content_hash(place)));
        if place.record.at_ms.is_none() {
            seen_before.insert(content_hash(place));
        }
        if counts {
            exchanges += 1;
            exposure.count(&learner.profile, observation, unknown_route.novelty());
            let of_normal_use = |odd: &&Odd| match odd.kind {
                FindingKind::CallerKind => is_caller_news(observation, &admitted_kinds[place.endpoint]),
                _ => is_normal(odd, is_admitted),
            };
            let mut odd: Vec<Odd> = odd.iter().filter(of_normal_use).cloned().collect();
            if is_first {
                odd.push(first_visit(unknown_route.novelty(), &labels[place.endpoint]));
            }
            if !odd.is_empty() {
                judged.push(Judged { odd });
            }
        }
        unknown_route.count(is_first);
        if learner.profile.tells_callers() {
            unknown_caller_kind.count(has_caller_news(observation, &odd, &admitted_kinds[place.endpoint]));
        }
        observation.fields.iter().for_each(|field| vocabulary.learn(place.endpoint, field));
        learner.learn(observation, &place.parameters, &odd, is_admitted, &admitted_kinds[place.endpoint]);
    }
    calibration.unknown_route = unknown_route.novelty();
    calibration.exchanges = u32::try_from(exchanges).unwrap_or(u32::MAX);
    calibration.rates = finding_rates(&judged, &exposure);
    let alarms = calibrate(&judged, exchanges, settings.false_alarm_budget, continuity, calibration);
    for learner in &mut learners {
        learner.profile.unknown_caller_kind = learner.unknown_caller_kind.novelty().max(unknown_caller_kind.novelty());
    }
    let profiles = learners.into_iter().map(|learner| learner.profile).collect();
    let vocabulary = vocabulary.finish();
    Ok(LearnedRules { profiles, vocabulary, figures: RuleFigures { exchanges, alarms } })
}

/// A field that lacks support is not learned, so its appearance is no false alarm either.
fn is_normal(odd: &Odd, is_admitted: impl Fn(&FieldKey) -> bool) -> bool {
    odd.kind != FindingKind::UnknownField || odd.subject.as_ref().is_some_and(is_admitted)
}

fn first_visit(novelty: Novelty, label: &str) -> Odd {
    Odd {
        kind: FindingKind::UnknownEndpoint,
        novelty,
        extent: 0,
        phase: apiward_detector::exchange::Phase::Headers,
        key: 0,
        subject: None,
        words: apiward_detector::findings::OddWords::Whole(format!("endpoint {label} never seen")),
    }
}

/// Fields per endpoint that enough callers use, or that the parent model knows.
fn admitted_fields(
    routes: &RouteTable,
    located: &[Located<'_>],
    parent: Option<&Bundle>,
    needed: &SupportNeeded,
) -> HashSet<(usize, FieldKey)> {
    let mut support: HashMap<(usize, FieldKey), SupportCounter> = HashMap::new();
    for place in located.iter().filter(|place| succeeded(place.record)) {
        for field in &place.record.observation.fields {
            let key = (place.endpoint, (field.location, field.name.clone()));
            support.entry(key).or_default().count(place.record, needed.window_ms);
        }
    }
    let mut admitted: HashSet<(usize, FieldKey)> =
        support.into_iter().filter(|(_, counter)| counter.suffices(needed)).map(|(key, _)| key).collect();
    if let Some(parent) = parent {
        let by_id: HashMap<u64, usize> =
            routes.endpoints.iter().enumerate().map(|(index, endpoint)| (endpoint.id, index)).collect();
        for (endpoint, profile) in parent.routes.endpoints.iter().zip(&parent.profiles) {
            if let Some(index) = by_id.get(&endpoint.id) {
                let known = profile.fields.iter().map(|field| (*index, (field.location, field.name.clone())));
                admitted.extend(known);
            }
        }
    }
    admitted
}

pub fn content_hash(place: &Located<'_>) -> u64 {
    use std::hash::{Hash as _, Hasher as _};
    let observation = &place.record.observation;
    let mut hasher = std::collections::hash_map::DefaultHasher::new();
    place.endpoint.hash(&mut hasher);
    for field in &observation.fields {
        (field.location, &field.name, field.encoding, field.shape.hash, field.shape.length).hash(&mut hasher);
    }
    for component in &observation.components {
        component.shape.hash.hash(&mut hasher);
    }
    hasher.finish()
}

/// Krichevsky–Trofimov estimate.
fn rate(count: usize, exchanges: usize) -> f32 {
    ((count as f64 + 0.5) / (exchanges as f64 + 1.0)) as f32
}

/// How many of the judged exchanges could have had a finding of a kind and novelty class.
#[derive(Default)]
struct Exposure(BTreeMap<(FindingKind, Novelty), usize>);

impl Exposure {
    /// Counts an exchange of an endpoint, once per kind and class.
    fn count(&mut self, profile: &EndpointProfile, observation: &Observation, unknown_route: Novelty) {
        let mut exposed: BTreeSet<(FindingKind, Novelty)> = BTreeSet::new();
        for known in &profile.fields {
            let present = known.location == Location::Path
                || observation.fields.iter().any(|field| field.location == known.location && field.name == known.name);
            for kind in FIELD_KINDS {
                if present || kind == FindingKind::MissingField {
                    exposed.insert((kind, known.novelty_of(kind)));
                }
            }
        }
        for kind in
            [FindingKind::UnknownField, FindingKind::RepeatedField, FindingKind::Malformed, FindingKind::PathOddity]
        {
            exposed.insert((kind, profile.unknown_field));
        }
        exposed.insert((FindingKind::Status, profile.unknown_status));
        if profile.tells_callers() && !observation.caller_kinds.is_empty() {
            exposed.insert((FindingKind::CallerKind, profile.unknown_caller_kind));
        }
        for kind in [
            FindingKind::UnknownEndpoint,
            FindingKind::UnknownMethod,
            FindingKind::UnknownOperation,
            FindingKind::UnknownHost,
        ] {
            exposed.insert((kind, unknown_route));
        }
        for key in exposed {
            *self.0.entry(key).or_default() += 1;
        }
    }
}

/// Per kind, novelty class and extent, the share of exposed exchanges with such a finding or one further out. What is new in
/// a settled field is at least as rare as in one that still grows: each class is shrunk to the next, as if up to [`PRIOR_EXCHANGES`]
/// exchanges had shown the rate of that one, and never gets a higher rate.
fn finding_rates(judged: &[Judged], exposure: &Exposure) -> Vec<FindingRate> {
    let mut counts: BTreeMap<(FindingKind, Novelty, u8), usize> = BTreeMap::new();
    for exchange in judged {
        let mut furthest: BTreeMap<(FindingKind, Novelty), u8> = BTreeMap::new();
        for odd in &exchange.odd {
            let extent = furthest.entry((odd.kind, odd.novelty)).or_default();
            *extent = (*extent).max(odd.extent);
        }
        for ((kind, novelty), extent) in furthest {
            for reached in 0..=extent {
                *counts.entry((kind, novelty, reached)).or_default() += 1;
            }
        }
    }
    let mut rates = Vec::new();
    let by_rules = |kind: &FindingKind| matches!(kind.detector(), DetectorKind::Route | DetectorKind::Profile);
    for kind in FindingKind::ALL.into_iter().filter(by_rules) {
        for extent in 0..EXTENTS as u8 {
            let mut of_next_class = 1.0_f32;
            let mut exposed_above = 0.0_f64;
            for novelty in (0..Novelty::CLASSES as u8).rev().map(Novelty) {
                let count = counts.get(&(kind, novelty, extent)).copied().unwrap_or(0);
                let exposed = exposure.0.get(&(kind, novelty)).copied().unwrap_or(0);
                // A prior that nothing was seen of weighs half an exchange.
                let prior_weight = exposed_above.clamp(0.5, PRIOR_EXCHANGES);
                let prior = prior_weight * f64::from(of_next_class);
                let shrunk = (count as f64 + prior) / (exposed as f64 + prior_weight);
                exposed_above += exposed as f64;
                let of_class = (shrunk as f32).clamp(RATE_MIN, of_next_class.max(RATE_MIN));
                rates.push(FindingRate { kind, novelty, extent, rate: of_class });
                of_next_class = of_class;
            }
        }
    }
    rates
}

/// Thresholds of the rule statistics; returns how many of the judged exchanges are over one.
fn calibrate(
    judged: &[Judged],
    exchanges: usize,
    budget: f64,
    continuity: &Continuity<'_>,
    calibration: &mut Calibration,
) -> usize {
    let statistics = |detector: DetectorKind, calibration: &Calibration| -> Vec<f32> {
        judged
            .iter()
            .map(|exchange| {
                rule_statistic(exchange.odd.iter().filter(|odd| odd.kind.detector() == detector), calibration)
            })
            .collect()
    };
    let of_route = statistics(DetectorKind::Route, calibration);
    let of_profile = statistics(DetectorKind::Profile, calibration);
    let route_budget = budget * ROUTE_BUDGET_SHARE;
    let profile_budget = budget * PROFILE_BUDGET_SHARE;
    // A new endpoint or parameter is news whether it turns out to be good or bad: only when it clearly comes too often for the
    // budget does it stop alarming. A value has to be clearly rare.
    let rate_of = |alarms: usize| Proportion::of(alarms as u64, exchanges as u64);
    let mut route = rule_tail(&of_route, exchanges, |alarms| rate_of(alarms).lower() <= route_budget);
    let mut profile = rule_tail(&of_profile, exchanges, |alarms| rate_of(alarms).upper() <= profile_budget);
    let threshold_of = |tails: &[RuleTail; 3]| tails.first().map(|tail| tail.threshold);
    route.threshold = continuity.hold(route.threshold, |parent| threshold_of(&parent.route));
    profile.threshold = continuity.hold(profile.threshold, |parent| threshold_of(&parent.profile_rules));
    let alarms = of_route
        .iter()
        .zip(&of_profile)
        .filter(|(of_route, of_profile)| route.alarms(**of_route) || profile.alarms(**of_profile))
        .count();
    // An exchange's findings only grow from phase to phase, so one threshold holds for all of them together.
    calibration.route = std::array::from_fn(|_| route.clone());
    calibration.profile_rules = std::array::from_fn(|_| profile.clone());
    alarms
}

/// `keeps_budget` says whether that many alarms among the exchanges are acceptable; none always are.
fn rule_tail(statistics: &[f32], exchanges: usize, keeps_budget: impl Fn(usize) -> bool) -> RuleTail {
    let mut sorted: Vec<f32> = statistics.iter().copied().filter(|statistic| *statistic > 0.0).collect();
    sorted.sort_by(f32::total_cmp);
    let allowed = (1..=sorted.len()).take_while(|alarms| keeps_budget(*alarms)).last().unwrap_or(0);
    let at_budget = sorted.len().checked_sub(allowed + 1).and_then(|place| sorted.get(place)).copied().unwrap_or(0.0);
    let mut survival = Vec::new();
    let stride = (sorted.len() / SURVIVAL_POINTS).max(1);
    for (place, statistic) in sorted.iter().enumerate() {
        let above = sorted.len() - place;
        // The far end is where scores are told apart: keep all of the last points.
        if place % stride == 0 || above <= SURVIVAL_POINTS {
            let point = (*statistic, rate(above, exchanges));
            match survival.last_mut() {
                Some((last, _)) if *last == *statistic => {}
                _ => survival.push(point),
            }
        }
    }
    RuleTail { threshold: at_budget.max(STATISTIC_MIN), survival }
}
