//! Bounded percent-decoding.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::limits;
use crate::work::WorkBudget;

/// A text after one layer of percent-decoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    pub text: String,
    /// The bytes were no UTF-8 and were read as Latin-1.
    pub latin_1: bool,
    /// Decoding once more would change it again.
    pub encoded_again: bool,
}

/// Decodes one layer as the application would, `+` as a blank where `plus_is_blank` (forms and queries), and notes whether a
/// further layer is hidden below. `None` when the work budget does not cover it.
pub fn decode_once(raw: &[u8], plus_is_blank: bool, budget: &mut WorkBudget) -> Option<Decoded> {
    if !budget.take_layer() || !budget.take_bytes(raw.len()) {
        return None;
    }
    let blanked: Cow<'_, [u8]> = if plus_is_blank && raw.contains(&b'+') {
        Cow::Owned(raw.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect())
    } else {
        Cow::Borrowed(raw)
    };
    let bytes: Cow<'_, [u8]> = percent_decode(&blanked).into();
    let encoded_again = has_percent_escape(&bytes) && budget.take_layer();
    let (text, latin_1) = match String::from_utf8(bytes.into_owned()) {
        Ok(text) => (text, false),
        Err(error) => (error.into_bytes().into_iter().map(char::from).collect(), true),
    };
    Some(Decoded { text, latin_1, encoded_again })
}

/// Decodes until nothing changes, at most [`limits::DECODING_LAYERS_MAX`] times; for paths, where every hop may decode.
pub fn decode_fully(raw: &[u8], budget: &mut WorkBudget) -> Option<(Decoded, usize)> {
    let mut decoded = decode_once(raw, false, budget)?;
    let mut layers = 1;
    while decoded.encoded_again && layers < limits::DECODING_LAYERS_MAX {
        let next = decode_once(decoded.text.as_bytes(), false, budget)?;
        decoded = Decoded { latin_1: decoded.latin_1 || next.latin_1, ..next };
        layers += 1;
    }
    Some((decoded, layers))
}

fn has_percent_escape(bytes: &[u8]) -> bool {
    bytes
        .windows(3)
        .any(|window| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn once(raw: &str, plus: bool) -> Decoded {
        decode_once(raw.as_bytes(), plus, &mut WorkBudget::default()).unwrap()
    }

    #[test]
    fn decodes_utf_8_latin_1_and_plus() {
        assert_eq!(once("Jam%C3%B3n+x", true).text, "Jamón x");
        let latin = once("Jam%F3n", true);
        assert_eq!((latin.text.as_str(), latin.latin_1), ("Jamón", true));
        assert_eq!(once("a+b", false).text, "a+b");
        assert_eq!(once("100%", true).text, "100%");
    }

    #[test]
    fn sees_hidden_layers_and_stops_at_the_limit() {
        assert!(once("%2527", false).encoded_again);
        let (decoded, layers) = decode_fully(b"%252e%252e", &mut WorkBudget::default()).unwrap();
        assert_eq!((decoded.text.as_str(), layers), ("..", 2));
        let deep = format!("%{}41", "25".repeat(20));
        let (_, layers) = decode_fully(deep.as_bytes(), &mut WorkBudget::default()).unwrap();
        assert_eq!(layers, limits::DECODING_LAYERS_MAX);
    }
}
