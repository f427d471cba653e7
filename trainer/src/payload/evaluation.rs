//! What a payload network makes of labelled texts.

use std::fmt::Write as _;

use apiward_detector::{
    bundle::BundleError,
    payload::{PayloadCache, PayloadClass, PayloadNetwork, PayloadScore, undo::forms_of},
    work::WorkBudget,
};

use super::LabelledText;

/// Scores that are kept while a file is scored: none is scored twice for being repeated.
const CACHE_CAPACITY: usize = 4096;
/// Standard normal quantile of a two-sided 95 % interval.
const QUANTILE_95: f64 = 1.959_964;

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

/// A share with its Wilson interval (JASA 1927).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    pub count: usize,
    pub of: usize,
}

impl Share {
    /// The bounds of 95 % confidence, 0..1.
    pub fn bounds(self) -> (f64, f64) {
        if self.of == 0 {
            return (0.0, 1.0);
        }
        let (n, p) = (self.of as f64, self.value());
        let z2 = QUANTILE_95 * QUANTILE_95;
        let centre = p + z2 / (2.0 * n);
        let half = QUANTILE_95 * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
        let divisor = 1.0 + z2 / n;
        (((centre - half) / divisor).max(0.0), ((centre + half) / divisor).min(1.0))
    }

    /// The share, 0..1; 0 of nothing.
    pub fn value(self) -> f64 {
        self.count as f64 / self.of.max(1) as f64
    }
}

impl std::fmt::Display for Share {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (low, high) = self.bounds();
        let [share, low, high] = [self.value(), low, high].map(|share| 100.0 * share);
        write!(formatter, "{share:.2} % ({low:.2} to {high:.2}; {} of {})", self.count, self.of)
    }
}

/// Figures of scored texts at a threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Log-odds from which on a text is taken for an attack.
    pub threshold: f32,
    /// Attacks of each class that were found, where there are any; of benign texts the false alarms.
    pub flagged: Vec<(PayloadClass, Share)>,
    /// Attacks found whose class is right.
    pub class_right: Share,
    /// The threshold at which one benign text in a thousand is an alarm, and the share of attacks found there.
    pub at_one_per_mille: (f32, Share),
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
            Share { count: texts.clone().filter(|scored| scored.score.attack >= threshold).count(), of: texts.count() }
        };
        let classes = PayloadClass::ALL.map(|class| (class, flagged(class, threshold)));
        let found = scored.iter().filter(|scored| !is_benign(scored) && scored.score.attack >= threshold);
        let right = found.clone().filter(|scored| scored.score.class == scored.text.class).count();
        let strictly = PayloadClass::ALL[1..].iter().map(|&class| flagged(class, strict));
        Self {
            threshold,
            flagged: classes.into_iter().filter(|(_, share)| share.of > 0).collect(),
            class_right: Share { count: right, of: found.count() },
            at_one_per_mille: (strict, sum(strictly)),
        }
    }

    /// Benign texts taken for attacks.
    pub fn false_alarms(&self) -> Share {
        sum(self.flagged.iter().filter(|(class, _)| *class == PayloadClass::Benign).map(|(_, share)| *share))
    }

    /// Attacks found.
    pub fn recall(&self) -> Share {
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

fn sum(shares: impl Iterator<Item = Share>) -> Share {
    shares.fold(Share { count: 0, of: 0 }, |sum, share| Share { count: sum.count + share.count, of: sum.of + share.of })
}
