//! What is said of the values at one place.

use std::collections::BTreeMap;

use apiward_detector::observation::{SensitiveClasses, ValueEncoding, ValueType};
use serde::{Deserialize, Serialize};

use crate::discovery::summary::{ResponseFieldSummary, TypeCounts, ValueSummary};

use super::evidence::{ENUMERATION_USES_MIN, ENUMERATION_VALUES_MAX, SHARE_MIN, share};
use super::sensitive;

/// How the values of a parameter or field look.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ValueInventory {
    /// The most frequent first.
    pub types: Vec<TypeShare>,
    /// Bounds that hold all numbers seen, as magnitudes tell them: within a factor of two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<NumericBounds>,
    /// Characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length: Option<LengthBounds>,
    /// Number of different values, where few come again and again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enumeration: Option<usize>,
    /// Classes of personal or secret data, words of [`SensitiveClasses::NAMES`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sensitive: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TypeShare {
    /// `integer`, `uuid`, `null`, …: the word of [`ValueType::noun`] or [`ValueEncoding::noun`].
    #[serde(rename = "type")]
    pub name: String,
    /// Of all values, 0..1.
    pub share: f64,
}

/// A bound that is beyond what a magnitude tells is `null`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NumericBounds {
    pub minimum: Option<f64>,
    pub maximum: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct LengthBounds {
    pub minimum: u32,
    pub maximum: u32,
}

/// Summaries of requests and of responses looked at alike.
#[derive(Debug, Clone, Copy)]
pub struct ValueView<'s> {
    pub types: &'s TypeCounts,
    pub sensitive: SensitiveClasses,
    /// `None` for responses, of whose values only the types are known.
    pub summary: Option<&'s ValueSummary>,
}

impl<'s> From<&'s ValueSummary> for ValueView<'s> {
    fn from(summary: &'s ValueSummary) -> Self {
        Self { types: &summary.types, sensitive: summary.sensitive, summary: Some(summary) }
    }
}

impl<'s> From<&'s ResponseFieldSummary> for ValueView<'s> {
    fn from(summary: &'s ResponseFieldSummary) -> Self {
        Self { types: &summary.types, sensitive: summary.sensitive, summary: None }
    }
}

impl ValueView<'_> {
    /// Values seen.
    pub fn count(&self) -> u64 {
        self.types.values().sum()
    }

    /// Values of one encoding.
    pub fn count_of(&self, encoding: ValueEncoding) -> u64 {
        self.types.iter().filter(|((of, _), _)| *of == encoding).map(|(_, count)| count).sum()
    }

    /// Encodings and types that are more than oddities, with how often they were seen.
    pub fn usual_types(&self) -> impl Iterator<Item = (ValueEncoding, ValueType, u64)> {
        let total = self.count();
        self.types
            .iter()
            .filter(move |(_, count)| share(**count, total) >= SHARE_MIN)
            .map(|((encoding, value_type), count)| (*encoding, *value_type, *count))
    }

    /// All usual values are numbers.
    pub fn is_numeric(&self) -> bool {
        self.usual_types().all(|(encoding, value_type, _)| {
            encoding == ValueEncoding::JsonNumber
                || encoding == ValueEncoding::Text && matches!(value_type, ValueType::Integer | ValueType::Decimal)
        })
    }

    fn has_text(&self) -> bool {
        self.usual_types().any(|(encoding, _, _)| matches!(encoding, ValueEncoding::Text | ValueEncoding::JsonString))
    }

    /// Bounds of numbers, where most values are some.
    pub fn range(&self) -> Option<NumericBounds> {
        let (least, most) = self.summary?.magnitude?;
        self.is_numeric().then(|| NumericBounds { minimum: lower_bound(least), maximum: upper_bound(most) })
    }

    /// Characters of texts that are no numbers.
    pub fn length(&self) -> Option<LengthBounds> {
        let (minimum, maximum) = self.summary?.length?;
        let is_mixed = self.usual_types().any(|(encoding, _, _)| encoding.is_container());
        (self.has_text() && !self.is_numeric() && !is_mixed).then_some(LengthBounds { minimum, maximum })
    }

    /// Items of lists.
    pub fn items(&self) -> Option<LengthBounds> {
        let (minimum, maximum) = self.summary?.length?;
        let is_list = self.usual_types().all(|(encoding, _, _)| encoding == ValueEncoding::JsonArray);
        is_list.then_some(LengthBounds { minimum, maximum })
    }

    pub fn enumeration(&self) -> Option<usize> {
        let distinct = &self.summary?.distinct;
        let is_told_by_type = self.usual_types().all(|(encoding, value_type, _)| {
            encoding.is_container()
                || matches!(encoding, ValueEncoding::JsonBoolean | ValueEncoding::JsonNull)
                || matches!(value_type, ValueType::Boolean | ValueType::Empty)
        });
        let is_closed = distinct.len() <= ENUMERATION_VALUES_MAX
            && !distinct.is_full()
            && self.count() >= distinct.len() as u64 * ENUMERATION_USES_MIN;
        (is_closed && !is_told_by_type && !distinct.is_empty()).then(|| distinct.len())
    }

    pub fn inventory(&self) -> ValueInventory {
        let total = self.count();
        let mut counts: BTreeMap<&'static str, u64> = BTreeMap::new();
        for (encoding, value_type, count) in self.usual_types() {
            *counts.entry(type_name(encoding, value_type)).or_default() += count;
        }
        let mut types: Vec<(&str, u64)> = counts.into_iter().collect();
        types.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        ValueInventory {
            types: types
                .into_iter()
                .map(|(name, count)| TypeShare { name: name.to_owned(), share: share(count, total) })
                .collect(),
            range: self.range(),
            length: self.length(),
            enumeration: self.enumeration(),
            sensitive: sensitive::names(self.sensitive),
        }
    }
}

fn type_name(encoding: ValueEncoding, value_type: ValueType) -> &'static str {
    match encoding {
        ValueEncoding::Text | ValueEncoding::JsonString | ValueEncoding::JsonNumber => value_type.noun(),
        other => other.noun(),
    }
}

/// The magnitude ±(1 + ⌊log2(1+|x|)⌋) says 2^(s-1) - 1 ≤ |x| < 2^s - 1.
fn upper_bound(magnitude: i8) -> Option<f64> {
    match magnitude {
        0 => Some(0.0),
        beyond if beyond.unsigned_abs() > BITS_MAX => None,
        size if size > 0 => Some(2_f64.powi(i32::from(size)) - 1.0),
        size => Some(1.0 - 2_f64.powi(-i32::from(size) - 1)),
    }
}

fn lower_bound(magnitude: i8) -> Option<f64> {
    upper_bound(magnitude.saturating_neg()).map(|bound| 0.0 - bound)
}

/// Sizes up to which bounds are exact as `f64` and worth reading.
const BITS_MAX: u8 = 53;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_what_a_magnitude_stands_for() {
        let check = |magnitude: i8, lower: Option<f64>, upper: Option<f64>| {
            assert_eq!((lower_bound(magnitude), upper_bound(magnitude)), (lower, upper), "{magnitude}");
        };
        check(0, Some(0.0), Some(0.0));
        // 0.5, and 1 to 2.
        check(1, Some(0.0), Some(1.0));
        check(2, Some(1.0), Some(3.0));
        check(-2, Some(-3.0), Some(-1.0));
        // 1,000
        check(10, Some(511.0), Some(1023.0));
        check(i8::MAX, None, None);
        check(i8::MIN, None, None);
    }
}
