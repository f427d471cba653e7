//! The formats in which traffic is recorded. Each is a reader from bytes to entries; adding one is a module and a variant.

mod combined_log;
mod detection;
mod envoy_access_log;
mod har;
mod json_array;
mod json_values;
mod jsonl;
mod line_entries;
mod parts;
mod url;

use apiward_detector::exchange::Exchange;

use super::{Entry, Source, TrafficError};
use har::HarEntries;
use line_entries::LineEntries;

/// Entries of one file, in order. An error is the last item.
pub type Entries = Box<dyn Iterator<Item = Result<Entry, TrafficError>>>;

/// An exchange, and its label where the format has one.
type Recorded = (Exchange, Option<String>);

/// How a file is to be read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "kebab-case")]
pub enum Format {
    /// Recognised by its beginning.
    #[default]
    Auto,
    /// Exchange JSONL: one JSON object per line, method and path and whatever else was recorded.
    Jsonl,
    /// HTTP Archive 1.2, as browsers and testing tools save it.
    Har,
    /// Envoy's JSON access log, also with the field names of Istio and Envoy Gateway.
    EnvoyAccessLog,
    /// Combined or common log format of Apache and nginx.
    CombinedLog,
}

impl Format {
    /// # Errors
    /// When the format is to be recognised and is not, or the beginning of the file cannot be read.
    pub fn entries(self, source: Source) -> Result<Entries, TrafficError> {
        Ok(match self {
            Format::Auto => {
                let (format, source) = detection::recognise(source)?;
                return format.entries(source);
            }
            Format::Jsonl => Box::new(LineEntries::new(source, jsonl::exchange_of_line)),
            Format::Har => Box::new(HarEntries::new(source)),
            Format::EnvoyAccessLog => Box::new(LineEntries::new(source, envoy_access_log::exchange_of_line)),
            Format::CombinedLog => Box::new(LineEntries::new(source, combined_log::exchange_of_line)),
        })
    }
}

#[cfg(test)]
mod tests;
