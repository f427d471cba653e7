//! Texts of all classes, composed from grammars that were written from general knowledge of attacks, tools and the web.

mod disguise;
mod grammar;
mod mutation;
mod values;

use apiward_detector::payload::PayloadClass;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use crate::discovery::component_network::generator::dice::Dice;

use super::LabelledText;
use grammar::Grammar;

/// Which templates may be used. They are divided by a hash of the template, so that what is measured was not learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// All templates.
    All,
    /// Eight tenths: what the measured network learns from.
    Training,
    /// A tenth: for the choice between designs and settings.
    Stopping,
    /// A tenth: for the figures alone.
    Test,
}

impl Part {
    /// The templates of a rule that are in the part: in the order of their hashes the first tenth is for the figures, the
    /// second for choices.
    fn of(self, mut templates: Vec<&'static str>) -> Vec<&'static str> {
        templates.sort_by_key(|template| hash(template));
        let tenth = templates.len().div_ceil(10);
        match self {
            Part::All => templates,
            Part::Test => templates[..tenth].to_vec(),
            Part::Stopping => templates[tenth..2 * tenth].to_vec(),
            Part::Training => templates[2 * tenth..].to_vec(),
        }
    }

    /// Independent random streams of one seed.
    fn stream(self) -> u64 {
        self as u64
    }
}

/// FNV-1a.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Bytes of an attack that is put into other text.
const EMBEDDED_BYTES_MIN: usize = 12;
/// How many of a hundred texts are put into other text: attacks and benign ones alike, so that what is put together of several
/// texts says nothing by itself.
const EMBEDDED_PERCENT: u32 = 22;
/// Bytes of the text that an attack is put into, and of its part before the attack.
const CONTEXT_BYTES_MAX: usize = 230;
const PREFIX_BYTES_MAX: usize = 180;

/// Grammars of benign texts.
const BENIGN: [&str; 4] = [
    include_str!("grammars/benign.txt"),
    include_str!("grammars/benign_structures.txt"),
    include_str!("grammars/benign_web.txt"),
    include_str!("grammars/benign_prose.txt"),
];
/// How many of a hundred benign texts are of each grammar of [`BENIGN`].
const BENIGN_SHARES: [(u32, usize); 4] = [(38, 0), (27, 1), (22, 2), (13, 3)];

/// How many of a hundred attacks are of each class.
const SHARES: [(u32, PayloadClass); 12] = [
    (22, PayloadClass::Sqli),
    (16, PayloadClass::Xss),
    (14, PayloadClass::CommandInjection),
    (12, PayloadClass::PathTraversal),
    (9, PayloadClass::CodeInjection),
    (5, PayloadClass::TemplateInjection),
    (4, PayloadClass::Nosqli),
    (4, PayloadClass::Ssrf),
    (3, PayloadClass::Xxe),
    (3, PayloadClass::LdapInjection),
    (3, PayloadClass::HeaderInjection),
    (5, PayloadClass::ScannerProbe),
];

/// A grammar with templates and how often each is taken.
type WeightedGrammar = (Grammar, Vec<(u32, &'static str)>);

/// Draws texts.
pub struct Generator {
    /// The grammars of [`BENIGN`], with their templates of the part.
    benign: Vec<WeightedGrammar>,
    /// A grammar of each class of attacks, in the order of [`PayloadClass::ALL`], where the first is benign.
    attacks: Vec<WeightedGrammar>,
    dice: Dice,
}

impl Generator {
    /// Texts of the templates in `part`; the same seed gives the same texts.
    pub fn new(part: Part, seed: u64) -> Self {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(part.stream());
        let grammar = |source: &'static str, class: PayloadClass| {
            let grammar = Grammar::of(source);
            let templates = grammar.templates(class.name(), part);
            (grammar, templates)
        };
        Self {
            benign: BENIGN.into_iter().map(|source| grammar(source, PayloadClass::Benign)).collect(),
            attacks: PayloadClass::ALL[1..].iter().map(|&class| grammar(source_of_attacks(class), class)).collect(),
            dice: Dice::new(generator),
        }
    }

    /// Templates of the part, over all classes.
    pub fn templates(&self) -> usize {
        self.benign.iter().chain(&self.attacks).map(|(_, templates)| templates.len()).sum()
    }

    /// A benign text.
    pub fn benign(&mut self) -> String {
        let text = self.plain_text(PayloadClass::Benign);
        let text = if self.dice.percent(EMBEDDED_PERCENT) {
            self.embedded(text)
        } else if self.dice.percent(10) {
            let other = self.plain_text(PayloadClass::Benign);
            let between = self.dice.one(&[" ", " ", "\n", ", ", "; ", " - ", "/", "|", "&", "=", ": "]);
            format!("{text}{between}{other}")
        } else {
            text
        };
        let text = mutation::cut(text, &mut self.dice);
        disguise::benign(text, &mut self.dice)
    }

    /// An attack of any class, in the shares of [`SHARES`].
    pub fn attack(&mut self) -> LabelledText {
        let class = self.dice.weighted(&SHARES);
        LabelledText { class, text: self.attack_of(class) }
    }

    /// An attack of a class.
    pub fn attack_of(&mut self, class: PayloadClass) -> String {
        let text = self.plain_text(class);
        let text = mutation::mutate(class, text, &mut self.dice);
        // What is short, or a name, is only an attack when it is alone.
        let is_alone = text.len() < EMBEDDED_BYTES_MIN || class == PayloadClass::ScannerProbe;
        let text = if !is_alone && self.dice.percent(EMBEDDED_PERCENT) { self.embedded(text) } else { text };
        disguise::attack(class, text, &mut self.dice)
    }

    fn plain_text(&mut self, class: PayloadClass) -> String {
        let (grammar, templates) = match class.index().checked_sub(1) {
            Some(attack) => &self.attacks[attack],
            None => &self.benign[self.dice.weighted(&BENIGN_SHARES)],
        };
        let template = self.dice.weighted(templates);
        grammar.expand(template, &mut self.dice)
    }

    /// A text within benign text, of which so little stands before it that both are seen together.
    fn embedded(&mut self, inner: String) -> String {
        let mut benign = self.plain_text(PayloadClass::Benign);
        let length = self.dice.number(8, CONTEXT_BYTES_MAX);
        while benign.len() < length && self.dice.percent(85) {
            benign.push_str(self.dice.one(&[" ", " ", " ", "\n", ", "]));
            benign.push_str(&self.plain_text(PayloadClass::Benign));
        }
        benign.truncate(benign.floor_char_boundary(length));
        let middle = match self.dice.number(0, 5) {
            0 | 1 => benign.len(),
            2 => 0,
            _ => self.dice.number(0, benign.len()),
        };
        let middle = benign.floor_char_boundary(middle.min(PREFIX_BYTES_MAX));
        let (before, after) = benign.split_at(middle);
        let between = self.dice.one(&["", " ", " ", " ", "\n", ". "]);
        format!("{before}{between}{inner}{between}{after}")
    }
}

/// The file with the grammar of a class of attacks.
fn source_of_attacks(class: PayloadClass) -> &'static str {
    match class {
        PayloadClass::Benign => BENIGN[0],
        PayloadClass::Sqli => include_str!("grammars/sqli.txt"),
        PayloadClass::Xss => include_str!("grammars/xss.txt"),
        PayloadClass::CommandInjection => include_str!("grammars/shell.txt"),
        PayloadClass::PathTraversal => include_str!("grammars/paths.txt"),
        PayloadClass::TemplateInjection | PayloadClass::CodeInjection => include_str!("grammars/code.txt"),
        PayloadClass::Nosqli
        | PayloadClass::Xxe
        | PayloadClass::Ssrf
        | PayloadClass::LdapInjection
        | PayloadClass::HeaderInjection
        | PayloadClass::ScannerProbe => include_str!("grammars/others.txt"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_what_is_made() {
        let texts = |seed| {
            let mut generator = Generator::new(Part::All, seed);
            (0..50).map(|_| (generator.benign(), generator.attack())).collect::<Vec<_>>()
        };
        assert_eq!(texts(1), texts(1));
        assert_ne!(texts(1), texts(2));
    }

    #[test]
    fn every_class_has_templates_in_every_part_and_parts_share_none() {
        for part in [Part::Training, Part::Stopping, Part::Test] {
            let generator = Generator::new(part, 1);
            assert!(generator.benign.iter().chain(&generator.attacks).all(|(_, templates)| !templates.is_empty()));
        }
        let count = |part| Generator::new(part, 1).templates();
        assert_eq!(count(Part::All), count(Part::Training) + count(Part::Stopping) + count(Part::Test));
    }

    #[test]
    fn the_frozen_benign_values_are_not_the_generators() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/payload/");
        let values = |name: &str| -> Vec<String> {
            let text = std::fs::read_to_string(format!("{folder}{name}")).unwrap();
            text.lines().filter(|line| !line.starts_with("## ")).map(str::to_lowercase).collect()
        };
        let frozen = values("frozen_benign.txt");
        let different: std::collections::HashSet<&String> = frozen.iter().collect();
        assert!(frozen.len() >= 1500 && different.len() == frozen.len());
        assert!(values("hard_benign.txt").iter().all(|value| !different.contains(value)));
        let fixed: std::collections::HashSet<String> = PayloadClass::ALL
            .into_iter()
            .map(source_of_attacks)
            .chain(BENIGN)
            .flat_map(str::lines)
            .filter(|line| !line.contains('«'))
            .map(str::to_lowercase)
            .collect();
        let shared: Vec<&String> = frozen.iter().filter(|value| fixed.contains(*value)).collect();
        assert!(shared.is_empty(), "{shared:?}");
    }

    #[test]
    fn attacks_are_made_in_many_forms() {
        let mut generator = Generator::new(Part::All, 3);
        for class in PayloadClass::ALL.into_iter().skip(1) {
            let texts: std::collections::BTreeSet<String> = (0..300).map(|_| generator.attack_of(class)).collect();
            assert!(texts.len() > 150, "{class:?}: {}", texts.len());
        }
    }
}
