//! Which values are plain: short words, numbers and identifiers never reach the network.

/// Bytes of a plain value.
const PLAIN_BYTES_MAX: usize = 128;

/// Whether a value is nothing but letters, digits, blanks, `-`, `_` and `.`, and short.
pub fn is_plain(text: &str) -> bool {
    text.len() <= PLAIN_BYTES_MAX
        && text.chars().all(|sign| sign.is_alphanumeric() || matches!(sign, ' ' | '-' | '_' | '.'))
}
