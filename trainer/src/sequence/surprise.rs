//! How surprise is accumulated, chosen so that sessions made wrong stand out from those that they were made of.

use apiward_detector::sequence::{Improbability, SequenceCalibration, SequenceDetector};
use apiward_detector::session::Call;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::evaluation::Ranking;

use super::faults::Fault;
use super::sessions::{Session, replay};

const VARIANCE_FLOORS: [f32; 4] = [0.1, 0.5, 2.0, 8.0];
const SURPRISES_MAX: [f32; 4] = [3.0, 5.0, 8.0, 12.0];
const DRIFTS: [f32; 5] = [0.1, 0.3, 0.6, 1.0, 1.5];
/// Sessions that decide, of each kind.
const SESSIONS_MAX: usize = 1_000;
/// Random stream of the faults.
const STREAM: u64 = 0x5e9;

/// The improbabilities of a session's calls.
type Course = Vec<Improbability>;

/// Best at telling `sessions` from the same with faults, in the mean over faults of the area under the ROC curve.
pub(super) fn fitted(detector: &SequenceDetector, sessions: &[&Session], seed: u64) -> SequenceCalibration {
    let sessions = &sessions[..sessions.len().min(SESSIONS_MAX)];
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(STREAM);
    let normal: Vec<Course> = sessions.iter().map(|session| course(detector, &session.calls)).collect();
    let symbols = &detector.model().symbols;
    let faulty = Fault::ALL.map(|fault| {
        let mut courses = Vec::new();
        for session in sessions {
            let other = sessions[generator.random_range(0..sessions.len())];
            if let Some(calls) = fault.inject(&session.calls, &other.calls, symbols, &mut generator) {
                courses.push(course(detector, &calls));
            }
        }
        courses
    });
    let mut best = (f64::NEG_INFINITY, detector.model().calibration.clone());
    for variance_floor in VARIANCE_FLOORS {
        for surprise_max in SURPRISES_MAX {
            for drift in DRIFTS {
                let calibration =
                    SequenceCalibration { variance_floor, surprise_max, drift, ..detector.model().calibration.clone() };
                let area = mean_area(&calibration, &normal, &faulty);
                if area > best.0 {
                    best = (area, calibration);
                }
            }
        }
    }
    best.1
}

/// The improbability of each call.
pub(super) fn course(detector: &SequenceDetector, calls: &[Call]) -> Course {
    let mut course = Vec::with_capacity(calls.len());
    replay(calls, &mut |window, next| course.push(detector.improbability(window, next)));
    course
}

/// The highest sum that a session gets to.
pub(super) fn highest_sum(calibration: &SequenceCalibration, course: &[Improbability]) -> f32 {
    let (mut sum, mut highest) = (0.0_f32, 0.0_f32);
    for improbability in course {
        let surprise = improbability.standardised(calibration.variance_floor, calibration.surprise_max);
        sum = (sum + surprise - calibration.drift).max(0.0);
        highest = highest.max(sum);
    }
    highest
}

fn mean_area(calibration: &SequenceCalibration, normal: &[Course], faulty: &[Vec<Course>]) -> f64 {
    let sums = |courses: &[Course]| courses.iter().map(|course| highest_sum(calibration, course)).collect::<Vec<f32>>();
    let normal = sums(normal);
    let area = |courses: &Vec<Course>| {
        let mut ranking = Ranking::default();
        normal.iter().for_each(|sum| ranking.add(false, *sum));
        sums(courses).into_iter().for_each(|sum| ranking.add(true, sum));
        ranking.roc_auc()
    };
    let areas: Vec<f64> = faulty.iter().filter_map(area).collect();
    areas.iter().sum::<f64>() / areas.len().max(1) as f64
}
