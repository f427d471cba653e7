//! What normal sessions that the model has not seen come to.

use std::collections::HashMap;

use apiward_detector::calibration::ErrorTail;
use apiward_detector::sequence::{Place, SequenceCalibration, SequenceDetector};

use crate::learning::whole::tails::{SURPRISE_SHAPES, armed};

use super::SequenceSettings;
use super::sessions::{Session, replay};
use super::surprise::{course, highest_sum};

/// Sessions of one caller, beyond those of all others and half of its own, from which on they are set aside: what one alone does
/// time and again is not normal.
const SESSIONS_APART_MIN: usize = 3;

/// How much further a sum gets in sessions that the model has not seen.
const UNSEEN: f32 = 1.5;

/// The sum that `callers_min` callers reach, or come near, in sessions that were learned from: an alarm below it would be one for a few
/// who work in a way of their own, such as administrators, of whom the calibrating part may have had none. 0 for fewer callers.
pub(super) fn reached_by_several(detector: &SequenceDetector, sessions: &[Session], callers_min: usize) -> f32 {
    let mut of_callers: HashMap<u64, f32> = HashMap::new();
    for session in sessions {
        let sum = highest_sum(&detector.model().calibration, &course(detector, &session.calls));
        let highest = of_callers.entry(session.caller).or_default();
        *highest = highest.max(sum);
    }
    let mut descending: Vec<f32> = of_callers.into_values().collect();
    descending.sort_by(|one, other| other.total_cmp(one));
    descending.get(callers_min.saturating_sub(1)).map_or(0.0, |sum| sum * UNSEEN)
}

/// Figures of sessions that were held out.
pub(super) struct HeldOut {
    /// With the session's caller.
    highest_sums: Vec<(u64, f32)>,
    /// Mean −ln p of a call.
    pub nats: f64,
    /// Share of calls that were the most probable one, and among the ten most probable.
    pub top1: f64,
    pub top10: f64,
}

impl HeldOut {
    pub fn of(detector: &SequenceDetector, sessions: &[&Session]) -> Self {
        let mut held_out = Self { highest_sums: Vec::new(), nats: 0.0, top1: 0.0, top10: 0.0 };
        let mut calls = 0.0;
        for session in sessions {
            let course = course(detector, &session.calls);
            held_out.highest_sums.push((session.caller, highest_sum(&detector.model().calibration, &course)));
            held_out.nats += course.iter().map(|call| f64::from(call.nats)).sum::<f64>();
            replay(&session.calls, &mut |window, next| {
                calls += 1.0;
                let Place::Symbol(symbol) = detector.place(next.endpoint) else { return };
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
        let rate = settings.budget * budget_share;
        armed(&self.without_one_apart(), SURPRISE_SHAPES, rate, rate)
    }

    pub fn alarms(&self, calibration: &SequenceCalibration) -> usize {
        self.highest_sums.iter().filter(|(_, sum)| calibration.highest_sum.alarms(*sum)).count()
    }

    /// All sums but those of one caller that nobody else comes near.
    fn without_one_apart(&self) -> Vec<f32> {
        let highest = |sums: &mut dyn Iterator<Item = &(u64, f32)>| {
            sums.max_by(|(_, one), (_, other)| one.total_cmp(other)).copied().unwrap_or_default()
        };
        let (caller, _) = highest(&mut self.highest_sums.iter());
        let (_, of_others) = highest(&mut self.highest_sums.iter().filter(|(other, _)| *other != caller));
        let is_apart = |(_, sum): &&(u64, f32)| *sum > of_others;
        let own = self.highest_sums.iter().filter(|(other, _)| *other == caller).count();
        let apart = self.highest_sums.iter().filter(is_apart).count();
        if apart < SESSIONS_APART_MIN || 2 * apart < own {
            return self.highest_sums.iter().map(|(_, sum)| *sum).collect();
        }
        self.highest_sums.iter().filter(|sum| !is_apart(sum)).map(|(_, sum)| *sum).collect()
    }
}
