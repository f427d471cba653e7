//! A JSON document walked once, without building a tree.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::limits;

use super::ValueEncoding;
use super::words::field_name;

/// Who is told what the walk meets. Names are dotted, with `[]` for items: `items[].note`.
pub trait JsonCollector {
    /// A string, number, boolean or null, with its text (empty for null).
    fn value(&mut self, name: &str, encoding: ValueEncoding, text: &str);

    /// Before the items of a container, which is `depth` containers deep: how many of them are walked; the others are passed over.
    fn enter(&mut self, name: &str, encoding: ValueEncoding, depth: usize) -> usize;

    /// After them, with their number.
    fn leave(&mut self, name: &str, encoding: ValueEncoding, length: usize);

    /// A member's key as it is, before its value; `false` ends the walk.
    fn key(&mut self, name: &str, key: &str) -> bool;
}

/// Walks a document whose outermost value has that name.
///
/// # Errors
/// When it is no JSON, nested deeper than serde_json goes (128), or was ended. Values met before stay.
pub fn walk(body: &[u8], name: &str, collector: &mut dyn JsonCollector) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    Node { collector, name, depth: 0 }.deserialize(&mut deserializer)?;
    deserializer.end()
}

struct Node<'n> {
    collector: &'n mut dyn JsonCollector,
    name: &'n str,
    depth: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonNull, "");
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonBoolean, if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonNumber, &value.to_string());
        Ok(())
    }

    fn visit_str<E>(self, value: &str) -> Result<(), E> {
        self.collector.value(self.name, ValueEncoding::JsonString, value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Node { collector, name, depth } = self;
        let walked = collector.enter(name, ValueEncoding::JsonArray, depth);
        let item_name = bounded(format!("{name}[]"));
        let mut length = 0;
        while length < walked {
            if items
                .next_element_seed(Node { collector: &mut *collector, name: &item_name, depth: depth + 1 })?
                .is_none()
            {
                collector.leave(name, ValueEncoding::JsonArray, length);
                return Ok(());
            }
            length += 1;
        }
        while items.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        collector.leave(name, ValueEncoding::JsonArray, length);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Node { collector, name, depth } = self;
        let walked = collector.enter(name, ValueEncoding::JsonObject, depth);
        let mut length = 0;
        while length < walked {
            let Some(key) = members.next_key::<String>()? else {
                collector.leave(name, ValueEncoding::JsonObject, length);
                return Ok(());
            };
            if !collector.key(name, &key) {
                return Err(A::Error::custom("the walk was ended"));
            }
            let member_name = member_name(name, &key);
            members.next_value_seed(Node { collector: &mut *collector, name: &member_name, depth: depth + 1 })?;
            length += 1;
        }
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            length += 1;
        }
        collector.leave(name, ValueEncoding::JsonObject, length);
        Ok(())
    }
}

/// The name of a part of what has a name, `key` as it was sent.
pub fn member_name(name: &str, key: &str) -> String {
    let part = field_name(key);
    bounded(if name.is_empty() { part } else { format!("{name}.{part}") })
}

/// Names are ASCII by construction, so any byte is a character boundary.
fn bounded(mut name: String) -> String {
    if name.len() > limits::FIELD_NAME_BYTES_MAX && name.is_char_boundary(limits::FIELD_NAME_BYTES_MAX) {
        name.truncate(limits::FIELD_NAME_BYTES_MAX);
    }
    name
}
