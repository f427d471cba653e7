//! What the network says of a request's values, as the observation carries it.

use serde::{Deserialize, Serialize};

use crate::observation::Location;

use super::PayloadClass;
use super::tokens::{self, Placed};

/// Bytes of evidence that a reason shows.
const EVIDENCE_BYTES_MAX: usize = 80;

/// The value of a field that looks most like an attack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ObservedPayload {
    pub location: Location,
    /// As the name of the observation's fields; see [`crate::observation::PayloadValue`].
    pub name: String,
    pub class: PayloadClass,
    /// Log-odds that it is an attack, in nats.
    pub attack: f32,
    /// The decoded text as a reason may show it; lives where it was seen, and is neither sent nor stored with the observation.
    #[serde(skip)]
    pub evidence: String,
}

/// How much of a value reasons show.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Evidence {
    /// Signs and the words that attacks are written with; other words as `w`, numbers as `9`.
    #[default]
    Masked,
    /// The text.
    Shown,
}

impl Evidence {
    /// The text, shortened.
    pub fn of(self, text: &str) -> String {
        let mut shown = String::new();
        match self {
            Evidence::Shown => {
                for character in text.chars() {
                    if shown.len() >= EVIDENCE_BYTES_MAX {
                        shown.push('…');
                        break;
                    }
                    shown.push(if character.is_control() { ' ' } else { character });
                }
            }
            Evidence::Masked => {
                let mut last_masked = false;
                for token in tokens::tokens(text.as_bytes()) {
                    if shown.len() >= EVIDENCE_BYTES_MAX {
                        shown.push('…');
                        break;
                    }
                    last_masked = mask(&token, last_masked, &mut shown);
                }
            }
        }
        shown
    }
}

/// Adds a token, a run of masked words as one `w`; returns whether it was masked.
fn mask(token: &Placed<'_>, last_masked: bool, shown: &mut String) -> bool {
    let text = String::from_utf8_lossy(token.text);
    if token.is_keyword() {
        shown.push_str(&text);
        return false;
    }
    match token.text.first() {
        Some(first) if first.is_ascii_digit() => shown.push('9'),
        Some(first) if first.is_ascii_alphabetic() || !first.is_ascii() || *first == b'_' => {
            if !last_masked {
                shown.push('w');
            }
            return true;
        }
        Some(first) if first.is_ascii_graphic() => shown.push_str(&text),
        Some(_) => shown.push(' '),
        None => {}
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_short_and_masked_unless_told_otherwise() {
        let secret = "ann' OR 1234=1234 -- hunter2";
        let masked = Evidence::Masked.of(secret);
        assert!(masked.contains("' OR 9=9 --"), "{masked}");
        assert!(!masked.contains("ann") && !masked.contains("hunter") && !masked.contains("1234"), "{masked}");
        assert_eq!(Evidence::Shown.of("<script>\n"), "<script> ");
        for evidence in [Evidence::Masked, Evidence::Shown] {
            assert!(evidence.of(&"<é>".repeat(500)).len() <= EVIDENCE_BYTES_MAX + 8);
        }
    }
}
