//! Memory and processor time of running processes, as Linux counts them.

use std::time::Duration;

use anyhow::Context as _;
use procfs::process::{Process, all_processes};

const KIB: u64 = 1024;

/// Memory of a process and of those that it started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryUse {
    /// Most bytes that the process itself had resident so far.
    pub peak_bytes: u64,
    /// Bytes that its descendants have resident now; what they share is counted once.
    pub descendants_bytes: u64,
}

impl MemoryUse {
    /// # Errors
    /// When the process is gone.
    pub fn of(pid: u32) -> anyhow::Result<Self> {
        let pid = i32::try_from(pid).context("process id")?;
        let status = Process::new(pid).and_then(|process| process.status()).context("read a process's status")?;
        let peak_bytes = status.vmhwm.context("the process has no memory any more")? * KIB;
        Ok(Self { peak_bytes, descendants_bytes: descendants(pid)?.iter().map(proportional_bytes).sum() })
    }
}

/// Processor time of a process and of its ended threads, in user and kernel mode.
///
/// # Errors
/// When the process is gone.
pub(super) fn cpu_time(pid: u32) -> anyhow::Result<Duration> {
    let pid = i32::try_from(pid).context("process id")?;
    let stat = Process::new(pid).and_then(|process| process.stat()).context("read a process's times")?;
    Ok(Duration::from_secs_f64((stat.utime + stat.stime) as f64 / procfs::ticks_per_second() as f64))
}

fn descendants(of: i32) -> anyhow::Result<Vec<Process>> {
    // A process may end while the list is read.
    let mut others: Vec<(i32, Process)> = all_processes()
        .context("list processes")?
        .filter_map(|process| process.ok())
        .filter_map(|process| Some((process.stat().ok()?.ppid, process)))
        .collect();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        let (children, rest): (Vec<_>, Vec<_>) = others.into_iter().partition(|(ppid, _)| *ppid == parent);
        others = rest;
        parents.extend(children.iter().map(|(_, child)| child.pid()));
        found.extend(children.into_iter().map(|(_, child)| child));
    }
    Ok(found)
}

/// Proportional set size; 0 for a process that has just ended.
fn proportional_bytes(process: &Process) -> u64 {
    let totals = process.smaps_rollup().ok();
    totals.and_then(|totals| totals.memory_map_rollup.0.first()?.extension.map.get("Pss").copied()).unwrap_or(0)
}
