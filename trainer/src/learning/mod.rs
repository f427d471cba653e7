//! Records → bundle: what is learned, from whom, and what it is worth.
//!
//! In order: who may be learned from ([`admission`]), which endpoints there are ([`routes`]), what is usual for each of their
//! fields and what a surprise is worth ([`rules`]), and how the exchange as a whole looks ([`whole`]).

pub mod admission;
mod callers;
mod continuity;
mod endpoint;
mod golden;
mod novelty;
pub(crate) mod pareto;
mod payloads;
mod report;
mod routes;
mod rules;
mod sequence;
mod shares;
mod vocabulary;
mod volume;
pub(crate) mod whole;

use std::ops::ControlFlow;
use std::time::Instant;

use apiward_detector::bundle::{BUNDLE_SCHEMA, Bundle, Manifest, Network, NetworkKind, Policy};
use apiward_detector::calibration::Calibration;
use apiward_detector::hashing::stable_hash;
use apiward_detector::payload::PayloadException;
use apiward_detector::telemetry::ExchangeRecord;
use serde::Serialize;

pub use report::LearningReport;

use crate::discovery::Correction;
use crate::discovery::component_network::ComponentNetworkError;
use crate::fit::FitError;
use crate::payload::shipped::{self, ShippedNetworkError};
use crate::sequence::SequenceError;

use continuity::Continuity;
use payloads::OwnPayloads;

/// Fewest admitted exchanges from which anything can be learned.
pub const EXCHANGES_MIN: usize = 100;

/// Nats that a threshold may move with one training, unless the operator decides otherwise.
pub const THRESHOLD_STEP_MAX: f32 = 2.3;

/// What the operator decides about learning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LearningSettings {
    pub scope: String,
    pub seed: u64,
    /// Accepted share of normal exchanges that are flagged, 0..1.
    pub false_alarm_budget: f64,
    pub promotion: Promotion,
    /// Furthest that a threshold may move from the parent model's, in nats: 2.3 is a factor of ten in how rare the exchanges at
    /// the threshold are. `None` is an operator's word that they may move freely.
    pub threshold_step_max: Option<f32>,
    /// Largest share of the training set that one caller or network may have, 0..1.
    pub caller_share_max: f64,
    /// Which hash key the records were hashed with.
    pub hash_key_id: String,
    /// Time of the training, milliseconds since the Unix epoch; part of the manifest.
    pub now_ms: i64,
    /// What people decided about templates.
    pub corrections: Vec<Correction>,
    /// What people decided about values that look like attacks; of several that fit the last counts.
    pub payload_exceptions: Vec<PayloadException>,
}

/// When something new becomes normal: `callers` established callers used it successfully over `windows` windows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promotion {
    pub callers: usize,
    pub windows: usize,
    pub window_ms: i64,
}

impl Default for LearningSettings {
    fn default() -> Self {
        Self {
            scope: "default".to_owned(),
            seed: 1,
            false_alarm_budget: 0.001,
            promotion: Promotion { callers: 3, windows: 2, window_ms: 3_600_000 },
            threshold_step_max: Some(THRESHOLD_STEP_MAX),
            caller_share_max: 0.05,
            hash_key_id: String::new(),
            now_ms: 0,
            corrections: Vec::new(),
            payload_exceptions: Vec::new(),
        }
    }
}

/// Where a training run is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "stage", rename_all = "snake_case")]
pub enum Progress {
    Admission { records: usize },
    Routes { records: usize },
    Rules { done: usize, of: usize },
    Sequence,
    Network { epoch: u32, epochs_max: u32, later_loss: f64 },
    Calibration,
}

/// What came out of a training run: an unpublished bundle (serial 0, not signed) and what is known of it.
#[derive(Debug, Clone)]
pub struct LearnedModel {
    pub bundle: Bundle,
    pub report: LearningReport,
}

#[derive(Debug, thiserror::Error)]
pub enum LearningError {
    #[error(
        "{admitted} of {records} exchanges can be learned from, at least {EXCHANGES_MIN} are needed: let more traffic pass first"
    )]
    TooFew { records: usize, admitted: usize },
    #[error("no endpoint was used successfully by {callers} callers yet: let more traffic pass first")]
    NoEndpoint { callers: usize },
    #[error("the training was cancelled")]
    Cancelled,
    #[error("the records carry no features")]
    NoFeatures,
    #[error(transparent)]
    Payload(#[from] ShippedNetworkError),
    #[error(transparent)]
    Components(#[from] ComponentNetworkError),
    #[error("the network could not be trained: {0}")]
    Fit(#[from] FitError),
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    #[error("the bundle does not hold together: {0}")]
    Bundle(#[from] apiward_detector::bundle::BundleError),
}

/// Learns a model from records of one scope. `parent` is the model in use, whose endpoints stay known.
///
/// The same records, parent and settings give the same bundle.
///
/// # Errors
/// When there is too little to learn from, ONNX Runtime is missing or fails, or `progress` asks to stop.
pub fn learn(
    mut records: Vec<ExchangeRecord>,
    parent: Option<&Bundle>,
    settings: &LearningSettings,
    progress: &mut dyn FnMut(Progress) -> ControlFlow<()>,
) -> Result<LearnedModel, LearningError> {
    let started = Instant::now();
    let records_given = records.len();
    // Files without times keep their order.
    records.sort_by_key(|record| record.at_ms);
    step(progress, Progress::Admission { records: records_given })?;
    let own_payloads =
        OwnPayloads::of(&records, Some(shipped::THRESHOLD), &admission::support_for_novelties(&records, settings))
            .with_exceptions(&settings.payload_exceptions, parent.map(|parent| &parent.routes));
    let admission = admission::admit(records, &own_payloads, parent.is_some(), settings);
    if admission.learned.len() < EXCHANGES_MIN {
        return Err(LearningError::TooFew { records: records_given, admitted: admission.learned.len() });
    }

    step(progress, Progress::Routes { records: admission.learned.len() })?;
    let support = admission.support(settings);
    let routes = routes::learn_routes(&admission.learned, parent, &support, &settings.corrections)?;
    if routes.endpoints.is_empty() {
        return Err(LearningError::NoEndpoint { callers: support.callers });
    }
    let located = routes::locate(&routes, &admission.learned);

    let mut calibration = Calibration::default();
    let continuity = Continuity::new(parent.map(|parent| &parent.calibration), settings.threshold_step_max);
    let learned_rules =
        rules::learn_rules(&routes, &located, parent, &support, settings, &continuity, &mut calibration, progress)?;
    let mut profiles = learned_rules.profiles;
    let also_located = routes::locate(&routes, &admission.calibration_only);
    calibration.payload = own_payloads.calibration(&routes, &located, parent);
    let parent_volume = parent.map(|parent| &parent.volume).filter(|volume| volume.is_armed());
    let (volume, volume_figures) = volume::learn_volume(&routes, &located, &admission, parent_volume, settings);
    let (sequence, sequence_report) = sequence::learn_order(&routes, &admission, parent, settings, progress)?;
    let located = shares::capped(&located);
    let whole = whole::learn_whole(
        &routes,
        &mut profiles,
        &located,
        &also_located,
        settings,
        &continuity,
        &mut calibration,
        progress,
    )?;
    step(progress, Progress::Calibration)?;

    let mut bundle = Bundle {
        manifest: Manifest {
            schema: BUNDLE_SCHEMA,
            model: String::new(),
            parent: parent.map(|parent| parent.manifest.model.clone()),
            scope: settings.scope.clone(),
            serial: 0,
            created_ms: settings.now_ms,
            expires_ms: None,
            hash_key_id: settings.hash_key_id.clone(),
        },
        networks: vec![Network { kind: NetworkKind::Autoencoder, onnx: whole.fitted.onnx.clone() }, shipped::network()],
        routes: routes.clone(),
        profiles,
        vocabulary: learned_rules.vocabulary,
        calibration,
        volume,
        sequence,
        policy: Policy {
            false_alarm_budget: settings.false_alarm_budget,
            enforce_overrides: parent.map(|parent| parent.policy.enforce_overrides.clone()).unwrap_or_default(),
            payload_exceptions: parent.map(|parent| parent.policy.payload_exceptions.clone()).unwrap_or_default(),
        },
        golden: Vec::new(),
        golden_payloads: shipped::golden_payloads()?,
    };
    golden::add_golden_cases(&mut bundle, &located, &whole)?;
    bundle.manifest.model = model_id(&bundle)?;
    let report = report::report(
        &bundle,
        &admission,
        &learned_rules.figures,
        &whole,
        volume_figures,
        sequence_report,
        continuity.held(),
        records_given,
        parent,
        started.elapsed(),
    );
    Ok(LearnedModel { bundle, report })
}

/// Public name of a model: of everything in it but the time it was made.
fn model_id(bundle: &Bundle) -> Result<String, LearningError> {
    let mut timeless = bundle.clone();
    timeless.manifest.created_ms = 0;
    Ok(format!("{:016x}", stable_hash(&[&timeless.encode()?])))
}

fn step(progress: &mut dyn FnMut(Progress) -> ControlFlow<()>, at: Progress) -> Result<(), LearningError> {
    match progress(at) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(LearningError::Cancelled),
    }
}
