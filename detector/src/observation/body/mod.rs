//! The body of a request taken apart, by its declared type or by its looks.

mod character_set;
mod content_encoding;
mod header_parameters;
mod multipart;
mod xml;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use super::fields::FieldCollector;
use super::operation::operation_of;
use super::request_json::{self, JsonEnd};
use super::{BodyMeasures, BodyProblem, ContentClass, Location, graphql};

use content_encoding::{Decoded, End};

/// What the head of a request says of its body.
#[derive(Debug, Clone, Default)]
pub struct DeclaredBody {
    pub content_type: String,
    pub content_encoding: String,
}

/// What was found in a body besides fields and values.
#[derive(Debug, Default)]
pub struct ObservedBody {
    pub measures: BodyMeasures,
    pub operation: Option<String>,
}

/// Adds what is in a body to the collector. `body` is what was read, `body_bytes` the length of all of it.
pub fn collect(
    declared: &DeclaredBody,
    body: &[u8],
    body_bytes: u64,
    collector: &mut FieldCollector<'_>,
) -> ObservedBody {
    let cut = (body.len() as u64) < body_bytes;
    let mut observed =
        ObservedBody { measures: BodyMeasures { bytes: body_bytes, cut, ..BodyMeasures::default() }, operation: None };
    if body.is_empty() {
        return observed;
    }
    let decoded = content_encoding::decode(&declared.content_encoding, body, collector.budget);
    let measures = &mut observed.measures;
    let body = match &decoded {
        Decoded::Unchanged => body,
        Decoded::NotUndone => {
            collector.incomplete = true;
            return observed;
        }
        Decoded::Unknown => {
            measures.problem = Some(BodyProblem::ContentEncoding);
            body
        }
        // What is not encoded as it says may be not encoded at all, and be read so.
        Decoded::Bytes { end: End::Broken, .. } if character_set::is_text(body) => {
            measures.problem = Some(BodyProblem::ContentEncoding);
            body
        }
        Decoded::Bytes { bytes, end } => {
            match end {
                End::Complete => {}
                End::Limit { is_bomb } => {
                    measures.problem = is_bomb.then_some(BodyProblem::Bomb);
                    measures.cut = true;
                }
                End::Broken if cut => {}
                End::Broken => measures.problem = Some(BodyProblem::ContentEncoding),
            }
            bytes
        }
    };
    parse(declared, &character_set::to_utf_8(body), &mut observed, collector);
    observed.measures.malformed = observed.measures.problem.is_some();
    observed
}

fn parse(declared: &DeclaredBody, body: &[u8], observed: &mut ObservedBody, collector: &mut FieldCollector<'_>) {
    let cut = observed.measures.cut;
    let class = ContentClass::of(Some(&declared.content_type));
    let problem = match class_by_looks(class, body) {
        ContentClass::Json => json(body, cut, observed, collector),
        ContentClass::Form => {
            form(body, collector);
            None
        }
        ContentClass::Multipart => {
            let is_whole = multipart::collect(body, &declared.content_type, cut, collector);
            (!is_whole).then_some(BodyProblem::Multipart)
        }
        // A declared text that only looks like XML is no broken XML.
        ContentClass::Xml => xml_document(body, cut, observed, collector).filter(|_| class == ContentClass::Xml),
        ContentClass::Grpc => None,
        ContentClass::Html | ContentClass::Text | ContentClass::Other | ContentClass::Absent => {
            text(class, body, collector);
            None
        }
    };
    let measures = &mut observed.measures;
    measures.problem = measures.problem.or(problem);
}

/// The class by which a body is parsed: the declared one, or by its first characters where that says little.
fn class_by_looks(declared: ContentClass, body: &[u8]) -> ContentClass {
    match declared {
        ContentClass::Absent | ContentClass::Text | ContentClass::Other => match body.trim_ascii_start() {
            [b'{' | b'[', ..] if !is_graphql(body) => ContentClass::Json,
            [b'<', b'?' | b'!', ..] => ContentClass::Xml,
            [b'<', next, ..] if next.is_ascii_alphabetic() => ContentClass::Xml,
            _ => declared,
        },
        _ => declared,
    }
}

fn is_graphql(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| graphql::literals(text).is_some())
}

fn json(
    body: &[u8],
    cut: bool,
    observed: &mut ObservedBody,
    collector: &mut FieldCollector<'_>,
) -> Option<BodyProblem> {
    if !collector.budget.take_bytes(body.len()) {
        collector.incomplete = true;
        whole(body, collector);
        return None;
    }
    let walk = request_json::collect(body, Location::Body, "", collector);
    observed.measures.depth = walk.depth;
    observed.measures.items_max = walk.items_max;
    match walk.end {
        JsonEnd::Complete => {
            observed.operation = operation_of(body);
            None
        }
        JsonEnd::BreaksOff if cut => None,
        JsonEnd::BreaksOff | JsonEnd::Malformed => {
            whole(body, collector);
            Some(BodyProblem::Json)
        }
        JsonEnd::Unfinished => {
            whole(body, collector);
            None
        }
    }
}

fn form(body: &[u8], collector: &mut FieldCollector<'_>) {
    // JSON or XML under the type that many clients declare by themselves.
    if matches!(body.trim_ascii_start(), [b'{' | b'[' | b'<', ..]) {
        whole(body, collector);
        collector.fields_only = true;
    }
    collector.urlencoded(Location::Form, "", body);
    collector.fields_only = false;
}

fn xml_document(
    body: &[u8],
    cut: bool,
    observed: &mut ObservedBody,
    collector: &mut FieldCollector<'_>,
) -> Option<BodyProblem> {
    if !collector.budget.take_bytes(body.len()) {
        collector.incomplete = true;
        whole(body, collector);
        return None;
    }
    let walk = xml::collect(&character_set::text_of(body), collector);
    observed.measures.depth = walk.depth;
    if walk.is_complete || cut {
        return None;
    }
    whole(body, collector);
    Some(BodyProblem::Xml)
}

fn text(class: ContentClass, body: &[u8], collector: &mut FieldCollector<'_>) {
    let is_declared = matches!(class, ContentClass::Html | ContentClass::Text);
    if is_declared || character_set::is_text(body) || is_serialised_object(body) {
        whole(body, collector);
    }
}

/// Java's object serialisation (stream magic and version).
fn is_serialised_object(body: &[u8]) -> bool {
    body.starts_with(&[0xac, 0xed, 0x00, 0x05])
}

/// A body as one value.
fn whole(body: &[u8], collector: &mut FieldCollector<'_>) {
    if collector.budget.take_bytes(body.len()) {
        let text: Cow<'_, str> = character_set::text_of(body);
        collector.value(Location::Text, "", &text);
    } else {
        collector.incomplete = true;
    }
}
