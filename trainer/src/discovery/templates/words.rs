//! How words look: like literals of an API or like values.

use std::collections::{BTreeSet, HashMap};

use crate::discovery::component_network::{ComponentNetwork, ComponentNetworkError};
use crate::discovery::graph::Node;

/// Judges words by their looks alone.
pub trait ValueOdds {
    type Error;

    /// Log-odds that each text is a value and no literal; 0 says nothing.
    ///
    /// # Errors
    /// When the judge cannot judge.
    fn log_odds(&mut self, texts: &[&str]) -> Result<Vec<f32>, Self::Error>;
}

/// Digits, and capitals that are not those of camel case, make a value; plain letters a literal.
#[derive(Debug, Clone, Copy, Default)]
pub struct RuleOfThumb;

impl ValueOdds for RuleOfThumb {
    type Error = std::convert::Infallible;

    fn log_odds(&mut self, texts: &[&str]) -> Result<Vec<f32>, Self::Error> {
        Ok(texts.iter().map(|text| rule_of_thumb(text)).collect())
    }
}

fn rule_of_thumb(text: &str) -> f32 {
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let is_version = text.starts_with('v') && digits + 1 >= text.len() - text.matches('.').count();
    let capitals = text.bytes().filter(u8::is_ascii_uppercase).count();
    match () {
        () if is_version => -2.0,
        () if digits >= 2 => 1.0,
        () if capitals == text.len() && capitals > 3 => 0.5,
        () => -1.0,
    }
}

/// How much likelier a literal is than each other class, before a word was looked at; the network was trained on as many of each.
const WORD_PRIOR: f32 = 3.0;

impl ValueOdds for ComponentNetwork {
    type Error = ComponentNetworkError;

    fn log_odds(&mut self, texts: &[&str]) -> Result<Vec<f32>, Self::Error> {
        let probabilities = self.classify(texts)?;
        let odds = |word: f32| ((1.0 - word).max(1e-6) / (WORD_PRIOR * word).max(1e-6)).ln();
        Ok(probabilities.into_iter().map(|of| odds(of.word)).collect())
    }
}

/// Odds are cut at ± this: looks alone never decide against the rest.
const ODDS_MAX: f32 = 4.0;

/// The odds of all words of a host.
#[derive(Debug, Default)]
pub struct WordOdds {
    odds: HashMap<String, f32>,
}

impl WordOdds {
    pub fn learn<E>(&mut self, root: &Node, judge: &mut dyn ValueOdds<Error = E>) -> Result<(), E> {
        let mut words: BTreeSet<&str> = BTreeSet::new();
        gather(root, &mut words);
        let texts: Vec<&str> = words.into_iter().collect();
        let odds = judge.log_odds(&texts)?;
        for (text, odds) in texts.into_iter().zip(odds) {
            let is_number = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let least = if is_in_capitals(text) || is_number { CAPITALS_ODDS } else { f32::MIN };
            self.odds.insert(text.to_owned(), odds.max(least));
        }
        Ok(())
    }

    pub fn of(&self, word: &str) -> f32 {
        self.odds.get(word).copied().unwrap_or(0.0).clamp(-ODDS_MAX, ODDS_MAX)
    }

    /// Different words.
    pub fn len(&self) -> usize {
        self.odds.len()
    }
}

/// Odds of `API_KEY`, `FR` and the like: variables, countries and currencies are written so, and hardly any API's paths.
const CAPITALS_ODDS: f32 = 1.0;

fn is_in_capitals(text: &str) -> bool {
    text.len() > 1 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

fn gather<'g>(node: &'g Node, words: &mut BTreeSet<&'g str>) {
    for (word, child) in &node.words {
        words.insert(word);
        words.extend(super::mixed::parts_of(word).into_iter().map(|(_, part)| part).filter(|part| !part.is_empty()));
        gather(child, words);
    }
    node.values.values().for_each(|child| gather(child, words));
}
