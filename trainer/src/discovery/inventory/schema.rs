//! JSON Schema (2020-12) learned from shapes.
//!
//! What only holds for the traffic so far (bounds, counts) is told by extensions and constrains nothing: an identifier that is
//! one larger than all before is no violation.

use std::collections::{BTreeMap, BTreeSet};

use apiward_detector::observation::{ValueEncoding, ValueType};
use serde_json::{Map, Value, json};

use super::evidence::{is_required, share};
use super::sensitive;
use super::values::ValueView;

/// Names of the extensions.
pub mod extension {
    /// Bounds and counts of the values seen.
    pub const OBSERVED: &str = "x-apiward-observed";
    /// Forms of texts for which there is no standard `format`.
    pub const LOOKS_LIKE: &str = "x-apiward-looks-like";
    /// Classes of personal or secret data.
    pub const SENSITIVE: &str = "x-apiward-sensitive";
    /// Share of the objects that have this property, 0..1.
    pub const SHARE: &str = "x-apiward-share";
}

/// The schema of one value, without what is below it.
pub fn value_schema(view: &ValueView<'_>) -> Value {
    Value::Object(keywords(view))
}

pub fn string_schema() -> Value {
    json!({ "type": "string" })
}

/// The schema of a JSON document from its fields by dotted name; `None` without fields.
pub fn document_schema<'s>(fields: impl IntoIterator<Item = (&'s str, ValueView<'s>)>) -> Option<Value> {
    let fields: BTreeMap<&str, ValueView<'_>> = fields.into_iter().collect();
    if fields.is_empty() {
        return None;
    }
    let mut below: BTreeMap<&str, Vec<(Step<'_>, &str)>> = BTreeMap::new();
    for name in fields.keys().filter(|name| !name.is_empty()) {
        let (parent, step) = step_to(name, &fields);
        below.entry(parent).or_default().push((step, name));
    }
    Some(Value::Object(node("", &Document { fields, below })))
}

/// The schema of a form of `forms` exchanges, from its fields with the exchanges that carried each.
pub fn form_schema<'s>(fields: impl IntoIterator<Item = FormField<'s>>, forms: u64) -> Value {
    let mut object = Members::default();
    for field in fields {
        let value = value_schema(&field.values);
        let value = if field.repeated { json!({ "type": "array", "items": value }) } else { value };
        object.add(field.name, value, field.exchanges, forms);
    }
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    object.write(&mut schema);
    Value::Object(schema)
}

pub struct FormField<'s> {
    pub name: &'s str,
    pub values: ValueView<'s>,
    pub exchanges: u64,
    pub repeated: bool,
}

struct Document<'s> {
    fields: BTreeMap<&'s str, ValueView<'s>>,
    /// By name of the container.
    below: BTreeMap<&'s str, Vec<(Step<'s>, &'s str)>>,
}

/// From a container to what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step<'s> {
    Items,
    Member(&'s str),
}

/// The container of a field. Names of members may hold dots themselves, so that only known objects part them.
fn step_to<'s>(name: &'s str, fields: &BTreeMap<&str, ValueView<'_>>) -> (&'s str, Step<'s>) {
    let is = |name: &str, encoding| fields.get(name).is_some_and(|view| view.count_of(encoding) > 0);
    if let Some(list) = name.strip_suffix("[]")
        && is(list, ValueEncoding::JsonArray)
    {
        return (list, Step::Items);
    }
    for (place, _) in name.rmatch_indices('.') {
        let (Some(object), Some(member)) = (name.get(..place), name.get(place + 1..)) else {
            continue;
        };
        if !object.is_empty() && is(object, ValueEncoding::JsonObject) {
            return (object, Step::Member(member));
        }
    }
    ("", Step::Member(name))
}

/// Names get shorter from field to container, so this ends.
fn node(name: &str, document: &Document<'_>) -> Map<String, Value> {
    let view = document.fields.get(name);
    let mut schema = match view {
        Some(view) => keywords(view),
        None => Map::from_iter([("type".to_owned(), json!("object"))]),
    };
    let objects = view.map_or(0, |view| view.count_of(ValueEncoding::JsonObject));
    let mut members = Members::default();
    for (step, child) in document.below.get(name).into_iter().flatten() {
        let below = Value::Object(node(child, document));
        match step {
            Step::Items => _ = schema.insert("items".to_owned(), below),
            Step::Member(member) => {
                let count = document.fields.get(child).map_or(0, ValueView::count);
                members.add(member, below, count, objects);
            }
        }
    }
    members.write(&mut schema);
    schema
}

/// The members of an object.
#[derive(Default)]
struct Members {
    properties: Map<String, Value>,
    required: Vec<Value>,
    /// Schemas of members whose names are values.
    additional: Vec<Value>,
}

impl Members {
    fn add(&mut self, name: &str, mut schema: Value, count: u64, objects: u64) {
        // The name stands for all names of a type, `{uuid}`.
        if name.starts_with('{') {
            self.additional.push(schema);
            return;
        }
        if let (Some(schema), true) = (schema.as_object_mut(), objects > 0) {
            schema.insert(extension::SHARE.to_owned(), json!(share(count, objects)));
        }
        if is_required(count, objects) {
            self.required.push(json!(name));
        }
        self.properties.insert(name.to_owned(), schema);
    }

    fn write(mut self, schema: &mut Map<String, Value>) {
        if !self.properties.is_empty() {
            schema.insert("properties".to_owned(), Value::Object(self.properties));
        }
        if !self.required.is_empty() {
            schema.insert("required".to_owned(), Value::Array(self.required));
        }
        self.additional.dedup();
        let additional = match self.additional.pop() {
            Some(only) if self.additional.is_empty() => only,
            Some(last) => {
                self.additional.push(last);
                json!({ "anyOf": self.additional })
            }
            None => return,
        };
        schema.insert("additionalProperties".to_owned(), additional);
    }
}

/// Types, format and extensions of a value.
fn keywords(view: &ValueView<'_>) -> Map<String, Value> {
    let mut schema = Map::new();
    let types = json_types(view);
    match types.as_slice() {
        [] => {}
        [only] => _ = schema.insert("type".to_owned(), json!(only)),
        several => _ = schema.insert("type".to_owned(), json!(several)),
    }
    if types.contains(&"string") {
        let forms = text_forms(view);
        let format = match forms.iter().collect::<Vec<_>>().as_slice() {
            [only] => format_of(**only),
            _ => None,
        };
        if let Some(format) = format {
            schema.insert("format".to_owned(), json!(format));
        } else if forms.iter().any(|form| !matches!(form, ValueType::Text | ValueType::Empty)) {
            let nouns: Vec<&str> = forms.iter().map(|form| form.noun()).collect();
            schema.insert(extension::LOOKS_LIKE.to_owned(), json!(nouns));
        }
    }
    let observed = observed(view);
    if !observed.is_empty() {
        schema.insert(extension::OBSERVED.to_owned(), Value::Object(observed));
    }
    if !view.sensitive.is_empty() {
        schema.insert(extension::SENSITIVE.to_owned(), json!(sensitive::names(view.sensitive)));
    }
    schema
}

/// Names of JSON Schema types, sorted. Text outside JSON has the type that all of it can be read as.
fn json_types(view: &ValueView<'_>) -> Vec<&'static str> {
    let mut types = BTreeSet::new();
    let mut texts = BTreeSet::new();
    for (encoding, value_type, _) in view.usual_types() {
        match encoding {
            ValueEncoding::Text => _ = texts.insert(value_type),
            ValueEncoding::JsonNumber if value_type == ValueType::Integer => _ = types.insert("integer"),
            other => _ = types.insert(other.noun()),
        }
    }
    texts.remove(&ValueType::Empty);
    if !texts.is_empty() {
        types.insert(match () {
            () if texts.iter().all(|text| *text == ValueType::Integer) => "integer",
            () if texts.iter().all(|text| matches!(text, ValueType::Integer | ValueType::Decimal)) => "number",
            () if texts.iter().all(|text| *text == ValueType::Boolean) => "boolean",
            () => "string",
        });
    }
    if types.contains("number") {
        types.remove("integer");
    }
    if types.is_empty() && !view.types.is_empty() {
        types.insert("string");
    }
    types.into_iter().collect()
}

/// How the texts look, except empty ones.
fn text_forms(view: &ValueView<'_>) -> BTreeSet<ValueType> {
    view.usual_types()
        .filter(|(encoding, _, _)| matches!(encoding, ValueEncoding::Text | ValueEncoding::JsonString))
        .map(|(_, value_type, _)| value_type)
        .filter(|value_type| *value_type != ValueType::Empty)
        .collect()
}

/// The format of JSON Schema that says the same.
fn format_of(value_type: ValueType) -> Option<&'static str> {
    match value_type {
        ValueType::Uuid => Some("uuid"),
        ValueType::Date => Some("date"),
        ValueType::DateTime => Some("date-time"),
        ValueType::Email => Some("email"),
        ValueType::Url => Some("uri"),
        _ => None,
    }
}

fn observed(view: &ValueView<'_>) -> Map<String, Value> {
    let mut observed = Map::new();
    let mut add = |name: &str, value: Value| _ = observed.insert(name.to_owned(), value);
    if let Some(range) = view.range() {
        range.minimum.into_iter().for_each(|bound| add("minimum", json!(bound)));
        range.maximum.into_iter().for_each(|bound| add("maximum", json!(bound)));
    }
    if let Some(length) = view.length() {
        add("minLength", json!(length.minimum));
        add("maxLength", json!(length.maximum));
    }
    if let Some(items) = view.items() {
        add("minItems", json!(items.minimum));
        add("maxItems", json!(items.maximum));
    }
    if let Some(values) = view.enumeration() {
        add("differentValues", json!(values));
    }
    observed
}

#[cfg(test)]
mod tests {
    use apiward_detector::observation::SensitiveClasses;

    use super::*;
    use crate::discovery::summary::TypeCounts;

    const OBJECT: (ValueEncoding, ValueType) = (ValueEncoding::JsonObject, ValueType::Empty);
    const LIST: (ValueEncoding, ValueType) = (ValueEncoding::JsonArray, ValueType::Empty);
    const WORD: (ValueEncoding, ValueType) = (ValueEncoding::JsonString, ValueType::Word);
    const INTEGER: (ValueEncoding, ValueType) = (ValueEncoding::JsonNumber, ValueType::Integer);

    /// Checks the schema of fields that were seen so often, without its extensions.
    #[track_caller]
    fn check(fields: &[(&str, (ValueEncoding, ValueType), u64)], expected: Value) {
        let mut types: BTreeMap<&str, TypeCounts> = BTreeMap::new();
        for (name, seen, count) in fields {
            types.entry(name).or_default().insert(*seen, *count);
        }
        let views = types
            .iter()
            .map(|(name, types)| (*name, ValueView { types, sensitive: SensitiveClasses::default(), summary: None }));
        let mut schema = document_schema(views).unwrap();
        without_extensions(&mut schema);
        assert_eq!(schema, expected, "{fields:?}");
    }

    fn without_extensions(schema: &mut Value) {
        if let Some(members) = schema.as_object_mut() {
            members.retain(|name, _| !name.starts_with("x-"));
            members.values_mut().for_each(without_extensions);
        }
    }

    #[test]
    fn dotted_names_become_nested_schemas() {
        check(
            &[
                ("", OBJECT, 20),
                ("items", LIST, 20),
                ("items[]", OBJECT, 60),
                ("items[].id", INTEGER, 60),
                ("items[].note", WORD, 30),
            ],
            json!({ "type": "object", "required": ["items"], "properties": { "items": { "type": "array", "items": {
                "type": "object", "required": ["id"], "properties": {
                    "id": { "type": "integer" }, "note": { "type": "string" },
                },
            } } } }),
        );
        check(&[("", LIST, 20), ("[]", INTEGER, 99)], json!({ "type": "array", "items": { "type": "integer" } }));
        check(&[("", INTEGER, 1)], json!({ "type": "integer" }));
    }

    #[test]
    fn names_may_hold_dots_and_stand_for_values() {
        // No object `a` was seen.
        check(
            &[("", OBJECT, 5), ("a.b", WORD, 5)],
            json!({ "type": "object", "properties": { "a.b": { "type": "string" } } }),
        );
        check(
            &[("", OBJECT, 5), ("{uuid}", WORD, 9)],
            json!({ "type": "object", "additionalProperties": { "type": "string" } }),
        );
        // What holds the fields was not kept.
        check(&[("a", WORD, 5)], json!({ "type": "object", "properties": { "a": { "type": "string" } } }));
    }

    #[test]
    fn oddities_are_left_out_and_few_exchanges_require_nothing() {
        check(
            &[("", OBJECT, 1000), ("id", INTEGER, 999), ("id", WORD, 1)],
            json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "integer" } } }),
        );
        check(
            &[("", OBJECT, 9), ("id", INTEGER, 9)],
            json!({ "type": "object", "properties": { "id": { "type": "integer" } } }),
        );
    }
}
