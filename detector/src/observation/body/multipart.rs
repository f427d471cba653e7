//! `multipart/form-data` (RFC 7578), read as leniently as servers do: line ends without CR, parts without the last delimiter.

use crate::limits;
use crate::observation::Location;
use crate::observation::fields::FieldCollector;
use crate::observation::json::member_name;
use crate::observation::shape::CharacterClasses;

use super::character_set::{is_text, text_of};
use super::header_parameters::parameters;

/// Bytes of a boundary: RFC 2046 section 5.1.1 allows 70, some clients take more.
const BOUNDARY_BYTES_MAX: usize = 256;

/// Adds the fields of a multipart body; `false` where it is none, or not whole although it is not `cut`.
pub fn collect(body: &[u8], content_type: &str, cut: bool, collector: &mut FieldCollector<'_>) -> bool {
    let boundary = parameters(content_type).into_iter().find(|(name, _)| name == "boundary").map(|(_, value)| value);
    let boundary = boundary.filter(|boundary| (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()));
    let Some(boundary) = boundary.filter(|_| collector.budget.take_bytes(body.len())) else {
        super::whole(body, collector);
        return false;
    };
    let parts = Parts::of(body, &boundary);
    let mut is_whole = parts.is_closed || cut;
    for part in &parts.parts {
        match split_head(part) {
            Some((head, content)) => is_whole &= collect_part(head, content, collector),
            None => {
                is_whole = false;
                collector.value(Location::Multipart, "", &text_of(part));
            }
        }
    }
    if parts.parts.is_empty() && !cut {
        super::whole(body, collector);
        return false;
    }
    collector.incomplete |= parts.is_too_many;
    is_whole
}

struct Parts<'b> {
    parts: Vec<&'b [u8]>,
    is_closed: bool,
    is_too_many: bool,
}

impl<'b> Parts<'b> {
    /// Line by line, so that no boundary makes it slow.
    fn of(body: &'b [u8], boundary: &str) -> Self {
        let mut parts = Self { parts: Vec::new(), is_closed: false, is_too_many: false };
        let mut part_start: Option<usize> = None;
        let mut offset = 0;
        for line in body.split_inclusive(|byte| *byte == b'\n') {
            let line_start = offset;
            offset += line.len();
            let Some(rest) = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary.as_bytes())) else {
                continue;
            };
            let rest = rest.trim_ascii_end();
            if !rest.is_empty() && rest != b"--" {
                continue;
            }
            if let Some(part) = part_start.and_then(|start| body.get(start..line_start)) {
                parts.add(without_line_end(part));
            }
            part_start = Some(offset).filter(|_| rest.is_empty());
            if rest == b"--" {
                parts.is_closed = true;
                break;
            }
        }
        if let Some(part) = part_start.and_then(|start| body.get(start..)) {
            parts.add(without_line_end(part));
        }
        parts
    }

    fn add(&mut self, part: &'b [u8]) {
        if self.parts.len() < limits::MULTIPART_PARTS_MAX {
            self.parts.push(part);
        } else {
            self.is_too_many = true;
        }
    }
}

fn without_line_end(bytes: &[u8]) -> &[u8] {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    bytes.strip_suffix(b"\r").unwrap_or(bytes)
}

/// Headers and content of a part.
fn split_head(part: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut offset = 0;
    for line in part.split_inclusive(|byte| *byte == b'\n') {
        let line_start = offset;
        offset += line.len();
        if without_line_end(line).is_empty() {
            return Some((part.get(..line_start)?, part.get(offset..)?));
        }
        if offset > limits::MULTIPART_HEADER_BYTES_MAX {
            return None;
        }
    }
    None
}

/// `false` where the part has no name.
fn collect_part(head: &[u8], content: &[u8], collector: &mut FieldCollector<'_>) -> bool {
    // A header may go on in lines that begin with a blank.
    let head = text_of(head).replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let mut names = Vec::new();
    let mut file_names = Vec::new();
    let mut others = Vec::new();
    for line in head.lines() {
        let (header, value) = line.split_once(':').unwrap_or(("", line));
        match header.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => {
                for (name, value) in parameters(value) {
                    match name.as_str() {
                        "name" => names.push(value),
                        "filename" | "filename*" => file_names.push(value),
                        _ => others.push(value),
                    }
                }
            }
            "content-length" | "content-transfer-encoding" => {}
            _ => others.push(value.trim().to_owned()),
        }
    }
    let raw_name = names.first().map_or("", String::as_str);
    let name = member_name("", raw_name);
    for raw in &names {
        collector.name(Location::Multipart, "", raw);
    }
    for file_name in &file_names {
        collector.text(Location::Multipart, &member_name(&name, "filename"), file_name, 0);
    }
    for other in &others {
        collector.header_inside(Location::Multipart, &member_name(&name, "header"), other);
    }
    if file_names.is_empty() {
        let extra = if std::str::from_utf8(content).is_ok() { 0 } else { CharacterClasses::NOT_UTF_8 };
        collector.text(Location::Multipart, &name, &text_of(content), extra);
    } else if is_text(content) {
        collector.value(Location::Multipart, &member_name(&name, "content"), &text_of(content));
    }
    !raw_name.is_empty()
}
