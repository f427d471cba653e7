//! A bundle that passed every check, ready to judge.

use apiward_detector::bundle::{Admission, Bundle, BundleError, bundle_id, open};
use apiward_detector::detector::{Detector, Judgement};
use apiward_detector::observation::Observation;
use apiward_detector::payload::PayloadScorer;
use apiward_detector::telemetry::ActiveBundle;
use apiward_detector::verdict::Verdict;
use apiward_detector::work::WorkBudget;

use crate::config::FilterPolicy;

/// A loaded bundle.
pub struct ActiveModel {
    detector: Detector,
    bundle: ActiveBundle,
}

/// Why bytes did not become a model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Bundle(#[from] BundleError),
    #[error("made with hash key {found}, this filter hashes with {expected}: its enumerations would fit nothing")]
    HashKey { found: String, expected: String },
}

/// A refusal with the serial, where the bundle could be read that far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub serial: Option<u64>,
    pub error: LoadError,
}

impl ActiveModel {
    /// Signature, scope, serial, age, hash key, networks, golden cases, in this order; nothing is parsed before the signature
    /// is found good.
    ///
    /// # Errors
    /// Whatever of these is wrong first.
    pub fn load(
        bytes: &[u8],
        policy: &FilterPolicy,
        current_serial: Option<u64>,
        now_ms: u64,
    ) -> Result<Self, Refusal> {
        let unread = |error: BundleError| Refusal { serial: None, error: error.into() };
        let bundle = open(bytes, &policy.public_keys).map_err(unread)?;
        let serial = bundle.manifest.serial;
        let refused = |error: LoadError| Refusal { serial: Some(serial), error };
        admit(&bundle, policy, current_serial, now_ms).map_err(refused)?;
        let detector = Detector::load(bundle).map_err(|error| refused(error.into()))?;
        Ok(Self { detector, bundle: ActiveBundle { id: bundle_id(bytes), serial } })
    }

    /// Name and serial, as telemetry carries them.
    pub fn bundle(&self) -> &ActiveBundle {
        &self.bundle
    }

    pub fn serial(&self) -> u64 {
        self.bundle.serial
    }

    /// Judges an exchange as far as it has come; see [`Detector::judge`].
    pub fn judge(&self, observation: &Observation, previous: Option<&Verdict>, budget: &mut WorkBudget) -> Judgement {
        self.detector.judge(observation, previous, budget)
    }

    /// The engine itself, for what needs more than the model.
    pub fn detector(&self) -> &Detector {
        &self.detector
    }

    /// The payload network, where the bundle has one.
    pub fn payload_scorer(&self) -> Option<&PayloadScorer> {
        self.detector.payload_scorer()
    }

    /// `Some` where the operator decided for one endpoint: `true` enforces, `false` only monitors.
    pub fn enforce_override(&self, endpoint_id: Option<u64>) -> Option<bool> {
        let endpoint_id = endpoint_id?;
        let overrides = &self.detector.policy().enforce_overrides;
        overrides.iter().find(|(id, _)| *id == endpoint_id).map(|(_, enforce)| *enforce)
    }
}

fn admit(bundle: &Bundle, policy: &FilterPolicy, current_serial: Option<u64>, now_ms: u64) -> Result<(), LoadError> {
    bundle.admit(&Admission {
        scope: &policy.scope,
        min_serial: policy.min_serial,
        current_serial,
        now_ms: i64::try_from(now_ms).unwrap_or(i64::MAX),
    })?;
    let (found, expected) = (bundle.manifest.hash_key_id.as_str(), policy.hasher.key_id());
    // Before anything was learned there is nothing hashed in it.
    if found != expected && !bundle.is_starter() {
        return Err(LoadError::HashKey { found: found.to_owned(), expected: expected.to_owned() });
    }
    Ok(())
}
