//! Path components taken apart at their punctuation: `42.json`, `main...feature`, `7:cancel`, `Users('ann')`.

use serde::{Deserialize, Serialize};

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;

use super::ValueType;
use super::words::is_static_word;

/// Digits that follow a prefix, at least, and letters of such a prefix.
const PREFIXED_DIGITS_MIN: usize = 6;
const PREFIX_LETTERS: std::ops::RangeInclusive<usize> = 2..=12;

/// One part of a component with the punctuation before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentPart {
    /// Punctuation before the part; empty before a first part, and before a number behind its prefix (`bot110201543`).
    pub separator: String,
    /// The text, when it passes the static-word test.
    pub word: Option<String>,
    pub value_type: ValueType,
    /// Keyed hash of the text.
    pub hash: u64,
}

/// The parts of a decoded component; empty where there is nothing to take apart, or more than
/// [`limits::COMPONENT_PARTS_MAX`].
pub fn parts_of(text: &str, value_type: ValueType, hasher: &KeyedHasher) -> Vec<ComponentPart> {
    let prefix = prefix_of(text);
    if is_whole(value_type) || text.len() > 256 || !text.contains(is_separator) && prefix.is_none() {
        return Vec::new();
    }
    let part = |separator: &str, part: &str| ComponentPart {
        separator: separator.to_owned(),
        word: is_static_word(part).then(|| part.to_owned()),
        value_type: ValueType::of(part),
        hash: hasher.hash(Purpose::Value, part.as_bytes()),
    };
    let mut parts = Vec::new();
    let mut rest = text;
    if let Some((prefix, behind)) = prefix {
        parts.push(part("", prefix));
        let (number, next) = behind.split_at(part_end(behind));
        parts.push(part("", number));
        rest = next;
    }
    while !rest.is_empty() {
        if parts.len() >= limits::COMPONENT_PARTS_MAX {
            return Vec::new();
        }
        let separator_end = rest.find(|sign| !is_separator(sign)).unwrap_or(rest.len());
        let (separator, after) = rest.split_at(separator_end);
        let (text, next) = after.split_at(part_end(after));
        parts.push(part(separator, text));
        rest = next;
    }
    if parts.iter().any(|part| part.separator.len() > 8) { Vec::new() } else { parts }
}

/// Lower-case letters before a long number, and what follows them.
fn prefix_of(text: &str) -> Option<(&str, &str)> {
    let (prefix, behind) = text.split_at(text.find(|sign: char| !sign.is_ascii_lowercase())?);
    let number = behind.split(is_separator).next()?;
    let is_long = number.len() >= PREFIXED_DIGITS_MIN && number.bytes().all(|byte| byte.is_ascii_digit());
    (is_long && PREFIX_LETTERS.contains(&prefix.len())).then_some((prefix, behind))
}

/// Bytes up to the next separator; a point between digits belongs to a number.
fn part_end(text: &str) -> usize {
    let bytes = text.as_bytes();
    let is_digit = |place: Option<usize>| place.and_then(|place| bytes.get(place)).is_some_and(u8::is_ascii_digit);
    text.char_indices()
        .find(|(place, sign)| {
            let is_decimal_point = *sign == '.' && is_digit(place.checked_sub(1)) && is_digit(Some(place + 1));
            is_separator(*sign) && !is_decimal_point
        })
        .map_or(text.len(), |(place, _)| place)
}

/// Types whose punctuation belongs to the value.
fn is_whole(value_type: ValueType) -> bool {
    matches!(
        value_type,
        ValueType::Integer
            | ValueType::Decimal
            | ValueType::Hex
            | ValueType::Version
            | ValueType::Ip
            | ValueType::Date
            | ValueType::DateTime
            | ValueType::Email
            | ValueType::Url
            | ValueType::Coordinates
    )
}

fn is_separator(sign: char) -> bool {
    matches!(sign, '.' | ':' | '@' | ',' | ';' | '=' | '(' | ')' | '\'' | '+' | '~' | '!' | '*' | '|' | '$' | '&')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_are_parted_at_punctuation() {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let check = |text: &str, expected: &[&str]| {
            let shown: Vec<String> = parts_of(text, ValueType::of(text), &hasher)
                .into_iter()
                .map(|part| {
                    let shown = part.word.unwrap_or_else(|| part.value_type.placeholder().to_owned());
                    format!("{}{shown}", part.separator)
                })
                .collect();
            assert_eq!(shown, expected, "{text}");
        };
        check("orders", &[]);
        check("42.json", &["{integer}", ".json"]);
        check("main...feature", &["main", "...feature"]);
        check("7:cancel", &["{integer}", ":cancel"]);
        check("@48.8,2.35", &["@{decimal}", ",{decimal}"]);
        check("Users('ann')", &["Users", "('ann", "'){empty}"]);
        check("chat.postMessage", &["chat", ".postMessage"]);
        check("1.2.3", &[]);
        check("bot110201543:AAHdqTcvCH1vGW0xfSeofSAs", &["bot", "{integer}", ":{token}"]);
        check("ord1000037", &["ord", "{integer}"]);
        check("page17", &[]);
        check("v20260101", &[]);
        check("a.b.c.d.e.f.g.h.i", &[]);
    }
}
