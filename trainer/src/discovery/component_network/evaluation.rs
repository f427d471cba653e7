//! How well components are classified.

use super::{ComponentClass, ComponentProbabilities, generator::LabelledComponent};

const CLASSES: usize = ComponentClass::ALL.len();
/// Bins of confidence for the calibration error.
const CALIBRATION_BINS: usize = 15;

/// What a classifier made of labelled components.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Components by class, then by the class that they were taken for.
    pub confusion: [[usize; CLASSES]; CLASSES],
    /// Mean of −ln of the probability given to the right class, in nats.
    pub log_loss: f64,
    /// Expected calibration error: mean distance of confidence and share of right answers over 15 bins of confidence, 0..1.
    pub calibration_error: f64,
}

/// How well one class is told from the others, each 0..1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassFigures {
    /// Share of right ones among those taken for it.
    pub precision: f64,
    /// Share of its components that were taken for it.
    pub recall: f64,
    /// Harmonic mean of the two.
    pub f1: f64,
}

#[derive(Clone, Copy, Default)]
struct Bin {
    components: f64,
    confidence: f64,
    right: f64,
}

impl Evaluation {
    /// `probabilities` are those of `components`, in the same order.
    pub fn new(components: &[LabelledComponent], probabilities: &[ComponentProbabilities]) -> Self {
        let mut confusion = [[0; CLASSES]; CLASSES];
        let mut loss_sum = 0.0;
        let mut bins = [Bin::default(); CALIBRATION_BINS];
        for (component, probabilities) in components.iter().zip(probabilities) {
            let taken_for = probabilities.most_likely();
            confusion[component.class.index()][taken_for.index()] += 1;
            loss_sum -= f64::from(probabilities.of(component.class).max(f32::MIN_POSITIVE)).ln();
            let confidence = f64::from(probabilities.of(taken_for));
            let bin = &mut bins[((confidence * CALIBRATION_BINS as f64) as usize).min(CALIBRATION_BINS - 1)];
            bin.components += 1.0;
            bin.confidence += confidence;
            bin.right += f64::from(u8::from(taken_for == component.class));
        }
        let count = components.len().max(1) as f64;
        Self {
            confusion,
            log_loss: loss_sum / count,
            calibration_error: bins.iter().map(|bin| (bin.confidence - bin.right).abs()).sum::<f64>() / count,
        }
    }

    /// Number of components.
    pub fn components(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Share of components that were taken for what they are.
    pub fn accuracy(&self) -> f64 {
        let right: usize = (0..CLASSES).map(|class| self.confusion[class][class]).sum();
        share(right, self.components())
    }

    /// The same when only words and values are told apart, both counting as much.
    pub fn word_or_value_accuracy(&self) -> f64 {
        let [words, values @ ..] = &self.confusion;
        let values_taken: usize = values.iter().flat_map(|taken| &taken[1..]).sum();
        (share(words[0], words.iter().sum()) + share(values_taken, values.iter().flatten().sum())) / 2.0
    }

    /// The figures of one class.
    pub fn class(&self, class: ComponentClass) -> ClassFigures {
        let at = class.index();
        let right = self.confusion[at][at];
        let precision = share(right, self.confusion.iter().map(|taken_for| taken_for[at]).sum());
        let recall = share(right, self.confusion[at].iter().sum());
        let f1 = if right == 0 { 0.0 } else { 2.0 * precision * recall / (precision + recall) };
        ClassFigures { precision, recall, f1 }
    }
}

fn share(part: usize, of: usize) -> f64 {
    part as f64 / of.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_those_of_a_hand_counted_example() {
        let component = |class| LabelledComponent { text: String::new(), class };
        let components =
            [ComponentClass::Word, ComponentClass::Word, ComponentClass::Slug, ComponentClass::Token].map(component);
        let probabilities = [[0.7, 0.3, 0.0, 0.0], [0.4, 0.6, 0.0, 0.0], [0.2, 0.5, 0.3, 0.0], [0.0, 0.0, 0.0, 1.0]]
            .map(ComponentProbabilities::from_array);
        let evaluation = Evaluation::new(&components, &probabilities);
        assert_eq!(evaluation.accuracy(), 0.75);
        assert_eq!(evaluation.word_or_value_accuracy(), 0.75);
        let slug = evaluation.class(ComponentClass::Slug);
        assert_eq!((slug.precision, slug.recall), (0.5, 1.0));
        let log_loss = -(0.7f64.ln() + 0.4f64.ln() + 0.5f64.ln()) / 4.0;
        assert!((evaluation.log_loss - log_loss).abs() < 1e-6);
        let calibration_error = (0.3 + 0.6 + 0.5 + 0.0) / 4.0;
        assert!((evaluation.calibration_error - calibration_error).abs() < 1e-6);
    }
}
