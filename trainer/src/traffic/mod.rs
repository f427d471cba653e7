//! Recorded traffic: files (plain or gzip) and standard input, read exchange by exchange.
//!
//! [`open`] gives the bytes, [`Format`] takes them apart. An entry that cannot be read is an [`Entry::Bad`] with its place
//! and reason, never the end of the file; only a failing disk, a broken gzip stream or a document cut short ends it early.

pub mod format;
mod lines;
mod source;

use std::fmt;

use apiward_detector::exchange::Exchange;

pub use format::Format;
pub use lines::LINE_BYTES_MAX;
pub use source::{Progress, STANDARD_INPUT, Source, open};

/// An exchange as recorded, with what is said of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Labelled {
    /// Position in its file: the number of its line or entry, from 0, whether or not earlier ones could be read.
    pub index: u64,
    pub exchange: Exchange,
    /// `normal`, `attack` or the attack's name. Never a feature: it serves evaluation.
    pub label: Option<String>,
}

/// One item of a traffic file.
#[derive(Debug)]
pub enum Entry {
    Exchange(Box<Labelled>),
    Bad(BadEntry),
}

/// Why one entry is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadEntry {
    pub place: Place,
    /// One lower-case sentence.
    pub reason: String,
}

/// Where in a file something is, counted from 1, as editors count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Line(u64),
    /// Of the list that a document holds.
    Entry(u64),
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Line(number) => write!(formatter, "line {number}"),
            Place::Entry(number) => write!(formatter, "entry {number}"),
        }
    }
}

/// What ends the reading of a file.
#[derive(Debug, thiserror::Error)]
pub enum TrafficError {
    #[error("{name} cannot be opened")]
    Open { name: String, source: std::io::Error },
    #[error("{name} cannot be read past {place}: it may be damaged or cut short")]
    Read { name: String, place: Place, source: std::io::Error },
    #[error("the format of {name} is not recognised: name it with --format, if it is one that apiward reads")]
    Unrecognised { name: String },
    #[error("{name} is no HTTP Archive: it has no list `log.entries`")]
    NoArchive { name: String },
}
