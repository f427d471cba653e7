//! Lines of bounded length.

use std::io::{self, BufRead};

/// Bytes of one line; a longer one is skipped without being held in memory.
pub const LINE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// One line, without its line feed.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'b> {
    Complete(&'b [u8]),
    TooLong { bytes: u64 },
}

/// Reads line after line into one buffer.
pub struct LineReader<R> {
    reader: R,
    buffer: Vec<u8>,
    line_bytes_max: usize,
}

impl<R: BufRead> LineReader<R> {
    pub fn new(reader: R, line_bytes_max: usize) -> Self {
        Self { reader, buffer: Vec::new(), line_bytes_max }
    }

    /// The next line; `None` at the end. A last line without a line feed counts as one.
    ///
    /// # Errors
    /// When the underlying reader fails.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        let mut bytes = 0_u64;
        let mut ended = false;
        while !ended {
            let available = match self.reader.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if available.is_empty() {
                if bytes == 0 {
                    return Ok(None);
                }
                break;
            }
            let feed = available.iter().position(|byte| *byte == b'\n');
            let content = available.get(..feed.unwrap_or(available.len())).unwrap_or_default();
            let room = self.line_bytes_max.saturating_sub(self.buffer.len());
            self.buffer.extend(content.iter().take(room));
            bytes += content.len() as u64;
            ended = feed.is_some();
            let consumed = content.len() + usize::from(ended);
            self.reader.consume(consumed);
        }
        if bytes > self.line_bytes_max as u64 {
            return Ok(Some(Line::TooLong { bytes }));
        }
        Ok(Some(Line::Complete(&self.buffer)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, line_bytes_max: usize, expected: &[Result<&str, u64>]) {
        for capacity in [1, 3, 64] {
            let mut reader = LineReader::new(io::BufReader::with_capacity(capacity, text.as_bytes()), line_bytes_max);
            let mut lines = Vec::new();
            while let Some(line) = reader.next_line().unwrap() {
                lines.push(match line {
                    Line::Complete(content) => Ok(String::from_utf8(content.to_vec()).unwrap()),
                    Line::TooLong { bytes } => Err(bytes),
                });
            }
            let expected: Vec<_> = expected.iter().map(|line| line.map(str::to_owned)).collect();
            assert_eq!(lines, expected, "{text:?} through a buffer of {capacity}");
        }
    }

    #[test]
    fn lines_end_at_line_feeds_and_at_the_end() {
        check("", 10, &[]);
        check("a", 10, &[Ok("a")]);
        check("a\nbc\n", 10, &[Ok("a"), Ok("bc")]);
        check("\n\nx", 10, &[Ok(""), Ok(""), Ok("x")]);
    }

    #[test]
    fn a_line_over_the_limit_is_passed_over_and_the_next_one_read() {
        check("abcd\nabcde\nx\n", 4, &[Ok("abcd"), Err(5), Ok("x")]);
        check("abcdefgh", 4, &[Err(8)]);
    }
}
