//! The fields of an exchange, gathered from query, form and JSON under one limit.

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::work::WorkBudget;

use super::decoding::decode_once;
use super::shape::{CharacterClasses, ValueShape};
use super::words::field_name;
use super::{Location, ObservedField, ValueEncoding};

/// Collects fields until the work budget or [`limits::VALUES_MAX`] ends it.
pub struct FieldCollector<'c> {
    pub hasher: &'c KeyedHasher,
    pub budget: &'c mut WorkBudget,
    pub fields: &'c mut Vec<ObservedField>,
    /// Something was left out.
    pub incomplete: bool,
}

impl FieldCollector<'_> {
    /// Adds one value; `false` once nothing more can be taken.
    pub fn add(&mut self, location: Location, name: &str, encoding: ValueEncoding, shape: ValueShape) -> bool {
        if self.fields.len() >= limits::VALUES_MAX {
            self.incomplete = true;
            return false;
        }
        self.fields.push(ObservedField { location, name: name.to_owned(), encoding, shape });
        true
    }

    /// Shape of a decoded text, if the work budget covers it.
    pub fn text_shape(&mut self, text: &str, extra: u16) -> Option<ValueShape> {
        if !self.budget.take_value() || !self.budget.take_bytes(text.len()) {
            self.incomplete = true;
            return None;
        }
        Some(ValueShape::of_text(text, extra, Purpose::Value, self.hasher))
    }

    /// Takes `name=value&name=value` apart (queries and urlencoded forms).
    pub fn urlencoded(&mut self, location: Location, raw: &[u8]) {
        for pair in raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let raw_name = halves.next().unwrap_or_default();
            let raw_value = halves.next().unwrap_or_default();
            let (Some(name), Some(value)) =
                (decode_once(raw_name, true, self.budget), decode_once(raw_value, true, self.budget))
            else {
                self.incomplete = true;
                return;
            };
            let mut extra = 0;
            if value.latin_1 {
                extra |= CharacterClasses::NOT_UTF_8;
            }
            if value.encoded_again {
                extra |= CharacterClasses::ENCODED_AGAIN;
            }
            let Some(shape) = self.text_shape(&value.text, extra) else {
                return;
            };
            if !self.add(location, &field_name(&name.text), ValueEncoding::Text, shape) {
                return;
            }
        }
    }
}
