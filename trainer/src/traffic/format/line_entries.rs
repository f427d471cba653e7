//! Formats with one exchange per line.

use std::io::BufRead;

use super::Recorded;
use crate::traffic::lines::{LINE_BYTES_MAX, Line, LineReader};
use crate::traffic::{BadEntry, Entry, Labelled, Place, Source, TrafficError};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads one line, which is not blank and has no byte order mark.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
pub type LineParser = fn(&[u8]) -> Result<Recorded, String>;

/// Entries of a file, line by line; blank lines are passed over.
pub struct LineEntries {
    name: String,
    lines: LineReader<Box<dyn BufRead>>,
    parse: LineParser,
    read_lines: u64,
    failed: bool,
}

impl LineEntries {
    pub fn new(source: Source, parse: LineParser) -> Self {
        let lines = LineReader::new(source.reader, LINE_BYTES_MAX);
        Self { name: source.name, lines, parse, read_lines: 0, failed: false }
    }
}

impl Iterator for LineEntries {
    type Item = Result<Entry, TrafficError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            let index = self.read_lines;
            let parsed = match self.lines.next_line() {
                Ok(None) => return None,
                Ok(Some(Line::Complete(line))) => {
                    let line = content(line);
                    if line.is_empty() { Ok(None) } else { (self.parse)(line).map(Some) }
                }
                Ok(Some(Line::TooLong { bytes })) => {
                    Err(format!("the line has {bytes} bytes, at most {LINE_BYTES_MAX} are read"))
                }
                Err(source) => {
                    self.failed = true;
                    let place = Place::Line(index);
                    return Some(Err(TrafficError::Read { name: self.name.clone(), place, source }));
                }
            };
            self.read_lines += 1;
            match parsed {
                Ok(None) => {}
                Ok(Some((exchange, label))) => {
                    return Some(Ok(Entry::Exchange(Box::new(Labelled { index, exchange, label }))));
                }
                Err(reason) => return Some(Ok(Entry::Bad(BadEntry { place: Place::Line(index + 1), reason }))),
            }
        }
        None
    }
}

/// A line, or the beginning of a file, without byte order mark and white space around it.
pub fn content(line: &[u8]) -> &[u8] {
    line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line).trim_ascii()
}
