//! Grammars as text files, from which texts are drawn.
//!
//! `=== name` starts a rule, every further line is an alternative of it, `## ` starts a comment. Of a rule that starts with
//! `=== name, once` the same text is taken throughout a text, most of the time. In an alternative, `«name»` is
//! a text of that rule, `«name*2-8»` two to eight of them in a row, `«0..99»` a number, `«a|b|»` one of these texts or nothing;
//! `␊`, `␍`, `␉` and `␀` are the control characters that they show. Names that no rule has are values, see [`super::values`].

use std::collections::{BTreeMap, BTreeSet};

use crate::discovery::component_network::generator::dice::Dice;

use super::{Part, values::Values};

/// How deep rules are expanded; what is deeper is left out.
const DEPTH_MAX: usize = 24;

/// What the weights of a rule's templates add up to.
const WEIGHT_OF_RULE: f64 = 1e8;

/// How often of a hundred times a rule that is drawn once gives the text that it gave before.
const SAME_PERCENT: u32 = 92;

/// Rules by name.
pub struct Grammar {
    rules: BTreeMap<&'static str, Vec<&'static str>>,
    /// Rules that are drawn once for a text.
    once: BTreeSet<&'static str>,
    values: Values,
}

/// The parts of an alternative.
enum Piece<'a> {
    Text(&'a str),
    Reference(&'a str),
}

impl Grammar {
    /// Reads the rules of a file.
    ///
    /// # Panics
    /// When a file names a rule or value that does not exist: the files are part of the program, and a test reads them all.
    pub fn of(file: &'static str) -> Self {
        let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut once = BTreeSet::new();
        let mut name = "";
        for line in file.lines() {
            if let Some(rule) = line.strip_prefix("=== ") {
                name = rule.trim_end_matches(", once");
                if name != rule {
                    once.insert(name);
                }
            } else if !line.is_empty() && !line.starts_with("## ") {
                rules.entry(name).or_default().push(line);
            }
        }
        let grammar = Self { rules, once, values: Values::new() };
        for (rule, line) in grammar.rules.iter().flat_map(|(rule, lines)| lines.iter().map(move |line| (rule, line))) {
            for piece in pieces(line) {
                if let Piece::Reference(reference) = piece {
                    assert!(grammar.knows(reference), "rule {rule}: «{reference}» is neither a rule nor a value");
                }
            }
        }
        grammar
    }

    /// The alternatives of a rule that are in `part`, with how often they are taken; none when there is no such rule. In the
    /// place of an alternative that is nothing but another rule, those of that rule stand, but more often than it would be taken
    /// and expanded: by the square root, so that what is one of many is learned too.
    pub fn templates(&self, rule: &str, part: Part) -> Vec<(u32, &'static str)> {
        let mut weights = BTreeMap::new();
        self.add_templates(rule, WEIGHT_OF_RULE, &mut weights, 0);
        let lines = part.of(weights.keys().copied().collect());
        lines.into_iter().map(|line| (weights[line].sqrt().ceil() as u32, line)).collect()
    }

    fn add_templates(&self, rule: &str, weight: f64, weights: &mut BTreeMap<&'static str, f64>, depth: usize) {
        let lines = self.rules.get(rule).map(Vec::as_slice).unwrap_or_default();
        let weight = weight / lines.len().max(1) as f64;
        for &line in lines {
            let reference = line.strip_prefix('«').and_then(|line| line.strip_suffix('»'));
            match reference.filter(|reference| depth < DEPTH_MAX && self.rules.contains_key(reference)) {
                Some(reference) => self.add_templates(reference, weight, weights, depth + 1),
                None => *weights.entry(line).or_default() += weight,
            }
        }
    }

    /// A text of a template, which is an alternative of a rule.
    pub fn expand(&self, template: &str, dice: &mut Dice) -> String {
        let mut draft = Draft { dice, text: String::new(), drawn: BTreeMap::new() };
        self.expand_into(template, &mut draft, 0);
        draft.text
    }

    fn knows(&self, reference: &str) -> bool {
        if reference.contains('|') || number_range(reference).is_some() {
            return true;
        }
        let name = repeated(reference).map_or(reference, |(name, _)| name);
        self.rules.contains_key(name) || Values::knows(name)
    }

    fn expand_into(&self, template: &str, draft: &mut Draft<'_>, depth: usize) {
        for piece in pieces(template) {
            match piece {
                Piece::Text(literal) => draft.text.extend(literal.chars().map(control_character)),
                Piece::Reference(reference) => self.draw_into(reference, draft, depth + 1),
            }
        }
    }

    fn draw_into(&self, reference: &str, draft: &mut Draft<'_>, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if reference.contains('|') {
            let choices: Vec<&str> = reference.split('|').collect();
            let choice = draft.dice.one(&choices);
            draft.text.extend(choice.chars().map(control_character));
        } else if let Some((from, to)) = number_range(reference) {
            draft.text.push_str(&draft.dice.number(from, to).to_string());
        } else if let Some((name, (from, to))) = repeated(reference) {
            for _ in 0..draft.dice.number(from, to) {
                self.draw_into(name, draft, depth + 1);
            }
        } else if let Some((&name, lines)) = self.rules.get_key_value(reference) {
            let drawn = draft.drawn.get(name).copied().filter(|_| draft.dice.percent(SAME_PERCENT));
            let line = drawn.unwrap_or_else(|| draft.dice.one(lines));
            if self.once.contains(name) {
                draft.drawn.insert(name, line);
            }
            self.expand_into(line, draft, depth);
        } else {
            let value = self.values.draw(reference, draft.dice);
            draft.text.push_str(&value);
        }
    }
}

/// A text in the making.
struct Draft<'d> {
    dice: &'d mut Dice,
    text: String,
    /// Alternatives of rules that are drawn once.
    drawn: BTreeMap<&'static str, &'static str>,
}

fn pieces(template: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('«') {
        let Some((reference, after)) = after.split_once('»') else { break };
        pieces.push(Piece::Text(literal));
        pieces.push(Piece::Reference(reference));
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    pieces
}

fn number_range(reference: &str) -> Option<(usize, usize)> {
    let (from, to) = reference.split_once("..")?;
    Some((from.parse().ok()?, to.parse().ok()?))
}

fn repeated(reference: &str) -> Option<(&str, (usize, usize))> {
    let (name, range) = reference.rsplit_once('*')?;
    let (from, to) = range.split_once('-')?;
    Some((name, (from.parse().ok()?, to.parse().ok()?)))
}

fn control_character(character: char) -> char {
    match character {
        '␊' => '\n',
        '␍' => '\r',
        '␉' => '\t',
        '␀' => '\0',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn references_choices_repetitions_and_numbers_are_expanded() {
        let grammar = Grammar::of("=== top\n## a comment\n«up*2-2»etc«a|a» «5..5»␊\n=== up\n../");
        let mut dice = Dice::new(ChaCha8Rng::seed_from_u64(1));
        let templates = grammar.templates("top", Part::All);
        assert_eq!(templates.len(), 1);
        assert_eq!(grammar.expand(templates[0].1, &mut dice), "../../etca 5\n");
    }
}
