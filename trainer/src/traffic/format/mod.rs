//! The formats in which traffic is recorded. Each is a reader from bytes to entries; adding one is a module and a variant.

mod jsonl;

use super::{Entry, Source, TrafficError};

/// Entries of one file, in order. An error is the last item.
pub type Entries = Box<dyn Iterator<Item = Result<Entry, TrafficError>>>;

/// How a file is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Format {
    /// One JSON object per line: method and path, and whatever else was recorded.
    #[default]
    Jsonl,
}

impl Format {
    pub fn entries(self, source: Source) -> Entries {
        match self {
            Format::Jsonl => Box::new(jsonl::JsonLines::new(source)),
        }
    }
}
