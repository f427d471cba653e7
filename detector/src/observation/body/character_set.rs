//! Bytes of a body as text.

use std::borrow::Cow;

/// UTF-16 (by its byte order mark, or by the NUL beside the first ASCII character as RFC 4627 section 3 tells it) as UTF-8, without
/// a byte order mark; anything else unchanged.
pub fn to_utf_8(body: &[u8]) -> Cow<'_, [u8]> {
    match body {
        [0xef, 0xbb, 0xbf, rest @ ..] => Cow::Borrowed(rest),
        [0xff, 0xfe, rest @ ..] => Cow::Owned(from_utf_16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(from_utf_16(rest, u16::from_be_bytes)),
        [first, 0, second, 0, ..] if *first != 0 && *second != 0 => Cow::Owned(from_utf_16(body, u16::from_le_bytes)),
        [0, first, 0, second, ..] if *first != 0 && *second != 0 => Cow::Owned(from_utf_16(body, u16::from_be_bytes)),
        _ => Cow::Borrowed(body),
    }
}

fn from_utf_16(bytes: &[u8], unit_of: fn([u8; 2]) -> u16) -> Vec<u8> {
    let units = bytes.chunks_exact(2).filter_map(|pair| <[u8; 2]>::try_from(pair).ok()).map(unit_of);
    char::decode_utf16(units).map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER)).collect::<String>().into_bytes()
}

/// UTF-8, where it is none read as Latin-1.
pub fn text_of(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => {
            let mut text = String::with_capacity(bytes.len());
            for chunk in bytes.utf8_chunks() {
                text.push_str(chunk.valid());
                text.extend(chunk.invalid().iter().copied().map(char::from));
            }
            Cow::Owned(text)
        }
    }
}

/// Whether bytes are text and no image, archive or other binary data: at most one in 16 is no character that texts have.
pub fn is_text(bytes: &[u8]) -> bool {
    let odd: usize = bytes
        .utf8_chunks()
        .map(|chunk| {
            let controls = chunk.valid().bytes().filter(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace());
            controls.count() + chunk.invalid().len()
        })
        .sum();
    odd * 16 <= bytes.len()
}
