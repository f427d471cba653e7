//! Encodings and containers, the same for attacks and for benign text, so that they alone say nothing.

use std::fmt::Write as _;

use apiward_detector::payload::PayloadClass;

use crate::discovery::component_network::generator::dice::Dice;

use super::mutation::random_case;

/// An attack as it may come.
pub fn attack(class: PayloadClass, text: String, dice: &mut Dice) -> String {
    match dice.number(0, 99) {
        0..12 => text.to_lowercase(),
        12..15 => text.to_uppercase(),
        15..17 => random_case(&text, dice),
        17..32 if class != PayloadClass::ScannerProbe => encoded(&text, dice),
        32..38 => contained(&text, dice),
        _ => text,
    }
}

/// A benign text as it may come.
pub fn benign(text: String, dice: &mut Dice) -> String {
    match dice.number(0, 99) {
        0..12 => text.to_lowercase(),
        12..15 => text.to_uppercase(),
        15..27 => encoded(&text, dice),
        27..33 => contained(&text, dice),
        33 => text.trim().to_owned() + " ",
        34 => without_accents(&text),
        _ => text,
    }
}

fn encoded(text: &str, dice: &mut Dice) -> String {
    match dice.number(0, 11) {
        0..5 => percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-_.~".contains(&byte), dice),
        5 => {
            percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-_.~/:=".contains(&byte), dice).replace("%20", "+")
        }
        6 => percent(text, |byte| b"'\"<>;|`&#() ".contains(&byte), dice),
        7 => {
            let once = percent(text, |byte| !byte.is_ascii_alphanumeric() && !b"-_.~".contains(&byte), dice);
            once.replace('%', "%25")
        }
        8 => text
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;"),
        9 => escaped(text, |character| character.is_ascii_punctuation()),
        10 => escaped(text, |character| matches!(character, '<' | '>' | '\'' | '"' | '&')),
        _ => serde_json::Value::from(text).to_string(),
    }
}

fn contained(text: &str, dice: &mut Dice) -> String {
    let key = dice.one(&["q", "id", "name", "query", "url", "file", "data", "comment", "search", "value", "input"]);
    match dice.number(0, 8) {
        0 => serde_json::json!({ key: text }).to_string(),
        1 => serde_json::json!({ "id": dice.number(1, 9999), key: text, "type": "text" }).to_string(),
        2 => serde_json::json!([text]).to_string(),
        3 => format!("{key}={text}"),
        4 => format!("{key}={}&page={}", percent(text, |byte| !byte.is_ascii_alphanumeric(), dice), dice.number(1, 9)),
        5 => format!("https://www.example.com/{key}?{key}={text}"),
        6 => format!("/{key}/{text}"),
        7 => format!("\"{text}\""),
        _ => format!("<{key}>{text}</{key}>"),
    }
}

fn percent(text: &str, is_encoded: impl Fn(u8) -> bool, dice: &mut Dice) -> String {
    let upper = dice.percent(60);
    let mut bytes = Vec::with_capacity(text.len() * 2);
    for &byte in text.as_bytes() {
        if is_encoded(byte) {
            let escape = if upper { format!("%{byte:02X}") } else { format!("%{byte:02x}") };
            bytes.extend_from_slice(escape.as_bytes());
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn escaped(text: &str, is_escaped: impl Fn(char) -> bool) -> String {
    let mut result = String::new();
    for character in text.chars() {
        if is_escaped(character) {
            let _ = write!(result, "\\u{:04x}", u32::from(character));
        } else {
            result.push(character);
        }
    }
    result
}

/// Without the letters that are not ASCII, as old databases keep names.
fn without_accents(text: &str) -> String {
    text.chars().filter(char::is_ascii).collect()
}
