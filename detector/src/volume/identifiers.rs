//! What a call is about: the object that it asks for, and whom it wants to log in as.

use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::{Location, Observation};

/// The field of a login that names who wants in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoginField {
    pub endpoint_id: u64,
    pub location: Location,
    pub name: String,
}

impl LoginField {
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
