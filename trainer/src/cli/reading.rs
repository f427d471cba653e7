//! Reading traffic files with a progress bar; bad lines, or entries, are reported, skipped and counted.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::bail;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::traffic::{Entry, Format, Labelled, Progress, open};

/// Bad lines of a file that are printed; further ones are only counted.
const BAD_LINES_SHOWN: u64 = 5;
/// How often progress is told where there is no terminal to draw a bar on.
const PLAIN_PROGRESS_EVERY: Duration = Duration::from_secs(5);
/// Exchanges between two looks at the clock.
const EXCHANGES_PER_TICK: u64 = 64;

/// What was read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadCounts {
    pub exchanges: u64,
    /// Lines, or entries of a document, that could not be read.
    pub skipped_lines: u64,
}

/// Hands every exchange of the files, in order, to `handle`. `doing` is the word beside the bar: `scoring`.
///
/// # Errors
/// When a file cannot be opened, breaks off, or has no exchange that can be read; and whatever `handle` says.
pub fn for_each_exchange(
    files: &[PathBuf],
    format: Format,
    doing: &'static str,
    mut handle: impl FnMut(Labelled) -> anyhow::Result<()>,
) -> anyhow::Result<ReadCounts> {
    let mut counts = ReadCounts::default();
    for file in files {
        let of_file = read_file(file, format, doing, &mut handle)?;
        counts.exchanges += of_file.exchanges;
        counts.skipped_lines += of_file.skipped_lines;
    }
    Ok(counts)
}

fn read_file(
    file: &Path,
    format: Format,
    doing: &'static str,
    handle: &mut impl FnMut(Labelled) -> anyhow::Result<()>,
) -> anyhow::Result<ReadCounts> {
    let source = open(file)?;
    let name = source.name.clone();
    let mut meter = Meter::start(doing, &name, source.progress.clone());
    let mut counts = ReadCounts::default();
    for entry in format.entries(source)? {
        match entry? {
            Entry::Exchange(labelled) => {
                counts.exchanges += 1;
                handle(*labelled)?;
            }
            Entry::Bad(bad) => {
                counts.skipped_lines += 1;
                if counts.skipped_lines <= BAD_LINES_SHOWN {
                    meter.say(&format!("{name}, {}: skipped: {}", bad.place, bad.reason));
                }
            }
        }
        meter.tick(&counts);
    }
    meter.finish();
    if counts.skipped_lines > BAD_LINES_SHOWN {
        eprintln!("{name}: {} lines could not be read and were skipped", HumanCount(counts.skipped_lines));
    }
    match counts {
        ReadCounts { exchanges: 0, skipped_lines: 0 } => bail!("{name} is empty"),
        ReadCounts { exchanges: 0, .. } => bail!("{name} has no exchange that can be read"),
        _ => Ok(counts),
    }
}

/// Tells how far the reading of a file has come: a bar on a terminal, else a line every few seconds.
struct Meter {
    bar: ProgressBar,
    progress: Progress,
    doing: &'static str,
    name: String,
    next_plain: Option<Instant>,
    ticks: u64,
}

impl Meter {
    fn start(doing: &'static str, name: &str, progress: Progress) -> Self {
        let template = match progress.total_bytes {
            Some(_) => "{prefix} {wide_bar} {msg} exchanges, {eta} left",
            None => "{prefix} {spinner} {msg} exchanges, {elapsed}",
        };
        let bar = ProgressBar::with_draw_target(progress.total_bytes, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_prefix(format!("{doing} {name}"));
        bar.set_message("0");
        let next_plain = (!std::io::stderr().is_terminal()).then(|| Instant::now() + PLAIN_PROGRESS_EVERY);
        Self { bar, progress, doing, name: name.to_owned(), next_plain, ticks: 0 }
    }

    fn tick(&mut self, counts: &ReadCounts) {
        self.ticks += 1;
        if !self.ticks.is_multiple_of(EXCHANGES_PER_TICK) {
            return;
        }
        match self.next_plain {
            None => {
                self.bar.set_position(self.progress.read_bytes());
                self.bar.set_message(HumanCount(counts.exchanges).to_string());
            }
            Some(next) if Instant::now() >= next => {
                self.next_plain = Some(Instant::now() + PLAIN_PROGRESS_EVERY);
                eprintln!("{} {}: {} exchanges", self.doing, self.name, HumanCount(counts.exchanges));
            }
            Some(_) => {}
        }
    }

    fn say(&self, line: &str) {
        self.bar.suspend(|| eprintln!("{line}"));
    }

    fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
