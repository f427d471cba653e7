//! What normal sessions that the model has not seen come to.

use std::collections::HashMap;

use apiward_detector::calibration::ErrorTail;
use apiward_detector::sequence::{SequenceCalibration, SequenceDetector};

use crate::learning::whole::tails::{SURPRISE_SHAPES, armed};

use super::SequenceSettings;
use super::sessions::{Session, replay};
use super::surprise::{course, highest_sum};

/// Sessions of one caller that count at least, whatever its share.
const CALLER_SESSIONS_MIN: usize = 3;

/// Figures of sessions that were held out.
pub(super) struct HeldOut {
    highest_sums: Vec<f32>,
    /// Mean −ln p of a call.
    pub nats: f64,
    /// Share of calls that were the most probable one, and among the ten most probable.
    pub top1: f64,
    pub top10: f64,
}

impl HeldOut {
    pub fn of(detector: &SequenceDetector, sessions: &[&Session], settings: &SequenceSettings) -> Self {
        let sessions_max = (sessions.len() as f64 * settings.caller_share_max) as usize;
        let mut of_callers: HashMap<u64, usize> = HashMap::new();
        let mut held_out = Self { highest_sums: Vec::new(), nats: 0.0, top1: 0.0, top10: 0.0 };
        let mut calls = 0.0;
        for session in sessions {
            let of_caller = of_callers.entry(session.caller).or_default();
            *of_caller += 1;
            if *of_caller > sessions_max.max(CALLER_SESSIONS_MIN) {
                continue;
            }
            let course = course(detector, &session.calls);
            held_out.highest_sums.push(highest_sum(&detector.model().calibration, &course));
            held_out.nats += course.iter().map(|call| f64::from(call.nats)).sum::<f64>();
            replay(&session.calls, &mut |window, next| {
                calls += 1.0;
                let Some(symbol) = detector.symbol(next.endpoint) else { return };
                let rank = detector.predict(window).most_probable(10).iter().position(|(other, _)| *other == symbol);
                held_out.top1 += if rank == Some(0) { 1.0 } else { 0.0 };
                held_out.top10 += if rank.is_some() { 1.0 } else { 0.0 };
            });
        }
        for figure in [&mut held_out.nats, &mut held_out.top1, &mut held_out.top10] {
            *figure /= f64::max(calls, 1.0);
        }
        held_out
    }

    /// The tail of the highest sums, armed for a share of the budget.
    pub fn tail(&self, budget_share: f64, settings: &SequenceSettings) -> ErrorTail {
        armed(&self.highest_sums, SURPRISE_SHAPES, settings.budget * budget_share, settings.budget * budget_share)
    }

    pub fn alarms(&self, calibration: &SequenceCalibration) -> usize {
        self.highest_sums.iter().filter(|sum| calibration.highest_sum.alarms(**sum)).count()
    }
}
