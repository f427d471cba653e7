//! What a payload network makes of labelled texts.

use std::fmt::Write as _;

use apiward_detector::{
    bundle::BundleError,
    payload::{PayloadCache, PayloadClass, PayloadNetwork, PayloadScore, undo::forms_of},
    work::WorkBudget,
};

use crate::evaluation::Proportion;

use super::LabelledText;

/// Scores that are kept while a file is scored: none is scored twice for being repeated.
const CACHE_CAPACITY: usize = 4096;

/// A text with the worst score of its forms.
#[derive(Debug, Clone, Copy)]
pub struct Scored<'a> {
    pub text: &'a LabelledText,
    pub score: PayloadScore,
}

/// Scores texts as the filter does: all forms of a text together, of which the worst counts.
pub fn score<'a>(onnx: &[u8], texts: &'a [LabelledText]) -> Result<Vec<Scored<'a>>, BundleError> {
    let network = PayloadNetwork::load(onnx)?;
    let mut cache = PayloadCache::new(CACHE_CAPACITY, [0; 16]);
    let scored = texts.iter().map(|text| Scored { text, score: score_text(&network, &text.text, &mut cache) });
    Ok(scored.collect())
}

fn score_text(network: &PayloadNetwork, text: &str, cache: &mut PayloadCache) -> PayloadScore {
    let mut budget = WorkBudget::default();
    let forms = forms_of(text, &mut budget);
    let forms: Vec<&str> = forms.texts().collect();
    let scores = network.score(&forms, cache, &mut budget);
    let worst = scores.into_iter().flatten().max_by(|one, other| one.attack.total_cmp(&other.attack));
    worst.unwrap_or(PayloadScore::PLAIN)
}

/// Figures of scored texts at a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Log-odds from which on a text is taken for an attack.
    pub threshold: f32,
    /// Attacks of each class that were found, where there are any; of benign texts the false alarms.
    pub flagged: Vec<(PayloadClass, Proportion)>,
    /// Attacks found whose class is right.
    pub class_right: Proportion,
    /// The threshold at which one benign text in a thousand is an alarm, and the share of attacks found there.
    pub at_one_per_mille: (f32, Proportion),
}

impl Evaluation {
    pub fn new(scored: &[Scored<'_>], threshold: f32) -> Self {
        let is_benign = |scored: &&Scored<'_>| scored.text.class == PayloadClass::Benign;
        let mut odds: Vec<f32> = scored.iter().filter(is_benign).map(|scored| scored.score.attack).collect();
        odds.sort_unstable_by(|one, other| other.total_cmp(one));
        // As many alarms as a thousandth of the benign texts, rounded down.
        let strict = odds.get(odds.len() / 1000).map_or(0.0, |odds| odds + f32::EPSILON * odds.abs());
        let flagged = |class: PayloadClass, threshold: f32| {
            let texts = scored.iter().filter(|scored| scored.text.class == class);
            let count = texts.clone().filter(|scored| scored.score.attack >= threshold).count();
            Proportion::of(count as u64, texts.count() as u64)
        };
        let classes = PayloadClass::ALL.map(|class| (class, flagged(class, threshold)));
        let found = scored.iter().filter(|scored| !is_benign(scored) && scored.score.attack >= threshold);
        let right = found.clone().filter(|scored| scored.score.class == scored.text.class).count();
        let strictly = PayloadClass::ALL[1..].iter().map(|&class| flagged(class, strict));
        Self {
            threshold,
            flagged: classes.into_iter().filter(|(_, share)| share.total > 0).collect(),
            class_right: Proportion::of(right as u64, found.count() as u64),
            at_one_per_mille: (strict, sum(strictly)),
        }
    }

    /// Benign texts taken for attacks.
    pub fn false_alarms(&self) -> Proportion {
        sum(self.flagged.iter().filter(|(class, _)| *class == PayloadClass::Benign).map(|(_, share)| *share))
    }

    /// Attacks found.
    pub fn recall(&self) -> Proportion {
        sum(self.flagged.iter().filter(|(class, _)| *class != PayloadClass::Benign).map(|(_, share)| *share))
    }

    /// The figures as a table in Markdown.
    pub fn markdown(&self) -> String {
        let mut text = String::from("| texts | taken for attacks (95 % bounds) |\n| --- | --- |\n");
        for (class, share) in &self.flagged {
            let _ = writeln!(text, "| {} | {share} |", class.name());
        }
        let (strict, recall) = self.at_one_per_mille;
        let _ = writeln!(text, "| all attacks | {} |", self.recall());
        let _ = writeln!(text, "| all attacks at 0.1 % false alarms (log-odds {strict:.2}) | {recall} |");
        let _ = writeln!(text, "| class right, of the attacks found | {} |", self.class_right);
        text
    }
}

fn sum(shares: impl Iterator<Item = Proportion>) -> Proportion {
    let (count, total) = shares.fold((0, 0), |(count, total), share| (count + share.count, total + share.total));
    Proportion::of(count, total)
}
