//! How much callers and addresses usually do, per endpoint, and how much is too much.
//!
//! The records are replayed in order of time through the sessions that the filter keeps, and of each caller and address the
//! highest count is taken: its busiest minute, its busiest hour. An alarm is beyond what all but the busiest reached, by a
//! margin that the tail of the others tells. Who is always busier than that (a nightly job, a crawler, an office) keeps an
//! alarm of its own.

mod busy;
mod logins;
mod peaks;

use std::collections::{HashMap, HashSet};

use apiward_detector::limits::VOLUME_THRESHOLDS_MAX;
use apiward_detector::route::RouteTable;
use apiward_detector::session::{Horizon, Measure};
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::{SessionSubject, VolumeCalibration, VolumeThreshold};
use serde::Serialize;

use super::LearningSettings;
use super::admission::Admission;
use super::routes::Located;

use peaks::{Count, Peaks};

/// Thresholds that one subject can exceed independently of each other, roughly: the budget is divided by it.
const INDEPENDENT_THRESHOLDS: f64 = 10.0;
/// Share of the subjects below which the tail begins.
const TAIL_BEGINS: f64 = 0.9;
/// Smallest and largest margin beyond the busiest, in ln(1 + count): factors of 1.5 and 3.
const MARGINS: std::ops::RangeInclusive<f32> = 0.405..=1.099;
/// Scale of the tail where too few were seen to tell it.
const SCALE_UNKNOWN: f32 = 0.35;
/// Subjects from which on the very busiest one is never relied on: it may be the attacker.
const ROBUST_SUBJECTS_MIN: usize = 50;
/// Share of the subjects that may stand apart from all others, and by how much in ln(1 + count), a factor of three: jobs, crawlers
/// and attackers, by which nobody else is measured.
const APART_SHARE_MAX: f64 = 0.02;
const APART: f32 = 1.099;
/// Share of the subjects that must be near or over the parent's alarm before it may rise: a release changes what many do.
const RISE_SHARE_MIN: f64 = 0.02;
const RISE_SUBJECTS_MIN: usize = 3;
/// Furthest that an alarm falls in one training, a factor of two.
const FALL_MAX: f32 = 0.7;
/// Fewest exchanges with a time and a caller from which anything is learned.
const EXCHANGES_MIN: usize = 100;

/// What the training run tells of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct VolumeFigures {
    pub callers: usize,
    pub addresses: usize,
    pub thresholds: usize,
    /// Callers and addresses with alarms of their own.
    pub busy: usize,
    /// Callers and addresses that would have alarmed in these records.
    pub alarmed: usize,
    pub login_endpoints: usize,
}

/// Learns from everything that was admitted, exchanges beyond a caller's share included.
pub fn learn_volume(
    routes: &RouteTable,
    located: &[Located<'_>],
    admission: &Admission,
    parent: Option<&VolumeCalibration>,
    settings: &LearningSettings,
) -> (VolumeCalibration, VolumeFigures) {
    let all = admission.learned.iter().chain(&admission.calibration_only).chain(&admission.over_share);
    let mut history: Vec<&ExchangeRecord> =
        all.filter(|record| record.at_ms.is_some() && record.caller.named_by().is_some()).collect();
    if history.len() < EXCHANGES_MIN {
        return (parent.cloned().unwrap_or_default(), VolumeFigures::default());
    }
    history.sort_by_key(|record| record.at_ms);
    let logins = logins::login_fields(routes, located, parent);
    let mut calibration = VolumeCalibration {
        rate: (settings.false_alarm_budget / INDEPENDENT_THRESHOLDS) as f32,
        logins,
        ..VolumeCalibration::default()
    };
    let peaks = Peaks::of(routes, &calibration, &history);
    let bound = settings.threshold_step_max.and(parent);
    calibration.thresholds = thresholds(&peaks, &calibration, span_ms(&history), bound);
    calibration.busy = busy::busy_subjects(routes, &calibration, &history, &peaks, parent, settings);
    let figures = VolumeFigures {
        callers: peaks.callers(),
        addresses: peaks.addresses(),
        thresholds: calibration.thresholds.len(),
        busy: busy::subjects(&calibration),
        alarmed: peaks.over_alarm(&calibration),
        login_endpoints: calibration.logins.len(),
    };
    (calibration, figures)
}

fn thresholds(
    peaks: &Peaks,
    calibration: &VolumeCalibration,
    span_ms: i64,
    parent: Option<&VolumeCalibration>,
) -> Vec<VolumeThreshold> {
    let scales = scales(peaks);
    let more = |horizon| more_in_the_long_run(span_ms, horizon);
    let of_parent = parent.into_iter().flat_map(|parent| &parent.thresholds);
    let known: HashMap<Count, f32> = of_parent.map(|known| (Count::of(known), known.alarm)).collect();
    let mut thresholds: Vec<VolumeThreshold> = peaks
        .counts()
        .map(|(count, highest)| {
            let own =
                own_alarm(count, highest, calibration.rate, scales.get(&count.measure).copied()) + more(count.horizon);
            let alarm = known.get(count).map_or(own, |before| near(count, own, *before, highest));
            let usual = quantile(highest, 0.5);
            VolumeThreshold {
                subject: count.subject,
                measure: count.measure,
                horizon: count.horizon,
                endpoint: count.endpoint,
                usual,
                alarm,
            }
        })
        .collect();
    // What nobody did this time is still known.
    let met: HashSet<Count> = peaks.counts().map(|(count, _)| *count).collect();
    let of_parent = parent.into_iter().flat_map(|parent| &parent.thresholds);
    thresholds.extend(of_parent.filter(|known| !met.contains(&Count::of(known))).copied());
    thresholds.sort_by_key(|known| (known.subject, known.measure, known.horizon, known.endpoint));
    thresholds.truncate(VOLUME_THRESHOLDS_MAX);
    thresholds
}

/// From the first to the last of the records, which are in order of time.
fn span_ms(history: &[&ExchangeRecord]) -> i64 {
    let first_and_last = history.first().zip(history.last());
    let times = first_and_last.and_then(|(first, last)| first.at_ms.zip(last.at_ms));
    times.map_or(0, |(first, last)| last.saturating_sub(first))
}

/// How much higher a count gets, in ln, when what the records show goes on: a decayed count nears its height only over a few
/// half-lives, and records of ten minutes do not tell what an hour brings.
fn more_in_the_long_run(span_ms: i64, horizon: Horizon) -> f32 {
    let span = span_ms.max(1_000) as f32;
    -(1.0 - (-span / horizon.half_life_ms()).exp2()).ln()
}

/// `highest`: ln(1 + count) of each subject at its busiest, ascending.
fn own_alarm(count: &Count, highest: &[f32], rate: f32, pooled_scale: Option<f32>) -> f32 {
    let busiest = highest.iter().rev().nth(set_aside(highest)).copied().unwrap_or(0.0);
    let scale = tail_scale(highest).or(pooled_scale).unwrap_or(SCALE_UNKNOWN);
    // Among so many subjects the busiest stands for a rate of one in so many; the tail leads from there to the accepted rate.
    let folds = (1.0 / (rate * highest.len() as f32)).max(1.0).ln();
    let margin = (scale * folds).clamp(*MARGINS.start(), *MARGINS.end());
    (busiest + margin).max(VolumeCalibration::floor(count.measure))
}

/// How many of the busiest are not relied on.
fn set_aside(highest: &[f32]) -> usize {
    if highest.len() < ROBUST_SUBJECTS_MIN {
        return 0;
    }
    let may_stand_apart = ((highest.len() as f64 * APART_SHARE_MAX).ceil() as usize).max(1);
    let stand_apart = |count: &usize| {
        let next = highest.len() - 1 - count;
        highest[next + 1] - highest[next] >= APART
    };
    (1..=may_stand_apart).rev().find(stand_apart).unwrap_or(1)
}

/// Mean excess over the tail's beginning; `None` for too few.
fn tail_scale(highest: &[f32]) -> Option<f32> {
    if highest.len() < ROBUST_SUBJECTS_MIN {
        return None;
    }
    let begins = quantile(highest, TAIL_BEGINS);
    let mut excesses: Vec<f32> = highest.iter().map(|high| high - begins).filter(|excess| *excess > 0.0).collect();
    excesses.pop();
    (!excesses.is_empty()).then(|| excesses.iter().sum::<f32>() / excesses.len() as f32)
}

/// The middle of the scales per measure.
fn scales(peaks: &Peaks) -> HashMap<Measure, f32> {
    let mut all: HashMap<Measure, Vec<f32>> = HashMap::new();
    for (count, highest) in peaks.counts() {
        if let Some(scale) = tail_scale(highest) {
            all.entry(count.measure).or_default().push(scale);
        }
    }
    all.into_iter()
        .map(|(measure, mut scales)| {
            scales.sort_by(f32::total_cmp);
            (measure, quantile(&scales, 0.5))
        })
        .collect()
}

/// An alarm that stays near the parent's: it rises only when many do more, and falls slowly.
fn near(count: &Count, own: f32, before: f32, highest: &[f32]) -> f32 {
    // Each endpoint that takes logins is one of few, and what alarmed there was not learned from.
    if count.subject == SessionSubject::Endpoint {
        return own.clamp(before - FALL_MAX, before + FALL_MAX);
    }
    let near_alarm = highest.iter().filter(|high| **high > before - *MARGINS.start()).count();
    let many = (highest.len() as f64 * RISE_SHARE_MIN).ceil() as usize;
    let may_rise = near_alarm >= many.max(RISE_SUBJECTS_MIN);
    own.clamp(before - FALL_MAX, if may_rise { f32::INFINITY } else { before })
}

fn quantile(sorted: &[f32], share: f64) -> f32 {
    let place = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(place).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests;
