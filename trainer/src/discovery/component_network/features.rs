//! What the network sees of a path component: hashed character n-grams of its words, its shape, and which words are known.

use super::lexicon::{LEXICON_FEATURES, ListSet, lexicon_features};

/// Bytes of a component that are looked at; longer ones are cut.
pub const TEXT_BYTES_MAX: usize = 64;
/// Hash buckets of n-grams.
const NGRAM_BUCKETS: usize = 2048;
/// Letters of the longest n-gram, boundary marks included.
const NGRAM_LENGTH_MAX: usize = 4;
/// Features of a component: the buckets, then the [`shape`], then the [`lexicon_features`].
pub const FEATURES: usize = NGRAM_BUCKETS + SHAPE_FEATURES + LEXICON_FEATURES;
const SHAPE_FEATURES: usize = 24;

/// The features of a component that are not 0, by position.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SparseFeatures {
    positions: Vec<u16>,
    values: Vec<f32>,
}

impl SparseFeatures {
    /// The features of the first [`TEXT_BYTES_MAX`] bytes of a text; `find` gives the lists that a word is on.
    ///
    /// N-grams are hashed with a sign (Weinberger et al., ICML 2009) and scaled so that all together have length 1.
    pub fn of(text: &str, find: &mut dyn FnMut(&str) -> ListSet) -> Self {
        let text = &text[..text.floor_char_boundary(TEXT_BYTES_MAX)];
        let words = words(text);
        let mut features = Self::default();
        for word in &words {
            features.add_ngrams(word);
        }
        let scale = 1.0 / (features.values.len().max(1) as f32).sqrt();
        features.values.iter_mut().for_each(|value| *value *= scale);
        let others = shape(text, &words).into_iter().chain(lexicon_features(&words, find));
        for (position, value) in (NGRAM_BUCKETS..).zip(others) {
            features.push(position, value);
        }
        features
    }

    /// Positions, below [`FEATURES`], and values; a position may come more than once, its values add up.
    pub fn iter(&self) -> impl Iterator<Item = (usize, f32)> {
        self.positions.iter().map(|&position| usize::from(position)).zip(self.values.iter().copied())
    }

    /// Adds the features to a row of [`FEATURES`] values.
    pub fn add_to(&self, row: &mut [f32]) {
        for (position, value) in self.iter() {
            row[position] += value;
        }
    }

    /// Whether a position is one of the n-grams.
    pub fn is_ngram(position: usize) -> bool {
        position < NGRAM_BUCKETS
    }

    /// All n-grams of a word between boundary marks.
    fn add_ngrams(&mut self, word: &str) {
        let marked: Vec<char> = std::iter::once('<').chain(word.chars()).chain(std::iter::once('>')).collect();
        for length in 1..=NGRAM_LENGTH_MAX.min(marked.len()) {
            for ngram in marked.windows(length).filter(|ngram| ngram.len() > 1 || ngram[0].is_alphanumeric()) {
                self.add_hashed(ngram);
            }
        }
    }

    fn add_hashed(&mut self, characters: &[char]) {
        let hash = hash(characters);
        let sign = if hash >> 63 == 0 { 1.0 } else { -1.0 };
        self.push((hash % NGRAM_BUCKETS as u64) as usize, sign);
    }

    fn push(&mut self, position: usize, value: f32) {
        if value != 0.0 {
            self.positions.push(position as u16);
            self.values.push(value);
        }
    }
}

/// FNV-1a with the last step of SplitMix64, which spreads it over all bits.
pub(super) fn hash(characters: &[char]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for &character in characters {
        hash = (hash ^ u64::from(u32::from(character))).wrapping_mul(0x0000_0100_0000_01b3);
    }
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ (hash >> 31)
}

/// The words of a component in lower case with every digit as `0`: separated by anything that is no letter or digit, and
/// where capitals start a word.
pub(super) fn words(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    for (index, &character) in characters.iter().enumerate() {
        let next = characters.get(index + 1);
        let before = index.checked_sub(1).map(|index| characters[index]);
        let starts_word = character.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase() || (before.is_uppercase() && next.is_some_and(|next| next.is_lowercase()))
            });
        if starts_word || !character.is_alphanumeric() {
            words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
        }
        if character.is_ascii_digit() {
            word.push('0');
        } else if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// How a component is made up, apart from its letters; each value about 0..1.
fn shape(text: &str, words: &[String]) -> [f32; SHAPE_FEATURES] {
    let characters: Vec<char> = text.chars().collect();
    let count = |is: &dyn Fn(char) -> bool| characters.iter().filter(|&&character| is(character)).count() as f32;
    let pairs =
        |is: &dyn Fn(char, char) -> bool| characters.windows(2).filter(|pair| is(pair[0], pair[1])).count() as f32;
    let length = (characters.len() as f32).max(1.0);
    let letters = count(&|character| character.is_alphabetic());
    let upper = count(&|character| character.is_uppercase());
    let digits = count(&|character| character.is_ascii_digit());
    let separators = count(&|character| !character.is_alphanumeric());
    let flag = |is: bool| f32::from(u8::from(is));
    let first = characters.first().copied().unwrap_or('\0');
    let last = characters.last().copied().unwrap_or('\0');
    let word_lengths = || words.iter().map(|word| word.chars().count() as f32);
    let distinct = {
        let mut sorted = characters.clone();
        sorted.sort_unstable();
        sorted.dedup();
        sorted.len() as f32
    };
    [
        length / 32.0,
        flag(length <= 3.0),
        words.len() as f32 / 8.0,
        flag(words.len() == 1),
        flag(words.len() >= 4),
        flag(text.contains('-')),
        flag(text.contains('_')),
        flag(text.contains('.')),
        flag(separators > count(&|character| matches!(character, '-' | '_' | '.'))),
        flag(!first.is_alphanumeric()),
        digits / length,
        flag(first.is_ascii_digit()),
        flag(last.is_ascii_digit()),
        pairs(&|one, next| {
            one.is_ascii_digit() != next.is_ascii_digit() && one.is_alphanumeric() && next.is_alphanumeric()
        }) / 8.0,
        upper / letters.max(1.0),
        flag(first.is_uppercase()),
        flag(upper > 0.0 && upper == letters),
        pairs(&|one, next| one.is_lowercase() && next.is_uppercase()) / 8.0,
        count(&is_vowel) / letters.max(1.0),
        longest_run(&characters, &|character| character.is_alphabetic() && !is_vowel(character)) / 8.0,
        word_lengths().fold(0.0, f32::max) / 16.0,
        word_lengths().fold(f32::INFINITY, f32::min).min(16.0) / 16.0,
        distinct / length,
        flag(!text.is_ascii()),
    ]
}

fn is_vowel(character: char) -> bool {
    matches!(character.to_ascii_lowercase(), 'a' | 'e' | 'i' | 'o' | 'u' | 'y')
}

fn longest_run(characters: &[char], is: &dyn Fn(char) -> bool) -> f32 {
    let runs = characters.split(|&character| !is(character));
    runs.map(<[char]>::len).max().unwrap_or(0) as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn features(text: &str) -> SparseFeatures {
        SparseFeatures::of(text, &mut |_| ListSet::NONE)
    }

    #[test]
    fn words_are_found_whatever_joins_them() {
        let check = |text: &str, expected: &[&str]| assert_eq!(words(text), expected, "{text}");
        check("access-tokens", &["access", "tokens"]);
        check("getUserById", &["get", "user", "by", "id"]);
        check("HTTPServer_v2", &["http", "server", "v0"]);
        check(".well-known", &["well", "known"]);
        check("", &[]);
    }

    #[test]
    fn ngrams_have_length_one_and_long_texts_are_cut() {
        let long = "ab".repeat(400);
        assert_eq!(features(&long), features(&long[..TEXT_BYTES_MAX]));
        let ngrams = |text: &str| -> f32 {
            let features = features(text);
            features
                .iter()
                .filter(|(position, _)| SparseFeatures::is_ngram(*position))
                .map(|(_, value)| value * value)
                .sum()
        };
        assert!((ngrams("repositories") - 1.0).abs() < 1e-5);
        assert_eq!(ngrams("--"), 0.0);
    }

    proptest! {
        #[test]
        fn any_text_gives_finite_features_in_range(text in ".{0,80}") {
            for (position, value) in features(&text).iter() {
                prop_assert!(position < FEATURES && value.is_finite());
            }
        }
    }
}
