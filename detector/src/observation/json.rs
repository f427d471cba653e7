//! A JSON body walked once, without building a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits;

use super::fields::FieldCollector;
use super::shape::ValueShape;
use super::words::field_name;
use super::{Location, ValueEncoding};

/// What the walk found besides the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonWalk {
    pub depth: u16,
    pub items_max: u32,
    /// The text is no JSON document.
    pub malformed: bool,
}

/// Adds every value of the document to the collector. Values met before an error stay.
pub fn walk(body: &[u8], collector: &mut FieldCollector<'_>) -> JsonWalk {
    let mut walk = JsonWalk::default();
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let node = Node { collector, walk: &mut walk, name: "", depth: 0 };
    let result = node.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    walk.malformed = result.is_err();
    walk
}

struct Node<'n, 'c> {
    collector: &'n mut FieldCollector<'c>,
    walk: &'n mut JsonWalk,
    name: &'n str,
    depth: usize,
}

impl Node<'_, '_> {
    fn leaf(self, encoding: ValueEncoding, text: &str) {
        let Some(shape) = self.collector.text_shape(text, 0) else {
            return;
        };
        self.collector.add(Location::Body, self.name, encoding, shape);
    }

    /// Enters a container; `false` when it is too deep to be walked.
    fn enter(&mut self) -> bool {
        self.walk.depth = self.walk.depth.max(u16::try_from(self.depth + 1).unwrap_or(u16::MAX));
        if self.depth >= limits::JSON_DEPTH_MAX || !self.collector.budget.take_value() {
            self.collector.incomplete = true;
            return false;
        }
        true
    }

    fn container(&mut self, encoding: ValueEncoding, length: usize) {
        self.walk.items_max = self.walk.items_max.max(u32::try_from(length).unwrap_or(u32::MAX));
        self.collector.add(Location::Body, self.name, encoding, ValueShape::of_container(length));
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
        self.leaf(ValueEncoding::JsonNull, "");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.leaf(ValueEncoding::JsonBoolean, if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.leaf(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.leaf(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.leaf(ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.leaf(ValueEncoding::JsonString, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        let mut length = 0;
        if !self.enter() {
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        let item_name = bounded(format!("{}[]", self.name));
        loop {
            let node = Node {
                collector: &mut *self.collector,
                walk: &mut *self.walk,
                name: &item_name,
                depth: self.depth + 1,
            };
            if items.next_element_seed(node)?.is_none() {
                break;
            }
            length += 1;
        }
        self.container(ValueEncoding::JsonArray, length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<(), A::Error> {
        let mut length = 0;
        if !self.enter() {
            while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return Ok(());
        }
        while let Some(key) = members.next_key::<String>()? {
            if !self.collector.budget.take_bytes(key.len()) {
                self.collector.incomplete = true;
                return Err(A::Error::custom("work budget used up"));
            }
            let part = field_name(&key);
            let name = bounded(if self.name.is_empty() { part } else { format!("{}.{part}", self.name) });
            members.next_value_seed(Node {
                collector: &mut *self.collector,
                walk: &mut *self.walk,
                name: &name,
                depth: self.depth + 1,
            })?;
            length += 1;
        }
        self.container(ValueEncoding::JsonObject, length);
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
    use crate::hashing::KeyedHasher;
    use crate::observation::ObservedField;
    use crate::work::WorkBudget;

    fn fields(body: &str) -> (Vec<ObservedField>, JsonWalk, bool) {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let mut fields = Vec::new();
        let mut budget = WorkBudget::default();
        let mut collector =
            FieldCollector { hasher: &hasher, budget: &mut budget, fields: &mut fields, incomplete: false };
        let walk = walk(body.as_bytes(), &mut collector);
        let incomplete = collector.incomplete;
        (fields, walk, incomplete)
    }

    #[test]
    fn names_values_by_their_place() {
        let (fields, walk, _) = fields(r#"{"items":[{"qty":2,"note":"x"},{"qty":null}],"ok":true,"1234":1.5}"#);
        let mut names: Vec<_> = fields.iter().map(|field| (field.name.as_str(), field.encoding)).collect();
        names.sort();
        names.dedup();
        assert_eq!(
            names,
            vec![
                ("", ValueEncoding::JsonObject),
                ("items", ValueEncoding::JsonArray),
                ("items[]", ValueEncoding::JsonObject),
                ("items[].note", ValueEncoding::JsonString),
                ("items[].qty", ValueEncoding::JsonNumber),
                ("items[].qty", ValueEncoding::JsonNull),
                ("ok", ValueEncoding::JsonBoolean),
                ("{integer}", ValueEncoding::JsonNumber),
            ]
        );
        assert_eq!((walk.depth, walk.items_max, walk.malformed), (3, 3, false));
    }

    #[test]
    fn broken_deep_and_huge_documents_end_in_marks_not_in_panics() {
        assert!(fields(r#"{"a":"#).1.malformed);
        assert!(fields("").1.malformed);
        assert!(fields("{} x").1.malformed);
        let (_, _, incomplete) = fields(&format!("{}{}", "[".repeat(100), "]".repeat(100)));
        assert!(incomplete);
        assert!(fields(&"[".repeat(100_000)).1.malformed);
        let (many, _, incomplete) = fields(&format!("[{}1]", "1,".repeat(50_000)));
        assert!(incomplete);
        assert_eq!(many.len(), limits::VALUES_MAX);
    }
}
