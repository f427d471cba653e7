//! Running a program that discovers endpoints in a file of exchange JSONL.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::operations::Operation;
use super::template::Template;

/// Bytes of a program's output.
const OUTPUT_BYTES_MAX: u64 = 256 * 1024 * 1024;
const POLL: Duration = Duration::from_millis(20);
/// Lines of a failed program's messages that are repeated.
const MESSAGE_LINES: usize = 12;

/// A command line to which the file's name is added, with a name for tables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discoverer {
    pub name: String,
    command: Vec<String>,
    time_limit: Duration,
}

/// What a program found.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// No two alike but for parameter names.
    pub endpoints: Vec<Operation>,
    pub took: Duration,
}

#[derive(Debug, thiserror::Error)]
pub enum DiscoverError {
    #[error("the command to discover with is empty")]
    NoCommand,
    #[error("{program} cannot be run: {source}")]
    Start { program: String, source: std::io::Error },
    #[error("{program} did not end within {} s", limit.as_secs())]
    TimedOut { program: String, limit: Duration },
    #[error("{program} failed ({status}): {message}")]
    Failed { program: String, status: std::process::ExitStatus, message: String },
    #[error("{program} printed {bytes} bytes, at most {OUTPUT_BYTES_MAX} are read")]
    TooLong { program: String, bytes: u64 },
    #[error("{program} did not print {{\"endpoints\":[{{\"host\",\"method\",\"template\"}}]}}: {source}")]
    Output { program: String, source: serde_json::Error },
    #[error("a temporary file cannot be used: {0}")]
    Temporary(#[from] std::io::Error),
}

#[derive(Deserialize)]
struct Printed {
    endpoints: Vec<PrintedEndpoint>,
}

#[derive(Deserialize)]
struct PrintedEndpoint {
    host: Option<String>,
    method: String,
    template: String,
}

impl Discoverer {
    /// `command` is split at spaces; no shell is involved.
    pub fn new(name: impl Into<String>, command: &str, time_limit: Duration) -> Self {
        Self::of_words(name, command.split_whitespace().map(str::to_owned).collect(), time_limit)
    }

    pub fn of_words(name: impl Into<String>, command: Vec<String>, time_limit: Duration) -> Self {
        Self { name: name.into(), command, time_limit }
    }

    /// The endpoints of `host` that the program finds in `traffic`.
    ///
    /// # Errors
    /// When the program cannot be run, fails, takes too long, or prints something else.
    pub fn discover(&self, traffic: &Path, host: &str) -> Result<Discovery, DiscoverError> {
        let (program, arguments) = self.command.split_first().ok_or(DiscoverError::NoCommand)?;
        let output = tempfile::NamedTempFile::new()?;
        let messages = tempfile::NamedTempFile::new()?;
        let started = Instant::now();
        let mut child = Command::new(runnable(program))
            .args(arguments)
            .arg(traffic)
            .stdin(Stdio::null())
            .stdout(output.reopen()?)
            .stderr(messages.reopen()?)
            .spawn()
            .map_err(|source| DiscoverError::Start { program: program.clone(), source })?;
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if started.elapsed() > self.time_limit {
                child.kill()?;
                child.wait()?;
                return Err(DiscoverError::TimedOut { program: program.clone(), limit: self.time_limit });
            }
            std::thread::sleep(POLL);
        };
        let took = started.elapsed();
        if !status.success() {
            let text = String::from_utf8_lossy(&std::fs::read(messages.path())?).into_owned();
            let lines: Vec<&str> = text.lines().collect();
            let message = lines[lines.len().saturating_sub(MESSAGE_LINES)..].join("\n");
            return Err(DiscoverError::Failed { program: program.clone(), status, message });
        }
        let bytes = output.path().metadata()?.len();
        if bytes > OUTPUT_BYTES_MAX {
            return Err(DiscoverError::TooLong { program: program.clone(), bytes });
        }
        let printed: Printed = serde_json::from_slice(&std::fs::read(output.path())?)
            .map_err(|source| DiscoverError::Output { program: program.clone(), source })?;
        Ok(Discovery { endpoints: endpoints(printed, host), took })
    }
}

/// A relative path to a program, made absolute, so that it is not looked for elsewhere.
fn runnable(program: &str) -> PathBuf {
    let path = PathBuf::from(program);
    if program.contains('/') { std::path::absolute(&path).unwrap_or(path) } else { path }
}

fn endpoints(printed: Printed, host: &str) -> Vec<Operation> {
    let mut known = BTreeSet::new();
    printed
        .endpoints
        .into_iter()
        .filter(|endpoint| endpoint.host.as_deref().is_none_or(|named| named == host))
        .map(|endpoint| Operation { method: endpoint.method, template: Template::parse(&endpoint.template) })
        .filter(|endpoint| known.insert(endpoint.key()))
        .collect()
}
