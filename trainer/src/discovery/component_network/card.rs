//! The model card: what the network is, what it was trained on, and what was measured.

use std::fmt::Write as _;

use apiward_models::NetworkCost;

use super::{
    ComponentClass,
    evaluation::Evaluation,
    training::{FittedComponentNetwork, NGRAM_DROPOUT, TrainingOptions},
};

/// Everything that the card tells.
#[derive(Debug)]
pub struct ModelCard<'a> {
    pub options: &'a TrainingOptions,
    pub cost: NetworkCost,
    /// Words in the vocabulary's lists.
    pub words: usize,
    /// The twin whose figures are given: it has not seen the test words.
    pub divided: &'a FittedComponentNetwork,
    /// The network that is shipped.
    pub shipped: &'a FittedComponentNetwork,
    /// The twin on components of test words.
    pub network: Evaluation,
    /// The twin on new components of words that it has seen.
    pub known_words: Evaluation,
    /// The rule on components of test words.
    pub rule: Evaluation,
    /// Naive Bayes on components of test words.
    pub bayes: Evaluation,
}

impl ModelCard<'_> {
    /// The card in Markdown.
    pub fn markdown(&self) -> String {
        let sections = [self.description(), self.data(), self.figures(), LIMITS.to_owned()];
        sections.join("\n")
    }

    fn description(&self) -> String {
        format!(
            "# Component network\n\n\
             Tells what a path component is that no recogniser is sure of: a word of the API, a content slug, the name of an\n\
             account, or an opaque token. `make component-network` trains it and writes `component.onnx` and this card; the same\n\
             machine gives the same bytes.\n\n\
             - Input: hashed character n-grams (1 to 4 letters) of the component's words, its shape (lengths, separators,\n  \
             capitals, digits, vowels), and how much of it is words of each list of the vocabulary, whole or as its beginning\n  \
             or end. Two hidden layers, softmax over four classes, temperature {:.2}.\n\
             - Size: {} parameters, {} kB, {} multiplications a component.\n\
             - Training: Adam, batches of {}. Of each component, {:.0} % of the n-grams are dropped and none, half or all of its\n  \
             words are taken as unknown, so that the network learns what to make of unknown ones. Stopped by held-out\n  \
             components, half of them of words that are not trained on: epoch {} of {}. Seed {}.\n",
            self.shipped.temperature,
            self.cost.parameters,
            self.shipped.onnx.len().div_ceil(1000),
            self.cost.multiply_adds,
            self.options.schedule.batch_rows_max,
            100.0 * NGRAM_DROPOUT,
            self.divided.trained.chosen_epoch,
            self.divided.trained.history.len(),
            self.options.schedule.seed,
        )
    }

    fn data(&self) -> String {
        format!(
            "## Data\n\n\
             {} words written by hand from general knowledge (nouns and verbs of APIs of many fields, prose, places, technologies,\n\
             names of many cultures, companies), composed by a seeded generator in the styles of real interfaces and people;\n\
             tokens from the usual alphabets and prefixes. {} components of each class. No API definition and no traffic was\n\
             used.\n\n\
             Words are divided by their first four letters, over all lists alike: a tenth for the figures below, a tenth to decide\n\
             when to stop and for the temperature. The figures are those of a twin that learned from the other eight tenths. The\n\
             shipped network was trained on all words in the same way and for as long, so that it does not miss a tenth of the\n\
             vocabulary for the sake of measuring.\n",
            self.words, self.options.per_class,
        )
    }

    fn figures(&self) -> String {
        let mut text = format!(
            "## Figures\n\n\
             {} distinct components of words whose stems the network has not seen (tokens: new ones), of each class as many as\n\
             its table's row adds up to. \"Word or value\" is the mean of the shares of words and of values recognised as such.\n\n\
             | classifier | accuracy | word or value | log loss | calibration error |\n\
             | --- | --- | --- | --- | --- |\n",
            self.network.components(),
        );
        for (name, evaluation) in [
            ("network", &self.network),
            ("naive Bayes over character trigrams, same data, not calibrated", &self.bayes),
            ("rule: digits or mixed case make a value", &self.rule),
            ("network, on new components of words it has seen", &self.known_words),
        ] {
            // The rule gives no probabilities, and of the four classes it knows two.
            let (accuracy, log_loss, calibration_error) = if std::ptr::eq(evaluation, &self.rule) {
                ("–".to_owned(), "–".to_owned(), "–".to_owned())
            } else {
                (
                    percent(evaluation.accuracy()),
                    format!("{:.3}", evaluation.log_loss),
                    percent(evaluation.calibration_error),
                )
            };
            let word_or_value = percent(evaluation.word_or_value_accuracy());
            let _ = writeln!(text, "| {name} | {accuracy} | {word_or_value} | {log_loss} | {calibration_error} |");
        }
        let _ = write!(text, "\n{}\n{}", self.verdict(), self.classes());
        text
    }

    fn verdict(&self) -> &'static str {
        let beats = |baseline: &Evaluation| self.network.word_or_value_accuracy() > baseline.word_or_value_accuracy();
        let beats_bayes = beats(&self.bayes) && self.network.log_loss < self.bayes.log_loss;
        match (beats_bayes, beats(&self.rule)) {
            (true, true) => "The network beats both baselines.\n",
            (true, false) => "The network does not beat the rule.\n",
            (false, true) => "The network does not beat naive Bayes.\n",
            (false, false) => "The network beats neither baseline.\n",
        }
    }

    fn classes(&self) -> String {
        let mut text = String::from(
            "| class | precision | recall | F1 | taken for word | slug | user_name | token |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for class in ComponentClass::ALL {
            let figures = self.network.class(class);
            let [precision, recall, f1] = [figures.precision, figures.recall, figures.f1].map(percent);
            let _ = write!(text, "| {} | {precision} | {recall} | {f1} |", class.name());
            for taken_for in self.network.confusion[class.index()] {
                let _ = write!(text, " {taken_for} |");
            }
            text.push('\n');
        }
        text
    }
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

const LIMITS: &str = "## Limits

- It sees one component and nothing around it. A noun may be a literal in one API and a category in another; how many values
  stand in a place and what is below them must decide together with it.
- Many words are of several classes by nature (`rose`, `apple`, `jordan`, `main`); their probabilities say so.
- The vocabulary is English, with names of many cultures in Latin letters. Other letters were never trained on.
- All classes were equally frequent in training and in the figures; in paths, they are not.
- The figures are on components of the same generator, not on traffic. They are development figures: they were looked at while
  the features were chosen, though layout and training were chosen by the components that stop the training.
- Only the first 64 bytes of a component count.
";
