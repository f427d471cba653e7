//! Grammars as text files, from which texts are drawn.
//!
//! `=== name` starts a rule, every further line is an alternative of it, `## ` starts a comment. In an alternative, `«name»` is
//! a text of that rule, `«name*2-8»` two to eight of them in a row, `«0..99»` a number, `«a|b|»` one of these texts or nothing;
//! `␊`, `␍`, `␉` and `␀` are the control characters that they show. Names that no rule has are values, see [`super::values`].

use std::collections::BTreeMap;

use crate::discovery::component_network::generator::dice::Dice;

use super::{Part, values::Values};

/// How deep rules are expanded; what is deeper is left out.
const DEPTH_MAX: usize = 24;

/// Rules by name.
pub struct Grammar {
    rules: BTreeMap<&'static str, Vec<&'static str>>,
    values: Values,
}

/// The parts of an alternative.
enum Piece<'a> {
    Text(&'a str),
    Reference(&'a str),
}

impl Grammar {
    /// Reads the rules of all files; a rule may be continued in another file.
    ///
    /// # Panics
    /// When a file names a rule or value that does not exist: the files are part of the program, and a test reads them all.
    pub fn of(files: &[&'static str]) -> Self {
        let mut rules: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        let mut name = "";
        for line in files.iter().flat_map(|file| file.lines()) {
            if let Some(rule) = line.strip_prefix("=== ") {
                name = rule.trim();
            } else if !line.is_empty() && !line.starts_with("## ") {
                rules.entry(name).or_default().push(line);
            }
        }
        let grammar = Self { rules, values: Values::new() };
        for (rule, line) in grammar.rules.iter().flat_map(|(rule, lines)| lines.iter().map(move |line| (rule, line))) {
            for piece in pieces(line) {
                if let Piece::Reference(reference) = piece {
                    assert!(grammar.knows(reference), "rule {rule}: «{reference}» is neither a rule nor a value");
                }
            }
        }
        grammar
    }

    /// The alternatives of a rule that are in `part`; none when there is no such rule.
    pub fn templates(&self, rule: &str, part: Part) -> Vec<&'static str> {
        let lines = self.rules.get(rule).map(Vec::as_slice).unwrap_or_default();
        lines.iter().copied().filter(|line| part.contains(line)).collect()
    }

    /// A text of a template, which is an alternative of a rule.
    pub fn expand(&self, template: &str, dice: &mut Dice) -> String {
        let mut text = String::new();
        self.expand_into(template, dice, &mut text, 0);
        text
    }

    /// A text of a rule.
    pub fn draw(&self, rule: &str, dice: &mut Dice) -> String {
        let mut text = String::new();
        self.draw_into(rule, dice, &mut text, 0);
        text
    }

    fn knows(&self, reference: &str) -> bool {
        if reference.contains('|') || number_range(reference).is_some() {
            return true;
        }
        let name = repeated(reference).map_or(reference, |(name, _)| name);
        self.rules.contains_key(name) || Values::knows(name)
    }

    fn expand_into(&self, template: &str, dice: &mut Dice, text: &mut String, depth: usize) {
        for piece in pieces(template) {
            match piece {
                Piece::Text(literal) => text.extend(literal.chars().map(control_character)),
                Piece::Reference(reference) => self.draw_into(reference, dice, text, depth + 1),
            }
        }
    }

    fn draw_into(&self, reference: &str, dice: &mut Dice, text: &mut String, depth: usize) {
        if depth > DEPTH_MAX {
            return;
        }
        if reference.contains('|') {
            let choices: Vec<&str> = reference.split('|').collect();
            text.extend(dice.one(&choices).chars().map(control_character));
        } else if let Some((from, to)) = number_range(reference) {
            text.push_str(&dice.number(from, to).to_string());
        } else if let Some((name, (from, to))) = repeated(reference) {
            for _ in 0..dice.number(from, to) {
                self.draw_into(name, dice, text, depth + 1);
            }
        } else if let Some(lines) = self.rules.get(reference) {
            self.expand_into(dice.one(lines), dice, text, depth);
        } else {
            text.push_str(&self.values.draw(reference, dice));
        }
    }
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
        let grammar = Grammar::of(&["=== top\n## a comment\n«up*2-2»etc«a|a» «5..5»␊\n=== up\n../"]);
        let mut dice = Dice::new(ChaCha8Rng::seed_from_u64(1));
        assert_eq!(grammar.draw("top", &mut dice), "../../etca 5\n");
        assert_eq!(grammar.templates("top", Part::All).len(), 1);
    }
}
