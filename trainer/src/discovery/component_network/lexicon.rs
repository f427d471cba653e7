//! Which of the vocabulary's lists the words of a component are on.
//!
//! Known words need not be learned by heart from their letters, which would spoil what the network makes of unknown ones.

use std::collections::HashMap;

use super::vocabulary::{LIST_COUNT, Part, Vocabulary};

/// Features: how much of a component is words of each list, is parts of words of each list, and is nothing known.
pub const LEXICON_FEATURES: usize = 2 * LIST_COUNT + 1;
/// Fewest letters of a known word inside an unknown one.
const AFFIX_LETTERS_MIN: usize = 3;

/// A set of word lists, one bit each in the order of [`Vocabulary::lists`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ListSet(u16);

impl ListSet {
    /// No list at all.
    pub const NONE: Self = Self(0);

    fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn numbers(self) -> impl Iterator<Item = usize> {
        (0..LIST_COUNT).filter(move |number| self.0 >> number & 1 == 1)
    }
}

/// The words of one part of the vocabulary with the lists they are on.
#[derive(Debug, Clone)]
pub struct Lexicon(HashMap<String, ListSet>);

impl Lexicon {
    pub fn new(part: Part) -> Self {
        let mut lexicon: HashMap<String, ListSet> = HashMap::new();
        for (number, list) in Vocabulary::new(part).lists().into_iter().enumerate() {
            for entry in list {
                for word in super::features::words(entry) {
                    lexicon.entry(word).or_default().0 |= 1 << number;
                }
            }
        }
        Self(lexicon)
    }

    /// The lists of a word in small letters, or of its singular.
    pub fn find(&self, word: &str) -> ListSet {
        let find = |word: &str| self.0.get(word).copied();
        let singular = || {
            let stem = word.strip_suffix('s')?;
            let of_y = || find(&format!("{}y", stem.strip_suffix("ie")?));
            find(stem).or_else(|| find(stem.strip_suffix('e')?)).or_else(of_y)
        };
        find(word).or_else(singular).unwrap_or_default()
    }
}

/// The shares of the letters of all words that are words of each list, begin or end with words of each list, and are none of
/// these; 0..1 each. `find` gives the lists of a word.
pub fn lexicon_features(words: &[String], find: &mut dyn FnMut(&str) -> ListSet) -> [f32; LEXICON_FEATURES] {
    let mut letters = [0.0; LEXICON_FEATURES];
    let mut add = |lists: ListSet, offset: usize, count: usize| {
        lists.numbers().for_each(|number| letters[offset + number] += count as f32);
    };
    let mut unknown = 0;
    for word in words {
        let length = word.chars().count();
        let lists = find(word);
        if !lists.is_empty() {
            add(lists, 0, length);
            continue;
        }
        // Digits at the end are no part of the name before them.
        let name = word.trim_end_matches('0');
        let beginnings = name.char_indices().map(|(at, _)| &name[..at]).chain([name]).rev();
        let beginning = longest(beginnings, find);
        let rest = &name[beginning.map_or(0, |(known, _)| known.len())..];
        let end = longest(rest.char_indices().map(|(at, _)| &rest[at..]), find);
        let mut known_letters = 0;
        for (known, lists) in beginning.into_iter().chain(end) {
            add(lists, LIST_COUNT, known.chars().count());
            known_letters += known.chars().count();
        }
        unknown += length - known_letters;
    }
    letters[2 * LIST_COUNT] = unknown as f32;
    let total = words.iter().map(|word| word.chars().count()).sum::<usize>().max(1);
    letters.map(|letters| letters / total as f32)
}

/// The first of `candidates`, the longest before shorter ones, that is a known word.
fn longest<'a>(
    candidates: impl Iterator<Item = &'a str>,
    find: &mut dyn FnMut(&str) -> ListSet,
) -> Option<(&'a str, ListSet)> {
    candidates
        .take_while(|candidate| candidate.len() >= AFFIX_LETTERS_MIN)
        .map(|candidate| (candidate, find(candidate)))
        .find(|(_, lists)| !lists.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_also_in_the_plural_and_inside_of_others() {
        let lexicon = Lexicon::new(Part::All);
        for word in ["order", "orders", "categories", "addresses", "smith"] {
            assert_ne!(lexicon.find(word), ListSet::NONE, "{word}");
        }
        assert_eq!(lexicon.find("xkfqpz"), ListSet::NONE);

        let known =
            |word: &str| 1.0 - lexicon_features(&[word.to_owned()], &mut |word| lexicon.find(word))[2 * LIST_COUNT];
        assert_eq!(known("orders"), 1.0);
        assert_eq!(known("getuser"), 1.0);
        // Of `jsmith42`, five letters of eight.
        assert_eq!(known("jsmith00"), 0.625);
        assert_eq!(known("xkfqpz"), 0.0);
        assert_eq!(lexicon_features(&[], &mut |_| ListSet::NONE), [0.0; LEXICON_FEATURES]);
    }
}
