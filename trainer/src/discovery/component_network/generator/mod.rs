//! Labelled path components, composed from the vocabulary as real services and people write them.

pub(crate) mod dice;
mod slugs;
mod tokens;
mod user_names;
mod words;

use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

use super::{
    ComponentClass,
    features::TEXT_BYTES_MAX,
    vocabulary::{Part, Vocabulary},
};
use dice::Dice;

/// A path component and what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelledComponent {
    pub text: String,
    pub class: ComponentClass,
}

/// `per_class` components of each class from the words of `part`; the same seed gives the same ones. Common components come
/// more than once.
pub fn components(part: Part, per_class: usize, seed: u64) -> Vec<LabelledComponent> {
    let vocabulary = Vocabulary::new(part);
    let mut components = Vec::with_capacity(per_class * ComponentClass::ALL.len());
    for (stream, class) in (0..).zip(ComponentClass::ALL) {
        let mut generator = ChaCha8Rng::seed_from_u64(seed);
        generator.set_stream(stream);
        let mut dice = Dice::new(generator);
        for _ in 0..per_class {
            components.push(LabelledComponent { text: component(class, &vocabulary, &mut dice), class });
        }
    }
    components
}

/// As [`components`], but each component once, and therefore fewer than `per_class`.
pub fn distinct_components(part: Part, per_class: usize, seed: u64) -> Vec<LabelledComponent> {
    let mut components = components(part, per_class, seed);
    components.sort_unstable();
    components.dedup();
    components
}

fn component(class: ComponentClass, vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let text = match class {
        ComponentClass::Word => words::word(vocabulary, dice),
        ComponentClass::Slug => slugs::slug(vocabulary, dice),
        ComponentClass::UserName => user_names::user_name(vocabulary, dice),
        ComponentClass::Token => tokens::token(dice),
    };
    text[..text.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_what_is_made() {
        assert_eq!(components(Part::All, 50, 1), components(Part::All, 50, 1));
        assert_ne!(components(Part::All, 50, 1), components(Part::All, 50, 2));
    }

    #[test]
    fn every_class_is_made_in_many_forms() {
        for part in [Part::All, Part::Training, Part::Stopping, Part::Test] {
            let components = distinct_components(part, 2000, 7);
            for class in ComponentClass::ALL {
                let texts: Vec<&str> = components
                    .iter()
                    .filter(|component| component.class == class)
                    .map(|component| component.text.as_str())
                    .collect();
                assert!(texts.len() > 800, "{part:?} {class:?}: {} distinct components", texts.len());
                assert!(texts.iter().all(|text| !text.is_empty() && !text.contains(['/', ' '])), "{class:?}");
            }
        }
    }
}
