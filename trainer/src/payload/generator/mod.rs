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
    /// A tenth: decides when training stops, temperature and threshold.
    Stopping,
    /// A tenth: for the figures alone.
    Test,
}

impl Part {
    /// The templates of a rule that are in the part: in the order of their hashes the first tenth is for the figures, the
    /// second decides when to stop.
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
/// Bytes of the text that an attack is put into, and of its part before the attack.
const CONTEXT_BYTES_MAX: usize = 230;
const PREFIX_BYTES_MAX: usize = 180;

/// How many of a hundred benign texts are of the grammar of structures.
const STRUCTURED_PERCENT: u32 = 45;

/// How many of a hundred attacks are of each class.
const SHARES: [(u32, PayloadClass); 12] = [
    (25, PayloadClass::Sqli),
    (18, PayloadClass::Xss),
    (13, PayloadClass::CommandInjection),
    (11, PayloadClass::PathTraversal),
    (8, PayloadClass::CodeInjection),
    (5, PayloadClass::TemplateInjection),
    (4, PayloadClass::Nosqli),
    (4, PayloadClass::Ssrf),
    (3, PayloadClass::Xxe),
    (3, PayloadClass::LdapInjection),
    (3, PayloadClass::HeaderInjection),
    (3, PayloadClass::ScannerProbe),
];

/// A grammar with templates and how often each is taken.
type WeightedGrammar = (Grammar, Vec<(u32, &'static str)>);

/// Draws texts.
pub struct Generator {
    /// A grammar of each class, with its templates of the part, in the order of [`PayloadClass::ALL`].
    grammars: Vec<WeightedGrammar>,
    /// The second grammar of benign texts.
    structures: WeightedGrammar,
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
            grammars: PayloadClass::ALL.map(|class| grammar(source(class), class)).into(),
            structures: grammar(STRUCTURES, PayloadClass::Benign),
            dice: Dice::new(generator),
        }
    }

    /// Templates of the part, over all classes.
    pub fn templates(&self) -> usize {
        self.grammars.iter().chain([&self.structures]).map(|(_, templates)| templates.len()).sum()
    }

    /// A benign text.
    pub fn benign(&mut self) -> String {
        let text = self.plain_text(PayloadClass::Benign);
        let text = if self.dice.percent(10) {
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
        // What is short is only an attack when it is alone.
        let text = if text.len() >= EMBEDDED_BYTES_MIN && self.dice.percent(22) { self.embedded(text) } else { text };
        disguise::attack(class, text, &mut self.dice)
    }

    fn plain_text(&mut self, class: PayloadClass) -> String {
        let structured = class == PayloadClass::Benign && self.dice.percent(STRUCTURED_PERCENT);
        let (grammar, templates) = if structured { &self.structures } else { &self.grammars[class.index()] };
        let template = self.dice.weighted(templates);
        grammar.expand(template, &mut self.dice)
    }

    /// An attack within benign text, of which so much stands before it that both are seen together.
    fn embedded(&mut self, attack: String) -> String {
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
        format!("{before}{between}{attack}{between}{after}")
    }
}

const STRUCTURES: &str = include_str!("grammars/benign_structures.txt");

fn source(class: PayloadClass) -> &'static str {
    match class {
        PayloadClass::Benign => include_str!("grammars/benign.txt"),
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
            for (class, (_, templates)) in PayloadClass::ALL.iter().zip(&generator.grammars) {
                assert!(!templates.is_empty(), "{part:?} {class:?}");
            }
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
            .map(source)
            .chain([STRUCTURES])
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
