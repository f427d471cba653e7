//! What the network must beat: a rule, and naive Bayes over character trigrams.

use super::{ComponentClass, ComponentProbabilities, features::hash, generator::LabelledComponent};

const CLASSES: usize = ComponentClass::ALL.len();
/// Hash buckets of trigrams; many times as many as there are trigrams of letters.
const TRIGRAM_BUCKETS: usize = 1 << 17;
/// Added to the count of every trigram.
const SMOOTHING: f64 = 0.1;

/// The rule that discovery tools commonly have, without a network: digits or capitals among small letters make a value,
/// everything else is a word.
pub fn rule(text: &str) -> ComponentProbabilities {
    let has_digit = text.bytes().any(|byte| byte.is_ascii_digit());
    let is_mixed =
        text.bytes().any(|byte| byte.is_ascii_uppercase()) && text.bytes().any(|byte| byte.is_ascii_lowercase());
    let class = if has_digit || is_mixed { ComponentClass::Token } else { ComponentClass::Word };
    ComponentProbabilities::from_array(ComponentClass::ALL.map(|each| f32::from(u8::from(each == class))))
}

/// Multinomial naive Bayes over the character trigrams of a component between boundary marks, digits as `0`.
#[derive(Debug, Clone)]
pub struct TrigramBayes {
    /// Logarithms of the trigrams' shares, by bucket and class.
    log_shares: Vec<[f64; CLASSES]>,
}

impl TrigramBayes {
    /// Counts the trigrams of labelled components, whose classes are equally frequent.
    pub fn fit(components: &[LabelledComponent]) -> Self {
        let mut counts = vec![[SMOOTHING; CLASSES]; TRIGRAM_BUCKETS];
        for component in components {
            for bucket in trigrams(&component.text) {
                counts[bucket][component.class.index()] += 1.0;
            }
        }
        let mut totals = [0.0; CLASSES];
        for count in &counts {
            for (total, count) in totals.iter_mut().zip(count) {
                *total += count;
            }
        }
        for count in &mut counts {
            for (count, total) in count.iter_mut().zip(totals) {
                *count = (*count / total).ln();
            }
        }
        Self { log_shares: counts }
    }

    /// The probabilities of a component's classes.
    pub fn classify(&self, text: &str) -> ComponentProbabilities {
        let mut logits = [0.0; CLASSES];
        for bucket in trigrams(text) {
            for (logit, share) in logits.iter_mut().zip(self.log_shares[bucket]) {
                *logit += share;
            }
        }
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let exponentials = logits.map(|logit| (logit - largest).exp());
        let sum: f64 = exponentials.iter().sum();
        ComponentProbabilities::from_array(exponentials.map(|exponential| (exponential / sum) as f32))
    }
}

fn trigrams(text: &str) -> Vec<usize> {
    let digits_alike = |character: char| if character.is_ascii_digit() { '0' } else { character };
    let marked: Vec<char> = "<".chars().chain(text.chars().map(digits_alike)).chain(">".chars()).collect();
    marked.windows(3).map(|trigram| (hash(trigram) % TRIGRAM_BUCKETS as u64) as usize).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_takes_digits_and_mixed_case_for_values() {
        for (text, class) in [
            ("orders", ComponentClass::Word),
            ("ABOUT", ComponentClass::Word),
            ("getOrder", ComponentClass::Token),
            ("oauth2", ComponentClass::Token),
        ] {
            assert_eq!(rule(text).most_likely(), class, "{text}");
        }
    }

    #[test]
    fn bayes_learns_what_its_classes_are_spelt_with() {
        let component = |text: &str, class| LabelledComponent { text: text.to_owned(), class };
        let bayes = TrigramBayes::fit(&[
            component("orders", ComponentClass::Word),
            component("anna", ComponentClass::UserName),
            component("red-shoes", ComponentClass::Slug),
            component("xKfQpz", ComponentClass::Token),
        ]);
        assert_eq!(bayes.classify("order").most_likely(), ComponentClass::Word);
        assert_eq!(bayes.classify("joanna").most_likely(), ComponentClass::UserName);
        let sum: f32 = bayes.classify("unknown").to_array().iter().sum();
        assert!((sum - 1.0).abs() < 1e-6);
    }
}
