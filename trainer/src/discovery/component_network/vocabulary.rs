//! The words that components are made of, written by hand, and how they are divided for an honest measurement.

use super::features::hash;

/// Which words may be used. The division is by the first letters of a word, over all lists alike, so that no word of one
/// part shares its stem with a word of another: `payment` and `payments` stay together, also with `pay`-words of prose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All words.
    All,
    /// Eight tenths of the stems: what the measured network learns from.
    Training,
    /// A tenth: decides when training stops, and the temperature.
    Stopping,
    /// A tenth: for the figures alone.
    Test,
}

/// Number of word lists.
pub const LIST_COUNT: usize = 14;

/// Letters that words of one stem share.
const STEM_LETTERS: usize = 4;

impl Part {
    fn contains(self, word: &str) -> bool {
        match self {
            Part::All => true,
            // A word of several words is in a part with all of them, or in none.
            _ => word.split(['-', '_', '.']).filter(|word| !word.is_empty()).all(|word| Self::of(word) == self),
        }
    }

    fn of(word: &str) -> Self {
        let stem: Vec<char> = word.chars().take(STEM_LETTERS).flat_map(char::to_lowercase).collect();
        match hash(&stem) % 10 {
            0 => Part::Test,
            1 => Part::Stopping,
            _ => Part::Training,
        }
    }
}

/// The word lists of one part.
#[derive(Debug, Clone)]
pub struct Vocabulary {
    pub api_nouns: Vec<&'static str>,
    pub api_verbs: Vec<&'static str>,
    pub api_qualifiers: Vec<&'static str>,
    pub api_abbreviations: Vec<&'static str>,
    pub api_fixed: Vec<&'static str>,
    pub prose: Vec<&'static str>,
    pub places: Vec<&'static str>,
    pub technologies: Vec<&'static str>,
    pub given_names: Vec<&'static str>,
    pub family_names: Vec<&'static str>,
    pub handles: Vec<&'static str>,
    pub companies: Vec<&'static str>,
    /// Closed class: the same in all parts.
    pub function_words: Vec<&'static str>,
    /// Closed class: the same in all parts.
    pub company_suffixes: Vec<&'static str>,
}

macro_rules! words {
    ($part:expr, $file:literal) => {
        words(include_str!(concat!("vocabulary/", $file)), $part)
    };
}

impl Vocabulary {
    pub fn new(part: Part) -> Self {
        Self {
            api_nouns: words!(part, "api_nouns.txt"),
            api_verbs: words!(part, "api_verbs.txt"),
            api_qualifiers: words!(part, "api_qualifiers.txt"),
            api_abbreviations: words!(part, "api_abbreviations.txt"),
            api_fixed: words!(part, "api_fixed.txt"),
            prose: words!(part, "prose_words.txt"),
            places: words!(part, "places.txt"),
            technologies: words!(part, "technologies.txt"),
            given_names: words!(part, "given_names.txt"),
            family_names: words!(part, "family_names.txt"),
            handles: words!(part, "handle_words.txt"),
            companies: words!(part, "company_words.txt"),
            function_words: words!(Part::All, "function_words.txt"),
            company_suffixes: words!(Part::All, "company_suffixes.txt"),
        }
    }

    /// All lists: those that are divided between the parts, then the closed classes.
    pub fn lists(&self) -> [&[&'static str]; LIST_COUNT] {
        [
            &self.api_nouns,
            &self.api_verbs,
            &self.api_qualifiers,
            &self.api_abbreviations,
            &self.api_fixed,
            &self.prose,
            &self.places,
            &self.technologies,
            &self.given_names,
            &self.family_names,
            &self.handles,
            &self.companies,
            &self.function_words,
            &self.company_suffixes,
        ]
    }

    /// The words of all lists; one that is on several counts as often.
    pub fn words(&self) -> usize {
        self.lists().iter().map(|list| list.len()).sum()
    }
}

/// The distinct words of a file that are in `part`, sorted; lines that start with `#` are comments.
fn words(file: &'static str, part: Part) -> Vec<&'static str> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let mut words: Vec<&str> = lines.flat_map(str::split_whitespace).filter(|word| part.contains(word)).collect();
    words.sort_unstable();
    words.dedup();
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_share_no_stem_and_every_list_has_words_in_each() {
        let stems = |vocabulary: &Vocabulary| -> Vec<String> {
            let lists = [&vocabulary.api_nouns, &vocabulary.prose, &vocabulary.family_names, &vocabulary.technologies];
            lists.into_iter().flatten().map(|word| word.chars().take(STEM_LETTERS).collect()).collect()
        };
        let training = stems(&Vocabulary::new(Part::Training));
        for part in [Part::Stopping, Part::Test] {
            let vocabulary = Vocabulary::new(part);
            assert!(stems(&vocabulary).iter().all(|stem| !training.contains(stem)));
            let lists = vocabulary.lists();
            assert!(lists.iter().all(|list| list.len() >= 4), "{:?}", lists.map(<[&str]>::len));
        }
        assert!(Vocabulary::new(Part::All).words() > 4000);
    }
}
