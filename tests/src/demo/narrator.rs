//! Lines that tell a watcher what goes on.

use std::time::Instant;

/// Says what happens, with the seconds since the beginning.
#[derive(Debug, Clone, Copy)]
pub struct Narrator {
    began: Instant,
}

impl Narrator {
    pub fn begin() -> Self {
        Self { began: Instant::now() }
    }

    pub fn say(&self, line: impl std::fmt::Display) {
        eprintln!("{:6.1} s  {line}", self.began.elapsed().as_secs_f64());
    }

    pub fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}
