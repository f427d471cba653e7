//! The bundle of a scope of which nothing was learned yet: the payload network, which needs no learning.

use apiward_detector::bundle::{BUNDLE_SCHEMA, Bundle, GoldenPayload, Manifest, Policy};
use apiward_detector::calibration::Calibration;
use apiward_detector::hashing::stable_hash;
use apiward_detector::payload::{PayloadCalibration, PayloadException};
use apiward_detector::profile::Vocabulary;
use apiward_detector::route::RouteTable;
use apiward_detector::volume::VolumeCalibration;

use crate::payload::shipped::{self, ShippedNetworkError};

/// What all scopes' starter bundles have in common.
#[derive(Debug, Clone)]
pub struct Starter {
    golden_payloads: Vec<GoldenPayload>,
    false_alarm_budget: f64,
}

impl Starter {
    /// Runs the network in ONNX Runtime once, for its golden cases.
    ///
    /// # Errors
    /// When ONNX Runtime is missing or fails.
    pub fn new(false_alarm_budget: f64) -> Result<Self, ShippedNetworkError> {
        Ok(Self { golden_payloads: shipped::golden_payloads()?, false_alarm_budget })
    }

    /// The bundle of a scope. Its serial, 0, is lower than that of any model, so that the first one replaces it.
    pub fn bundle(&self, scope: &str, payload_exceptions: Vec<PayloadException>) -> Bundle {
        let network = shipped::network();
        Bundle {
            manifest: Manifest {
                schema: BUNDLE_SCHEMA,
                model: format!("starter-{:016x}", stable_hash(&[&network.onnx])),
                parent: None,
                scope: scope.to_owned(),
                serial: 0,
                // Several trainers hand out the same bytes.
                created_ms: 0,
                expires_ms: None,
                hash_key_id: String::new(),
            },
            networks: vec![network],
            routes: RouteTable::default(),
            profiles: Vec::new(),
            vocabulary: Vocabulary::default(),
            calibration: Calibration {
                payload: PayloadCalibration { threshold: Some(shipped::THRESHOLD), fields: Vec::new() },
                ..Calibration::default()
            },
            volume: VolumeCalibration::default(),
            sequence: None,
            policy: Policy { false_alarm_budget: self.false_alarm_budget, payload_exceptions, ..Policy::default() },
            golden: Vec::new(),
            golden_payloads: self.golden_payloads.clone(),
        }
    }
}
