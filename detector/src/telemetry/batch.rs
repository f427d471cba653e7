use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::limits;

use super::{CapturedExchange, ExchangeRecord};

/// Version of the batch format that is written.
pub const BATCH_VERSION: u16 = 4;
/// Oldest version that is read; what it does not tell is as if it had not been seen.
pub const BATCH_VERSION_MIN: u16 = 2;

/// How deep a batch is nested.
const DEPTH_MAX: usize = 32;

/// What one worker's filter sends at once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    pub version: u16,
    /// Random per VM start: 32 hexadecimal digits.
    pub sender: String,
    /// Counts up by one per batch of a sender; a repeated batch carries the same number.
    pub sequence: u64,
    pub scope: String,
    /// Which hash key made the hashes.
    pub hash_key_id: String,
    /// The bundle in use when the batch was sent.
    pub bundle: Option<ActiveBundle>,
    pub records: Vec<ExchangeRecord>,
    /// Exact counts since the last batch, also of exchanges that were sampled away.
    pub counts: Vec<EndpointCount>,
    /// Records dropped since the last batch because the buffer was full.
    pub records_dropped: u64,
    /// Bundles that were refused since the last batch.
    pub refusals: Vec<BundleRefusal>,
    pub captures: Vec<CapturedExchange>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveBundle {
    pub id: String,
    pub serial: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndpointCount {
    pub endpoint: String,
    pub exchanges: u64,
    pub anomalous: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BundleRefusal {
    /// When the envelope could be read that far.
    pub serial: Option<u64>,
    pub reason: String,
}

#[derive(Debug, thiserror::Error)]
pub enum BatchError {
    #[error("the batch has {bytes} bytes, at most {} are accepted", limits::BATCH_BYTES_MAX)]
    TooLarge { bytes: usize },
    #[error("the batch is no telemetry of version {BATCH_VERSION}: {reason}")]
    Malformed { reason: String },
    #[error(
        "the batch has version {version}, this trainer reads versions {BATCH_VERSION_MIN} to {BATCH_VERSION}: update the older side"
    )]
    Version { version: u16 },
    #[error("the batch breaks the limit on {limit}")]
    Limit { limit: &'static str },
}

impl Batch {
    /// MessagePack, structures as arrays.
    ///
    /// # Errors
    /// Only when a value cannot be written, which none of these types can cause.
    pub fn encode(&self) -> Result<Vec<u8>, BatchError> {
        rmp_serde::to_vec(self).map_err(|error| BatchError::Malformed { reason: error.to_string() })
    }

    /// Reads and checks a batch.
    ///
    /// # Errors
    /// When it is too large, of another version, malformed, or breaks a limit on records, texts or values.
    pub fn decode(bytes: &[u8]) -> Result<Self, BatchError> {
        if bytes.len() > limits::BATCH_BYTES_MAX {
            return Err(BatchError::TooLarge { bytes: bytes.len() });
        }
        let is_read = |version| (BATCH_VERSION_MIN..=BATCH_VERSION).contains(&version);
        let batch: Self = read(bytes).map_err(|error| match read::<VersionAlone>(bytes) {
            // Its structures may have other members, so that it looks malformed.
            Ok(VersionAlone(version)) if !is_read(version) => BatchError::Version { version },
            _ => BatchError::Malformed { reason: error.to_string() },
        })?;
        if !is_read(batch.version) {
            return Err(BatchError::Version { version: batch.version });
        }
        batch.check_limits()?;
        Ok(batch)
    }

    fn check_limits(&self) -> Result<(), BatchError> {
        let limit = |limit| Err(BatchError::Limit { limit });
        if self.sender.len() != 32 || !self.sender.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return limit("the sender id, 32 hexadecimal digits");
        }
        if self.records.len() > limits::BATCH_RECORDS_MAX || self.captures.len() > limits::BATCH_RECORDS_MAX {
            return limit("records per batch");
        }
        if self.counts.len() > limits::BATCH_RECORDS_MAX || self.refusals.len() > limits::BATCH_RECORDS_MAX {
            return limit("counts or refusals per batch");
        }
        let short = |text: &str| text.len() <= limits::BATCH_TEXT_BYTES_MAX;
        if !short(&self.scope)
            || !short(&self.hash_key_id)
            || !self.counts.iter().all(|count| short(&count.endpoint))
            || !self.refusals.iter().all(|refusal| short(&refusal.reason))
        {
            return limit("bytes of a text");
        }
        for record in &self.records {
            let observation = &record.observation;
            if observation.fields.len() > limits::VALUES_MAX {
                return limit("values per record");
            }
            if observation.components.len() > limits::PATH_COMPONENTS_MAX
                || observation.components.iter().any(|component| component.parts.len() > limits::COMPONENT_PARTS_MAX)
            {
                return limit("path components per record");
            }
            if observation.payloads.len() > limits::OBSERVED_PAYLOADS_MAX
                || observation.payloads.iter().any(|payload| !payload.attack.is_finite())
            {
                return limit("payloads per record");
            }
            // One more kind than a caller's own: that it is anonymous.
            if observation.response_fields.len() > limits::RESPONSE_VALUES_MAX
                || observation.caller_kinds.len() > limits::CALLER_KINDS_MAX + 1
            {
                return limit("response values or kinds of a caller per record");
            }
            let names_short = observation.fields.iter().all(|field| short(&field.name) && short(&field.shape.pattern))
                && observation.components.iter().all(|component| {
                    component.word.as_deref().is_none_or(short)
                        && short(&component.shape.pattern)
                        && component
                            .parts
                            .iter()
                            .all(|part| part.word.as_deref().is_none_or(short) && short(&part.separator))
                })
                && observation.response_fields.iter().all(|field| short(&field.name))
                && observation.payloads.iter().all(|payload| short(&payload.name))
                && observation.caller_kinds.iter().all(|kind| short(kind))
                && observation.operation.as_deref().is_none_or(short)
                && short(&observation.host)
                && short(&observation.method);
            if !names_short {
                return limit("bytes of a text");
            }
            if !(record.weight >= 1.0 && record.weight <= 1e6) {
                return limit("the weight of a record, 1 to 1,000,000");
            }
            if let Some(verdict) = &record.verdict
                && (verdict.findings.len() > limits::FINDINGS_MAX
                    || !short(&verdict.endpoint)
                    || !verdict.findings.iter().all(|finding| short(&finding.reason)))
            {
                return limit("findings per record");
            }
        }
        Ok(())
    }
}

fn read<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, rmp_serde::decode::Error> {
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(bytes);
    deserializer.set_max_depth(DEPTH_MAX);
    T::deserialize(&mut deserializer)
}

/// The first member of a batch of any version, which has told the version since the first.
struct VersionAlone(u16);

impl<'de> Deserialize<'de> for VersionAlone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct First;

        impl<'de> Visitor<'de> for First {
            type Value = VersionAlone;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an array that begins with a version")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut members: A) -> Result<VersionAlone, A::Error> {
                let version = members.next_element()?.ok_or_else(|| serde::de::Error::invalid_length(0, &self))?;
                while members.next_element::<IgnoredAny>()?.is_some() {}
                Ok(VersionAlone(version))
            }
        }

        deserializer.deserialize_seq(First)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::exchange::{Caller, Exchange, Request};
    use crate::hashing::KeyedHasher;
    use crate::observation::Observer;
    use crate::telemetry::CallerRecord;

    fn batch() -> Batch {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let exchange = Exchange {
            at_ms: Some(1_790_000_000_000),
            caller: Caller {
                identity: Some("ann".into()),
                verified: true,
                address: Some("10.0.0.7".into()),
                kinds: vec!["role:customer".into()],
            },
            request: Request {
                method: "POST".into(),
                host: "shop.example".into(),
                target: "/api/cart/3?coupon=x".into(),
                headers: vec![("content-type".into(), "application/json".into())],
                body: br#"{"qty":1}"#.to_vec(),
                body_bytes: 9,
            },
            response: None,
        };
        Batch {
            version: BATCH_VERSION,
            sender: "0123456789abcdef0123456789abcdef".into(),
            sequence: 7,
            scope: "shop".into(),
            hash_key_id: hasher.key_id().to_owned(),
            bundle: Some(ActiveBundle { id: "b1".into(), serial: 3 }),
            records: vec![ExchangeRecord {
                at_ms: exchange.at_ms,
                caller: CallerRecord::of(&exchange.caller, &hasher),
                observation: Observer::observe(&exchange, &hasher),
                weight: 1.0,
                verdict: None,
                request_id: None,
            }],
            counts: vec![],
            records_dropped: 0,
            refusals: vec![],
            captures: vec![],
        }
    }

    #[test]
    fn a_batch_survives_the_wire() {
        let batch = batch();
        assert_eq!(Batch::decode(&batch.encode().unwrap()).unwrap(), batch);
    }

    /// The array of an observation's members with a member less, and without the last one's bytes.
    fn without_last_member(bytes: &[u8], last: &[u8]) -> Vec<u8> {
        // No payloads, whether any is unscored, and after the observation the weight.
        let (members, weight) = ([0xdc, 0, OBSERVATION_MEMBERS], [0xca, 0x3f, 0x80, 0, 0]);
        let mut shorter = bytes.to_vec();
        let place = shorter.windows(3).position(|window| window == members).unwrap();
        shorter[place + 2] -= 1;
        let end = shorter.windows(5).position(|window| window == weight).unwrap();
        assert!(shorter[..end].ends_with(last));
        shorter.drain(end - last.len()..end);
        shorter
    }

    const OBSERVATION_MEMBERS: u8 = 18;

    /// As version 3 was written: without whether payloads are unscored. And version 2: without what a body is not, too.
    #[test]
    fn the_versions_before_are_read() {
        let before = Batch { version: 3, ..batch() };
        let older = without_last_member(&before.encode().unwrap(), &[0xc2]);
        assert_eq!(Batch::decode(&older).unwrap(), before);

        let before = Batch { version: 2, ..batch() };
        let mut oldest = without_last_member(&before.encode().unwrap(), &[0xc2]);
        // The body measures are an array of six that ends in nil.
        let measures = [0x96, 9, 1, 0, 0xc2, 0xc2, 0xc0];
        let place = oldest
            .windows(measures.len())
            .position(|window| window[0] == measures[0] && window[1] == 9 && window[4..] == measures[4..])
            .unwrap();
        oldest[place] = 0x95;
        oldest.remove(place + 6);
        assert_eq!(Batch::decode(&oldest).unwrap(), before);
    }

    /// What a newer filter adds to the records: the older trainer says that it is the older one.
    #[test]
    fn a_newer_version_is_named_even_where_it_has_more_members() {
        let newer = Batch { version: BATCH_VERSION + 1, ..batch() };
        let mut bytes = newer.encode().unwrap();
        let place = bytes.windows(3).position(|window| window == [0xdc, 0, OBSERVATION_MEMBERS]).unwrap();
        bytes[place + 2] += 1;
        let end = bytes.windows(5).position(|window| window == [0xca, 0x3f, 0x80, 0, 0]).unwrap();
        bytes.insert(end, 0xc3);
        let error = Batch::decode(&bytes).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the batch has version 5, this trainer reads versions 2 to 4: update the older side"
        );
        bytes[1] = 4;
        assert!(matches!(Batch::decode(&bytes), Err(BatchError::Malformed { .. })));
    }

    #[test]
    fn other_versions_and_broken_limits_are_refused() {
        let newer = Batch { version: 1, ..batch() };
        assert!(matches!(Batch::decode(&newer.encode().unwrap()), Err(BatchError::Version { version: 1 })));
        let unnamed = Batch { sender: "x".into(), ..batch() };
        assert!(matches!(Batch::decode(&unnamed.encode().unwrap()), Err(BatchError::Limit { .. })));
        let mut heavy = batch();
        heavy.records[0].weight = f32::NAN;
        assert!(matches!(Batch::decode(&heavy.encode().unwrap()), Err(BatchError::Limit { .. })));
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = Batch::decode(&bytes);
        }

        #[test]
        fn a_flipped_byte_never_panics(position in 0_usize..400, value in any::<u8>()) {
            let mut bytes = batch().encode().unwrap();
            let position = position % bytes.len();
            bytes[position] = value;
            let _ = Batch::decode(&bytes);
        }
    }
}
