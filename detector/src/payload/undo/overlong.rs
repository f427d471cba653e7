//! ASCII in two to four UTF-8 bytes, as lenient decoders read it. Such bytes are no UTF-8, so here they are Latin-1 already.

use super::{Pass, Undone};

pub fn undo(text: &str) -> Option<Pass> {
    let is_lead = |sign: char| matches!(sign, '\u{c0}' | '\u{c1}' | '\u{e0}' | '\u{f0}');
    let mut rest = text;
    let mut undone: Option<String> = None;
    let mut kept = 0;
    while let Some(place) = rest.find(is_lead) {
        let sequence = rest.get(place..).unwrap_or_default();
        let start = text.len() - sequence.len();
        let (length, character) = ascii_of(sequence);
        if let Some(character) = character {
            let made = undone.get_or_insert_with(|| String::with_capacity(text.len()));
            made.push_str(text.get(kept..start).unwrap_or_default());
            made.push(character);
            kept = start + length;
        }
        rest = sequence.get(length..).unwrap_or_default();
    }
    let mut made = undone?;
    made.push_str(text.get(kept..).unwrap_or_default());
    Some(Pass { text: made, undone: Undone::OVERLONG })
}

/// Length in bytes of what was looked at, and the ASCII character that it stands for.
fn ascii_of(sequence: &str) -> (usize, Option<char>) {
    let mut signs = sequence.chars();
    let lead = signs.next().map_or(0, u32::from);
    let lead_length = if lead > 0x7f { 2 } else { 1 };
    let continuations = match lead {
        0xc0 | 0xc1 => 1,
        0xe0 => 2,
        _ => 3,
    };
    let mut code = lead & 1;
    for place in 0..continuations {
        let Some(bits) = signs.next().map(u32::from).filter(|sign| (0x80..0xc0).contains(sign)) else {
            return (lead_length, None);
        };
        // All bits above ASCII must be zero.
        if place + 2 < continuations && bits != 0x80 || code > 1 {
            return (lead_length, None);
        }
        code = code << 6 | bits & 0x3f;
    }
    let character = char::from_u32(code).filter(char::is_ascii);
    (if character.is_some() { 2 * (continuations + 1) } else { lead_length }, character)
}
