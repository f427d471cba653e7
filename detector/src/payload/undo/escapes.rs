//! Backslash escapes of JSON (RFC 8259 section 7), JavaScript, PHP and C.

use super::percent::{char_of_surrogates, unit_of};
use super::{Pass, Undone, hex_digit};

pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    while let Some((before, after)) = rest.split_once('\\') {
        made.push_str(before);
        match escaped(after) {
            Some((character, length)) => {
                changed = true;
                made.push(character);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                made.push('\\');
                rest = after;
            }
        }
    }
    made.push_str(rest);
    changed.then_some(Pass { text: made, undone: Undone::ESCAPES })
}

/// The character of an escape whose backslash is gone, and the escape's length in bytes.
fn escaped(text: &str) -> Option<(char, usize)> {
    match text.as_bytes() {
        [b'u', b'{', digits @ ..] => {
            let length = digits.iter().take(8).take_while(|digit| digit.is_ascii_hexdigit()).count();
            let code = u32::from_str_radix(text.get(2..2 + length)?, 16).ok()?;
            Some((char::from_u32(code)?, 3 + length)).filter(|_| digits.get(length) == Some(&b'}'))
        }
        [b'u', one, two, three, four, after @ ..] => {
            let unit = unit_of([*one, *two, *three, *four])?;
            if let Some(character) = char::from_u32(unit) {
                return Some((character, 5));
            }
            match after {
                [b'\\', b'u', one, two, three, four, ..] => {
                    Some((char_of_surrogates(unit, unit_of([*one, *two, *three, *four])?)?, 11))
                }
                _ => None,
            }
        }
        [b'x', high, low, ..] => Some((char::from_u32(hex_digit(*high)? << 4 | hex_digit(*low)?)?, 3)),
        [b'0'..=b'7', b'0'..=b'7', ..] => octal(text),
        [b'0', ..] => Some(('\0', 1)),
        [sign @ (b'/' | b'\'' | b'"' | b'\\' | b'`'), ..] => Some((char::from(*sign), 1)),
        [b'r', b'\\', b'n', ..] => Some(('\r', 1)),
        // Before a small letter it is more likely a path on Windows: `C:\new`.
        [b'n' | b'r' | b't', b'a'..=b'z', ..] => None,
        [b'n', ..] => Some(('\n', 1)),
        [b'r', ..] => Some(('\r', 1)),
        [b't', ..] => Some(('\t', 1)),
        _ => None,
    }
}

/// Two or three digits that stand for a printable character; others are references of regular expressions.
fn octal(text: &str) -> Option<(char, usize)> {
    let length = text.bytes().take(3).take_while(|digit| matches!(digit, b'0'..=b'7')).count();
    let code = u8::from_str_radix(text.get(..length)?, 8).ok()?;
    (0x20..0x7f).contains(&code).then_some((char::from(code), length))
}
