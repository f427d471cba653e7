//! An exchange in the light of what its caller and its address did before.
//!
//! A call is begun once, when its endpoint is known, and answered once. Both change the sessions and judge what they have
//! become; so a verdict tells of everything up to this call, whichever worker saw it.

use crate::detector::Detector;
use crate::exchange::Phase;
use crate::hashing::stable_hash;
use crate::observation::{Observation, ResponseMeasures};
use crate::route::{RouteMatch, RouteTable};
use crate::sequence::{NextCall, SequenceDetector};
use crate::session::{CallAnswered, CallMade, CallStep, CallSymbol, CallerSession, SessionStore};
use crate::telemetry::CallerRecord;
use crate::verdict::{Finding, FindingKind, Verdict, higher, insert_findings};
use crate::volume::{LoginField, SessionSubject, SubjectActivity, VolumeCalibration, VolumeJudgement, object_of};

/// What reasons call the endpoints that the route table does not know.
const UNKNOWN_ENDPOINTS: &str = "unknown endpoints";

/// Who calls, and when.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CallContext {
    pub caller: CallerRecord,
    /// Milliseconds since the Unix epoch; without it nothing is counted.
    pub at_ms: Option<i64>,
    /// How many exchanges it stands for, 1 or more.
    pub weight: f32,
}

/// A call on its way, to be answered.
#[derive(Debug, Clone, PartialEq)]
pub struct BegunCall {
    pub context: CallContext,
    pub endpoint: CallSymbol,
    pub label: String,
    /// Hash of the login identifier, where the call is a login.
    pub login: Option<u64>,
    pub findings: CallFindings,
}

/// Where a call goes, and what it is about.
#[derive(Debug, Clone, PartialEq)]
pub struct CallSite {
    /// [`CallSymbol::UNKNOWN`] where the route table does not know it.
    pub endpoint: CallSymbol,
    /// Index into the route table.
    pub index: Option<usize>,
    /// Hash of what it asks for; see [`object_of`].
    pub object: Option<u64>,
}

impl CallSite {
    /// `None` while the body must tell which endpoint it is.
    pub fn of(routes: &RouteTable, observation: &Observation) -> Option<Self> {
        match routes.find(observation) {
            RouteMatch::AwaitsOperation if observation.phase < Phase::Body => None,
            RouteMatch::Endpoint { index, parameters } => {
                let endpoint = CallSymbol::of(routes.endpoints.get(index)?.id);
                Some(Self { endpoint, index: Some(index), object: object_of(observation, &parameters) })
            }
            _ => Some(Self { endpoint: CallSymbol::UNKNOWN, index: None, object: object_of(observation, &[]) }),
        }
    }
}

/// What the sessions say of a call.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CallFindings {
    /// 0..1; `None` where there is nothing to judge by.
    pub sequence: Option<f32>,
    /// 0..1; `None` where there is nothing to judge by.
    pub volume: Option<f32>,
    pub findings: Vec<Finding>,
    /// Whose sessions alarmed for how much they do. An odd order of calls is the matter of the proxy that saw it: it would be found anew
    /// in the order in which batches come, and one false alarm would follow a caller for minutes.
    pub alarmed: Vec<AlarmedSubject>,
}

/// A caller or address whose session alarmed.
#[derive(Debug, Clone, PartialEq)]
pub struct AlarmedSubject {
    pub subject: SessionSubject,
    /// Keyed hash.
    pub hash: u64,
    /// Of its strongest alarm, 0..1.
    pub score: f32,
    /// Of its strongest alarm.
    pub reason: String,
}

impl CallFindings {
    fn add_volume(&mut self, subject: SessionSubject, hash: u64, judgement: VolumeJudgement) {
        self.volume = higher(self.volume, judgement.score);
        let alarms = judgement.findings.iter().filter(|finding| finding.alarm);
        if let Some(strongest) = alarms.max_by(|one, other| one.score.total_cmp(&other.score)) {
            let reason = strongest.reason.clone();
            self.alarmed.push(AlarmedSubject { subject, hash, score: strongest.score, reason });
        }
        self.findings.extend(judgement.findings);
    }
}

impl Verdict {
    /// Adds what the sessions say; as with other findings, an alarm stays.
    pub fn include(&mut self, call: CallFindings) {
        self.detectors.sequence = higher(self.detectors.sequence, call.sequence);
        self.detectors.volume = higher(self.detectors.volume, call.volume);
        if call.findings.iter().any(|finding| finding.alarm) {
            self.anomalous = true;
            self.anomalous_in = self.anomalous_in.or(Some(self.phase));
        }
        insert_findings(&mut self.findings, call.findings);
        self.score = self.detectors.max();
    }
}

impl Detector {
    /// Whether anything is learned of callers.
    pub fn judges_callers(&self) -> bool {
        self.bundle().volume.is_armed() || self.sequence().is_some_and(SequenceDetector::is_armed)
    }

    /// Begins a call. `None` while its endpoint is not known yet, or who wants in where it takes logins, and where there is nothing
    /// to judge by.
    pub fn begin_call(
        &self,
        observation: &Observation,
        context: CallContext,
        sessions: &mut dyn SessionStore,
    ) -> Option<BegunCall> {
        let named = context.caller.named_by();
        if !self.judges_callers() || named.is_none() {
            return None;
        }
        let routes = &self.bundle().routes;
        let CallSite { endpoint, index, object } = CallSite::of(routes, observation)?;
        let known = index.and_then(|index| routes.endpoints.get(index));
        let label = known.map_or_else(|| UNKNOWN_ENDPOINTS.to_owned(), |endpoint| endpoint.label());
        let volume = &self.bundle().volume;
        let login = known.and_then(|endpoint| volume.login_field(endpoint.id));
        if login.is_some_and(LoginField::is_in_body) && observation.phase < Phase::Body {
            return None;
        }
        let login = login.and_then(|field| field.find(observation));
        let mut call = BegunCall { context, endpoint, label, login, findings: CallFindings::default() };
        call.findings = self.count(&call, object, observation.phase, sessions);
        Some(call)
    }

    /// Answers a call with what is known of its response.
    pub fn answer_call(
        &self,
        call: &BegunCall,
        response: &ResponseMeasures,
        sessions: &mut dyn SessionStore,
    ) -> CallFindings {
        let CallContext { caller: CallerRecord { address, .. }, at_ms, weight } = call.context;
        let volume = &self.bundle().volume;
        let answer = volume.answered(call.endpoint, call.login.is_some(), response, weight);
        let mut judged = CallFindings::default();
        if let Some(caller) = call.context.caller.named_by() {
            let subject = SessionSubject::Caller;
            let mut of_caller = VolumeJudgement::default();
            sessions.change_caller(caller, CallStep::Answer, &mut |session| {
                session.answer(call.endpoint, &answer);
                let state = SubjectActivity { subject, hash: caller, activity: &session.activity };
                of_caller = volume.judge(state, call.endpoint, &call.label, Phase::Response);
            });
            judged.add_volume(subject, caller, of_caller);
        }
        if let Some(address) = address {
            let subject = SessionSubject::Address;
            let mut of_address = VolumeJudgement::default();
            sessions.change_address(address, CallStep::Answer, &mut |session| {
                session.answer(&answer);
                let state = SubjectActivity { subject, hash: address, activity: &session.activity };
                of_address = volume.judge(state, call.endpoint, &call.label, Phase::Response);
            });
            judged.add_volume(subject, address, of_address);
        }
        if let Some(findings) = self.answer_login(call, &answer, sessions) {
            judged.volume = higher(judged.volume, findings.score);
            judged.findings.extend(findings.findings);
        }
        if at_ms.is_some() { judged } else { CallFindings::default() }
    }

    /// Whether a login that failed is one of too many, whoever tried them. Who merely mistyped at such a time is flagged too, but is
    /// not watched for it; and who got in is not.
    fn answer_login(
        &self,
        call: &BegunCall,
        answer: &CallAnswered,
        sessions: &mut dyn SessionStore,
    ) -> Option<VolumeJudgement> {
        let hash = call.login.map(|_| VolumeCalibration::endpoint_hash(call.endpoint))?;
        let (volume, subject) = (&self.bundle().volume, SessionSubject::Endpoint);
        let mut judged = VolumeJudgement::default();
        sessions.change_address(hash, CallStep::Answer, &mut |session| {
            session.answer(answer);
            let state = SubjectActivity { subject, hash, activity: &session.activity };
            judged = volume.judge(state, call.endpoint, &call.label, Phase::Response);
        });
        judged.findings.retain(|finding| finding.kind == FindingKind::FailureRate);
        answer.is_failure().then_some(judged)
    }

    /// Counts the call in the sessions of its caller and its address.
    fn count(
        &self,
        call: &BegunCall,
        object: Option<u64>,
        phase: Phase,
        sessions: &mut dyn SessionStore,
    ) -> CallFindings {
        let CallContext { caller, at_ms, weight } = call.context;
        let volume = &self.bundle().volume;
        let (endpoint, login) = (call.endpoint, call.login);
        let made = |at_ms: i64, other: Option<u64>| CallMade { at_ms, endpoint, object, other, login, weight };
        let mut judged = CallFindings::default();
        if let Some(named) = caller.named_by() {
            let subject = SessionSubject::Caller;
            let mut of_caller = VolumeJudgement::default();
            let mut in_order = CallOrder::default();
            sessions.change_caller(named, CallStep::Begin, &mut |session| {
                session.awake(at_ms);
                // What a release brings is unknown at first, and a matter of routes; it has no place in an order that was learned.
                // Nor has a call without a time: its session would never end.
                if endpoint != CallSymbol::UNKNOWN && at_ms.is_some() {
                    // Jobs and crawlers go their own way, which says nothing of what people do.
                    if !volume.is_busy(subject, named) {
                        in_order = self.order(session, endpoint, &call.label, at_ms, phase);
                    }
                    session.append(endpoint, at_ms);
                }
                let Some(at_ms) = at_ms else { return };
                session.count(&made(at_ms, caller.network));
                let state = SubjectActivity { subject, hash: named, activity: &session.activity };
                of_caller = volume.judge(state, endpoint, &call.label, phase);
            });
            judged.sequence = in_order.score;
            judged.findings.extend(in_order.finding);
            judged.add_volume(subject, named, of_caller);
        }
        if let Some((address, at_ms)) = caller.address.zip(at_ms) {
            let subject = SessionSubject::Address;
            let mut of_address = VolumeJudgement::default();
            sessions.change_address(address, CallStep::Begin, &mut |session| {
                session.count(&made(at_ms, caller.identity));
                let state = SubjectActivity { subject, hash: address, activity: &session.activity };
                of_address = volume.judge(state, endpoint, &call.label, phase);
            });
            judged.add_volume(subject, address, of_address);
        }
        if let Some((at_ms, _)) = at_ms.zip(login) {
            sessions.change_address(VolumeCalibration::endpoint_hash(endpoint), CallStep::Begin, &mut |session| {
                session.count(&made(at_ms, caller.network));
            });
        }
        judged
    }

    /// Judges the call by the ones before it, which it is not among yet, and keeps the session's sum.
    fn order(
        &self,
        session: &mut CallerSession,
        endpoint: CallSymbol,
        label: &str,
        at_ms: Option<i64>,
        phase: Phase,
    ) -> CallOrder {
        let Some(sequence) = self.sequence() else { return CallOrder::default() };
        let next = NextCall { endpoint, gap: session.gap_to(at_ms) };
        let Some(judgement) = sequence.judge_in_session(&session.window, session.surprise_sum, next) else {
            return CallOrder::default();
        };
        session.surprise_sum = judgement.sum;
        let label_of = |symbol: CallSymbol| if symbol == endpoint { label.to_owned() } else { self.label_of(symbol) };
        let finding = judgement.alarm.then(|| {
            let missing = judgement.missing.map_or(CallSymbol::UNKNOWN, |missing| missing.predecessor);
            let parts: [&[u8]; 3] = [b"sequence", &endpoint.0.to_le_bytes(), &missing.0.to_le_bytes()];
            Finding {
                key: stable_hash(&parts),
                kind: if judgement.missing.is_some() { FindingKind::MissingStep } else { FindingKind::CallOrder },
                phase,
                score: judgement.score,
                alarm: true,
                reason: sequence.reason(&session.window, next, &judgement, &label_of),
                attack_class: None,
            }
        });
        CallOrder { score: Some(judgement.score), finding }
    }

    fn label_of(&self, symbol: CallSymbol) -> String {
        let known = self.bundle().routes.endpoints.iter().find(|endpoint| CallSymbol::of(endpoint.id) == symbol);
        known.map_or_else(|| UNKNOWN_ENDPOINTS.to_owned(), |endpoint| endpoint.label())
    }
}

/// What the order of calls says of one.
#[derive(Debug, Clone, Default)]
struct CallOrder {
    score: Option<f32>,
    finding: Option<Finding>,
}
