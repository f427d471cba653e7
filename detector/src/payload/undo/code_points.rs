//! Text written as numbers: `char(97,98)`, `CHR(39)`, `String.fromCharCode(97)`, `0x61646d696e`.

use super::{Pass, Undone};

/// Functions that make text of character codes, in lower case.
const FUNCTIONS: [&str; 6] = ["char", "chr", "nchar", "unichr", "fromcharcode", "fromcodepoint"];
/// Hexadecimal digits of a literal that can be text.
const LITERAL_DIGITS_MIN: usize = 6;

pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    while let Some(place) = rest.find(['(', '0']) {
        let (before, sign) = rest.split_at_checked(place)?;
        made.push_str(before);
        let found = if sign.starts_with('(') { call(&mut made, sign) } else { literal(&made, sign) };
        match found {
            Some((characters, after)) => {
                changed = true;
                made.push('\'');
                made.push_str(&characters);
                made.push('\'');
                rest = after;
            }
            None => {
                made.push_str(sign.get(..1)?);
                rest = sign.get(1..)?;
            }
        }
    }
    made.push_str(rest);
    changed.then_some(Pass { text: made, undone: Undone::CODE_POINTS })
}

/// The characters of a list of codes in parentheses after such a function, whose name is taken back.
fn call<'t>(made: &mut String, text: &'t str) -> Option<(String, &'t str)> {
    let name_length = made.bytes().rev().take(16).take_while(u8::is_ascii_alphabetic).count();
    let name_start = made.len() - name_length;
    let name = made.get(name_start..)?;
    if !FUNCTIONS.iter().any(|function| name.eq_ignore_ascii_case(function)) {
        return None;
    }
    let is_of_list = |byte: &u8| byte.is_ascii_hexdigit() || matches!(byte, b'x' | b'X' | b',' | b' ');
    let list = text.get(1..)?;
    let end = list.bytes().take_while(is_of_list).count();
    let (codes, after) = list.split_at_checked(end)?;
    let after = after.strip_prefix(')')?;
    let characters = codes.split(',').map(|code| code_of(code.trim())).collect::<Option<String>>()?;
    made.truncate(name_start);
    if made.ends_with("String.") {
        made.truncate(made.len() - "String.".len());
    }
    Some((characters, after))
}

fn code_of(code: &str) -> Option<char> {
    let number = match code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => code.parse(),
    };
    number.ok().and_then(char::from_u32)
}

/// A hexadecimal literal of printable ASCII.
fn literal<'t>(made: &str, text: &'t str) -> Option<(String, &'t str)> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"))?;
    if made.ends_with(|sign: char| sign.is_alphanumeric()) {
        return None;
    }
    let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    let (digits, after) = digits.split_at_checked(length)?;
    if length < LITERAL_DIGITS_MIN || length % 2 != 0 {
        return None;
    }
    let characters = digits
        .as_bytes()
        .chunks(2)
        .map(|pair| {
            let code = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
            (0x20..0x7f).contains(&code).then_some(char::from(code))
        })
        .collect::<Option<String>>()?;
    Some((characters, after))
}
