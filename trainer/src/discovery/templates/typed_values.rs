//! The children of a place that are no words, as far as they tell what values are like there.

use std::collections::BTreeMap;

use apiward_detector::observation::ValueType;

use crate::discovery::graph::Node;
use crate::discovery::summary::ValueSummary;

/// Different values of one strict type beside which a word of another type is no value.
const STRICT_VALUES_MIN: usize = 6;

/// The children that are no words.
#[derive(Default)]
pub struct TypedValues {
    /// Different values, as far as they are counted.
    pub distinct: usize,
    pub visits: u64,
    /// Types that make up more than a twentieth.
    usual: Vec<ValueType>,
    /// All usual types are strict ones.
    is_strict: bool,
}

impl TypedValues {
    pub fn of(values: &BTreeMap<&str, Vec<&Node>>) -> Self {
        let mut summary = ValueSummary::default();
        values.values().flatten().for_each(|node| summary.merge(&node.values_seen));
        let total: u64 = summary.types.values().sum();
        let mut usual: Vec<ValueType> = summary
            .types
            .iter()
            .filter(|(_, count)| **count * 20 > total)
            .map(|((_, value_type), _)| *value_type)
            .collect();
        usual.sort_unstable();
        usual.dedup();
        let is_strict = !usual.is_empty() && usual.iter().all(|usual| is_strict(*usual));
        Self { distinct: summary.distinct.len(), visits: total, usual, is_strict }
    }

    /// What the values beside it say of a word, when `others` words are values too.
    pub fn evidence_beside(&self, word: &str, others: usize) -> f64 {
        if self.distinct == 0 {
            return 0.0;
        }
        if self.is_strict && self.distinct >= STRICT_VALUES_MIN && others * 5 < self.distinct {
            return if self.usual.contains(&ValueType::of(word)) { 1.0 } else { -20.0 };
        }
        ((others as f64 + 1.0) / (self.distinct as f64 + others as f64 + 2.0)).ln().max(-3.0) + 0.7
    }
}

/// Types that no word is written in.
fn is_strict(value_type: ValueType) -> bool {
    matches!(
        value_type,
        ValueType::Integer
            | ValueType::Decimal
            | ValueType::Uuid
            | ValueType::Hex
            | ValueType::Date
            | ValueType::DateTime
            | ValueType::PrefixedId
            | ValueType::Coordinates
            | ValueType::Ip
            | ValueType::Email
    )
}
