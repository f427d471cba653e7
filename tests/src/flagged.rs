//! Exchanges of one kind, and those of them that were flagged.

/// How many there were, and how many of them were flagged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Flagged {
    pub flagged: usize,
    pub of: usize,
}

impl Flagged {
    pub fn count(&mut self, flagged: bool) {
        self.of += 1;
        self.flagged += usize::from(flagged);
    }

    /// 0..1; 0 of none.
    pub fn share(self) -> f64 {
        self.flagged as f64 / self.of.max(1) as f64
    }
}
