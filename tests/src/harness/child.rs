//! A program that runs beside the test, and never outlives it.

use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;

use super::{MemoryUse, POLL};

/// How long a program may take to end after SIGTERM.
const STOP_MAX: Duration = Duration::from_secs(30);
/// Lines of a log that are shown.
const LOG_LINES_SHOWN: usize = 40;

/// A program in a process group of its own, whose output goes into a file.
#[derive(Debug)]
pub struct ChildProcess {
    name: &'static str,
    child: Child,
    log: PathBuf,
    stopped: bool,
}

impl ChildProcess {
    /// # Errors
    /// When the program or its log cannot be opened.
    pub fn start(name: &'static str, command: &mut Command, log: PathBuf) -> anyhow::Result<Self> {
        let output = File::create(&log).with_context(|| format!("create {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
        let child = command.spawn().with_context(|| format!("run {}", command.get_program().display()))?;
        Ok(Self { name, child, log, stopped: false })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> &Path {
        &self.log
    }

    /// All that it wrote so far.
    pub fn output(&self) -> String {
        let bytes = std::fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines that it wrote.
    pub fn last_output(&self) -> String {
        let output = self.output();
        let lines: Vec<&str> = output.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }

    /// Memory of it and of what it started.
    ///
    /// # Errors
    /// When it has ended.
    pub fn memory(&self) -> anyhow::Result<MemoryUse> {
        MemoryUse::of(self.id()).with_context(|| format!("{} has ended", self.name))
    }

    /// Processor time that its threads have taken so far.
    ///
    /// # Errors
    /// When it has ended.
    pub fn cpu_time(&self) -> anyhow::Result<Duration> {
        super::memory::cpu_time(self.id()).with_context(|| format!("{} has ended", self.name))
    }

    /// Waits until `look` finds something.
    ///
    /// # Errors
    /// When `look` fails, or the program ends or finds nothing for `patience`; the end of its log is shown.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        patience: Duration,
        mut look: impl AsyncFnMut(&Self) -> anyhow::Result<Option<T>>,
    ) -> anyhow::Result<T> {
        let started = Instant::now();
        loop {
            if let Some(found) = look(self).await? {
                return Ok(found);
            }
            if let Some(status) = self.child.try_wait()? {
                anyhow::bail!("{} ended ({status}) before {what}:\n{}", self.name, self.last_output());
            }
            anyhow::ensure!(
                started.elapsed() < patience,
                "{} did not come to {what} within {} s:\n{}",
                self.name,
                patience.as_secs(),
                self.last_output()
            );
            tokio::time::sleep(POLL).await;
        }
    }

    /// Ends it with SIGTERM.
    ///
    /// # Errors
    /// When it does not end in time or not with success.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        self.signal(Signal::SIGTERM)?;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            anyhow::ensure!(started.elapsed() < STOP_MAX, "{} does not stop:\n{}", self.name, self.last_output());
            tokio::time::sleep(POLL).await;
        };
        self.stopped = true;
        self.was_clean(status)
    }

    /// Ends it at once, as a crash would, with everything in its process group.
    ///
    /// # Errors
    /// When it cannot be signalled.
    pub fn crash(mut self) -> anyhow::Result<()> {
        killpg(self.pid(), Signal::SIGKILL).with_context(|| format!("kill {}", self.name))?;
        self.child.wait()?;
        self.stopped = true;
        Ok(())
    }

    fn was_clean(&self, status: ExitStatus) -> anyhow::Result<()> {
        anyhow::ensure!(status.success(), "{} ended with {status}:\n{}", self.name, self.last_output());
        Ok(())
    }

    fn pid(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }

    fn signal(&self, signal: Signal) -> anyhow::Result<()> {
        kill(self.pid(), signal).with_context(|| format!("signal {}", self.name))
    }

    /// Waits for the end without a runtime.
    fn ended_within(&mut self, patience: Duration) -> bool {
        let started = Instant::now();
        while started.elapsed() < patience {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return true;
            }
            std::thread::sleep(POLL);
        }
        false
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the end of {}'s log:\n{}\n---", self.name, self.last_output());
        }
        if self.stopped || !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // SIGTERM first, so that it can stop what it has started in groups of their own.
        let asked = self.signal(Signal::SIGTERM).is_ok();
        if asked && self.ended_within(STOP_MAX) {
            return;
        }
        let _ = killpg(self.pid(), Signal::SIGKILL);
        let _ = self.child.wait();
    }
}
