//! The static-word test: what may travel in clear because a programmer, not a user, is likely to have written it.

use crate::limits;

use super::ValueType;

/// Whether a path component or a part of a field name looks like a word of the API itself: ASCII letters with `_`, `-`,
/// `.`, `$`, `@`, `:`, `~` or `!` between, few digits, at most [`limits::WORD_BYTES_MAX`] bytes (with dots
/// [`limits::DOTTED_WORD_BYTES_MAX`]).
pub fn is_static_word(text: &str) -> bool {
    // Names with a package before them, as gRPC's `google.pubsub.v1.Publisher`, are longer than words.
    let bytes_max = if text.contains('.') { limits::DOTTED_WORD_BYTES_MAX } else { limits::WORD_BYTES_MAX };
    if text.is_empty() || text.len() > bytes_max {
        return false;
    }
    let mut letters = 0_usize;
    let mut digits = 0_usize;
    let mut digit_run = 0_usize;
    let mut digit_run_max = 0_usize;
    for character in text.chars() {
        match character {
            'a'..='z' | 'A'..='Z' => {
                letters += 1;
                digit_run = 0;
            }
            '0'..='9' => {
                digits += 1;
                digit_run += 1;
                digit_run_max = digit_run_max.max(digit_run);
            }
            '_' | '-' | '.' | '$' | '@' | ':' | '~' | '!' => digit_run = 0,
            _ => return false,
        }
    }
    letters > 0
        && digit_run_max <= 4
        && digits <= letters.max(2)
        && !matches!(
            ValueType::of(text),
            ValueType::Uuid
                | ValueType::Hex
                | ValueType::Email
                | ValueType::Token
                | ValueType::PrefixedId
                | ValueType::DateTime
                | ValueType::Date
        )
}

/// A field name for profiles and reasons: itself when it is a static word, else `{type}`.
pub fn field_name(raw: &str) -> String {
    if is_static_word(raw) { raw.to_owned() } else { ValueType::of(raw).placeholder().to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_an_api_pass_and_identifiers_do_not() {
        for word in [
            "role",
            "is_admin",
            "B1",
            "user-agent",
            "__proto__",
            "$where",
            "index.jsp",
            "1.gif",
            "oauth2",
            "v1",
            "chat.postMessage",
        ] {
            assert!(is_static_word(word), "{word}");
        }
        for other in [
            "",
            "4242",
            "9f86d081884c7d659a2feaa0c55ad015",
            "2f1acc6c-1d2a-4f7e-9c55-3c1d2d3a4b5c",
            "ann@example.org",
            "a b",
            "x'",
            "ü",
            "a1b2c3d4e5f60718",
        ] {
            assert!(!is_static_word(other), "{other}");
        }
        assert_eq!(field_name("77"), "{integer}");
    }
}
