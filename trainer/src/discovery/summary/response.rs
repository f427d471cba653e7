use apiward_detector::observation::{ResponseField, SensitiveClasses};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::discovery::limits;

use super::field::TypeCounts;

/// What a field of an endpoint's responses holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ResponseFieldSummary {
    /// Responses that carried it.
    pub exchanges: u64,
    pub types: TypeCounts,
    pub sensitive: SensitiveClasses,
}

impl ResponseFieldSummary {
    pub fn merge(&mut self, other: &ResponseFieldSummary) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        for (key, count) in &other.types {
            *self.types.entry(*key).or_default() += count;
        }
        self.sensitive.0 |= other.sensitive.0;
    }
}

pub fn count_fields(summaries: &mut LiteMap<Box<str>, ResponseFieldSummary>, fields: &[ResponseField], weight: u64) {
    for (place, field) in fields.iter().enumerate() {
        let is_repeated = fields.iter().take(place).any(|earlier| earlier.name == field.name);
        let Some(summary) = super::bounded_entry(summaries, field.name.as_str(), limits::FIELDS_MAX) else {
            continue;
        };
        *summary.types.entry((field.encoding, field.value_type)).or_default() += weight;
        summary.sensitive.0 |= field.sensitive.0;
        if !is_repeated {
            summary.exchanges = summary.exchanges.saturating_add(weight);
        }
    }
}
