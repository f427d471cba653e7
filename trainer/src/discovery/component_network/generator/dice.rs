//! Random choices of the generator.

use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// A seeded source of choices.
pub struct Dice(ChaCha8Rng);

impl Dice {
    pub fn new(generator: ChaCha8Rng) -> Self {
        Self(generator)
    }

    /// True with a probability of `percent` / 100.
    pub fn percent(&mut self, percent: u32) -> bool {
        self.0.random_range(0..100) < percent
    }

    /// A whole number of `from..=to`.
    pub fn number(&mut self, from: usize, to: usize) -> usize {
        self.0.random_range(from..=to)
    }

    /// One of `choices`, which are not empty.
    pub fn one<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.0.random_range(0..choices.len())]
    }

    /// One of `choices` in proportion to their weights, of which one at least is above 0.
    pub fn weighted<T: Copy>(&mut self, choices: &[(u32, T)]) -> T {
        let total: u32 = choices.iter().map(|(weight, _)| weight).sum();
        let mut at = self.0.random_range(0..total);
        for &(weight, choice) in choices {
            if at < weight {
                return choice;
            }
            at -= weight;
        }
        choices[choices.len() - 1].1
    }

    /// `length` characters of an alphabet.
    pub fn characters(&mut self, alphabet: &str, length: usize) -> String {
        let alphabet = alphabet.as_bytes();
        (0..length).map(|_| char::from(self.one(alphabet))).collect()
    }

    /// A number as people append it to names: a digit, two, or a year.
    pub fn appended_number(&mut self) -> String {
        match self.number(0, 9) {
            0..=3 => self.number(1, 9).to_string(),
            4..=7 => self.number(10, 99).to_string(),
            8 => self.number(1960, 2025).to_string(),
            _ => self.number(100, 999).to_string(),
        }
    }
}

/// The word with a capital in front.
pub fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
