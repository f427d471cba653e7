//! Percent-encoding (RFC 3986 section 2.1) and the `%uXXXX` of old JavaScript and IIS, one layer at once.

use super::{Pass, Undone, hex_digit};

/// Percent signs that encode nothing from which on they are no accident.
const STRAY_MIN: usize = 4;

/// Bytes that are no UTF-8 are read as Latin-1.
pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text.as_bytes();
    let mut bytes = Vec::new();
    let mut undone = 0;
    while let Some(place) = rest.iter().position(|byte| *byte == b'%') {
        let (before, escape) = rest.split_at(place);
        if bytes.is_empty() {
            bytes.reserve(text.len());
        }
        bytes.extend_from_slice(before);
        let (kind, after) = unescape(escape, &mut bytes);
        undone |= kind;
        rest = after;
    }
    if undone == 0 {
        return None;
    }
    bytes.extend_from_slice(rest);
    Some(Pass { text: text_of(bytes), undone })
}

/// Writes what the escape stands for, or the percent sign itself; the kind of escape, and what comes after it.
fn unescape<'b>(escape: &'b [u8], bytes: &mut Vec<u8>) -> (u16, &'b [u8]) {
    if let [_, b'u' | b'U', one, two, three, four, after @ ..] = escape
        && let Some(unit) = unit_of([*one, *two, *three, *four])
    {
        if let Some(character) = char::from_u32(unit) {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return (Undone::PERCENT_UNICODE, after);
        }
        if let [b'%', b'u' | b'U', one, two, three, four, after @ ..] = after
            && let Some(low) = unit_of([*one, *two, *three, *four])
            && let Some(character) = char_of_surrogates(unit, low)
        {
            bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
            return (Undone::PERCENT_UNICODE, after);
        }
    }
    match escape {
        [_, high, low, after @ ..] => match (hex_digit(*high), hex_digit(*low)) {
            (Some(high), Some(low)) => {
                bytes.extend(u8::try_from(high << 4 | low));
                (Undone::PERCENT, after)
            }
            _ => {
                bytes.push(b'%');
                (0, escape.get(1..).unwrap_or_default())
            }
        },
        _ => {
            bytes.push(b'%');
            (0, escape.get(1..).unwrap_or_default())
        }
    }
}

/// Percent signs that encode nothing, before most characters of a text: old servers of Microsoft drop them (`%s%e%l%e%c%t`).
pub fn drop_stray(text: &str) -> Option<Pass> {
    let is_stray = |pair: &[u8]| matches!(pair, [b'%', next] if next.is_ascii_alphanumeric());
    let stray = text.as_bytes().windows(2).filter(|pair| is_stray(pair)).count();
    if stray < STRAY_MIN || stray * 4 < text.len() {
        return None;
    }
    let mut signs = text.chars().peekable();
    let mut made = String::with_capacity(text.len());
    while let Some(sign) = signs.next() {
        if sign != '%' || !signs.peek().is_some_and(char::is_ascii_alphanumeric) {
            made.push(sign);
        }
    }
    Some(Pass { text: made, undone: Undone::PERCENT })
}

/// A 16-bit unit of four hexadecimal digits.
pub fn unit_of(digits: [u8; 4]) -> Option<u32> {
    digits.into_iter().try_fold(0, |unit, digit| Some(unit << 4 | hex_digit(digit)?))
}

/// The character of a surrogate pair (Unicode standard section 3.9, D91).
pub fn char_of_surrogates(high: u32, low: u32) -> Option<char> {
    if !(0xd800..0xdc00).contains(&high) || !(0xdc00..0xe000).contains(&low) {
        return None;
    }
    char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00))
}

fn text_of(bytes: Vec<u8>) -> String {
    let bytes = match String::from_utf8(bytes) {
        Ok(text) => return text,
        Err(error) => error.into_bytes(),
    };
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().copied().map(char::from));
    }
    text
}
