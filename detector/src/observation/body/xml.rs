//! XML documents: texts, attributes and declarations as fields, `order.item.note` and `order.item.@id`.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use crate::limits;
use crate::observation::Location;
use crate::observation::fields::FieldCollector;
use crate::observation::words::{field_name, is_static_word};

/// What the walk found besides the fields.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct XmlWalk {
    pub depth: u16,
    /// The document is well-formed, as far as that was looked at.
    pub is_complete: bool,
}

/// Adds every text and attribute of a document. Entities are not resolved but for those of the standard: what they were to stand for
/// is in the declaration, which is the field `!DOCTYPE`.
pub fn collect(text: &str, collector: &mut FieldCollector<'_>) -> XmlWalk {
    let mut reader = Reader::from_str(text);
    let mut document = Document { collector, path: String::new(), open: Vec::new(), text: String::new(), depth: 0 };
    let mut is_complete = false;
    let mut elements = 0_usize;
    while let Ok(event) = reader.read_event() {
        match event {
            Event::Start(start) => {
                elements += 1;
                document.start(&start);
                if document.open.len() > limits::XML_DEPTH_MAX {
                    document.collector.incomplete = true;
                    break;
                }
            }
            Event::Empty(start) => {
                elements += 1;
                document.start(&start);
                document.end();
            }
            Event::End(_) => document.end(),
            Event::Text(text) => document.text.push_str(&text),
            Event::CData(text) => document.text.push_str(&text),
            Event::GeneralRef(reference) => document.reference(&reference),
            Event::DocType(declaration) => document.collector.text(Location::Xml, "!DOCTYPE", &declaration, 0),
            Event::PI(instruction) => document.collector.value(Location::Xml, "?", &instruction),
            Event::Comment(comment) => document.collector.value(Location::Xml, "!", comment.trim()),
            Event::Decl(_) => {}
            Event::Eof => {
                is_complete = elements > 0 && document.open.is_empty();
                break;
            }
        }
    }
    document.flush();
    XmlWalk { depth: document.depth, is_complete }
}

struct Document<'d, 'c> {
    collector: &'d mut FieldCollector<'c>,
    /// Names of the open elements, dotted.
    path: String,
    /// Lengths of the path before each of them.
    open: Vec<usize>,
    /// Of the element that is open, up to here.
    text: String,
    depth: u16,
}

impl Document<'_, '_> {
    fn start(&mut self, start: &BytesStart<'_>) {
        self.flush();
        self.open.push(self.path.len());
        self.depth = self.depth.max(u16::try_from(self.open.len()).unwrap_or(u16::MAX));
        let name = start.name();
        if self.path.len() < limits::FIELD_NAME_BYTES_MAX {
            if !self.path.is_empty() {
                self.path.push('.');
            }
            self.path.push_str(&field_name(name.0));
            self.path.truncate(limits::FIELD_NAME_BYTES_MAX);
        }
        if !is_static_word(name.0) {
            self.collector.name(Location::Xml, "", name.0);
        }
        for attribute in start.attributes().with_checks(false).filter_map(Result::ok) {
            let key = attribute.key.0;
            let is_namespace = key == "xmlns" || key.starts_with("xmlns:");
            if is_namespace && is_name(&attribute.value) {
                continue;
            }
            let mut attribute_name = format!("{}.@{}", self.path, field_name(key));
            attribute_name.truncate(limits::FIELD_NAME_BYTES_MAX);
            self.collector.text(Location::Xml, &attribute_name, &attribute.value, 0);
        }
    }

    fn end(&mut self) {
        self.flush();
        if let Some(length) = self.open.pop() {
            self.path.truncate(length);
        }
    }

    /// The text up to a tag is a value.
    fn flush(&mut self) {
        let text = std::mem::take(&mut self.text);
        let trimmed = text.trim();
        if !trimmed.is_empty() {
            self.collector.text(Location::Xml, &self.path, trimmed, 0);
        }
    }

    fn reference(&mut self, reference: &BytesRef<'_>) {
        let character = match reference.as_ref() {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => reference.resolve_char_ref().ok().flatten(),
        };
        match character {
            Some(character) => self.text.push(character),
            None => {
                self.text.push('&');
                self.text.push_str(reference);
                self.text.push(';');
            }
        }
    }
}

/// Whether a namespace is nothing but a name of one.
fn is_name(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'/' | b'.' | b'_' | b'-' | b'#'))
}
