//! The payload network that comes with the program: in every bundle, also before anything was learned.

use apiward_detector::bundle::{BundleError, GoldenPayload, Network, NetworkKind};
use apiward_detector::payload::features::{FEATURES, write_features};
use apiward_detector::payload::{PayloadClass, PayloadScorer};
use apiward_models::classifier::{FEATURES as FEATURES_INPUT, LOGITS};
use ort::value::TensorRef;

use crate::fit::runtime::{self, RuntimeError, open_session};

/// Texts on which both engines must agree: of every class, and benign ones.
const GOLDEN_TEXTS: &str = include_str!("golden_texts.txt");

/// Why the network cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum ShippedNetworkError {
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    #[error("onnx runtime failed to run the payload network: {0}")]
    Ort(#[from] ort::Error),
    #[error("the payload network does not fit this program; train it again with `make starter`")]
    Layout,
}

/// Log-odds from which on a value is taken for an attack, in nats: the network is trained so.
pub const THRESHOLD: f32 = 0.0;

/// The network as bundles carry it.
pub fn network() -> Network {
    Network { kind: NetworkKind::Payload, onnx: apiward_models::PAYLOAD_NETWORK.to_vec() }
}

/// The network as the filter runs it.
///
/// # Errors
/// When it breaks a rule of bundles.
pub fn scorer() -> Result<PayloadScorer, BundleError> {
    PayloadScorer::load(apiward_models::PAYLOAD_NETWORK)
}

/// The golden texts with what ONNX Runtime says of them.
///
/// # Errors
/// When ONNX Runtime is missing or fails.
pub fn golden_payloads() -> Result<Vec<GoldenPayload>, ShippedNetworkError> {
    let mut session = open_session(runtime::load(None)?, apiward_models::PAYLOAD_NETWORK)?;
    let mut golden = Vec::new();
    for text in GOLDEN_TEXTS.lines().filter(|line| !line.is_empty()) {
        let mut row = vec![0.0; FEATURES];
        write_features(text, &mut row);
        let input = TensorRef::from_array_view(([1, FEATURES], row.as_slice()))?;
        let outputs = session.run(ort::inputs! { FEATURES_INPUT => input })?;
        let (_, logits) = outputs.get(LOGITS).ok_or(ShippedNetworkError::Layout)?.try_extract_tensor::<f32>()?;
        golden.push(GoldenPayload { text: text.to_owned(), attack: log_odds(logits)? });
    }
    Ok(golden)
}

/// Log-odds of any attack against benign, which is the first class.
fn log_odds(logits: &[f32]) -> Result<f32, ShippedNetworkError> {
    let (Some((benign, attacks)), true) = (logits.split_first(), logits.len() == PayloadClass::ALL.len()) else {
        return Err(ShippedNetworkError::Layout);
    };
    let most = attacks.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    Ok(most + attacks.iter().map(|logit| (logit - most).exp()).sum::<f32>().ln() - benign)
}
