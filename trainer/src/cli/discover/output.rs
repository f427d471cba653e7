//! Where results go, and the specification comes from.

use std::fs::File;
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};

use crate::discovery::comparison::Specification;
use crate::traffic::STANDARD_INPUT;

pub const STANDARD_OUTPUT: &str = "-";

/// Bytes of a specification that are read; more are refused with its size.
const SPECIFICATION_READ_MAX: u64 = 1 << 30;

/// A file, or standard output, on which colours stay only if it is a terminal.
pub struct Output {
    name: String,
    writer: Box<dyn Write>,
}

impl Output {
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        if path.as_os_str() == STANDARD_OUTPUT {
            let writer = BufWriter::new(anstream::AutoStream::auto(io::stdout()));
            return Ok(Self { name: "standard output".to_owned(), writer: Box::new(writer) });
        }
        let name = path.display().to_string();
        let file = File::create(path).with_context(|| format!("create {name}"))?;
        Ok(Self { name, writer: Box::new(BufWriter::new(anstream::StripStream::new(file))) })
    }

    /// Ends the last line and sees to it that everything is written.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let ended = self.writer.write_all(b"\n").and_then(|()| self.writer.flush());
        ended.with_context(|| format!("write {}", self.name))
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Creating the output would empty an input.
pub fn refuse_inputs<'p>(output: &Path, inputs: impl Iterator<Item = &'p PathBuf>) -> anyhow::Result<()> {
    if output.as_os_str() == STANDARD_OUTPUT {
        return Ok(());
    }
    let Ok(output) = output.canonicalize() else {
        return Ok(());
    };
    for input in inputs.filter(|input| input.as_os_str() != STANDARD_INPUT) {
        let is_same = input.canonicalize().is_ok_and(|input| input == output);
        ensure!(!is_same, "{} is input and output at once", input.display());
    }
    Ok(())
}

pub fn read_specification(path: &PathBuf) -> anyhow::Result<Specification> {
    let named = || format!("the specification {} cannot be used", path.display());
    let file = File::open(path).with_context(named)?;
    let mut document = Vec::new();
    file.take(SPECIFICATION_READ_MAX).read_to_end(&mut document).with_context(named)?;
    Specification::parse(&document).with_context(named)
}
