//! The model card: what the network is, what it was trained on, and what was measured.

use std::fmt::Write as _;

use super::{
    comparison::Compared,
    design::NGRAM_DROPOUT,
    evaluation::Evaluation,
    training::{AVERAGED_EPOCHS, FittedPayloadNetwork, SMOOTHING, TrainingOptions},
};

/// Everything that the card tells.
pub struct ModelCard<'a> {
    pub options: &'a TrainingOptions,
    /// Templates of all grammars.
    pub templates: usize,
    /// The network that is shipped.
    pub shipped: &'a FittedPayloadNetwork,
    /// A twin, which has not seen the test templates, on texts of these.
    pub test: &'a Evaluation,
    /// The shipped network on values that were written by hand and on files that the trainer was given, by name.
    pub others: &'a [(String, Evaluation)],
    pub designs: &'a [Compared],
}

impl ModelCard<'_> {
    /// The card in Markdown.
    pub fn markdown(&self) -> String {
        [self.description(), self.data(), self.figures(), self.comparison(), LIMITS.to_owned()].join("\n")
    }

    fn description(&self) -> String {
        let (parameters, multiply_adds) =
            self.designs.first().map_or((0, 0), |design| (design.parameters, design.multiply_adds));
        format!(
            "# Payload network\n\n\
             Tells whether a value of a request is an attack, and of which class. `make starter` trains it and writes\n\
             `payload.onnx` and this card; the same machine gives the same bytes.\n\n\
             - Input: a window of up to 256 bytes of one form of the value (raw, decoded, stripped). Hashed n-grams of its signs with\n  \
             what is around them (1 to 4 bytes, letters in lower case, digits alike), of its tokens (1 to 4 of them, without blanks and\n  \
             comments; some 700 words are tokens of their own, other words and numbers only say of which kind they are), its words, the\n  \
             whole of a text of up to 64 bytes, and its shape (shares of kinds of characters, open quotes and brackets, endings). Two\n  \
             hidden layers, 13 logits.\n\
             - Score: log-odds of all attacks against benign, the highest of all windows and forms. The threshold by default, {:.2}, is\n  \
             taken off in the network, so that alarms begin at 0; it was chosen on the values written by hand.\n\
             - Size: {parameters} parameters, {} kB, {multiply_adds} multiply-adds for the mean window: the first layer skips zeros.\n\
             - Training: Adam, batches of {}, {} epochs with a learning rate that falls from {} to 0, the mean of the last {} taken;\n  \
             {:.0} % of the n-grams dropped, labels smoothed by {}. Seed {}.\n",
            self.options.threshold,
            self.shipped.onnx.len().div_ceil(1000),
            self.options.schedule.batch_rows_max,
            self.options.schedule.epochs_max,
            self.options.schedule.learning_rate,
            AVERAGED_EPOCHS,
            100.0 * NGRAM_DROPOUT,
            SMOOTHING,
            self.options.schedule.seed,
        )
    }

    fn data(&self) -> String {
        format!(
            "## Data\n\n\
             {} templates in grammars that were written from general knowledge of attacks, of tools (sqlmap and its tamper scripts,\n\
             XSStrike, commix, dotdotpwn, nuclei and others) and of what honest people and programs send; {} benign texts and as many\n\
             attacks, before those are dropped that never reach the network for being plain, or come more than 40 times. Attacks are\n\
             mutated (case, blanks, comments, quoting, alternatives), put into other text, and encoded; benign texts are cut, joined and encoded in the\n\
             same ways. No traffic and no corpus was used; `--corpus` adds some.\n\n\
             Templates are divided by their hash within each class: a tenth for the figures below, a tenth for the choice of the design.\n\
             The figures are those of a twin that learned from the other eight tenths; the shipped network was trained on all templates\n\
             in the same way and for as long.\n",
            self.templates, self.options.texts,
        )
    }

    fn figures(&self) -> String {
        let mut text = format!(
            "## Figures\n\nThe twin on texts of templates that it has not seen, at the default threshold:\n\n{}",
            self.test.markdown()
        );
        for (name, evaluation) in self.others {
            let _ = write!(text, "\nThe shipped network on {name}:\n\n{}", evaluation.markdown());
        }
        text
    }

    fn comparison(&self) -> String {
        let mut text = String::from(
            "## Comparison\n\n\
             Designs trained on the same windows, fewer than those of the shipped network, for as long, and measured on windows of\n\
             templates that none of them has seen. The multiply-adds are those of the mean window, zeros skipped.\n\n\
             | design | parameters | multiply-adds | attacks found at 1 % false alarms | at 0.1 % | area under the curve |\n\
             | --- | --- | --- | --- | --- | --- |\n",
        );
        for design in self.designs {
            let [loose, strict] = design.recall.map(|recall| 100.0 * recall);
            let _ = writeln!(
                text,
                "| {} | {} | {} | {loose:.1} % | {strict:.1} % | {:.4} |",
                design.name, design.parameters, design.multiply_adds, design.area
            );
        }
        text
    }
}

const LIMITS: &str = "## Limits

- It sees one value and nothing around it: a field that takes SQL, HTML or addresses for good needs a calibration of its own.
- What is an attack only by what the application makes of it is not told: a plain `1 or 2`, an address of a partner's server, a
  file name that exists. Single signs (`'`) are taken for probes.
- The line between a snippet of code in a forum and one that is sent to be run is drawn by what it does (reading `/etc/passwd`,
  running commands), not by what it is.
- An attack of more than 96 bytes in a longer text may be cut between two windows, each of which is then judged alone.
- All figures are of the same generator's texts but for the values written by hand, and those are their author's idea of hard.
";
