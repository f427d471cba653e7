use serde::{Deserialize, Serialize};

use crate::verdict::FindingKind;

use super::field::Oddity;
use super::{FieldProfile, ObservedField};

/// What fields hold across endpoints: something new to a field that is common in fields of the same name elsewhere, or at
/// least in some other field, says less than something that was never seen anywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vocabulary {
    /// Punctuation seen in any field, one bit per ASCII character.
    pub punctuation: [u64; 2],
    /// Profiles of fields by their own name (see [`own_name`]) over all endpoints that have one, sorted by name; only of
    /// names that several endpoints share.
    pub fields: Vec<FieldProfile>,
}

/// The last part of a field's name: `note` of `items[].note`.
pub fn own_name(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

impl Vocabulary {
    fn knows_character(&self, character: u64) -> bool {
        let [low, high] = self.punctuation;
        let bits = if character < 64 { low } else { high };
        character < 128 && bits >> (character % 64) & 1 == 1
    }

    /// The profile of all fields of that name.
    pub fn field(&self, name: &str) -> Option<&FieldProfile> {
        let own = own_name(name);
        self.fields
            .binary_search_by(|profile| profile.name.as_str().cmp(own))
            .ok()
            .and_then(|found| self.fields.get(found))
    }

    /// Sets how far out the oddities of a value are, now that other fields are looked at too: 0 where fields of the same name
    /// hold the same elsewhere; for new characters 1 where any other field has them and 2 where none has.
    pub fn weigh(&self, field: &ObservedField, oddities: &mut [Oddity]) {
        if oddities.is_empty() {
            return;
        }
        let mut elsewhere = Vec::new();
        let namesake = self.field(&field.name);
        if let Some(namesake) = namesake {
            namesake.check(field, |oddity| elsewhere.push((oddity.kind, oddity.property, oddity.extent)));
        }
        for oddity in oddities {
            let same =
                elsewhere.iter().find(|(kind, property, _)| (*kind, *property) == (oddity.kind, oddity.property));
            oddity.extent = match (namesake, same) {
                (Some(_), None) => 0,
                (_, Some((_, _, extent))) => self.extent_when_new(oddity, (*extent).min(oddity.extent)),
                (None, None) => self.extent_when_new(oddity, oddity.extent),
            };
        }
    }

    fn extent_when_new(&self, oddity: &Oddity, extent: u8) -> u8 {
        match oddity.kind {
            FindingKind::Characters if oddity.property < 128 && !self.knows_character(oddity.property) => 2,
            FindingKind::Characters
            | FindingKind::Pattern
            | FindingKind::ValueType
            | FindingKind::JsonType
            | FindingKind::Enumeration => extent.max(1),
            _ => extent,
        }
    }
}
