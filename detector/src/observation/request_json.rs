//! The JSON of a request: fields with shapes, and values for the payload detector.

use crate::limits;

use super::fields::FieldCollector;
use super::json::{JsonCollector, walk};
use super::shape::ValueShape;
use super::{Location, ValueEncoding};

/// Bytes of the work budget that a container costs once no more values are classified.
const CONTAINER_WORK_BYTES: usize = 32;

/// What the walk found besides the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JsonWalk {
    pub depth: u16,
    pub items_max: u32,
    pub end: JsonEnd,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum JsonEnd {
    #[default]
    Complete,
    /// It breaks off, as a body does that was not read to its end.
    BreaksOff,
    /// The text is no JSON document.
    Malformed,
    /// The work budget ended it.
    Unfinished,
}

/// Adds every value of a document to the collector, under a name. Values met before an error stay.
pub fn collect(body: &[u8], location: Location, name: &str, collector: &mut FieldCollector<'_>) -> JsonWalk {
    let mut request = RequestJson { collector, location, walk: JsonWalk::default(), ended: false, too_deep: 0 };
    let result = walk(body, name, &mut request);
    let mut found = request.walk;
    found.end = match result {
        Ok(()) => JsonEnd::Complete,
        Err(_) if request.ended => JsonEnd::Unfinished,
        Err(error) if error.is_eof() => JsonEnd::BreaksOff,
        Err(_) => JsonEnd::Malformed,
    };
    found
}

struct RequestJson<'r, 'c> {
    collector: &'r mut FieldCollector<'c>,
    location: Location,
    walk: JsonWalk,
    ended: bool,
    /// Open containers that are too deep to give fields; their values are looked at all the same.
    too_deep: usize,
}

impl JsonCollector for RequestJson<'_, '_> {
    fn value(&mut self, name: &str, encoding: ValueEncoding, text: &str) {
        if self.too_deep == 0 {
            self.collector.field(self.location, name, encoding, text, 0);
        }
        if encoding == ValueEncoding::JsonString {
            self.collector.value(self.location, name, text);
        }
    }

    fn enter(&mut self, _: &str, _: ValueEncoding, depth: usize) -> usize {
        self.walk.depth = self.walk.depth.max(u16::try_from(depth + 1).unwrap_or(u16::MAX));
        if depth >= limits::JSON_DEPTH_MAX {
            self.collector.incomplete = true;
            self.too_deep += 1;
        }
        if self.collector.budget.take_value() || self.collector.budget.take_bytes(CONTAINER_WORK_BYTES) {
            return usize::MAX;
        }
        self.collector.incomplete = true;
        0
    }

    fn leave(&mut self, name: &str, encoding: ValueEncoding, length: usize) {
        self.walk.items_max = self.walk.items_max.max(u32::try_from(length).unwrap_or(u32::MAX));
        if self.too_deep > 0 {
            self.too_deep -= 1;
            return;
        }
        self.collector.add(self.location, name, encoding, ValueShape::of_container(length));
    }

    fn key(&mut self, name: &str, key: &str) -> bool {
        self.ended = !self.collector.budget.take_bytes(key.len());
        self.collector.incomplete |= self.ended;
        self.collector.name(self.location, name, key);
        !self.ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::KeyedHasher;
    use crate::observation::ObservedField;
    use crate::observation::payload_values::PayloadValues;
    use crate::work::WorkBudget;

    fn fields(body: &str) -> (Vec<ObservedField>, JsonWalk, bool) {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let mut fields = Vec::new();
        let mut values = PayloadValues::default();
        let mut budget = WorkBudget::default();
        let mut collector = FieldCollector::new(&hasher, &mut budget, &mut fields, &mut values);
        let walk = collect(body.as_bytes(), Location::Body, "", &mut collector);
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
        assert_eq!((walk.depth, walk.items_max, walk.end), (3, 3, JsonEnd::Complete));
    }

    #[test]
    fn broken_deep_and_huge_documents_end_in_marks_not_in_panics() {
        assert_eq!(fields(r#"{"a":"#).1.end, JsonEnd::BreaksOff);
        assert_eq!(fields("").1.end, JsonEnd::BreaksOff);
        assert_eq!(fields("{} x").1.end, JsonEnd::Malformed);
        let (_, _, incomplete) = fields(&format!("{}{}", "[".repeat(100), "]".repeat(100)));
        assert!(incomplete);
        assert_eq!(fields(&"[".repeat(100_000)).1.end, JsonEnd::Malformed);
        let (many, _, incomplete) = fields(&format!("[{}1]", "1,".repeat(50_000)));
        assert!(incomplete);
        assert_eq!(many.len(), limits::VALUES_MAX);
    }
}
