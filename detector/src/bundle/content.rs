//! What is inside a bundle.

use serde::{Deserialize, Serialize};

use crate::calibration::Calibration;
use crate::limits;
use crate::observation::Observation;
use crate::payload::PayloadException;
use crate::profile::{EndpointProfile, Vocabulary};
use crate::route::RouteTable;
use crate::sequence::SequenceModel;
use crate::volume::VolumeCalibration;

use super::BundleError;

/// Version of the payload, the observation's features included. A filter reads exactly this one.
pub const BUNDLE_SCHEMA: u32 = 7;

/// The payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bundle {
    pub manifest: Manifest,
    pub networks: Vec<Network>,
    pub routes: RouteTable,
    /// One per endpoint of the route table, in the order of its endpoint indices.
    pub profiles: Vec<EndpointProfile>,
    pub vocabulary: Vocabulary,
    pub calibration: Calibration,
    /// How much callers and addresses do.
    pub volume: VolumeCalibration,
    /// In which order callers use the endpoints; `None` where too little was seen to tell.
    pub sequence: Option<SequenceModel>,
    pub policy: Policy,
    pub golden: Vec<GoldenCase>,
    /// The same of the payload network, which sees texts.
    pub golden_payloads: Vec<GoldenPayload>,
}

/// What a bundle says of itself. Always the first element of the payload, so that it can be read by every version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub schema: u32,
    /// Id of the model (the training run's content), stable over re-publishing.
    pub model: String,
    /// The model that was active when this one was trained.
    pub parent: Option<String>,
    pub scope: String,
    /// Grows with every publishing; a roll-back re-publishes old content under a new serial.
    pub serial: u64,
    pub created_ms: i64,
    pub expires_ms: Option<i64>,
    /// Which hash key the enumerations were hashed with.
    pub hash_key_id: String,
}

/// An ONNX network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Network {
    pub kind: NetworkKind,
    #[serde(with = "byte_string")]
    pub onnx: Vec<u8>,
}

/// What a network is for; its inputs and outputs follow from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NetworkKind {
    /// Inputs `features` and `visible`, f32 [1, F]; outputs `error` f32 [1] and `squared_error` f32 [1, F].
    Autoencoder,
    /// Input `features` f32 [N, F] of a text, output `logits` f32 [N, 13], one per [`crate::payload::PayloadClass`].
    Payload,
}

impl NetworkKind {
    pub fn name(self) -> &'static str {
        match self {
            NetworkKind::Autoencoder => "autoencoder",
            NetworkKind::Payload => "payload",
        }
    }
}

/// What the operator decided, carried to the filter.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Accepted share of normal exchanges that are flagged, 0..1.
    pub false_alarm_budget: f64,
    /// Endpoint ids whose mode differs from the filter's own: `true` enforces, `false` only monitors.
    pub enforce_overrides: Vec<(u64, bool)>,
    /// What people decided about payload findings; the last that fits counts.
    pub payload_exceptions: Vec<PayloadException>,
}

/// An input with the outputs that every engine must reproduce.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenCase {
    pub observation: Observation,
    /// One per phase that the observation reached, in order.
    pub expected: Vec<GoldenOutput>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct GoldenOutput {
    /// Reconstruction error by the trainer's engine; `None` where no network ran.
    pub reconstruction_error: Option<f32>,
    pub anomalous: bool,
    pub score: f32,
}

/// A text with what every engine must say of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GoldenPayload {
    pub text: String,
    /// Log-odds by the trainer's engine, in nats.
    pub attack: f32,
}

impl Bundle {
    /// Whether nothing was learned yet: only the payload network judges.
    pub fn is_starter(&self) -> bool {
        self.routes.endpoints.is_empty()
    }

    /// # Errors
    /// Only when a value cannot be written, which none of these types can cause.
    pub fn encode(&self) -> Result<Vec<u8>, BundleError> {
        rmp_serde::to_vec(self).map_err(|error| BundleError::Payload(error.to_string()))
    }

    /// Reads a payload whose signature was checked. The schema is read first, so that a bundle of another version is refused
    /// by name and not as garbage.
    pub(super) fn decode(payload: &[u8]) -> Result<Self, BundleError> {
        let found = schema_of(payload)?;
        if found != BUNDLE_SCHEMA {
            return Err(BundleError::Schema { found });
        }
        let mut deserializer = rmp_serde::Deserializer::from_read_ref(payload);
        deserializer.set_max_depth(128);
        let bundle = Self::deserialize(&mut deserializer).map_err(|error| BundleError::Payload(error.to_string()))?;
        bundle.check_limits()?;
        Ok(bundle)
    }

    fn check_limits(&self) -> Result<(), BundleError> {
        let limit = |limit| Err(BundleError::Limit { limit });
        if self.networks.len() > limits::NETWORKS_MAX {
            return limit("networks");
        }
        if self.networks.iter().any(|network| network.onnx.len() > limits::NETWORK_BYTES_MAX) {
            return limit("bytes of a network");
        }
        if self.profiles.len() > limits::ENDPOINTS_MAX {
            return limit("endpoints");
        }
        if self.profiles.iter().map(|profile| profile.fields.len()).sum::<usize>() > limits::FIELD_PROFILES_MAX {
            return limit("field profiles");
        }
        if self.golden.len() > limits::GOLDEN_CASES_MAX {
            return limit("golden cases");
        }
        if self.golden_payloads.len() > limits::GOLDEN_PAYLOADS_MAX {
            return limit("golden payloads");
        }
        if self.volume.thresholds.len() > limits::VOLUME_THRESHOLDS_MAX
            || self.volume.busy.len() > limits::BUSY_SUBJECTS_MAX
            || self.volume.logins.len() > limits::LOGIN_FIELDS_MAX
            || self.volume.logins.iter().any(|login| login.refusals.len() > limits::LOGIN_REFUSALS_MAX)
        {
            return limit("volume thresholds");
        }
        let own_thresholds = self.calibration.payload.fields.len() + self.policy.payload_exceptions.len();
        if own_thresholds > limits::PAYLOAD_FIELDS_MAX {
            return limit("payload thresholds");
        }
        Ok(())
    }
}

/// Reads only the manifest's schema: first element of the payload's array, first element of that.
fn schema_of(payload: &[u8]) -> Result<u32, BundleError> {
    let schema = skip_array_header(payload)
        .and_then(skip_array_header)
        .ok_or(BundleError::Payload("it does not begin with a manifest".to_owned()))?;
    u32::deserialize(&mut rmp_serde::Deserializer::from_read_ref(schema))
        .map_err(|error| BundleError::Payload(error.to_string()))
}

fn skip_array_header(payload: &[u8]) -> Option<&[u8]> {
    match payload.first()? {
        0x90..=0x9f => payload.get(1..),
        0xdc => payload.get(3..),
        0xdd => payload.get(5..),
        _ => None,
    }
}

/// ONNX bytes as a MessagePack binary instead of an array of numbers.
mod byte_string {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(bytes)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Vec<u8>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("bytes")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
                Ok(bytes.to_vec())
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(bytes)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
                let mut bytes = Vec::new();
                while let Some(byte) = items.next_element()? {
                    bytes.push(byte);
                }
                Ok(bytes)
            }
        }
        deserializer.deserialize_byte_buf(Bytes)
    }
}
