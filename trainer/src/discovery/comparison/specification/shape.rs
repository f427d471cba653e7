//! What a declared schema allows, with references followed and compositions put together, as far as it can be compared.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::discovery::limits;

use super::reference::resolve;

/// Compositions inside of compositions that are followed.
const COMPOSITION_DEPTH_MAX: usize = 16;

/// Makes shapes, under one limit on the work for all of them.
pub struct Shapes<'s> {
    root: &'s Value,
    visits: Cell<usize>,
}

/// What is allowed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Shape<'s> {
    /// Names of JSON Schema types; `None` for any.
    pub types: Option<BTreeSet<&'s str>>,
    /// The only format, where all texts have that one.
    pub format: Option<&'s str>,
    /// Members by name, each with the schemas of which one (or all) must hold.
    pub properties: BTreeMap<&'s str, Vec<&'s Value>>,
    pub required: BTreeSet<&'s str>,
    pub additional: Additional<'s>,
    pub items: Vec<&'s Value>,
    /// Number of values that are allowed.
    pub enumeration: Option<usize>,
    pub length_max: Option<u64>,
    pub read_only: bool,
    pub write_only: bool,
}

/// Members that are not named.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Additional<'s> {
    /// Nothing is said: allowed by the letter, but not documented either.
    #[default]
    Unsaid,
    Forbidden,
    Allowed(Vec<&'s Value>),
}

impl<'s> Shapes<'s> {
    pub fn new(root: &'s Value) -> Self {
        Self { root, visits: Cell::new(0) }
    }

    /// The shape of what one of the schemas allows.
    pub fn of_any(&self, schemas: &[&'s Value]) -> Shape<'s> {
        let shapes = schemas.iter().map(|schema| self.shape(schema, 0));
        shapes.reduce(Shape::or).unwrap_or_default()
    }

    fn shape(&self, schema: &'s Value, depth: usize) -> Shape<'s> {
        self.visits.set(self.visits.get() + 1);
        if depth > COMPOSITION_DEPTH_MAX || self.visits.get() > limits::SCHEMA_VISITS_MAX {
            return Shape::default();
        }
        // What is declared outside of the document may be anything.
        let Some(resolved) = resolve(self.root, schema) else {
            return Shape::default();
        };
        let mut shape = plain(resolved);
        for part in list(resolved, "allOf") {
            shape = shape.and(self.shape(part, depth + 1));
        }
        for word in ["anyOf", "oneOf"] {
            let alternatives = list(resolved, word).map(|part| self.shape(part, depth + 1));
            if let Some(union) = alternatives.reduce(Shape::or) {
                shape = shape.and(union);
            }
        }
        // OpenAPI 3.0's and its predecessor's way to allow null.
        let is_nullable = ["nullable", "x-nullable"].iter().any(|word| resolved.get(word) == Some(&Value::Bool(true)));
        if let (Some(types), true) = (&mut shape.types, is_nullable) {
            types.insert("null");
        }
        shape
    }
}

/// The keywords of one schema, without compositions.
fn plain(schema: &Value) -> Shape<'_> {
    let mut shape = Shape {
        types: types(schema),
        format: schema.get("format").and_then(Value::as_str),
        length_max: schema.get("maxLength").and_then(Value::as_u64),
        read_only: schema.get("readOnly") == Some(&Value::Bool(true)),
        write_only: schema.get("writeOnly") == Some(&Value::Bool(true)),
        ..Shape::default()
    };
    for (name, property) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        shape.properties.insert(name, vec![property]);
    }
    shape.required = list(schema, "required").filter_map(Value::as_str).collect();
    shape.items = schema.get("items").into_iter().collect();
    shape.additional = match schema.get("additionalProperties") {
        None => Additional::Unsaid,
        Some(Value::Bool(false)) => Additional::Forbidden,
        Some(other) => Additional::Allowed(vec![other]),
    };
    let values = list(schema, "enum").filter(|value| !value.is_null()).count();
    shape.enumeration = match (schema.get("const"), values) {
        (Some(_), _) => Some(1),
        (None, 0) => None,
        (None, values) => Some(values),
    };
    shape
}

/// Types that are named, else those that other keywords tell.
fn types(schema: &Value) -> Option<BTreeSet<&str>> {
    match schema.get("type") {
        Some(Value::String(only)) if only == "file" => return None,
        Some(Value::String(only)) => return Some(BTreeSet::from([only.as_str()])),
        Some(Value::Array(several)) => return Some(several.iter().filter_map(Value::as_str).collect()),
        _ => {}
    }
    if schema.get("properties").is_some() {
        return Some(BTreeSet::from(["object"]));
    }
    if schema.get("items").is_some() {
        return Some(BTreeSet::from(["array"]));
    }
    let values: BTreeSet<&str> = list(schema, "enum").chain(schema.get("const")).map(type_of).collect();
    (!values.is_empty()).then_some(values)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

fn list<'v>(schema: &'v Value, word: &str) -> impl Iterator<Item = &'v Value> {
    schema.get(word).and_then(Value::as_array).into_iter().flatten()
}

impl<'s> Shape<'s> {
    /// Both hold.
    fn and(mut self, other: Self) -> Self {
        self.types = match (self.types, other.types) {
            (Some(one), Some(next)) => Some(common_types(&one, &next)),
            (one, next) => one.or(next),
        };
        self.format = self.format.or(other.format);
        for (name, schemas) in other.properties {
            self.properties.entry(name).or_default().extend(schemas);
        }
        self.required.extend(other.required);
        self.additional = match (self.additional, other.additional) {
            (Additional::Allowed(mut one), Additional::Allowed(next)) => {
                one.extend(next);
                Additional::Allowed(one)
            }
            (Additional::Unsaid, other) => other,
            (one, Additional::Unsaid) => one,
            _ => Additional::Forbidden,
        };
        self.items.extend(other.items);
        self.enumeration = self.enumeration.into_iter().chain(other.enumeration).min();
        self.length_max = self.length_max.into_iter().chain(other.length_max).min();
        self.read_only |= other.read_only;
        self.write_only |= other.write_only;
        self
    }

    /// One of both holds.
    fn or(mut self, other: Self) -> Self {
        let is_null = |shape: &Self| shape.types.as_ref().is_some_and(|types| types.iter().all(|only| *only == "null"));
        // The alternative to be null says nothing else.
        if is_null(&self) || is_null(&other) {
            let (mut rest, null) = if is_null(&self) { (other, self) } else { (self, other) };
            if let (Some(types), Some(nulls)) = (&mut rest.types, null.types) {
                types.extend(nulls);
            }
            return rest;
        }
        self.types = self.types.zip(other.types).map(|(one, next)| one.union(&next).copied().collect());
        self.format = self.format.filter(|format| other.format == Some(*format));
        for (name, schemas) in other.properties {
            self.properties.entry(name).or_default().extend(schemas);
        }
        self.required = self.required.intersection(&other.required).copied().collect();
        self.additional = match (self.additional, other.additional) {
            (Additional::Allowed(mut one), Additional::Allowed(next)) => {
                one.extend(next);
                Additional::Allowed(one)
            }
            (Additional::Allowed(one), _) | (_, Additional::Allowed(one)) => Additional::Allowed(one),
            (Additional::Forbidden, Additional::Forbidden) => Additional::Forbidden,
            _ => Additional::Unsaid,
        };
        self.items.extend(other.items);
        self.enumeration = self.enumeration.zip(other.enumeration).map(|(one, next)| one + next);
        self.length_max = self.length_max.zip(other.length_max).map(|(one, next)| one.max(next));
        self.read_only &= other.read_only;
        self.write_only &= other.write_only;
        self
    }
}

/// Integers are numbers.
fn common_types<'s>(one: &BTreeSet<&'s str>, next: &BTreeSet<&'s str>) -> BTreeSet<&'s str> {
    let allows =
        |types: &BTreeSet<&str>, name: &str| types.contains(name) || name == "integer" && types.contains("number");
    let from_one = one.iter().filter(|name| allows(next, name));
    let from_next = next.iter().filter(|name| allows(one, name));
    from_one.chain(from_next).copied().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(schema: Value, types: &[&str], properties: &[&str], required: &[&str]) {
        let root = json!({ "components": { "schemas": {
            "Base": { "type": "object", "properties": { "id": { "type": "integer" } }, "required": ["id"] },
            "Circle": { "allOf": [{ "$ref": "#/components/schemas/Circle" }], "properties": { "x": {} } },
            "Itself": { "$ref": "#/components/schemas/Itself" },
        } } });
        let shapes = Shapes::new(&root);
        let shape = shapes.of_any(&[&schema]);
        assert_eq!(shape.types.clone().unwrap_or_default().into_iter().collect::<Vec<_>>(), types, "{schema}");
        assert_eq!(shape.properties.keys().copied().collect::<Vec<_>>(), properties, "{schema}");
        assert_eq!(shape.required.iter().copied().collect::<Vec<_>>(), required, "{schema}");
    }

    #[test]
    fn compositions_and_references_are_put_together() {
        let base = || json!({ "$ref": "#/components/schemas/Base" });
        check(base(), &["object"], &["id"], &["id"]);
        let more = json!({ "type": "object", "properties": { "name": {} }, "required": ["name"] });
        check(json!({ "allOf": [base(), more] }), &["object"], &["id", "name"], &["id", "name"]);
        check(json!({ "oneOf": [base(), more] }), &["object"], &["id", "name"], &[]);
        check(json!({ "anyOf": [base(), { "type": "null" }] }), &["null", "object"], &["id"], &["id"]);
        check(json!({ "allOf": [base()], "nullable": true }), &["null", "object"], &["id"], &["id"]);
        check(json!({ "type": ["string", "null"] }), &["null", "string"], &[], &[]);
        check(json!({ "enum": ["a", 1] }), &["integer", "string"], &[], &[]);
        check(json!({ "type": "number", "allOf": [{ "type": "integer" }] }), &["integer"], &[], &[]);
        check(json!(true), &[], &[], &[]);
    }

    #[test]
    fn circles_and_what_is_outside_allow_anything_and_end() {
        check(json!({ "$ref": "#/components/schemas/Circle" }), &["object"], &["x"], &[]);
        check(json!({ "$ref": "#/components/schemas/Itself" }), &[], &[], &[]);
        check(json!({ "$ref": "other.yaml#/Thing" }), &[], &[], &[]);
    }
}
