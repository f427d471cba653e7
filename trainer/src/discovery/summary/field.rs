use apiward_detector::observation::{Location, ObservedField, SensitiveClasses, ValueEncoding, ValueShape, ValueType};
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

use crate::discovery::limits;

use super::distinct::DistinctValues;

/// How often values of each encoding and type were seen.
pub type TypeCounts = LiteMap<(ValueEncoding, ValueType), u64>;

/// What values of one place look like.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ValueSummary {
    /// How often a value was written and looked like this.
    pub types: TypeCounts,
    /// Characters, or items of a list; smallest and largest.
    pub length: Option<(u32, u32)>,
    /// See [`ValueShape::magnitude`]; smallest and largest.
    pub magnitude: Option<(i8, i8)>,
    /// Union over all values.
    pub sensitive: SensitiveClasses,
    pub distinct: DistinctValues,
}

/// What an endpoint's field holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FieldSummary {
    /// Successful exchanges that carried it.
    pub exchanges: u64,
    /// An exchange carried it several times.
    pub repeated: bool,
    pub values: ValueSummary,
}

impl ValueSummary {
    pub fn count(&mut self, encoding: ValueEncoding, shape: &ValueShape, weight: u64) {
        *self.types.entry((encoding, shape.value_type)).or_default() += weight;
        self.length = widened(self.length, (shape.length, shape.length));
        if let Some(magnitude) = shape.magnitude {
            self.magnitude = widened(self.magnitude, (magnitude, magnitude));
        }
        self.sensitive.0 |= shape.sensitive.0;
        if !encoding.is_container() {
            self.distinct.count(shape.hash);
        }
    }

    pub fn merge(&mut self, other: &ValueSummary) {
        for (key, count) in &other.types {
            *self.types.entry(*key).or_default() += count;
        }
        self.length = other.length.map_or(self.length, |range| widened(self.length, range));
        self.magnitude = other.magnitude.map_or(self.magnitude, |range| widened(self.magnitude, range));
        self.sensitive.0 |= other.sensitive.0;
        self.distinct.merge(&other.distinct);
    }
}

impl FieldSummary {
    pub fn merge(&mut self, other: &FieldSummary) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.repeated |= other.repeated;
        self.values.merge(&other.values);
    }
}

fn widened<T: Ord + Copy>(range: Option<(T, T)>, with: (T, T)) -> Option<(T, T)> {
    Some(range.map_or(with, |(least, most)| (least.min(with.0), most.max(with.1))))
}

pub fn count_fields(
    summaries: &mut LiteMap<(Location, Box<str>), FieldSummary>,
    fields: &[ObservedField],
    weight: u64,
) {
    for (place, field) in fields.iter().enumerate() {
        let key = (field.location, field.name.as_str().into());
        let is_repeated =
            fields.iter().take(place).any(|earlier| earlier.location == field.location && earlier.name == field.name);
        let Some(summary) = super::bounded_entry(summaries, &key, limits::FIELDS_MAX) else {
            continue;
        };
        summary.values.count(field.encoding, &field.shape, weight);
        if is_repeated {
            summary.repeated = true;
        } else {
            summary.exchanges = summary.exchanges.saturating_add(weight);
        }
    }
}
