//! The profile of one field, and what is odd about a value in its light.

use serde::{Deserialize, Serialize};

use crate::hashing::stable_hash;
use crate::observation::{CharacterClasses, Location, ObservedField, ValueEncoding, ValueType};
use crate::verdict::FindingKind;

/// Patterns kept per field; a field with more is open-ended and its patterns are not checked.
pub const PATTERNS_MAX: usize = 64;
/// Values kept per field as an enumeration; a field with more has none.
pub const VALUES_ENUMERATED_MAX: usize = 24;

/// Logarithmic magnitude of 1.
const MAGNITUDE_OF_ONE: i8 = 2;
/// How much smaller and larger, in powers of two, the number of an object may be than all that were seen.
const EARLIER_MAX: i16 = 3;
const LATER_MAX: i16 = 1;

/// The kinds of oddity that a single value can have, in the order of [`FieldProfile::novelty`].
pub const FIELD_KINDS: [FindingKind; 9] = [
    FindingKind::MissingField,
    FindingKind::ValueType,
    FindingKind::Characters,
    FindingKind::PunctuationCount,
    FindingKind::Length,
    FindingKind::Pattern,
    FindingKind::Range,
    FindingKind::Enumeration,
    FindingKind::JsonType,
];

/// How often something new of a kind was met of late, as a class: 0 under 0.1 %, 1 under 0.5 %, 2 under 2 %, 3 under 10 %,
/// 4 above. A field that is still growing, or of which little is known, is in a high class; its findings weigh what findings
/// in fields of the same class turned out to be worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Novelty(pub u8);

impl Default for Novelty {
    fn default() -> Self {
        Novelty(Self::CLASSES as u8 - 1)
    }
}

impl Novelty {
    pub const CLASSES: usize = 5;

    /// From `events` among the last `checks` (Krichevsky–Trofimov estimate of the rate).
    pub fn of_rate(events: u32, checks: u32) -> Self {
        let rate = (f64::from(events) + 0.5) / (f64::from(checks) + 1.0);
        let class = [0.001, 0.005, 0.02, 0.1].iter().filter(|bound| rate >= **bound).count();
        Novelty(u8::try_from(class).unwrap_or(0))
    }
}

/// What is usual for a field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProfile {
    pub location: Location,
    pub name: String,
    /// Exchanges of the endpoint that carried it.
    pub exchanges: u32,
    /// Nearly every exchange of the endpoint carries it.
    pub required: bool,
    /// Sorted.
    pub types: Vec<(ValueEncoding, ValueType)>,
    pub classes: CharacterClasses,
    /// The most of each punctuation character in one value, sorted by character.
    pub punctuation: Vec<(u8, u8)>,
    pub length_min: u32,
    pub length_max: u32,
    /// Smallest and largest logarithmic magnitude, for numbers.
    pub magnitude: Option<(i8, i8)>,
    /// Hashes of folded patterns, sorted; `None` when open-ended.
    pub patterns: Option<Vec<u64>>,
    /// Keyed hashes of all values, sorted; `None` when open-ended.
    pub enumeration: Option<Vec<u64>>,
    /// Most values of this name in one exchange (array items excepted).
    pub repeats_max: u16,
    /// Per kind of [`FIELD_KINDS`].
    pub novelty: [Novelty; FIELD_KINDS.len()],
}

/// Something odd about one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    pub kind: FindingKind,
    /// What exactly is new (the character, the pattern, …); tells apart findings of one kind.
    pub property: u64,
    /// How far out: 0 just outside, 1 clearly, 2 far.
    pub extent: u8,
    pub text: OddityText,
}

/// The words for an oddity, put together only when a reason is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OddityText {
    Type { encoding: ValueEncoding, value_type: ValueType },
    Class(&'static str),
    Character(char),
    CharacterCount { character: char, count: u8, usual: u8 },
    LengthOver { length: u32, usual: u32 },
    LengthUnder { length: u32, usual: u32 },
    Pattern(String),
    Above,
    Below,
    Value,
}

impl FieldProfile {
    /// The class of a kind in this field.
    pub fn novelty_of(&self, kind: FindingKind) -> Novelty {
        FIELD_KINDS
            .iter()
            .zip(self.novelty)
            .find(|(of, _)| **of == kind)
            .map_or_else(Novelty::default, |(_, novelty)| novelty)
    }

    /// Calls `report` for everything odd about the value. The order is stable.
    pub fn check(&self, field: &ObservedField, mut report: impl FnMut(Oddity)) {
        let shape = &field.shape;
        let value_type = (field.encoding, shape.value_type);
        if self.types.binary_search(&value_type).is_err() {
            let new_encoding = self.types.iter().all(|(encoding, _)| *encoding != field.encoding);
            report(Oddity {
                kind: if new_encoding { FindingKind::JsonType } else { FindingKind::ValueType },
                property: stable_hash(&[b"type", field.encoding.noun().as_bytes(), shape.value_type.noun().as_bytes()]),
                extent: 0,
                text: OddityText::Type { encoding: field.encoding, value_type: shape.value_type },
            });
        }
        self.check_classes(shape.classes, &mut report);
        for (character, count) in &shape.punctuation {
            let usual = self
                .punctuation
                .binary_search_by_key(character, |(known, _)| *known)
                .ok()
                .and_then(|found| self.punctuation.get(found))
                .map_or(0, |(_, most)| *most);
            if usual == 0 {
                report(Oddity {
                    kind: FindingKind::Characters,
                    property: u64::from(*character),
                    extent: 1,
                    text: OddityText::Character(char::from(*character)),
                });
            } else if *count > usual {
                report(Oddity {
                    kind: FindingKind::PunctuationCount,
                    property: u64::from(*character),
                    extent: extent_of(f64::from(*count), f64::from(usual), 1.0),
                    text: OddityText::CharacterCount { character: char::from(*character), count: *count, usual },
                });
            }
        }
        self.check_length(shape.length, &mut report);
        if let Some(patterns) = &self.patterns {
            let folded = fold_pattern(&shape.pattern);
            let property = stable_hash(&[b"pattern", folded.as_bytes()]);
            if patterns.binary_search(&property).is_err() {
                report(Oddity { kind: FindingKind::Pattern, property, extent: 0, text: OddityText::Pattern(folded) });
            }
        }
        if let (Some(magnitude), Some((least, most))) = (shape.magnitude, self.magnitude)
            && (magnitude < least || magnitude > most)
        {
            let beyond = if magnitude < least {
                i16::from(least) - i16::from(magnitude)
            } else {
                i16::from(magnitude) - i16::from(most)
            };
            // Numbers in paths name objects, counted from 1: of those that are used, the first may just not have come yet, and there
            // come more.
            let names_object = self.location == Location::Path && magnitude >= MAGNITUDE_OF_ONE;
            let usual_beyond = if magnitude < least { EARLIER_MAX } else { LATER_MAX };
            if !names_object || beyond > usual_beyond {
                report(Oddity {
                    kind: FindingKind::Range,
                    property: u64::from(magnitude < least),
                    extent: match beyond {
                        ..=1 => 0,
                        2..=4 => 1,
                        _ => 2,
                    },
                    text: if magnitude < least { OddityText::Below } else { OddityText::Above },
                });
            }
        }
        if let Some(values) = &self.enumeration
            && !field.encoding.is_container()
            && values.binary_search(&shape.hash).is_err()
        {
            report(Oddity { kind: FindingKind::Enumeration, property: shape.hash, extent: 0, text: OddityText::Value });
        }
    }

    fn check_classes(&self, classes: CharacterClasses, report: &mut impl FnMut(Oddity)) {
        let unseen = classes.0 & !self.classes.0 & !CharacterClasses::PUNCTUATION;
        for (class, name) in CharacterClasses::NAMES {
            if unseen & class == 0 {
                continue;
            }
            let foreign = CharacterClasses::CONTROL
                | CharacterClasses::LINE_BREAK
                | CharacterClasses::NOT_UTF_8
                | CharacterClasses::ENCODED_AGAIN;
            report(Oddity {
                kind: FindingKind::Characters,
                property: 1000 + u64::from(class),
                extent: if class & foreign != 0 { 2 } else { 0 },
                text: OddityText::Class(name),
            });
        }
    }

    fn check_length(&self, length: u32, report: &mut impl FnMut(Oddity)) {
        if length > self.length_max {
            report(Oddity {
                kind: FindingKind::Length,
                property: 1,
                extent: extent_of(f64::from(length), f64::from(self.length_max), 4.0),
                text: OddityText::LengthOver { length, usual: self.length_max },
            });
        } else if length < self.length_min {
            report(Oddity {
                kind: FindingKind::Length,
                property: 0,
                extent: extent_of(f64::from(self.length_min), f64::from(length), 4.0),
                text: OddityText::LengthUnder { length, usual: self.length_min },
            });
        }
    }
}

/// 0 up to 1.5 times, 1 up to 3 times, 2 above, both sides padded so that small counts do not look large.
fn extent_of(value: f64, usual: f64, padding: f64) -> u8 {
    match (value + padding) / (usual + padding) {
        ratio if ratio <= 1.5 => 0,
        ratio if ratio <= 3.0 => 1,
        _ => 2,
    }
}

/// A pattern with repeated groups folded, so that text of three words and of thirty look alike: any run of word signs
/// (`A`, `a`, `Aa`, `u`) separated by single blanks counts once.
pub fn fold_pattern(pattern: &str) -> String {
    let mut folded = String::with_capacity(pattern.len());
    let mut last_was_word = false;
    for word in pattern.split('_') {
        let is_word = !word.is_empty() && word.chars().all(|sign| matches!(sign, 'A' | 'a' | 'u'));
        if is_word && last_was_word {
            continue;
        }
        if !folded.is_empty() {
            folded.push('_');
        }
        folded.push_str(if is_word { "w" } else { word });
        last_was_word = is_word;
    }
    folded
}

impl OddityText {
    /// The second half of a reason: `has "'", never seen in it`.
    pub fn words(&self) -> String {
        match self {
            OddityText::Type { encoding: ValueEncoding::Text, value_type } => {
                format!("is {}, never seen in it", value_type.noun())
            }
            OddityText::Type { encoding: ValueEncoding::JsonString, value_type } => {
                format!("is a string ({}), never seen in it", value_type.noun())
            }
            OddityText::Type { encoding, .. } => format!("is {}, never seen in it", with_article(encoding.noun())),
            OddityText::Class(name) => format!("has {name}, never seen in it"),
            OddityText::Character(character) => format!("has {character:?}, never seen in it"),
            OddityText::CharacterCount { character, count, usual } => {
                format!("has {character:?} {count} times, at most {usual} seen")
            }
            OddityText::LengthOver { length, usual } => format!("has length {length}, at most {usual} seen"),
            OddityText::LengthUnder { length, usual } => format!("has length {length}, at least {usual} seen"),
            OddityText::Pattern(pattern) => format!("has the form {pattern:?}, never seen in it"),
            OddityText::Above => "is larger than ever seen".to_owned(),
            OddityText::Below => "is smaller than ever seen".to_owned(),
            OddityText::Value => "has a value outside the few ever seen".to_owned(),
        }
    }
}

fn with_article(noun: &str) -> String {
    match noun {
        "null" => noun.to_owned(),
        vowel if vowel.starts_with(['a', 'e', 'i', 'o', 'u']) => format!("an {vowel}"),
        other => format!("a {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::{KeyedHasher, Purpose};
    use crate::observation::ValueShape;

    #[test]
    fn patterns_of_prose_fold_to_one_form() {
        assert_eq!(fold_pattern("Aa_a_a"), "w");
        assert_eq!(fold_pattern("Aa_Aa'_A_'9'='9"), "w_Aa'_w_'9'='9");
        assert_eq!(fold_pattern("9-9"), "9-9");
        assert_eq!(fold_pattern(""), "");
    }

    #[test]
    fn an_early_or_the_next_object_is_not_odd_but_a_small_amount_is() {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let shape = |text: &str| ValueShape::of_text(text, 0, Purpose::Value, &hasher);
        let odd = |location: Location, value: &str| {
            let usual = shape("40");
            let profile = FieldProfile {
                location,
                name: "id".to_owned(),
                exchanges: 400,
                required: true,
                types: vec![(ValueEncoding::Text, ValueType::Integer)],
                classes: usual.classes,
                punctuation: Vec::new(),
                length_min: 1,
                length_max: 4,
                magnitude: Some((5, 9)),
                patterns: None,
                enumeration: None,
                repeats_max: 1,
                novelty: [Novelty(0); FIELD_KINDS.len()],
            };
            let mut kinds = Vec::new();
            let field =
                ObservedField { location, name: "id".to_owned(), encoding: ValueEncoding::Text, shape: shape(value) };
            profile.check(&field, |oddity| kinds.push(oddity.kind));
            kinds.contains(&FindingKind::Range)
        };
        assert!(!odd(Location::Path, "2") && !odd(Location::Path, "40"));
        assert!(odd(Location::Path, "0") && odd(Location::Path, "-40"));
        assert!(!odd(Location::Path, "600") && odd(Location::Path, "5000"));
        assert!(odd(Location::Form, "2") && odd(Location::Form, "600"));
    }

    #[test]
    fn little_knowledge_is_a_high_class() {
        assert_eq!(Novelty::of_rate(0, 10), Novelty(3));
        assert_eq!(Novelty::of_rate(0, 300), Novelty(1));
        assert_eq!(Novelty::of_rate(0, 1000), Novelty(0));
        assert_eq!(Novelty::of_rate(500, 1000), Novelty(4));
    }
}
