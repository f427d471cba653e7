//! The fields of an exchange and the values beside them, gathered from all parts of a request under one limit.

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::payload::is_plain;
use crate::work::WorkBudget;

use super::decoding::decode_once;
use super::header_values::has_foreign_signs;
use super::json::member_name;
use super::nested;
use super::payload_values::PayloadValues;
use super::shape::{CharacterClasses, ValueShape};
use super::words::field_name;
use super::{Location, ObservedField, ValueEncoding};

/// Names of which repeated values are joined.
const REPEATED_NAMES_MAX: usize = 64;

/// Collects fields until the work budget or [`limits::VALUES_MAX`] ends it, and values as [`PayloadValues`] takes them.
pub struct FieldCollector<'c> {
    pub hasher: &'c KeyedHasher,
    pub budget: &'c mut WorkBudget,
    /// Something was left out.
    pub incomplete: bool,
    /// No values are wanted.
    pub fields_only: bool,
    fields: &'c mut Vec<ObservedField>,
    values: &'c mut PayloadValues,
    /// How many values what is met is inside of: in any it makes no fields.
    depth: usize,
}

impl<'c> FieldCollector<'c> {
    pub fn new(
        hasher: &'c KeyedHasher,
        budget: &'c mut WorkBudget,
        fields: &'c mut Vec<ObservedField>,
        values: &'c mut PayloadValues,
    ) -> Self {
        Self { hasher, budget, incomplete: false, fields_only: false, fields, values, depth: 0 }
    }

    /// Adds one field, unless there are too many.
    pub fn add(&mut self, location: Location, name: &str, encoding: ValueEncoding, shape: ValueShape) {
        if self.depth > 0 {
            return;
        }
        if self.fields.len() >= limits::VALUES_MAX {
            self.incomplete = true;
            return;
        }
        self.fields.push(ObservedField { location, name: name.to_owned(), encoding, shape });
    }

    /// Adds a field with the shape of a decoded text, if the work budget covers it.
    pub fn field(&mut self, location: Location, name: &str, encoding: ValueEncoding, text: &str, extra: u16) {
        if self.depth > 0 {
            return;
        }
        if self.fields.len() >= limits::VALUES_MAX || !self.budget.take_value() || !self.budget.take_bytes(text.len()) {
            self.incomplete = true;
            return;
        }
        self.add(location, name, encoding, ValueShape::of_text(text, extra, Purpose::Value, self.hasher));
    }

    /// A field of text with its value.
    pub fn text(&mut self, location: Location, name: &str, text: &str, extra: u16) {
        self.field(location, name, ValueEncoding::Text, text, extra);
        self.value(location, name, text);
    }

    /// A value that is no field, or what is inside it: JSON, a form, a token, the strings of a GraphQL document.
    pub fn value(&mut self, location: Location, name: &str, text: &str) {
        if self.fields_only || is_plain(text) {
            return;
        }
        if self.depth < limits::NESTED_VALUES_MAX
            && self.inside(|collector| nested::collect(location, name, text, collector))
        {
            return;
        }
        self.values.offer(location, name, text);
    }

    /// A name as it was sent, which may be an attack as well, in what has a name itself.
    pub fn name(&mut self, location: Location, container: &str, raw: &str) {
        if !self.fields_only && !is_plain(raw) {
            let name = member_name(container, raw);
            // An operator of a document database is one by where it stands, which the network is to see.
            match location {
                Location::Body if raw.starts_with('$') => {
                    self.values.offer(location, &name, &format!("{{\"{raw}\":1}}"))
                }
                _ => self.values.offer(location, &name, raw),
            }
        }
    }

    /// A value that makes no field and may be part of the protocol: only with signs that this has no need of.
    pub fn header_inside(&mut self, location: Location, name: &str, text: &str) {
        if has_foreign_signs(text) {
            self.value(location, name, text);
        }
    }

    /// Whatever is met meanwhile makes no fields and is not looked into.
    pub fn inside<T>(&mut self, collect: impl FnOnce(&mut Self) -> T) -> T {
        self.depth += 1;
        let result = collect(self);
        self.depth -= 1;
        result
    }

    /// Takes `name=value&name=value` apart (queries and urlencoded forms), inside what has a name, if anything.
    pub fn urlencoded(&mut self, location: Location, container: &str, raw: &[u8]) {
        let mut repeated = RepeatedValues::default();
        for pair in raw.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let raw_name = halves.next().unwrap_or_default();
            let raw_value = halves.next().unwrap_or_default();
            let (Some(name), Some(value)) =
                (decode_once(raw_name, true, self.budget), decode_once(raw_value, true, self.budget))
            else {
                self.incomplete = true;
                break;
            };
            let mut extra = 0;
            if value.latin_1 {
                extra |= CharacterClasses::NOT_UTF_8;
            }
            if value.encoded_again {
                extra |= CharacterClasses::ENCODED_AGAIN;
            }
            let field_name =
                if container.is_empty() { field_name(&name.text) } else { member_name(container, &name.text) };
            self.text(location, &field_name, &value.text, extra);
            self.name(location, container, &name.text);
            repeated.add(field_name, &value.text);
        }
        if !self.fields_only {
            for (name, joined) in repeated.joined() {
                self.values.offer(location, &name, &joined);
            }
        }
    }
}

/// Values of names that occur several times: some servers join them by commas, and so may an attack be put together.
#[derive(Default)]
struct RepeatedValues {
    values: Vec<RepeatedValue>,
}

struct RepeatedValue {
    name: String,
    joined: String,
    is_repeated: bool,
    is_plain: bool,
}

impl RepeatedValues {
    fn add(&mut self, name: String, text: &str) {
        let has_room = self.values.len() < REPEATED_NAMES_MAX;
        match self.values.iter_mut().find(|value| value.name == name) {
            Some(value) if value.joined.len() + text.len() < limits::PAYLOAD_VALUE_BYTES_MAX => {
                value.joined.push(',');
                value.joined.push_str(text);
                value.is_repeated = true;
                value.is_plain &= is_plain(text);
            }
            None if has_room && text.len() < limits::PAYLOAD_VALUE_BYTES_MAX => {
                let is_plain = is_plain(text);
                self.values.push(RepeatedValue { name, joined: text.to_owned(), is_repeated: false, is_plain });
            }
            _ => {}
        }
    }

    fn joined(self) -> impl Iterator<Item = (String, String)> {
        self.values
            .into_iter()
            .filter(|value| value.is_repeated && !value.is_plain)
            .map(|value| (value.name, value.joined))
    }
}
