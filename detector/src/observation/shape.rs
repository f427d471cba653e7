//! The shape of a value: everything that is kept of it.

use serde::{Deserialize, Serialize};

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;

use super::{SensitiveClasses, ValueType};

/// Type, length, character classes, collapsed pattern, punctuation counts, magnitude and keyed hash of one value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueShape {
    pub value_type: ValueType,
    /// Characters; items or members for containers.
    pub length: u32,
    pub classes: CharacterClasses,
    /// Runs of a class collapsed to one sign: `A` upper case, `a` lower case, `9` digits, `_` blanks, `u` other letters, `c`
    /// control, punctuation as itself; cut at [`limits::PATTERN_CHARS_MAX`], then ending in `…`.
    pub pattern: String,
    /// ASCII punctuation characters with their counts (at most 255), in order of the character.
    pub punctuation: Vec<(u8, u8)>,
    /// Signed logarithmic magnitude of a number: ±(1 + ⌊log2(1+|x|)⌋), 0 for 0; `None` for what is no number.
    pub magnitude: Option<i8>,
    /// What of personal or secret data it looks like.
    pub sensitive: SensitiveClasses,
    /// Keyed hash of the value.
    pub hash: u64,
}

/// A set of character classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CharacterClasses(pub u16);

impl CharacterClasses {
    pub const UPPER: u16 = 1;
    pub const LOWER: u16 = 1 << 1;
    pub const DIGIT: u16 = 1 << 2;
    pub const BLANK: u16 = 1 << 3;
    pub const OTHER_LETTER: u16 = 1 << 4;
    pub const OTHER_SYMBOL: u16 = 1 << 5;
    pub const CONTROL: u16 = 1 << 6;
    pub const LINE_BREAK: u16 = 1 << 7;
    pub const PUNCTUATION: u16 = 1 << 8;
    /// Bytes that are no UTF-8.
    pub const NOT_UTF_8: u16 = 1 << 9;
    /// Still percent-encoded after decoding.
    pub const ENCODED_AGAIN: u16 = 1 << 10;

    /// Each class with the words a person reads.
    pub const NAMES: [(u16, &'static str); 11] = [
        (Self::UPPER, "upper-case letters"),
        (Self::LOWER, "lower-case letters"),
        (Self::DIGIT, "digits"),
        (Self::BLANK, "blanks"),
        (Self::OTHER_LETTER, "letters outside ASCII"),
        (Self::OTHER_SYMBOL, "symbols outside ASCII"),
        (Self::CONTROL, "control characters"),
        (Self::LINE_BREAK, "line breaks"),
        (Self::PUNCTUATION, "punctuation"),
        (Self::NOT_UTF_8, "bytes that are no UTF-8"),
        (Self::ENCODED_AGAIN, "percent-encoding inside percent-encoding"),
    ];
}

impl ValueShape {
    /// Shape of a text. `extra` adds classes that only the decoder knows.
    pub fn of_text(text: &str, extra: u16, purpose: Purpose, hasher: &KeyedHasher) -> Self {
        let mut classes = extra;
        let mut pattern = String::new();
        let mut pattern_signs = 0;
        let mut last_sign = '\0';
        let mut counts = [0_u8; 128];
        let mut length = 0_u32;
        for character in text.chars() {
            length = length.saturating_add(1);
            if length as usize > limits::VALUE_CHARS_MAX {
                continue;
            }
            let (class, sign) = classify(character);
            classes |= class;
            if class == CharacterClasses::PUNCTUATION
                && let Some(count) = counts.get_mut(character as usize)
            {
                *count = count.saturating_add(1);
            }
            if sign != last_sign {
                last_sign = sign;
                pattern_signs += 1;
                match pattern_signs {
                    signs if signs <= limits::PATTERN_CHARS_MAX => pattern.push(sign),
                    signs if signs == limits::PATTERN_CHARS_MAX + 1 => pattern.push('…'),
                    _ => {}
                }
            }
        }
        let punctuation =
            (0_u8..128).zip(counts).filter(|(_, count)| *count > 0).take(limits::PUNCTUATION_KINDS_MAX).collect();
        let value_type = ValueType::of(text);
        let number =
            matches!(value_type, ValueType::Integer | ValueType::Decimal).then(|| text.parse::<f64>().ok()).flatten();
        Self {
            value_type,
            length,
            classes: CharacterClasses(classes),
            pattern,
            punctuation,
            magnitude: number.map(magnitude),
            sensitive: SensitiveClasses::of(text, value_type),
            hash: hasher.hash(purpose, text.as_bytes()),
        }
    }

    /// Shape of an array or object with that many items or members.
    pub fn of_container(length: usize) -> Self {
        Self {
            value_type: ValueType::Empty,
            length: u32::try_from(length).unwrap_or(u32::MAX),
            classes: CharacterClasses(0),
            pattern: String::new(),
            punctuation: Vec::new(),
            magnitude: None,
            sensitive: SensitiveClasses::default(),
            hash: 0,
        }
    }

    /// Number of punctuation characters.
    pub fn punctuation_count(&self) -> u32 {
        self.punctuation.iter().map(|(_, count)| u32::from(*count)).sum()
    }
}

fn classify(character: char) -> (u16, char) {
    match character {
        'A'..='Z' => (CharacterClasses::UPPER, 'A'),
        'a'..='z' => (CharacterClasses::LOWER, 'a'),
        '0'..='9' => (CharacterClasses::DIGIT, '9'),
        ' ' | '\u{a0}' => (CharacterClasses::BLANK, '_'),
        '\n' | '\r' => (CharacterClasses::LINE_BREAK, 'n'),
        control if control.is_control() => (CharacterClasses::CONTROL, 'c'),
        punctuation if punctuation.is_ascii_punctuation() => (CharacterClasses::PUNCTUATION, punctuation),
        letter if letter.is_alphanumeric() => (CharacterClasses::OTHER_LETTER, 'u'),
        blank if blank.is_whitespace() => (CharacterClasses::CONTROL, 'c'),
        _ => (CharacterClasses::OTHER_SYMBOL, 's'),
    }
}

fn magnitude(number: f64) -> i8 {
    if number == 0.0 || !number.is_finite() {
        return if number.is_finite() { 0 } else { i8::MAX };
    }
    // Between 1 and 1,025 for a finite f64, so the cast after clamping cannot wrap.
    let size = (1.0 + number.abs().ln_1p() / std::f64::consts::LN_2).floor().clamp(1.0, 126.0) as i8;
    if number < 0.0 { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(text: &str) -> ValueShape {
        ValueShape::of_text(text, 0, Purpose::Value, &KeyedHasher::new(b"0123456789abcdef").unwrap())
    }

    #[test]
    fn collapses_runs_and_counts_punctuation() {
        let shape = shape("Vino Rioja' OR '1'='1");
        assert_eq!(shape.pattern, "Aa_Aa'_A_'9'='9");
        assert_eq!(shape.punctuation, vec![(b'\'', 4), (b'=', 1)]);
        assert_eq!(shape.length, 21);
    }

    #[test]
    fn magnitudes_are_logarithmic_and_signed() {
        assert_eq!(shape("0").magnitude, Some(0));
        assert_eq!(shape("1").magnitude, Some(2));
        assert_eq!(shape("-1").magnitude, Some(-2));
        assert_eq!(shape("1000").magnitude, Some(10));
        assert_eq!(shape("x").magnitude, None);
        assert_eq!(shape(&"9".repeat(400)).magnitude, Some(i8::MAX));
    }

    #[test]
    fn long_values_are_cut_in_pattern_and_work_but_not_in_length() {
        let shape = shape(&"a1".repeat(50_000));
        assert_eq!(shape.length, 100_000);
        assert!(shape.pattern.ends_with('…'));
        assert_eq!(shape.pattern.chars().count(), limits::PATTERN_CHARS_MAX + 1);
    }
}
