//! Observation → verdict.

use crate::bundle::{Bundle, BundleError, GoldenOutput, Manifest, NetworkKind, Policy};
use crate::calibration::of_phase;
use crate::calls::CallContext;
use crate::exchange::Phase;
use crate::findings::{Odd, odd_in_profile, odd_route, rule_statistic};
use crate::network::Autoencoder;
use crate::observation::Observation;
use crate::payload::{PayloadJudgement, PayloadScorer};
use crate::profile::{
    EndpointProfile, FEATURES, FeatureUnit, baseline_statistic, feature_count, features_of, visible_in,
};
use crate::route::{Endpoint, RouteMatch, canonical_path};
use crate::sequence::SequenceDetector;
use crate::session::SessionStore;
use crate::verdict::{DetectorKind, DetectorScores, Finding, FindingKind, Verdict, higher, insert_findings};
use crate::work::WorkBudget;

/// Known operations that a reason names.
const OPERATIONS_NAMED_MAX: usize = 4;

/// Golden outputs agree when they differ by at most this plus this times their size.
pub const GOLDEN_TOLERANCE: f32 = 1e-4;

/// A loaded bundle, ready to judge. Loading is costly (networks are checked and built, golden cases run): do it off the request path.
#[derive(Debug)]
pub struct Detector {
    bundle: Bundle,
    autoencoder: Option<Autoencoder>,
    payload_scorer: Option<PayloadScorer>,
    sequence: Option<SequenceDetector>,
}

/// A verdict with what the network computed for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    pub verdict: Verdict,
    /// Reconstruction error of the phase that was judged; `None` where no network ran.
    pub reconstruction_error: Option<f32>,
    /// 1 − p of the reconstruction error, and of the baseline's statistic in its place.
    pub reconstruction_score: Option<f32>,
    pub baseline_score: Option<f32>,
}

/// All phases of one exchange.
#[derive(Debug, Clone, PartialEq)]
pub struct JudgedExchange {
    pub verdict: Verdict,
    /// Per phase that the exchange reached.
    pub reconstruction_errors: [Option<f32>; 3],
    /// Highest over the phases: the autoencoder, and the baseline in its place.
    pub reconstruction_score: Option<f32>,
    pub baseline_score: Option<f32>,
}

/// The standardised input of the network for one exchange in one phase.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkInput {
    /// Standardised features, 0 where not visible.
    pub features: Vec<f32>,
    /// 1 where visible, else 0.
    pub visible: Vec<f32>,
}

impl NetworkInput {
    /// What is visible is known in the observation's phase, and was known at this endpoint before.
    pub fn of(profile: &EndpointProfile, observation: &Observation) -> Self {
        let mut features = Vec::with_capacity(feature_count());
        let mut visible = Vec::with_capacity(feature_count());
        // What a failing server answers says nothing of the caller.
        let failed = observation.response.is_some_and(|response| response.is_server_failure());
        let last_phase = if failed { Phase::Body } else { observation.phase };
        for ((value, scale), in_phase) in
            features_of(observation).into_iter().zip(&profile.features).zip(visible_in(last_phase))
        {
            let standardised = value.filter(|_| in_phase).and_then(|value| scale.standardise(value));
            features.push(standardised.unwrap_or(0.0));
            visible.push(if standardised.is_some() { 1.0 } else { 0.0 });
        }
        Self { features, visible }
    }
}

impl Detector {
    /// Checks networks and structure and reproduces the golden cases.
    ///
    /// # Errors
    /// When a network breaks a cap or the allowlist, the parts do not fit together, or a golden case comes out differently.
    pub fn load(bundle: Bundle) -> Result<Self, BundleError> {
        let detector = Self::without_golden_cases(bundle)?;
        detector.reproduce_golden_cases()?;
        Ok(detector)
    }

    /// The same without the golden cases: how the trainer makes them.
    ///
    /// # Errors
    /// As [`Detector::load`], golden cases excepted.
    pub fn without_golden_cases(bundle: Bundle) -> Result<Self, BundleError> {
        check_structure(&bundle)?;
        let mut autoencoder = None;
        let mut payload_scorer = None;
        for network in &bundle.networks {
            match network.kind {
                NetworkKind::Autoencoder => autoencoder = Some(Autoencoder::load(&network.onnx, feature_count())?),
                NetworkKind::Payload => payload_scorer = Some(PayloadScorer::load(&network.onnx)?),
            }
        }
        let sequence = bundle.sequence.clone().map(SequenceDetector::load).transpose()?;
        Ok(Self { bundle, autoencoder, payload_scorer, sequence })
    }

    pub fn manifest(&self) -> &Manifest {
        &self.bundle.manifest
    }

    pub fn policy(&self) -> &Policy {
        &self.bundle.policy
    }

    /// The payload network, which scores values while they are observed; `None` where the bundle has none.
    pub fn payload_scorer(&self) -> Option<&PayloadScorer> {
        self.payload_scorer.as_ref()
    }

    /// In which order callers use the endpoints; `None` where it was not learned.
    pub fn sequence(&self) -> Option<&SequenceDetector> {
        self.sequence.as_ref()
    }

    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// Judges an exchange as far as it has come; `previous` is the verdict of its last phase, whose findings stay.
    pub fn judge(&self, observation: &Observation, previous: Option<&Verdict>, budget: &mut WorkBudget) -> Judgement {
        let phase = observation.phase;
        if self.bundle.is_starter() {
            return self.judge_later(observation, previous).at(phase);
        }
        match self.bundle.routes.find(observation) {
            RouteMatch::Endpoint { index, parameters } => {
                let known = self.bundle.routes.endpoints.get(index).zip(self.bundle.profiles.get(index));
                match known {
                    Some((endpoint, profile)) => {
                        self.judge_known(endpoint, profile, observation, &parameters, previous, budget)
                    }
                    None => self.judge_unknown(observation, FindingKind::UnknownEndpoint, String::new(), previous),
                }
            }
            RouteMatch::UnknownMethod { template, methods } => {
                let reason =
                    format!("method {} never seen on {template}, only {}", observation.method, methods.join(", "));
                self.judge_unknown(observation, FindingKind::UnknownMethod, reason, previous)
            }
            RouteMatch::AwaitsOperation => self.judge_later(observation, previous),
            RouteMatch::UnknownOperation { template, operations } => {
                let known = operations.iter().take(OPERATIONS_NAMED_MAX).copied().collect::<Vec<_>>().join(", ");
                let asked = observation.operation.as_deref().unwrap_or("without a name");
                let reason = format!(
                    "operation {asked} never seen on {} {template}, only {known}{}",
                    observation.method,
                    if operations.len() > OPERATIONS_NAMED_MAX { ", …" } else { "" }
                );
                self.judge_unknown(observation, FindingKind::UnknownOperation, reason, previous)
            }
            RouteMatch::UnknownPath { near_miss } => {
                let path = canonical_path(&observation.components);
                let reason = match near_miss {
                    Some(miss) => {
                        let expected: Vec<&str> = miss.expected.iter().map(|known| known.noun()).collect();
                        let found = miss.found.noun();
                        format!(
                            "endpoint {} {path} never seen: {{{}}} is {found}, only {} seen",
                            observation.method,
                            miss.parameter,
                            expected.join(", ")
                        )
                    }
                    None => format!("endpoint {} {path} never seen", observation.method),
                };
                self.judge_unknown(observation, FindingKind::UnknownEndpoint, reason, previous)
            }
            RouteMatch::UnknownHost => {
                let reason = format!("host {:?} never seen", observation.host);
                self.judge_unknown(observation, FindingKind::UnknownHost, reason, previous)
            }
        }
        .at(phase)
    }

    /// Judges all phases that a complete observation went through, as the filter would have, without its caller's history.
    pub fn judge_exchange(&self, observation: &Observation) -> JudgedExchange {
        self.judge_phases(observation, None)
    }

    /// The same with the history of its caller and address, which it becomes part of.
    pub fn judge_exchange_of(
        &self,
        observation: &Observation,
        context: CallContext,
        sessions: &mut dyn SessionStore,
    ) -> JudgedExchange {
        self.judge_phases(observation, Some((context, sessions)))
    }

    fn judge_phases(
        &self,
        observation: &Observation,
        mut history: Option<(CallContext, &mut dyn SessionStore)>,
    ) -> JudgedExchange {
        let mut begun = None;
        let mut budget = WorkBudget::default();
        let mut errors = [None; 3];
        let mut verdict: Option<Verdict> = None;
        let mut reconstruction_score: Option<f32> = None;
        let mut baseline_score: Option<f32> = None;
        for (phase, error) in Phase::ALL.into_iter().zip(&mut errors) {
            if phase > observation.phase {
                break;
            }
            let seen = observation.at(phase);
            let mut judgement = self.judge(&seen, verdict.as_ref(), &mut budget);
            if let Some((context, sessions)) = &mut history {
                if begun.is_none() {
                    begun = self.begin_call(&seen, *context, *sessions);
                    if let Some(call) = &begun {
                        judgement.verdict.include(call.findings.clone());
                    }
                }
                if let Some((call, response)) = begun.as_ref().zip(seen.response) {
                    judgement.verdict.include(self.answer_call(call, &response, *sessions));
                }
            }
            *error = judgement.reconstruction_error;
            reconstruction_score = higher(reconstruction_score, judgement.reconstruction_score);
            baseline_score = higher(baseline_score, judgement.baseline_score);
            verdict = Some(judgement.verdict);
        }
        let verdict = verdict.unwrap_or_else(|| self.judge(observation, None, &mut budget).verdict);
        JudgedExchange { verdict, reconstruction_errors: errors, reconstruction_score, baseline_score }
    }

    fn judge_known(
        &self,
        endpoint: &Endpoint,
        profile: &EndpointProfile,
        observation: &Observation,
        parameters: &[(&str, usize)],
        previous: Option<&Verdict>,
        budget: &mut WorkBudget,
    ) -> Judgement {
        let calibration = &self.bundle.calibration;
        let phase = observation.phase;
        let label = endpoint.label();
        let odd = odd_in_profile(endpoint.id, &label, profile, &self.bundle.vocabulary, observation, parameters);
        let by_detector = |detector| odd.iter().filter(move |odd| odd.kind.detector() == detector);

        let route_statistic = rule_statistic(by_detector(DetectorKind::Route), calibration);
        let route_tail = of_phase(&calibration.route, phase);
        let rules_statistic = rule_statistic(by_detector(DetectorKind::Profile), calibration);
        let rules_tail = of_phase(&calibration.profile_rules, phase);
        let mut findings = Vec::new();
        for (detector, alarm) in [
            (DetectorKind::Route, route_tail.alarms(route_statistic)),
            (DetectorKind::Profile, rules_tail.alarms(rules_statistic)),
        ] {
            let surprise = |odd: &Odd| -calibration.rate(odd.kind, odd.novelty, odd.extent).ln();
            let strongest = by_detector(detector).map(surprise).fold(0.0, f32::max);
            findings.extend(by_detector(detector).map(|odd| Finding {
                key: odd.key,
                kind: odd.kind,
                phase: odd.phase,
                score: 1.0 - calibration.rate(odd.kind, odd.novelty, odd.extent),
                alarm: alarm && surprise(odd) >= strongest / 2.0,
                reason: odd.reason(&label),
                attack_class: None,
            }));
        }
        let whole = self.judge_whole(endpoint, profile, observation, &label, budget);
        let route_score = 1.0 - route_tail.p_value(route_statistic);
        let rules_score = 1.0 - rules_tail.p_value(rules_statistic);
        findings.extend(whole.finding);
        let payload = self.judge_payloads(Some(endpoint.id), &label, observation);
        findings.extend(payload.findings);
        let scores = DetectorScores {
            route: Some(route_score),
            profile: Some(rules_score.max(whole.score.unwrap_or(0.0))),
            payload: payload.score,
            ..DetectorScores::default()
        };
        Judgement {
            verdict: verdict(phase, Some(endpoint.id), label, scores, findings, previous),
            reconstruction_error: whole.error,
            reconstruction_score: whole.reconstruction_score,
            baseline_score: whole.baseline_score,
        }
    }

    /// The exchange as a whole: autoencoder, and its baseline for comparison.
    fn judge_whole(
        &self,
        endpoint: &Endpoint,
        profile: &EndpointProfile,
        observation: &Observation,
        label: &str,
        budget: &mut WorkBudget,
    ) -> WholeJudgement {
        let phase = observation.phase;
        let calibration = &self.bundle.calibration;
        let Some(network) = self.autoencoder.as_ref().filter(|_| budget.take_inference()) else {
            return WholeJudgement::default();
        };
        let input = NetworkInput::of(profile, observation);
        let Ok(reconstruction) = network.reconstruct(&input.features, &input.visible) else {
            return WholeJudgement::default();
        };
        let tails = of_phase(&calibration.whole, phase);
        let errors = of_phase(&profile.errors, phase);
        let residual = errors.residual(reconstruction.error);
        let surprise = tails.surprise_of(residual, errors, &profile.features, &input.features, &input.visible);
        let score = residual.map(|_| 1.0 - tails.surprise.p_value(surprise.nats));
        let reconstruction_score = residual.map(|residual| 1.0 - tails.reconstruction.p_value(residual));
        let statistic = baseline_statistic(&profile.features, &input.features, &input.visible);
        let baseline_score = of_phase(&profile.baseline_errors, phase)
            .residual(statistic)
            .map(|residual| 1.0 - of_phase(&calibration.baseline, phase).p_value(residual));
        let alarm = residual.is_some() && tails.surprise.alarms(surprise.nats);
        let finding = alarm.then(|| {
            let worst = surprise.feature.unwrap_or_else(|| reconstruction.worst_feature());
            whole_finding(endpoint, profile, observation, label, worst, score.unwrap_or(0.0))
        });
        WholeJudgement { error: Some(reconstruction.error), score, reconstruction_score, baseline_score, finding }
    }

    fn judge_payloads(&self, endpoint_id: Option<u64>, label: &str, observation: &Observation) -> PayloadJudgement {
        let Policy { false_alarm_budget, payload_exceptions, .. } = &self.bundle.policy;
        let calibration = &self.bundle.calibration.payload;
        calibration.judge(payload_exceptions, endpoint_id, label, *false_alarm_budget, observation)
    }

    /// Which endpoint it is the body tells, or nothing was learned yet: only values can be judged.
    fn judge_later(&self, observation: &Observation, previous: Option<&Verdict>) -> Judgement {
        let label = format!("{} {}", observation.method, canonical_path(&observation.components));
        let payload = self.judge_payloads(None, &label, observation);
        let route = (!self.bundle.is_starter()).then_some(0.0);
        let scores = DetectorScores { route, payload: payload.score, ..DetectorScores::default() };
        Judgement {
            verdict: verdict(observation.phase, None, label, scores, payload.findings, previous),
            reconstruction_error: None,
            reconstruction_score: None,
            baseline_score: None,
        }
    }

    fn judge_unknown(
        &self,
        observation: &Observation,
        kind: FindingKind,
        reason: String,
        previous: Option<&Verdict>,
    ) -> Judgement {
        let calibration = &self.bundle.calibration;
        let path = canonical_path(&observation.components);
        let label = format!("{} {path}", observation.method);
        let odd = odd_route(kind, calibration.unknown_route, observation, &path, reason);
        let statistic = rule_statistic(std::iter::once(&odd), calibration);
        let tail = of_phase(&calibration.route, observation.phase);
        let score = 1.0 - tail.p_value(statistic);
        let finding = Finding {
            key: odd.key,
            kind,
            phase: Phase::Headers,
            score: 1.0 - calibration.rate(kind, odd.novelty, odd.extent),
            alarm: tail.alarms(statistic),
            reason: odd.reason(&label),
            attack_class: None,
        };
        let payload = self.judge_payloads(None, &label, observation);
        let findings = std::iter::once(finding).chain(payload.findings).collect();
        let scores = DetectorScores { route: Some(score), payload: payload.score, ..DetectorScores::default() };
        Judgement {
            verdict: verdict(observation.phase, None, label, scores, findings, previous),
            reconstruction_error: None,
            reconstruction_score: None,
            baseline_score: None,
        }
    }

    fn reproduce_golden_cases(&self) -> Result<(), BundleError> {
        for (case, golden) in self.bundle.golden.iter().enumerate() {
            let disagree = |what: String| BundleError::Golden { case, what };
            let mut budget = WorkBudget::default();
            let mut previous = None;
            for (phase, expected) in Phase::ALL.into_iter().zip(&golden.expected) {
                let judgement = self.judge(&golden.observation.at(phase), previous.as_ref(), &mut budget);
                agree(expected, &judgement).map_err(disagree)?;
                previous = Some(judgement.verdict);
            }
        }
        self.reproduce_golden_payloads()
    }

    fn reproduce_golden_payloads(&self) -> Result<(), BundleError> {
        let Some(scorer) = &self.payload_scorer else { return Ok(()) };
        for (case, golden) in self.bundle.golden_payloads.iter().enumerate() {
            let found = scorer.score_alone(&golden.text);
            let expected = golden.attack;
            if !found
                .is_some_and(|found| (found - expected).abs() <= GOLDEN_TOLERANCE + GOLDEN_TOLERANCE * expected.abs())
            {
                let what = format!("log-odds {found:?} of an attack where the trainer had {expected}");
                return Err(BundleError::Golden { case, what });
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct WholeJudgement {
    error: Option<f32>,
    score: Option<f32>,
    reconstruction_score: Option<f32>,
    baseline_score: Option<f32>,
    finding: Option<Finding>,
}

impl Judgement {
    fn at(mut self, phase: Phase) -> Self {
        self.verdict.phase = phase;
        self
    }
}

impl Observation {
    /// The observation as it stood at an earlier phase.
    pub fn at(&self, phase: Phase) -> Self {
        let mut earlier = self.clone();
        earlier.phase = phase.min(self.phase);
        if earlier.phase < Phase::Response {
            earlier.response = None;
            earlier.response_fields = Vec::new();
        }
        if earlier.phase < Phase::Body {
            earlier.body = Default::default();
            earlier.operation = None;
            earlier.fields.retain(|field| field.location.phase() == Phase::Headers);
            earlier.payloads.retain(|payload| payload.location.phase() == Phase::Headers);
        }
        earlier
    }
}

fn agree(expected: &GoldenOutput, judgement: &Judgement) -> Result<(), String> {
    let close = match (expected.reconstruction_error, judgement.reconstruction_error) {
        (None, None) => true,
        (Some(expected), Some(found)) => {
            (expected - found).abs() <= GOLDEN_TOLERANCE + GOLDEN_TOLERANCE * expected.abs()
        }
        _ => false,
    };
    if !close {
        let (expected, found) = (expected.reconstruction_error, judgement.reconstruction_error);
        return Err(format!("reconstruction error {found:?} where the trainer had {expected:?}"));
    }
    // Within the tolerance band the error may fall on the other side of a threshold, and the score moves a little with it.
    let near = (expected.score - judgement.verdict.score).abs() <= 0.01;
    if expected.anomalous != judgement.verdict.anomalous && !near {
        return Err(format!(
            "verdict anomalous={} where the trainer had {}",
            judgement.verdict.anomalous, expected.anomalous
        ));
    }
    Ok(())
}

fn verdict(
    phase: Phase,
    endpoint_id: Option<u64>,
    endpoint: String,
    mut detectors: DetectorScores,
    mut findings: Vec<Finding>,
    previous: Option<&Verdict>,
) -> Verdict {
    let mut anomalous_in = findings.iter().any(|finding| finding.alarm).then_some(phase);
    if let Some(earlier) = previous {
        detectors.route = higher(detectors.route, earlier.detectors.route);
        detectors.profile = higher(detectors.profile, earlier.detectors.profile);
        detectors.payload = higher(detectors.payload, earlier.detectors.payload);
        anomalous_in = earlier.anomalous_in.or(anomalous_in);
        detectors.sequence = earlier.detectors.sequence;
        detectors.volume = earlier.detectors.volume;
    }
    insert_findings(&mut findings, previous.map(|earlier| earlier.findings.clone()).unwrap_or_default());
    Verdict {
        phase,
        endpoint_id,
        endpoint,
        anomalous: anomalous_in.is_some(),
        anomalous_in,
        score: detectors.max(),
        detectors,
        findings,
    }
}

/// Names the feature that is furthest out.
fn whole_finding(
    endpoint: &Endpoint,
    profile: &EndpointProfile,
    observation: &Observation,
    label: &str,
    worst: usize,
    score: f32,
) -> Finding {
    let values = features_of(observation);
    let reason = match (FEATURES.get(worst), profile.features.get(worst), values.get(worst).copied().flatten()) {
        (Some(feature), Some(scale), Some(value)) => {
            let (name, unit) = (feature.name, feature.unit);
            let ratio = (value - scale.center).exp();
            match unit {
                FeatureUnit::Bytes => format!("{name} {} than usual for {label}", times(ratio, "larger", "smaller")),
                FeatureUnit::Count => format!("{name} {} than usual for {label}", times(ratio, "higher", "lower")),
                FeatureUnit::Duration => format!("{name} {} than usual for {label}", times(ratio, "longer", "shorter")),
                FeatureUnit::Share => {
                    format!("{name} of {:.0} % where {:.0} % is usual for {label}", value * 100.0, scale.center * 100.0)
                }
                FeatureUnit::Flag => {
                    format!("{name} {} for {label}", if value > 0.5 { "is unusual" } else { "is usual but missing" })
                }
                FeatureUnit::DayTime => format!("time of day unusual for {label}"),
            }
        }
        _ => format!("combination of measures unusual for {label}"),
    };
    let property = u64::try_from(worst).unwrap_or(0).to_le_bytes();
    Finding {
        key: crate::hashing::stable_hash(&[b"whole", &endpoint.id.to_le_bytes(), &property]),
        kind: FindingKind::ReconstructionError,
        phase: observation.phase,
        score,
        alarm: true,
        reason,
        attack_class: None,
    }
}

fn times(ratio: f32, more: &str, less: &str) -> String {
    let (ratio, word) = if ratio >= 1.0 { (ratio, more) } else { (1.0 / ratio.max(1e-9), less) };
    if ratio >= 10.0 { format!("{ratio:.0} times {word}") } else { format!("{ratio:.1} times {word}") }
}

/// The parts must fit together before anything indexes into them.
fn check_structure(bundle: &Bundle) -> Result<(), BundleError> {
    let broken = |what: &str| Err(BundleError::Payload(what.to_owned()));
    if bundle.routes.endpoints.len() != bundle.profiles.len() {
        return broken("it has not one profile per endpoint");
    }
    bundle.routes.check().or_else(broken)?;
    if bundle.profiles.iter().any(|profile| profile.features.len() != feature_count()) {
        return broken("a profile has another number of features than the schema");
    }
    let tails = bundle.calibration.whole.iter().map(|tails| tails.features.len());
    if tails.into_iter().any(|features| features != 0 && features != feature_count()) {
        return broken("its tails have another number of features than the schema");
    }
    Ok(())
}
