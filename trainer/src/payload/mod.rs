//! The payload network: is a value an attack, and of which class?
//!
//! Grammars of attacks and of benign text ([`generator`]) give the texts it is trained on ([`training`]); what it comes to is
//! measured on templates that it has not seen and on files of labelled values ([`evaluation`]). `make starter` does it all and
//! writes `models/networks/payload.onnx` and its card.

pub mod card;
pub mod comparison;
pub mod corpus;
pub mod design;
pub mod evaluation;
pub mod evasions;
pub mod generator;
pub mod shipped;
pub mod training;

use apiward_detector::payload::PayloadClass;

/// A text and what it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LabelledText {
    pub class: PayloadClass,
    pub text: String,
}
