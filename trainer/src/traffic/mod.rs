//! Recorded traffic: files (plain or gzip) and standard input, read exchange by exchange.
//!
//! [`open`] gives the bytes, [`Format`] takes them apart. A line that cannot be read is an [`Entry::Bad`] with its number
//! and reason, never the end of the file; only a failing disk or a broken gzip stream ends it early.

pub mod format;
mod lines;
mod source;

use apiward_detector::exchange::Exchange;

pub use format::Format;
pub use lines::LINE_BYTES_MAX;
pub use source::{Progress, STANDARD_INPUT, Source, open};

/// An exchange as recorded, with what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Position in its file: the number of its line, from 0, whether or not earlier lines could be read.
    pub index: u64,
    pub exchange: Exchange,
    /// `normal`, `attack` or the attack's name. Never a feature: it serves evaluation.
    pub label: Option<String>,
}

/// One item of a traffic file.
#[derive(Debug)]
pub enum Entry {
    Exchange(Box<Labelled>),
    Bad(BadLine),
}

/// Why one line is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// Number of the line, from 1, as editors count.
    pub number: u64,
    /// One lower-case sentence.
    pub reason: String,
}

/// What ends the reading of a file.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("{name} cannot be opened")]
    Open { name: String, source: std::io::Error },
    #[error("{name} cannot be read past line {line}: it may be damaged or cut short")]
    Read { name: String, line: u64, source: std::io::Error },
}
