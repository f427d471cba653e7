//! The model card: what the network is, what it was trained on, and what was measured.

use apiward_models::NetworkCost;

use super::{
    evaluation::Evaluation,
    training::{FittedPayloadNetwork, TrainingOptions},
};

/// Everything that the card tells.
pub struct ModelCard<'a> {
    pub options: &'a TrainingOptions,
    pub cost: NetworkCost,
    pub templates: usize,
    /// The twin whose figures are given: it has not seen the test templates.
    pub divided: &'a FittedPayloadNetwork,
    /// The network that is shipped.
    pub shipped: &'a FittedPayloadNetwork,
    pub threshold: f32,
    /// The twin on texts of test templates.
    pub test: Evaluation,
}

impl ModelCard<'_> {
    /// The card in Markdown.
    pub fn markdown(&self) -> String {
        format!("# Payload network\n\n{}\nthreshold {:.2}\n", self.test.markdown(), self.threshold)
    }
}
