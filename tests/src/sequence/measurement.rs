//! How well faults are told from normal sessions, per application and kind of fault.

use std::ops::ControlFlow;

use anyhow::Context as _;
use apiward_detector::sequence::SequenceDetector;
use apiward_detector::session::Call;
use apiward_trainer::evaluation::Ranking;
use apiward_trainer::sequence::{CallSequence, SequenceReport, SequenceSettings, learn_sequence, replay};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::faults::{Fault, Possible};
use super::flow::{Application, Visitor};

/// Sessions that tell which calls can follow each other.
const POSSIBLE_SESSIONS: usize = 3_000;

/// How much is generated.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkflowSettings {
    pub seed: u64,
    /// Sessions to learn from, and the callers that they are of.
    pub training_sessions: usize,
    pub training_callers: usize,
    /// Normal sessions of other callers.
    pub normal_sessions: usize,
    /// Sessions of each kind of fault.
    pub faulty_sessions: usize,
    pub learning: SequenceSettings,
}

impl Default for WorkflowSettings {
    fn default() -> Self {
        Self {
            seed: 1,
            training_sessions: 800,
            training_callers: 200,
            normal_sessions: 1_000,
            faulty_sessions: 200,
            learning: SequenceSettings::default(),
        }
    }
}

/// What was measured on one application.
#[derive(Debug, Clone)]
pub struct ApplicationQuality {
    pub application: &'static str,
    pub report: SequenceReport,
    pub faults: Vec<FaultQuality>,
    /// Normal sessions, and those of them that alarmed.
    pub normal: usize,
    pub false_alarms: usize,
}

/// What was measured of one kind of fault.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FaultQuality {
    pub fault: Fault,
    pub sessions: usize,
    /// Area under the ROC curve of the highest score of each session.
    pub roc_auc: f64,
    /// Share of the sessions that alarmed.
    pub alarmed: f64,
}

/// The highest score of a session, and whether it alarmed.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct SessionOutcome {
    pub score: f32,
    /// The highest sum: it tells apart what the score is too coarse for.
    pub sum: f32,
    pub alarmed: bool,
}

/// Judges a session call by call, as the filter does.
pub(super) fn judge(detector: &SequenceDetector, calls: &[Call]) -> SessionOutcome {
    let mut outcome = SessionOutcome::default();
    let mut sum = 0.0;
    replay(calls, &mut |window, next| {
        let Some(judgement) = detector.judge_in_session(window, sum, next) else { return };
        sum = judgement.sum;
        outcome.score = outcome.score.max(judgement.score);
        outcome.sum = outcome.sum.max(judgement.sum);
        outcome.alarmed |= judgement.alarm;
    });
    outcome
}

/// Learns each application from its sessions, and judges others with and without faults.
///
/// # Errors
/// When nothing can be learned.
pub fn measure_workflows(
    applications: &[Application],
    settings: &WorkflowSettings,
) -> anyhow::Result<Vec<ApplicationQuality>> {
    applications.iter().map(|application| measure(application, settings)).collect()
}

fn measure(application: &Application, settings: &WorkflowSettings) -> anyhow::Result<ApplicationQuality> {
    let mut generator = ChaCha8Rng::seed_from_u64(settings.seed);
    let sessions = |count: usize, callers: std::ops::Range<u64>, generator: &mut ChaCha8Rng| {
        let visitors: Vec<Visitor> = callers.map(|caller| Visitor::new(caller, generator)).collect();
        let session = |_| {
            let visitor = visitors[generator.random_range(0..visitors.len())];
            CallSequence { caller: visitor.caller, calls: application.session(visitor, generator) }
        };
        (0..count).map(session).collect::<Vec<CallSequence>>()
    };
    let callers = settings.training_callers as u64;
    let training = sessions(settings.training_sessions, 0..callers, &mut generator);
    let normal = sessions(settings.normal_sessions, callers..2 * callers, &mut generator);
    let possible = sessions(POSSIBLE_SESSIONS, 0..2 * callers, &mut generator);
    let possible = Possible::of(possible.iter().chain(&training).chain(&normal).map(|sequence| &*sequence.calls));

    let learned = learn_sequence(&training, &settings.learning, settings.seed, &mut |_| ControlFlow::Continue(()))?;
    let model = learned.model.with_context(|| format!("nothing was learned of {}", application.name))?;
    let detector = SequenceDetector::load(model)?;
    let normals: Vec<SessionOutcome> = normal.iter().map(|sequence| judge(&detector, &sequence.calls)).collect();
    let mut faults = Vec::new();
    for fault in Fault::ALL {
        let mut outcomes = Vec::new();
        for _ in 0..20 * settings.faulty_sessions {
            if outcomes.len() == settings.faulty_sessions {
                break;
            }
            let [one, other] = [0, 1].map(|_| &normal[generator.random_range(0..normal.len())].calls);
            if let Some(calls) = fault.inject(application, &possible, one, other, &mut generator) {
                outcomes.push(judge(&detector, &calls));
            }
        }
        anyhow::ensure!(!outcomes.is_empty(), "{} has no session with {}", application.name, fault.name());
        let mut ranking = Ranking::default();
        normals.iter().for_each(|outcome| ranking.add(false, outcome.score));
        outcomes.iter().for_each(|outcome| ranking.add(true, outcome.score));
        let alarmed = outcomes.iter().filter(|outcome| outcome.alarmed).count();
        faults.push(FaultQuality {
            fault,
            sessions: outcomes.len(),
            roc_auc: ranking.roc_auc().unwrap_or(0.5),
            alarmed: alarmed as f64 / outcomes.len() as f64,
        });
    }
    Ok(ApplicationQuality {
        application: application.name,
        report: learned.report,
        faults,
        normal: normals.len(),
        false_alarms: normals.iter().filter(|outcome| outcome.alarmed).count(),
    })
}
