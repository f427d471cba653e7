//! Thresholds that stay near the parent model's.
//!
//! Whoever shifts what is normal little by little gains only a little with each training, and an operator who trains
//! deliberately can let the thresholds go where the data wants them.

use std::cell::Cell;

use apiward_detector::calibration::Calibration;

/// The thresholds of the model in use, and how far a new model's may be from them.
#[derive(Debug)]
pub struct Continuity<'p> {
    /// `None` when there is no model in use, or nothing binds.
    parent: Option<&'p Calibration>,
    step_max: f32,
    held: Cell<usize>,
}

impl<'p> Continuity<'p> {
    /// `step_max` is in nats of rareness; `None` lets thresholds move freely.
    pub fn new(parent: Option<&'p Calibration>, step_max: Option<f32>) -> Self {
        Self {
            parent: parent.filter(|_| step_max.is_some()),
            step_max: step_max.unwrap_or(f32::INFINITY).max(0.0),
            held: Cell::new(0),
        }
    }

    /// The threshold itself, or the end of the range around the parent's that is nearest to it. `of_parent` finds the
    /// parent's; a threshold that the parent did not have is not bound.
    pub fn hold(&self, threshold: f32, of_parent: impl Fn(&Calibration) -> Option<f32>) -> f32 {
        let Some(before) = self.parent.and_then(of_parent) else {
            return threshold;
        };
        let held = threshold.clamp(before - self.step_max, before + self.step_max);
        if held != threshold {
            self.held.set(self.held.get() + 1);
        }
        held
    }

    /// How many thresholds would have moved further.
    pub fn held(&self) -> usize {
        self.held.get()
    }
}

#[cfg(test)]
mod tests {
    use apiward_detector::calibration::RuleTail;

    use super::*;

    fn hold(parent: Option<f32>, step_max: Option<f32>, threshold: f32) -> (f32, usize) {
        let calibration = parent.map(|threshold| {
            let tail = RuleTail { threshold, ..RuleTail::default() };
            Calibration { route: [tail.clone(), tail.clone(), tail], ..Calibration::default() }
        });
        let continuity = Continuity::new(calibration.as_ref(), step_max);
        let held = continuity.hold(threshold, |parent| parent.route.first().map(|tail| tail.threshold));
        (held, continuity.held())
    }

    #[test]
    fn thresholds_move_no_further_than_the_step() {
        assert_eq!(hold(Some(6.0), Some(2.0), 7.5), (7.5, 0));
        assert_eq!(hold(Some(6.0), Some(2.0), 11.0), (8.0, 1));
        assert_eq!(hold(Some(6.0), Some(2.0), 1.0), (4.0, 1));
    }

    #[test]
    fn nothing_binds_without_a_parent_or_by_the_operators_word() {
        assert_eq!(hold(None, Some(2.0), 11.0), (11.0, 0));
        assert_eq!(hold(Some(6.0), None, 11.0), (11.0, 0));
    }
}
