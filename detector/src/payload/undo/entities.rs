//! HTML character references (HTML standard section 13.5), the numeric ones and those named ones that stand for ASCII.

use super::{Pass, Undone};

/// In order of the name.
const NAMED: [(&str, char); 46] = [
    ("NewLine", '\n'),
    ("Tab", '\t'),
    ("amp", '&'),
    ("apos", '\''),
    ("ast", '*'),
    ("bsol", '\\'),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("dollar", '$'),
    ("equals", '='),
    ("excl", '!'),
    ("grave", '`'),
    ("gt", '>'),
    ("hat", '^'),
    ("hyphen", '-'),
    ("lbrace", '{'),
    ("lbrack", '['),
    ("lcub", '{'),
    ("lowbar", '_'),
    ("lpar", '('),
    ("lsqb", '['),
    ("lt", '<'),
    ("midast", '*'),
    ("nbsp", ' '),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("plus", '+'),
    ("quest", '?'),
    ("quot", '"'),
    ("rbrace", '}'),
    ("rbrack", ']'),
    ("rcub", '}'),
    ("rpar", ')'),
    ("rsqb", ']'),
    ("semi", ';'),
    ("sol", '/'),
    ("tab", '\t'),
    ("tilde", '~'),
    ("verbar", '|'),
    ("vert", '|'),
    ("AMP", '&'),
    ("GT", '>'),
    ("LT", '<'),
    ("QUOT", '"'),
];
/// Names that browsers read without a semicolon too.
const WITHOUT_SEMICOLON: [&str; 8] = ["amp", "gt", "lt", "quot", "AMP", "GT", "LT", "QUOT"];
/// Digits of a numeric reference that are looked at; leading zeros hide one from simple filters.
const DIGITS_MAX: usize = 24;

pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    while let Some((before, after)) = rest.split_once('&') {
        made.push_str(before);
        match reference(after) {
            Some((character, length)) => {
                changed = true;
                made.push(character);
                rest = after.get(length..).unwrap_or_default();
            }
            None => {
                made.push('&');
                rest = after;
            }
        }
    }
    made.push_str(rest);
    changed.then_some(Pass { text: made, undone: Undone::ENTITIES })
}

/// The character of a reference whose ampersand is gone, and the reference's length in bytes.
fn reference(text: &str) -> Option<(char, usize)> {
    if let Some(numeric) = text.strip_prefix('#') {
        let (digits, radix, prefix) = match numeric.strip_prefix(['x', 'X']) {
            Some(digits) => (digits, 16, 2),
            None => (numeric, 10, 1),
        };
        let length = digits.chars().take(DIGITS_MAX).take_while(|sign| sign.is_digit(radix)).count();
        let code = u32::from_str_radix(digits.get(..length)?, radix).ok()?;
        let character = char::from_u32(code)?;
        let semicolon = usize::from(digits.get(length..)?.starts_with(';'));
        return Some((character, prefix + length + semicolon));
    }
    let length = text.bytes().take(8).take_while(u8::is_ascii_alphabetic).count();
    let (name, after) = text.split_at_checked(length)?;
    if after.starts_with(';') {
        return NAMED.iter().find(|(named, _)| *named == name).map(|(_, character)| (*character, length + 1));
    }
    let name = WITHOUT_SEMICOLON.iter().find(|named| name.starts_with(**named))?;
    NAMED.iter().find(|(named, _)| named == name).map(|(_, character)| (*character, name.len()))
}
