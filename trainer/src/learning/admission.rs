//! Which records are learned from.
//!
//! What a failing server answers is nobody's behaviour and is left out. A flagged exchange is learned from only when every
//! one of its findings has support: enough established callers showed the same, successfully, over enough windows. Flagged
//! exchanges without support stay out of fitting; a few of each caller who is seldom flagged stay in calibration, so that
//! thresholds do not ratchet down with every training. No caller may make up more than its share.

use std::collections::{HashMap, HashSet};

use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::verdict::{DetectorKind, FindingKind};

use super::LearningSettings;
use super::payloads::OwnPayloads;

/// Unflagged successful exchanges that make a caller an established one.
const ESTABLISHED_EXCHANGES_MIN: u32 = 3;
/// Flagged exchanges of one caller kept for calibration.
const CALIBRATION_PER_CALLER_MAX: usize = 3;
/// Share of a caller's exchanges that may be flagged for the flagged ones to count as false alarms; above it they are taken
/// for what they look like, and have no say in thresholds.
const CALIBRATION_FLAGGED_SHARE_MAX: f64 = 0.05;
/// A caller may always have this many exchanges, whatever its share.
const CALLER_EXCHANGES_FREE: usize = 200;

/// Callers, and windows, that a counter tells apart.
const KEPT_MAX: usize = 64;
/// Share of the established callers that must have done more than was usual for it to become normal.
const BUSIER_SHARE_MIN: f64 = 0.1;

/// Records by what they are used for.
#[derive(Debug, Default)]
pub struct Admission {
    pub learned: Vec<ExchangeRecord>,
    /// Flagged without support: for thresholds only.
    pub calibration_only: Vec<ExchangeRecord>,
    /// Normal ones beyond a caller's share: they only tell how much the caller does.
    pub over_share: Vec<ExchangeRecord>,
    pub excluded: Excluded,
    /// When callers did what was left out for what it looks like, by who they are named by: sessions end there.
    pub breaks: HashMap<u64, Vec<i64>>,
    /// Flagged records that were learned from because their findings had support.
    pub excused: usize,
    /// Whether most records name callers, so that distinct callers can be asked for.
    pub with_callers: bool,
    pub first_training: bool,
}

/// Why records were left out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Excluded {
    pub server_failures: usize,
    /// Flagged, and the findings had no support.
    pub flagged: usize,
    pub over_caller_share: usize,
}

/// How many distinct callers and windows something needs to become normal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportNeeded {
    pub callers: usize,
    /// Exchanges that name no caller, where most are so: no filter sends such, they come from imported files.
    pub callerless: u32,
    pub windows: usize,
    pub window_ms: i64,
}

/// Who used something, and when.
#[derive(Debug, Clone, Default)]
pub struct SupportCounter {
    callers: HashSet<u64>,
    windows: HashSet<i64>,
    exchanges: u32,
    callerless: u32,
}

impl SupportCounter {
    /// Counts an exchange; bounded, since only small numbers are asked for.
    pub fn count(&mut self, record: &ExchangeRecord, window_ms: i64) {
        self.count_up_to(KEPT_MAX, record, window_ms);
    }

    fn count_up_to(&mut self, callers_max: usize, record: &ExchangeRecord, window_ms: i64) {
        self.exchanges = self.exchanges.saturating_add(1);
        match record.caller.distinct_by() {
            Some(caller) if self.callers.len() < callers_max => _ = self.callers.insert(caller),
            Some(_) => {}
            None => self.callerless = self.callerless.saturating_add(1),
        }
        if let Some(at_ms) = record.at_ms
            && self.windows.len() < KEPT_MAX
        {
            self.windows.insert(at_ms.div_euclid(window_ms.max(1)));
        }
    }

    /// Whether any of the exchanges has a time.
    pub fn has_times(&self) -> bool {
        !self.windows.is_empty()
    }

    pub fn suffices(&self, needed: &SupportNeeded) -> bool {
        let is_callerless = u64::from(self.callerless) * 2 > u64::from(self.exchanges);
        let by_enough = self.callers.len() >= needed.callers || is_callerless && self.callerless >= needed.callerless;
        by_enough && self.windows.len() >= needed.windows && self.exchanges > 0
    }
}

impl Admission {
    /// What this data can be asked for: without callers, or times, the respective number is off; the first training has no
    /// normal to protect yet and asks for callers only.
    pub fn support(&self, settings: &LearningSettings) -> SupportNeeded {
        support_needed(self.with_callers, self.first_training, settings)
    }
}

fn support_needed(with_callers: bool, first_training: bool, settings: &LearningSettings) -> SupportNeeded {
    let promotion = settings.promotion;
    SupportNeeded {
        callers: promotion.callers,
        callerless: if with_callers { u32::try_from(promotion.callers).unwrap_or(u32::MAX) } else { 1 },
        windows: if with_callers && !first_training { promotion.windows } else { 0 },
        window_ms: promotion.window_ms,
    }
}

/// Sorts records, given in order of time, into what they are used for.
pub fn admit(
    records: Vec<ExchangeRecord>,
    own_payloads: &OwnPayloads,
    has_parent: bool,
    settings: &LearningSettings,
) -> Admission {
    let with_callers = name_callers(&records);
    let mut admission = Admission { with_callers, first_training: !has_parent, ..Admission::default() };
    let needed = support_needed(with_callers, false, settings);
    let supported = supported_findings(&records, &needed);
    let flagged_share = flagged_share_of_callers(&records);
    let share_max = caller_exchanges_max(&records, settings);
    let mut of_caller: HashMap<u64, usize> = HashMap::new();
    let mut calibration_of_caller: HashMap<Option<u64>, usize> = HashMap::new();
    // Newest first, so that a caller over its share keeps its latest exchanges.
    for record in records.into_iter().rev() {
        if record.observation.response.is_some_and(|response| response.is_server_failure()) {
            admission.excluded.server_failures += 1;
            continue;
        }
        let caller = record.caller.distinct_by();
        if let Some(caller) = caller {
            let taken = of_caller.entry(caller).or_default();
            if *taken >= share_max {
                admission.excluded.over_caller_share += 1;
                if matches!(judged(&record, own_payloads, &supported), Judged::Normal | Judged::Excused) {
                    admission.over_share.push(record);
                }
                continue;
            }
            *taken += 1;
        }
        match judged(&record, own_payloads, &supported) {
            Judged::Normal => admission.learned.push(record),
            Judged::Excused => {
                admission.excused += 1;
                admission.learned.push(record);
            }
            Judged::Flagged { for_calibration } => {
                admission.excluded.flagged += 1;
                let kept = calibration_of_caller.entry(caller).or_default();
                let seldom_flagged = caller
                    .and_then(|caller| flagged_share.get(&caller))
                    .is_none_or(|share| *share <= CALIBRATION_FLAGGED_SHARE_MAX);
                if for_calibration && seldom_flagged && *kept < CALIBRATION_PER_CALLER_MAX {
                    *kept += 1;
                    admission.calibration_only.push(record);
                } else if let Some((named, at_ms)) = record.caller.named_by().zip(record.at_ms) {
                    admission.breaks.entry(named).or_default().push(at_ms);
                }
            }
        }
    }
    admission.learned.reverse();
    admission.over_share.reverse();
    admission.calibration_only.reverse();
    admission
}

enum Judged {
    Normal,
    Excused,
    Flagged { for_calibration: bool },
}

/// Whether most records name callers: a few of another origin do not make the rest nobody's.
fn name_callers(records: &[ExchangeRecord]) -> bool {
    records.iter().filter(|record| record.caller.distinct_by().is_some()).count() * 2 > records.len()
}

/// What something new needs to become normal in these records.
pub fn support_for_novelties(records: &[ExchangeRecord], settings: &LearningSettings) -> SupportNeeded {
    support_needed(name_callers(records), false, settings)
}

fn judged(record: &ExchangeRecord, own_payloads: &OwnPayloads, supported: &HashSet<u64>) -> Judged {
    if own_payloads.shows_attack(&record.observation) {
        return Judged::Flagged { for_calibration: false };
    }
    let Some(verdict) = record.verdict.as_ref().filter(|verdict| verdict.anomalous) else {
        return Judged::Normal;
    };
    let mut alarms = verdict.findings.iter().filter(|finding| finding.alarm).peekable();
    let any = alarms.peek().is_some();
    // What looks like an attack and is usual where it is was let through above.
    if any && alarms.all(|finding| finding.kind == FindingKind::Payload || supported.contains(&finding.key)) {
        return Judged::Excused;
    }
    // A foreign value is what profiles and thresholds are for; an unknown route has no profile to calibrate.
    let calibrates = |kind: FindingKind| matches!(kind.detector(), DetectorKind::Profile | DetectorKind::Sequence);
    let for_calibration = verdict.findings.iter().all(|finding| calibrates(finding.kind));
    Judged::Flagged { for_calibration }
}

fn flagged_share_of_callers(records: &[ExchangeRecord]) -> HashMap<u64, f64> {
    let mut counts: HashMap<u64, (u32, u32)> = HashMap::new();
    for record in records {
        if let Some(caller) = record.caller.distinct_by() {
            let (flagged, all) = counts.entry(caller).or_default();
            *flagged += u32::from(is_flagged(record));
            *all += 1;
        }
    }
    counts.into_iter().map(|(caller, (flagged, all))| (caller, f64::from(flagged) / f64::from(all))).collect()
}

/// Keys of findings that enough established callers share: of how much they do, a good part of all of them.
fn supported_findings(records: &[ExchangeRecord], needed: &SupportNeeded) -> HashSet<u64> {
    let mut unflagged: HashMap<u64, u32> = HashMap::new();
    for record in records.iter().filter(|record| succeeded(record) && !is_flagged(record)) {
        if let Some(caller) = record.caller.distinct_by() {
            *unflagged.entry(caller).or_default() += 1;
        }
    }
    let established = unflagged.values().filter(|count| **count >= ESTABLISHED_EXCHANGES_MIN).count();
    let many = ((established as f64 * BUSIER_SHARE_MIN).ceil() as usize).max(needed.callers);
    let of_volume = SupportNeeded { callers: many, ..*needed };
    let mut support: HashMap<(u64, bool), SupportCounter> = HashMap::new();
    for record in records.iter().filter(|record| is_flagged(record) && succeeded(record)) {
        let established = record
            .caller
            .distinct_by()
            .is_some_and(|caller| unflagged.get(&caller).is_some_and(|count| *count >= ESTABLISHED_EXCHANGES_MIN));
        if !established {
            continue;
        }
        let findings = record.verdict.iter().flat_map(|verdict| &verdict.findings).filter(|finding| finding.alarm);
        for finding in findings.filter(|finding| may_become_normal(finding.kind)) {
            let is_of_volume = finding.kind.detector() == DetectorKind::Volume;
            let counter = support.entry((finding.key, is_of_volume)).or_default();
            counter.count_up_to(if is_of_volume { usize::MAX } else { KEPT_MAX }, record, needed.window_ms);
        }
    }
    let needed_of = |is_of_volume: bool| if is_of_volume { &of_volume } else { needed };
    let supported =
        support.into_iter().filter(|((_, is_of_volume), counter)| counter.suffices(needed_of(*is_of_volume)));
    supported.map(|((key, _), _)| key).collect()
}

/// Everything that the route, profile and sequence detectors report, and that many do more than was usual, as after a release;
/// guessed passwords, changing addresses and attacks never become normal by being common.
fn may_become_normal(kind: FindingKind) -> bool {
    match kind.detector() {
        DetectorKind::Route | DetectorKind::Profile | DetectorKind::Sequence => true,
        DetectorKind::Payload => false,
        DetectorKind::Volume => match kind {
            FindingKind::CallRate | FindingKind::ResponseVolume | FindingKind::ObjectCount => true,
            // The trainer puts on the list who does more than was usual.
            FindingKind::Watchlist => true,
            _ => false,
        },
    }
}

/// Whether the filter flagged it.
pub fn is_flagged(record: &ExchangeRecord) -> bool {
    record.verdict.as_ref().is_some_and(|verdict| verdict.anomalous)
}

/// Whether an exchange is known not to have failed, or nothing is known of its response.
pub fn succeeded(record: &ExchangeRecord) -> bool {
    match record.observation.response {
        Some(response) if response.status.is_some() => response.is_success(),
        _ => true,
    }
}

fn caller_exchanges_max(records: &[ExchangeRecord], settings: &LearningSettings) -> usize {
    let share = (records.len() as f64 * settings.caller_share_max) as usize;
    share.max(CALLER_EXCHANGES_FREE)
}

impl SupportCounter {
    /// Adds what another counter saw of the same thing.
    pub fn merge(&mut self, other: SupportCounter) {
        self.callers.extend(other.callers);
        self.windows.extend(other.windows);
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.callerless = self.callerless.saturating_add(other.callerless);
    }
}
