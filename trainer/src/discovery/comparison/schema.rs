//! Values as seen beside their declared schema.

use serde_json::Value;

use crate::discovery::inventory::{REQUIRED_SHARE_MIN, extension};

use super::report::MismatchKind;
use super::specification::{Additional, Shape, Shapes};

/// Formats that are told by the looks of a value, with the word for these looks where there is no format.
const FORMATS: [(&str, Option<&str>); 6] =
    [("uuid", None), ("date", None), ("date-time", None), ("email", None), ("ipv4", Some("ip")), ("ipv6", Some("ip"))];

/// Which way a document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    Request,
    Response,
}

/// How values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    Json,
    /// Everything is text, as in queries and forms.
    Text,
}

/// One thing that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: MismatchKind,
    /// Dotted; empty for the document itself.
    pub name: String,
    pub declared: String,
    pub seen: String,
}

pub struct SchemaComparison<'c, 's> {
    pub shapes: &'c Shapes<'s>,
    pub direction: Direction,
    pub writing: Writing,
    pub differences: Vec<Difference>,
}

impl<'s> SchemaComparison<'_, 's> {
    /// Compares what was seen (a learned schema) with declared schemas, of which one has to hold.
    pub fn compare(&mut self, name: &str, seen: &Value, declared: &[&'s Value]) {
        let shape = self.shapes.of_any(declared);
        let types = seen_types(seen);
        let foreign: Vec<&str> = types.iter().filter(|found| !self.allows(&shape, found)).copied().collect();
        if !foreign.is_empty() {
            let declared = shape.types.iter().flatten().copied().collect::<Vec<_>>().join(" or ");
            self.add(MismatchKind::Type, name, declared, foreign.join(" and "));
        } else if let Some((format, found)) = foreign_format(&shape, seen, &types) {
            self.add(MismatchKind::Format, name, format.to_owned(), found);
        }
        self.compare_limits(name, &shape, seen);
        // Learned names get longer downwards and are limited, so this ends.
        if types.contains(&"object") && self.allows(&shape, "object") {
            self.compare_members(name, &shape, seen);
        }
        if let Some(items) = seen.get("items")
            && !shape.items.is_empty()
        {
            self.compare(&format!("{name}[]"), items, &shape.items);
        }
    }

    fn allows(&self, shape: &Shape<'_>, found: &str) -> bool {
        let Some(types) = &shape.types else {
            return true;
        };
        let is_text = self.writing == Writing::Text;
        types.contains(found)
            || found == "integer" && types.contains("number")
            // Text that reads as a number is a text still, and lists and objects have many ways to be written.
            || is_text && ["string", "array", "object"].iter().any(|any| types.contains(any))
            || is_text && found == "integer" && types.contains("boolean")
    }

    fn compare_limits(&mut self, name: &str, shape: &Shape<'_>, seen: &Value) {
        let observed = |word: &str| seen.get(extension::OBSERVED).and_then(|observed| observed.get(word)?.as_u64());
        if let (Some(declared), Some(found)) = (shape.enumeration, observed("differentValues"))
            && found > declared as u64
        {
            let values = |count: u64| format!("{count} value{}", if count == 1 { "" } else { "s" });
            self.add(MismatchKind::Enumeration, name, values(declared as u64), values(found));
        }
        if let (Some(declared), Some(found)) = (shape.length_max, observed("maxLength"))
            && found > declared
        {
            let length = |characters: u64| format!("{characters} characters");
            self.add(MismatchKind::Length, name, length(declared), length(found));
        }
    }

    fn compare_members(&mut self, name: &str, shape: &Shape<'s>, seen: &Value) {
        let properties = seen.get("properties").and_then(Value::as_object);
        let member = |own: &str| if name.is_empty() { own.to_owned() } else { format!("{name}.{own}") };
        for (own, property) in properties.into_iter().flatten() {
            match (shape.properties.get(own.as_str()), &shape.additional) {
                (Some(declared), _) => self.compare(&member(own), property, declared),
                (None, Additional::Allowed(declared)) => self.compare(&member(own), property, declared),
                (None, Additional::Unsaid) if shape.properties.is_empty() => {}
                (None, _) => self.add(MismatchKind::Undeclared, &member(own), String::new(), describe(property)),
            }
        }
        if self.direction == Direction::Response {
            // Long responses are looked at in part only: what was not seen may have been there.
            return;
        }
        for own in &shape.required {
            let declared = shape.properties.get(own).map(|schemas| self.shapes.of_any(schemas)).unwrap_or_default();
            // Names that are no plain words are not told apart in traffic.
            if declared.read_only || apiward_detector::observation::field_name(own) != **own {
                continue;
            }
            let property = properties.and_then(|properties| properties.get(*own));
            let share =
                property.map_or(0.0, |property| property.get(extension::SHARE).and_then(Value::as_f64).unwrap_or(1.0));
            if share < REQUIRED_SHARE_MIN {
                self.add(MismatchKind::RequiredAbsent, &member(own), "required".to_owned(), in_share(share));
            }
        }
    }

    fn add(&mut self, kind: MismatchKind, name: &str, declared: String, seen: String) {
        self.differences.push(Difference { kind, name: name.to_owned(), declared, seen });
    }
}

fn seen_types(seen: &Value) -> Vec<&str> {
    match seen.get("type") {
        Some(Value::String(only)) => vec![only],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// A declared format that can be told by looks, and that the values do not have.
fn foreign_format<'s>(shape: &Shape<'s>, seen: &Value, types: &[&str]) -> Option<(&'s str, String)> {
    let format = shape.format?;
    let (_, looks) = FORMATS.iter().find(|(known, _)| *known == format)?;
    let is_text = shape.types.as_ref().is_none_or(|types| types.contains("string"));
    if !is_text || !types.iter().any(|found| matches!(*found, "string" | "integer" | "number" | "boolean")) {
        return None;
    }
    let found_looks = seen.get(extension::LOOKS_LIKE).and_then(Value::as_array);
    let has_format = seen.get("format").and_then(Value::as_str) == Some(format);
    let has_looks = looks
        .is_some_and(|looks| found_looks.is_some_and(|found| found.iter().all(|found| found.as_str() == Some(looks))));
    (!has_format && !has_looks).then(|| (format, describe(seen)))
}

/// What a learned schema says in a few words: `uuid`, `integer or null`, `hex, token`.
pub fn describe(seen: &Value) -> String {
    if let Some(format) = seen.get("format").and_then(Value::as_str) {
        return format.to_owned();
    }
    if let Some(looks) = seen.get(extension::LOOKS_LIKE).and_then(Value::as_array) {
        return looks.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", ");
    }
    match seen_types(seen).as_slice() {
        ["string"] => "text".to_owned(),
        types => types.join(" or "),
    }
}

/// `never`, `in 3 % of exchanges`
pub fn in_share(share: f64) -> String {
    let percent = share * 100.0;
    match percent {
        percent if percent <= 0.0 => "never".to_owned(),
        percent if percent < 1.0 => "in less than 1 %".to_owned(),
        percent => format!("in {percent:.0} %"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(writing: Writing, seen: Value, declared: Value, expected: &[(MismatchKind, &str)]) {
        let root = json!({});
        let shapes = Shapes::new(&root);
        let mut comparison =
            SchemaComparison { shapes: &shapes, direction: Direction::Request, writing, differences: Vec::new() };
        comparison.compare("", &seen, &[&declared]);
        let found: Vec<(MismatchKind, &str)> =
            comparison.differences.iter().map(|difference| (difference.kind, difference.name.as_str())).collect();
        assert_eq!(found, expected, "{seen} beside {declared}");
    }

    #[test]
    fn types_and_formats() {
        let string = |format: &str| json!({ "type": "string", "format": format });
        let plain = json!({ "type": "string" });
        let integer = json!({ "type": "integer" });
        check(Writing::Json, integer.clone(), json!({ "type": "number" }), &[]);
        check(Writing::Json, integer.clone(), plain.clone(), &[(MismatchKind::Type, "")]);
        check(Writing::Text, integer.clone(), plain.clone(), &[]);
        check(Writing::Text, plain.clone(), integer.clone(), &[(MismatchKind::Type, "")]);
        check(Writing::Text, integer, string("uuid"), &[(MismatchKind::Format, "")]);
        check(Writing::Json, string("uuid"), string("uuid"), &[]);
        check(Writing::Json, plain.clone(), string("password"), &[]);
        check(Writing::Json, plain, string("email"), &[(MismatchKind::Format, "")]);
        let ip = json!({ "type": "string", "x-apiward-looks-like": ["ip"] });
        check(Writing::Json, ip, string("ipv4"), &[]);
        let nullable = json!({ "type": ["null", "string"] });
        check(Writing::Json, nullable.clone(), json!({ "type": "string" }), &[(MismatchKind::Type, "")]);
        check(Writing::Json, nullable, json!({ "type": "string", "nullable": true }), &[]);
        check(Writing::Json, json!({ "type": "object" }), json!({}), &[]);
    }

    #[test]
    fn members_of_objects_and_lists() {
        let seen = |share: f64| {
            json!({ "type": "object", "properties": { "items": { "type": "array", "items": {
                "type": "object", "properties": { "note": { "type": "string", "x-apiward-share": share } },
            } } } })
        };
        let declared = |additional: Value| {
            json!({ "type": "object", "properties": { "items": { "items": {
                "type": "object", "required": ["note", "quantity"], "properties": { "note": { "type": "string" } },
                "additionalProperties": additional,
            } } } })
        };
        let absent = (MismatchKind::RequiredAbsent, "items[].quantity");
        check(Writing::Json, seen(1.0), declared(json!(true)), &[absent]);
        check(
            Writing::Json,
            seen(0.5),
            declared(json!(true)),
            &[(MismatchKind::RequiredAbsent, "items[].note"), absent],
        );
        let role = json!({ "type": "object", "properties": { "role": { "type": "string" } } });
        check(
            Writing::Json,
            role.clone(),
            json!({ "properties": { "name": {} } }),
            &[(MismatchKind::Undeclared, "role")],
        );
        check(Writing::Json, role.clone(), json!({ "type": "object" }), &[]);
        check(
            Writing::Json,
            role.clone(),
            json!({ "additionalProperties": { "type": "integer" } }),
            &[(MismatchKind::Type, "role")],
        );
        check(Writing::Json, role, json!({ "additionalProperties": false }), &[(MismatchKind::Undeclared, "role")]);
    }

    #[test]
    fn enumerations_and_lengths() {
        let seen = json!({ "type": "string", "x-apiward-observed": { "differentValues": 3, "maxLength": 9 } });
        check(Writing::Json, seen.clone(), json!({ "enum": ["a", "b", "c"] }), &[]);
        check(Writing::Json, seen.clone(), json!({ "enum": ["a", "b"] }), &[(MismatchKind::Enumeration, "")]);
        check(Writing::Json, seen, json!({ "maxLength": 8 }), &[(MismatchKind::Length, "")]);
    }
}
