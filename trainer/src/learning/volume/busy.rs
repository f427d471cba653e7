//! Callers and addresses that are always busier than the others.

use std::collections::{HashMap, HashSet};

use apiward_detector::limits::BUSY_SUBJECTS_MAX;
use apiward_detector::route::RouteTable;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::{BusySubject, SessionSubject, VolumeCalibration};

use super::LearningSettings;
use super::peaks::{Count, Peaks, each_count, replay};

/// Windows of time in which it must have been that busy: once is a flurry, again and again is a habit.
const WINDOWS_MIN: usize = 3;
/// Margin beyond what it reached, in ln(1 + count): half as much again.
const MARGIN: f32 = 0.405;
/// Windows kept of one subject.
const WINDOWS_KEPT_MAX: usize = 64;

/// Learned in the first training, and when the operator lets thresholds move freely; later ones only keep them, so that nobody
/// becomes one of them by being busy.
pub fn busy_subjects(
    routes: &RouteTable,
    calibration: &VolumeCalibration,
    history: &[&ExchangeRecord],
    peaks: &Peaks,
    parent: Option<&VolumeCalibration>,
    settings: &LearningSettings,
) -> Vec<BusySubject> {
    let bound = settings.threshold_step_max.and(parent).filter(|parent| parent.is_armed());
    let mut busy = match bound {
        Some(parent) => parent.busy.clone(),
        None => habits(routes, calibration, history, peaks, settings.promotion.window_ms),
    };
    busy.sort_by_key(|known| (known.subject, known.hash, known.measure, known.horizon, known.endpoint));
    busy.truncate(BUSY_SUBJECTS_MAX);
    busy
}

/// How many different ones there are.
pub fn subjects(calibration: &VolumeCalibration) -> usize {
    calibration.busy.iter().map(|busy| (busy.subject, busy.hash)).collect::<HashSet<_>>().len()
}

fn habits(
    routes: &RouteTable,
    calibration: &VolumeCalibration,
    history: &[&ExchangeRecord],
    peaks: &Peaks,
    window_ms: i64,
) -> Vec<BusySubject> {
    let beyond: HashMap<(Count, u64), f32> =
        peaks.beyond(calibration).map(|(count, hash, highest)| ((count, hash), highest)).collect();
    if beyond.is_empty() {
        return Vec::new();
    }
    let suspects: HashSet<(SessionSubject, u64)> = beyond.keys().map(|(count, hash)| (count.subject, *hash)).collect();
    let mut windows: HashMap<(Count, u64), HashSet<i64>> = HashMap::new();
    replay(routes, calibration, history, &mut |record, subject, hash, activity, endpoint| {
        let Some(at_ms) = record.at_ms.filter(|_| suspects.contains(&(subject, hash))) else { return };
        each_count(subject, activity, endpoint, &mut |count, value| {
            // Half of the highest.
            if beyond.get(&(count, hash)).is_some_and(|highest| value >= highest - 0.7) {
                let of_count = windows.entry((count, hash)).or_default();
                if of_count.len() < WINDOWS_KEPT_MAX {
                    of_count.insert(at_ms.div_euclid(window_ms.max(1)));
                }
            }
        });
    });
    let habit = |key: &(Count, u64)| windows.get(key).is_some_and(|windows| windows.len() >= WINDOWS_MIN);
    let own = beyond.iter().filter(|(key, _)| habit(key)).map(|((count, hash), highest)| BusySubject {
        subject: count.subject,
        hash: *hash,
        measure: count.measure,
        horizon: count.horizon,
        endpoint: count.endpoint,
        alarm: highest + MARGIN,
    });
    own.collect()
}
