//! What a call is about: the object that it asks for, whom it wants to log in as, and whether he got in.

use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::{Location, Observation, ResponseMeasures};

/// The field of a login that names who wants in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoginField {
    pub endpoint_id: u64,
    pub location: Location,
    pub name: String,
    /// Answers below 400 by which the endpoint refuses a login, sorted: many applications show the form again.
    pub refusals: Vec<AnswerClass>,
}

/// What answers have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AnswerClass {
    pub status: u16,
    /// ⌊log2(bytes)⌋ + 1 of the body, 0 where it is empty or its size unknown.
    pub size: u8,
}

impl AnswerClass {
    /// `None` where there is no status.
    pub fn of(response: &ResponseMeasures) -> Option<Self> {
        let bits = u64::BITS - response.bytes.unwrap_or(0).leading_zeros();
        Some(Self { status: response.status?, size: bits as u8 })
    }
}

impl LoginField {
    /// Whether the answer is a refusal that its status does not tell.
    pub fn refuses(&self, response: &ResponseMeasures) -> bool {
        AnswerClass::of(response).is_some_and(|answer| self.refusals.binary_search(&answer).is_ok())
    }

    /// Whether only the request's body tells it.
    pub fn is_in_body(&self) -> bool {
        !matches!(self.location, Location::Path | Location::Query | Location::Header | Location::Cookie)
    }

    /// Hash of the login identifier in a request to that endpoint.
    pub fn find(&self, observation: &Observation) -> Option<u64> {
        let fields = observation.fields.iter();
        let mut of_name = fields.filter(|field| field.location == self.location && field.name == self.name);
        of_name.next().map(|field| field.shape.hash)
    }
}

/// Hash of what a call asks for: its path parameters (given by the positions of their components), or its query where there
/// are none; `None` where there is neither.
pub fn object_of(observation: &Observation, parameters: &[(&str, usize)]) -> Option<u64> {
    let of_path = parameters.iter().filter_map(|(_, position)| observation.components.get(*position));
    let mut hashes: Vec<[u8; 8]> = of_path.map(|component| component.shape.hash.to_le_bytes()).collect();
    if hashes.is_empty() {
        let query = observation.fields.iter().filter(|field| field.location == Location::Query);
        hashes = query.map(|field| field.shape.hash.to_le_bytes()).collect();
    }
    let parts: Vec<&[u8]> = hashes.iter().map(<[u8; 8]>::as_slice).collect();
    (!parts.is_empty()).then(|| stable_hash(&parts))
}
