//! Values of a JSON response: names, types, classes and hashes, so that what an endpoint returns and which identifiers it hands
//! out can be learned.

use serde::{Deserialize, Serialize};

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::work::WorkBudget;

use super::json::{JsonCollector, walk};
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
    let mut collector = ResponseJson { fields: Vec::new(), hasher };
    if budget.take_bytes(body.len()) {
        // What breaks off keeps what was met before.
        let _ = walk(body, "", &mut collector);
    }
    collector.fields
}

struct ResponseJson<'h> {
    fields: Vec<ResponseField>,
    hasher: &'h KeyedHasher,
}

impl ResponseJson<'_> {
    fn is_full(&self) -> bool {
        self.fields.len() >= limits::RESPONSE_VALUES_MAX
    }
}

impl JsonCollector for ResponseJson<'_> {
    fn value(&mut self, name: &str, encoding: ValueEncoding, text: &str) {
        if self.is_full() {
            return;
        }
        let is_value = matches!(encoding, ValueEncoding::JsonString | ValueEncoding::JsonNumber);
        let value_type = if is_value { ValueType::of(text) } else { ValueType::Empty };
        let sensitive = if is_value { SensitiveClasses::of(text, value_type) } else { SensitiveClasses::default() };
        let hash = if is_value { self.hasher.hash(Purpose::Value, text.as_bytes()) } else { 0 };
        self.fields.push(ResponseField { name: name.to_owned(), encoding, value_type, sensitive, hash });
    }

    fn enter(&mut self, name: &str, encoding: ValueEncoding, depth: usize) -> usize {
        let is_over = depth >= limits::JSON_DEPTH_MAX || self.is_full();
        // Before its items, so that it is there though the body is cut.
        self.value(name, encoding, "");
        match encoding {
            _ if is_over => 0,
            ValueEncoding::JsonArray => limits::RESPONSE_ITEMS_MAX,
            _ => usize::MAX,
        }
    }

    fn leave(&mut self, _: &str, _: ValueEncoding, _: usize) {}

    fn key(&mut self, _: &str, _: &str) -> bool {
        true
    }
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
