//! How often something new is met, of late.

use apiward_detector::profile::Novelty;

/// Counts checks and events over the current and the last period; periods double in length, so that a learner that has
/// settled forgets its beginnings.
#[derive(Debug, Clone, Default)]
pub struct NoveltyCounter {
    total: u32,
    last: (u32, u32),
    current: (u32, u32),
}

/// Checks after which the first period ends.
const FIRST_PERIOD: u32 = 16;

impl NoveltyCounter {
    pub fn count(&mut self, event: bool) {
        self.total = self.total.saturating_add(1);
        self.current.0 = self.current.0.saturating_add(u32::from(event));
        self.current.1 = self.current.1.saturating_add(1);
        if self.total >= FIRST_PERIOD && self.total.is_power_of_two() {
            self.last = std::mem::take(&mut self.current);
        }
    }

    pub fn novelty(&self) -> Novelty {
        Novelty::of_rate(self.last.0 + self.current.0, self.last.1 + self.current.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_settled_field_forgets_its_beginnings() {
        let mut counter = NoveltyCounter::default();
        for _ in 0..20 {
            counter.count(true);
        }
        assert_eq!(counter.novelty(), Novelty(4));
        for _ in 0..3000 {
            counter.count(false);
        }
        assert_eq!(counter.novelty(), Novelty(0));
    }
}
