//! What the network sees of a window: hashed n-grams of its signs with what is around them, hashed n-grams of its tokens,
//! its words, the whole of a short text, and its shape.

use super::tokens::{BLANK, COMMENT, CONTROL, Placed, tokens};

/// Hash buckets of n-grams, words and short texts.
pub const BUCKETS: usize = 16384;
/// Values that describe the shape.
const SHAPE_FEATURES: usize = super::shape::SHAPE_VALUES;
/// Features of a window: the buckets, then the shape.
pub const FEATURES: usize = BUCKETS + SHAPE_FEATURES;
/// Bytes of the longest n-gram of raw text.
const RAW_LENGTH_MAX: usize = 4;
/// Tokens of the longest n-gram of tokens.
const TOKEN_LENGTH_MAX: usize = 4;
/// Bytes of a word that are hashed.
const WORD_BYTES_MAX: usize = 20;
/// Bytes of a text that is hashed as a whole.
const SHORT_TEXT_BYTES_MAX: usize = 64;
/// What a count of an n-gram is worth: a base-2 logarithm of one more.
const COUNT_VALUES: [f32; 8] = [0.0, 1.0, 1.585, 2.0, 2.322, 2.585, 2.807, 3.0];

/// Kinds of hashed features, so that equal bytes of different kinds are apart.
const RAW: u8 = 1;
const TOKENS: u8 = 2;
const WORD: u8 = 3;
const SHORT_TEXT: u8 = 4;
/// Marks before the first and after the last byte or token.
const START: u8 = 2;
const END: u8 = 3;

/// Adds the features of a window to a row of [`FEATURES`] zeros. Hashes have a sign (Weinberger et al., ICML 2009).
pub fn write_features(window: &str, row: &mut [f32]) {
    let Some((buckets, shape)) = row.split_at_mut_checked(BUCKETS) else { return };
    let text = window.as_bytes();
    let tokens = tokens(text);
    add_raw(text, buckets);
    add_tokens(&tokens, buckets);
    for word in tokens.iter().filter(|placed| placed.is_word()) {
        add_lower_case::<WORD_BYTES_MAX>(WORD, word.text, buckets);
    }
    if text.len() <= SHORT_TEXT_BYTES_MAX {
        add_lower_case::<SHORT_TEXT_BYTES_MAX>(SHORT_TEXT, text.trim_ascii(), buckets);
    }
    for value in buckets {
        if *value != 0.0 && value.abs() != 1.0 {
            let count = value.abs() as usize;
            *value = COUNT_VALUES.get(count).copied().unwrap_or(3.0).copysign(*value);
        }
    }
    for (place, value) in shape.iter_mut().zip(super::shape::shape(text, &tokens)) {
        *place = value;
    }
}

/// N-grams of bytes, of which one at least is a sign: letters are lower-cased, digits and foreign letters are alike.
fn add_raw(text: &[u8], buckets: &mut [f32]) {
    let mut normal = Vec::with_capacity(text.len() + 2);
    normal.push(START);
    for &byte in text {
        let byte = match byte {
            b'0'..=b'9' => b'0',
            0x80.. if normal.last() == Some(&0x80) => continue,
            0x80.. => 0x80,
            b' ' if normal.ends_with(b"  ") => continue,
            byte => byte.to_ascii_lowercase(),
        };
        normal.push(byte);
    }
    normal.push(END);
    for length in 1..=RAW_LENGTH_MAX {
        for ngram in normal.windows(length).filter(|ngram| ngram.iter().copied().any(is_telling)) {
            add(hash(RAW, ngram), buckets);
        }
    }
}

fn is_telling(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && !matches!(byte, b' ' | START | END)
}

/// N-grams of tokens without blanks and comments, which attacks put anywhere.
fn add_tokens(tokens: &[Placed<'_>], buckets: &mut [f32]) {
    let mut kept: Vec<[u8; 2]> = Vec::with_capacity(tokens.len() + 2);
    kept.push([START, 0]);
    for placed in tokens {
        match placed.token {
            BLANK => {}
            COMMENT | CONTROL => add(hash(TOKENS, &placed.token.to_le_bytes()), buckets),
            token => kept.push(token.to_le_bytes()),
        }
    }
    kept.push([END, 0]);
    for length in 1..=TOKEN_LENGTH_MAX {
        for ngram in kept.windows(length) {
            add(hash(TOKENS, ngram.as_flattened()), buckets);
        }
    }
}

/// The first `LENGTH` bytes of a text in lower case.
fn add_lower_case<const LENGTH: usize>(kind: u8, text: &[u8], buckets: &mut [f32]) {
    let mut lower = [0_u8; LENGTH];
    let length = text.len().min(LENGTH);
    for (place, byte) in lower.iter_mut().zip(text) {
        *place = byte.to_ascii_lowercase();
    }
    add(hash(kind, lower.get(..length).unwrap_or_default()), buckets);
}

fn add(hash: u32, buckets: &mut [f32]) {
    let sign = if hash >> 31 == 0 { 1.0 } else { -1.0 };
    if let Some(bucket) = buckets.get_mut(hash as usize % BUCKETS) {
        *bucket += sign;
    }
}

/// FNV-1a with a final mix, so that the low bits depend on all bytes.
fn hash(kind: u8, bytes: &[u8]) -> u32 {
    let fold = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    let hash = bytes.iter().fold(fold(0x811c_9dc5, kind), |hash, &byte| fold(hash, byte));
    let mixed = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    mixed ^ (mixed >> 13)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Vec<f32> {
        let mut row = vec![0.0; FEATURES];
        write_features(text, &mut row);
        row
    }

    #[test]
    fn the_same_text_gives_the_same_finite_features() {
        for text in ["", "'", "1' or '1'='1' --", "{{7*7}}", "\u{0}\r\n", "日本 <script>", &"../".repeat(85)] {
            let row = features(text);
            assert_eq!(row, features(text));
            assert!(row.iter().all(|value| value.is_finite() && value.abs() <= 8.0), "{text}");
        }
    }

    #[test]
    fn case_and_numbers_do_not_matter_to_raw_text() {
        let raw = |text: &str| {
            let mut buckets = vec![0.0; BUCKETS];
            add_raw(text.as_bytes(), &mut buckets);
            buckets
        };
        assert_eq!(raw("' OR 1=1"), raw("' or 7=3"));
        assert_ne!(raw("' or 1=1"), raw("\" or 1=1"));
    }
}
