//! A value as the application may come to see it: encodings undone in layers, and what only hides a text taken out of it.
//!
//! Which decoders an application runs is not known, so each form is a further reading of the value beside the raw one and never
//! takes its place. Every pass is linear in the text and makes it no longer (but by a constant), so the work is bounded by
//! [`crate::limits::DECODING_LAYERS_MAX`] times the number of decoders, and charged to the exchange's budget.

mod characters;
mod code_points;
mod comments;
mod concatenation;
mod encoded_text;
mod entities;
mod escapes;
mod lookups;
mod overlong;
mod percent;
mod shell;

#[cfg(test)]
mod tests;

use crate::limits;
use crate::work::WorkBudget;

/// A value's readings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forms {
    /// The text as it was given.
    pub raw: String,
    /// Encodings undone until nothing changes, NUL removed, blanks and look-alike characters in ASCII; `None` where that is `raw`.
    pub decoded: Option<String>,
    /// `decoded` (or `raw`) without comments, with string concatenation and the like joined and runs of blanks made one; `None`
    /// where nothing of that changes it.
    pub stripped: Option<String>,
    /// What was undone on the way.
    pub undone: Undone,
}

impl Forms {
    /// The forms that differ, the raw one first.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        [Some(&self.raw), self.decoded.as_ref(), self.stripped.as_ref()].into_iter().flatten().map(String::as_str)
    }
}

/// A set of what was undone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Undone(pub u16);

impl Undone {
    /// `%27`
    pub const PERCENT: u16 = 1;
    /// Percent-encoding again below the first.
    pub const PERCENT_AGAIN: u16 = 1 << 1;
    /// `%u0027`
    pub const PERCENT_UNICODE: u16 = 1 << 2;
    /// A character in more UTF-8 bytes than it needs (RFC 3629 section 3 forbids it): `%c0%af`.
    pub const OVERLONG: u16 = 1 << 3;
    /// `&#39;`, `&lt;`
    pub const ENTITIES: u16 = 1 << 4;
    /// `\u0027`, `\x27`, `\47`
    pub const ESCAPES: u16 = 1 << 5;
    /// Base64 of text, as the whole value or inside it.
    pub const BASE64: u16 = 1 << 6;
    /// NUL bytes.
    pub const NUL: u16 = 1 << 7;
    /// Blanks other than the ASCII one, control characters, characters without width, runs of blanks.
    pub const BLANKS: u16 = 1 << 8;
    /// Full-width and other forms of ASCII characters.
    pub const LOOK_ALIKES: u16 = 1 << 9;
    /// `/**/`, `/*!50000 … */`, `-- …⏎`, `#…⏎`, `<!-- … -->`
    pub const COMMENTS: u16 = 1 << 10;
    /// `'a'||'b'`, `concat('a','b')`
    pub const CONCATENATION: u16 = 1 << 11;
    /// `char(97,98)`, `String.fromCharCode(97)`, `0x61646d696e`
    pub const CODE_POINTS: u16 = 1 << 12;
    /// `${lower:j}`, `${::-j}` (Log4j)
    pub const LOOKUPS: u16 = 1 << 13;
    /// `c''at`, `c\at`, `${IFS}`
    pub const SHELL: u16 = 1 << 14;

    /// Each kind with the words a person reads.
    pub const NAMES: [(u16, &'static str); 15] = [
        (Self::PERCENT, "percent-encoding"),
        (Self::PERCENT_AGAIN, "percent-encoding inside percent-encoding"),
        (Self::PERCENT_UNICODE, "%u escapes"),
        (Self::OVERLONG, "overlong UTF-8"),
        (Self::ENTITIES, "HTML entities"),
        (Self::ESCAPES, "backslash escapes"),
        (Self::BASE64, "base64"),
        (Self::NUL, "NUL bytes"),
        (Self::BLANKS, "unusual blanks"),
        (Self::LOOK_ALIKES, "look-alike characters"),
        (Self::COMMENTS, "comments"),
        (Self::CONCATENATION, "string concatenation"),
        (Self::CODE_POINTS, "character codes"),
        (Self::LOOKUPS, "lookup expressions"),
        (Self::SHELL, "shell quoting"),
    ];

    pub fn contains(self, kind: u16) -> bool {
        self.0 & kind != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of the kinds in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(kind, _)| self.contains(*kind)).map(|(_, name)| name)
    }
}

/// What a pass made of a text, with the kinds that it undid.
struct Pass {
    text: String,
    undone: u16,
}

/// `None` where the pass changes nothing.
type Decoder = fn(&str) -> Option<Pass>;

/// In each layer, in this order.
const DECODERS: [Decoder; 5] = [percent::undo, overlong::undo, entities::undo, escapes::undo, encoded_text::undo];
/// Once, in this order.
const STRIPPERS: [Decoder; 7] = [
    percent::drop_stray,
    comments::undo,
    code_points::undo,
    concatenation::undo,
    lookups::undo,
    shell::undo,
    characters::collapse_blanks,
];

/// The raw form of a value and what becomes of it; where the budget ends, what was reached by then.
pub fn forms_of(text: &str, budget: &mut WorkBudget) -> Forms {
    let mut undone = Undone::default();
    let mut decoded: Option<String> = None;
    let mut run = |decoder: Decoder, current: &mut Option<String>, undone: &mut Undone| -> bool {
        let input = current.as_deref().unwrap_or(text);
        if !budget.take_bytes(input.len()) {
            return false;
        }
        let Some(pass) = decoder(input) else {
            return false;
        };
        let is_again = pass.undone & undone.0 & Undone::PERCENT != 0;
        undone.0 |= pass.undone | if is_again { Undone::PERCENT_AGAIN } else { 0 };
        *current = Some(pass.text);
        true
    };
    if text.bytes().any(is_encoding_sign) {
        for _ in 0..limits::DECODING_LAYERS_MAX {
            let mut changed = false;
            for decoder in DECODERS {
                changed |= run(decoder, &mut decoded, &mut undone);
            }
            if !changed {
                break;
            }
        }
    } else {
        run(encoded_text::undo, &mut decoded, &mut undone);
    }
    run(characters::normalise, &mut decoded, &mut undone);

    let mut stripped = decoded.clone();
    let mut has_stripped = false;
    if decoded.as_deref().unwrap_or(text).bytes().any(is_stripping_sign) {
        for stripper in STRIPPERS {
            has_stripped |= run(stripper, &mut stripped, &mut undone);
        }
    }
    Forms { raw: text.to_owned(), decoded, stripped: stripped.filter(|_| has_stripped), undone }
}

/// Without any of these only base64 can hide in a text.
fn is_encoding_sign(byte: u8) -> bool {
    matches!(byte, b'%' | b'&' | b'\\') || !byte.is_ascii()
}

/// Without any of these a text has nothing to take out.
fn is_stripping_sign(byte: u8) -> bool {
    matches!(byte, b'/' | b'-' | b'#' | b'<' | b'(' | b'0' | b'\'' | b'"' | b'$' | b'\\' | b'^' | b' ' | b'%')
}

fn hex_digit(byte: u8) -> Option<u32> {
    char::from(byte).to_digit(16)
}
