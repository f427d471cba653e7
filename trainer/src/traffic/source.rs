//! Where traffic comes from: a file or standard input, plain or gzip.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;

use super::TrafficError;

/// The file name that stands for standard input.
pub const STANDARD_INPUT: &str = "-";

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const READ_BUFFER_BYTES: usize = 128 * 1024;

/// An opened traffic file.
pub struct Source {
    /// What a person calls it: the path, or `standard input`.
    pub name: String,
    /// The decompressed bytes.
    pub reader: Box<dyn BufRead>,
    pub progress: Progress,
}

/// How far a file has been read, in bytes as stored (compressed, if it is).
#[derive(Debug, Clone, Default)]
pub struct Progress {
    read_bytes: Arc<AtomicU64>,
    /// Size of the file; `None` where it is not known, as for a pipe.
    pub total_bytes: Option<u64>,
}

impl Progress {
    pub fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

/// Opens a file, or standard input for [`STANDARD_INPUT`]; gzip is recognised by its first bytes, whatever the name.
///
/// # Errors
/// When the file cannot be opened or its first bytes cannot be read.
pub fn open(path: &Path) -> Result<Source, TrafficError> {
    if path.as_os_str() == STANDARD_INPUT {
        return from_reader("standard input".to_owned(), Box::new(io::stdin()), None);
    }
    let name = path.display().to_string();
    let opened = File::open(path).and_then(|file| file.metadata().map(|metadata| (file, metadata)));
    match opened {
        Ok((_, metadata)) if metadata.is_dir() => {
            Err(TrafficError::Open { name, source: io::Error::from(io::ErrorKind::IsADirectory) })
        }
        Ok((file, metadata)) => {
            // Pipes and devices report a length of 0, which says nothing.
            let total_bytes = metadata.is_file().then_some(metadata.len());
            from_reader(name, Box::new(file), total_bytes)
        }
        Err(source) => Err(TrafficError::Open { name, source }),
    }
}

fn from_reader(name: String, raw: Box<dyn Read>, total_bytes: Option<u64>) -> Result<Source, TrafficError> {
    let progress = Progress { total_bytes, ..Progress::default() };
    let counted = Counted { raw, read_bytes: Arc::clone(&progress.read_bytes) };
    let mut buffered = BufReader::with_capacity(READ_BUFFER_BYTES, counted);
    let is_gzip = match buffered.fill_buf() {
        Ok(first) => first.starts_with(&GZIP_MAGIC),
        Err(source) => return Err(TrafficError::Open { name, source }),
    };
    let reader: Box<dyn BufRead> = if is_gzip {
        Box::new(BufReader::with_capacity(READ_BUFFER_BYTES, MultiGzDecoder::new(buffered)))
    } else {
        Box::new(buffered)
    };
    Ok(Source { name, reader, progress })
}

struct Counted {
    raw: Box<dyn Read>,
    read_bytes: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.raw.read(buffer)?;
        self.read_bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}
