//! Values of a JSON response: names, types, classes and hashes, so that what an endpoint returns and which identifiers it hands
//! out can be learned.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::work::WorkBudget;

use super::words::field_name;
use super::{SensitiveClasses, ValueEncoding, ValueType};

/// One value of a response body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseField {
    /// As in [`super::ObservedField`].
    pub name: String,
    pub encoding: ValueEncoding,
    /// `Empty` for containers.
    pub value_type: ValueType,
    pub sensitive: SensitiveClasses,
    /// Keyed hash of the value, comparable with those of path components; 0 for containers, booleans and null.
    pub hash: u64,
}

/// The values of a response body as far as [`limits::RESPONSE_VALUES_MAX`] and [`limits::RESPONSE_ITEMS_MAX`] go; of a body that
/// is cut or no JSON, those before its end.
pub fn response_fields(body: &[u8], hasher: &KeyedHasher, budget: &mut WorkBudget) -> Vec<ResponseField> {
    let mut fields = Vec::new();
    if budget.take_bytes(body.len()) {
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let mut collector = Collector { fields: &mut fields, hasher };
        // What breaks off keeps what was met before.
        let _ = Node { collector: &mut collector, name: "", depth: 0 }.deserialize(&mut deserializer);
    }
    fields
}

struct Collector<'c> {
    fields: &'c mut Vec<ResponseField>,
    hasher: &'c KeyedHasher,
}

struct Node<'n, 'c> {
    collector: &'n mut Collector<'c>,
    name: &'n str,
    depth: usize,
}

impl Node<'_, '_> {
    fn add(self, encoding: ValueEncoding, text: &str) {
        if self.collector.fields.len() >= limits::RESPONSE_VALUES_MAX {
            return;
        }
        let is_value = matches!(encoding, ValueEncoding::JsonString | ValueEncoding::JsonNumber);
        let value_type = if is_value { ValueType::of(text) } else { ValueType::Empty };
        let sensitive = if is_value { SensitiveClasses::of(text, value_type) } else { SensitiveClasses::default() };
        let hash = if is_value { self.collector.hasher.hash(Purpose::Value, text.as_bytes()) } else { 0 };
        self.collector.fields.push(ResponseField { name: self.name.to_owned(), encoding, value_type, sensitive, hash });
    }

    fn is_over(&self) -> bool {
        self.depth >= limits::JSON_DEPTH_MAX || self.collector.fields.len() >= limits::RESPONSE_VALUES_MAX
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.add(ValueEncoding::JsonNull, "");
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        self.add(ValueEncoding::JsonBoolean, "");
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.add(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.add(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.add(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.add(ValueEncoding::JsonString, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let name = bounded(format!("{}[]", self.name));
        let depth = self.depth + 1;
        let is_over = self.is_over();
        let Node { collector, name: own, depth: own_depth } = self;
        Node { collector: &mut *collector, name: own, depth: own_depth }.add(ValueEncoding::JsonArray, "");
        let mut walked = 0;
        while !is_over && walked < limits::RESPONSE_ITEMS_MAX {
            if items.next_element_seed(Node { collector: &mut *collector, name: &name, depth })?.is_none() {
                return Ok(());
            }
            walked += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = self.depth + 1;
        let is_over = self.is_over();
        let Node { collector, name: own, depth: own_depth } = self;
        Node { collector: &mut *collector, name: own, depth: own_depth }.add(ValueEncoding::JsonObject, "");
        if is_over {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(key) = members.next_key::<String>()? {
            let part = field_name(&key);
            let name = bounded(if own.is_empty() { part } else { format!("{own}.{part}") });
            members.next_value_seed(Node { collector: &mut *collector, name: &name, depth })?;
        }
        Ok(())
    }
}

/// Names are ASCII by construction, so any byte is a character boundary.
fn bounded(mut name: String) -> String {
    if name.len() > limits::FIELD_NAME_BYTES_MAX && name.is_char_boundary(limits::FIELD_NAME_BYTES_MAX) {
        name.truncate(limits::FIELD_NAME_BYTES_MAX);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(body: &str) -> Vec<ResponseField> {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        response_fields(body.as_bytes(), &hasher, &mut WorkBudget::default())
    }

    #[test]
    fn values_are_named_and_typed_and_lists_are_sampled() {
        let found = fields(r#"{"users":[{"id":1,"mail":"a@b.org"},{"id":2},{"id":3},{"id":4},{"id":5}],"next":null}"#);
        let names: Vec<&str> = found.iter().map(|field| field.name.as_str()).collect();
        assert_eq!(names.iter().filter(|name| **name == "users[].id").count(), limits::RESPONSE_ITEMS_MAX);
        assert!(names.contains(&"next"));
        let mail = found.iter().find(|field| field.name == "users[].mail").unwrap();
        assert_eq!(mail.sensitive.names().collect::<Vec<_>>(), ["email"]);
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let id = found.iter().find(|field| field.name == "users[].id").unwrap();
        assert_eq!(id.hash, hasher.hash(Purpose::Value, b"1"));
    }

    #[test]
    fn cut_huge_and_deep_bodies_are_bounded() {
        assert_eq!(fields(r#"{"a":1,"b":"#).len(), 2);
        assert!(fields(&format!("[{}1]", "[1],".repeat(50_000))).len() <= limits::RESPONSE_VALUES_MAX);
        assert!(fields(&"[".repeat(10_000)).len() <= limits::RESPONSE_VALUES_MAX);
        assert!(fields("").is_empty());
    }
}
