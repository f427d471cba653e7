//! When failures are an outage.

use std::collections::{BTreeMap, BTreeSet};

use time::{Duration, OffsetDateTime};

/// Length of the window in which exchanges are counted.
pub const WINDOW: Duration = Duration::seconds(SLOT_S * WINDOW_SLOTS);
/// Seconds of a slot; the window moves by slots.
pub const SLOT_S: i64 = 10;
const WINDOW_SLOTS: i64 = 6;
/// Fewest exchanges of a window that tell something.
const EXCHANGES_MIN: f64 = 10.0;
/// More than this share of the exchanges fails.
const FAILED_SHARE: f64 = 0.5;
/// Fewest distinct callers that see failures: what fails for one is not the service's state.
const CALLERS_MIN: usize = 3;
/// Callers that are listed per slot and endpoint; the count of an incident's callers is exact up to here.
pub const CALLERS_COUNTED: u16 = 1000;
/// With fewer failures, no window can be over its threshold.
pub const FAILURES_MIN: i64 = 6;

/// The exchanges of an endpoint within [`SLOT_S`] seconds.
#[derive(Debug, Clone)]
pub struct Slot {
    /// Seconds since the Unix epoch / [`SLOT_S`].
    pub number: i64,
    /// `None` while there is no model.
    pub endpoint: Option<String>,
    /// Weighted.
    pub exchanges: f64,
    /// Weighted.
    pub failed: f64,
    pub failed_records: i64,
    pub failed_callers: Vec<i64>,
    pub first_failure: Option<OffsetDateTime>,
    pub last_failure: Option<OffsetDateTime>,
}

impl Slot {
    /// Without exchanges.
    pub fn new(number: i64, endpoint: Option<&str>) -> Self {
        Self {
            number,
            endpoint: endpoint.map(str::to_owned),
            exchanges: 0.0,
            failed: 0.0,
            failed_records: 0,
            failed_callers: Vec::new(),
            first_failure: None,
            last_failure: None,
        }
    }

    /// Counts an exchange of that weight.
    pub fn add(&mut self, at: OffsetDateTime, weight: f64, failed: bool, caller: Option<i64>) {
        self.exchanges += weight;
        if !failed {
            return;
        }
        self.failed += weight;
        self.failed_records += 1;
        self.first_failure = Some(self.first_failure.map_or(at, |first| first.min(at)));
        self.last_failure = Some(self.last_failure.map_or(at, |last| last.max(at)));
        if let Some(caller) = caller
            && let Err(place) = self.failed_callers.binary_search(&caller)
            && self.failed_callers.len() < usize::from(CALLERS_COUNTED)
        {
            self.failed_callers.insert(place, caller);
        }
    }
}

/// Whether the slots of one host, a part of its traffic, may belong to an outage: at least half of what comes, to the host or
/// to one of its endpoints, fails.
pub fn is_suspicious(slots: &[Slot]) -> bool {
    let mut endpoints: BTreeMap<Option<&str>, (f64, f64)> = BTreeMap::new();
    let mut host = (0.0, 0.0);
    for slot in slots {
        let endpoint = endpoints.entry(slot.endpoint.as_deref()).or_default();
        for (exchanges, failed) in [endpoint, &mut host] {
            *exchanges += slot.exchanges;
            *failed += slot.failed;
        }
    }
    let mostly_fails = |(exchanges, failed): &(f64, f64)| *failed > 0.0 && *failed >= FAILED_SHARE * exchanges;
    mostly_fails(&host) || endpoints.values().any(mostly_fails)
}

/// Most exchanges fail.
#[derive(Debug, Clone, PartialEq)]
pub struct Outage {
    /// The endpoint, when only one is affected.
    pub endpoint: Option<String>,
    pub first: OffsetDateTime,
    pub last: OffsetDateTime,
    /// Failed records in the outage's windows.
    pub failures: i64,
    /// Distinct callers who saw them.
    pub callers: i32,
    /// Exchanges and failed ones of the worst window, weighted.
    worst: (f64, f64),
}

impl Outage {
    /// `41 of 52 exchanges with shop.example failed within 60 s`
    pub fn reason(&self, of: &str) -> String {
        let (exchanges, failed) = self.worst;
        format!("{failed:.0} of {exchanges:.0} exchanges with {of} failed within {} s", WINDOW.whole_seconds())
    }
}

/// The outage that the slots of one host show, if any: of the host, or else of the single endpoints that fail.
pub fn assess(slots: &[Slot]) -> Option<Outage> {
    let whole_host: Vec<&Slot> = slots.iter().collect();
    if let Some(outage) = outage_of(&whole_host) {
        return Some(outage);
    }
    let mut by_endpoint: BTreeMap<&str, Vec<&Slot>> = BTreeMap::new();
    for slot in slots {
        if let Some(endpoint) = &slot.endpoint {
            by_endpoint.entry(endpoint).or_default().push(slot);
        }
    }
    by_endpoint.values().filter_map(|slots| outage_of(slots)).reduce(merge)
}

fn outage_of(slots: &[&Slot]) -> Option<Outage> {
    let ends: BTreeSet<i64> = slots.iter().map(|slot| slot.number).collect();
    let mut affected: BTreeMap<(i64, Option<&str>), &Slot> = BTreeMap::new();
    let mut worst = (0.0, 0.0);
    for end in ends {
        let window: Vec<&Slot> =
            slots.iter().copied().filter(|slot| slot.number > end - WINDOW_SLOTS && slot.number <= end).collect();
        let exchanges: f64 = window.iter().map(|slot| slot.exchanges).sum();
        let failed: f64 = window.iter().map(|slot| slot.failed).sum();
        let callers: BTreeSet<i64> = window.iter().flat_map(|slot| slot.failed_callers.iter().copied()).collect();
        if exchanges < EXCHANGES_MIN || failed <= FAILED_SHARE * exchanges || callers.len() < CALLERS_MIN {
            continue;
        }
        if failed > worst.1 {
            worst = (exchanges, failed);
        }
        let failing = window.into_iter().filter(|slot| slot.failed_records > 0);
        affected.extend(failing.map(|slot| ((slot.number, slot.endpoint.as_deref()), slot)));
    }
    let first = affected.values().filter_map(|slot| slot.first_failure).min()?;
    let last = affected.values().filter_map(|slot| slot.last_failure).max()?;
    let endpoints: BTreeSet<Option<&str>> = affected.values().map(|slot| slot.endpoint.as_deref()).collect();
    let callers: BTreeSet<i64> = affected.values().flat_map(|slot| slot.failed_callers.iter().copied()).collect();
    Some(Outage {
        endpoint: if endpoints.len() == 1 { endpoints.first().copied().flatten().map(str::to_owned) } else { None },
        first,
        last,
        failures: affected.values().map(|slot| slot.failed_records).sum(),
        callers: i32::try_from(callers.len()).unwrap_or(i32::MAX),
        worst,
    })
}

fn merge(one: Outage, other: Outage) -> Outage {
    Outage {
        endpoint: one.endpoint.filter(|endpoint| other.endpoint.as_ref() == Some(endpoint)),
        first: one.first.min(other.first),
        last: one.last.max(other.last),
        failures: one.failures + other.failures,
        callers: one.callers.max(other.callers),
        worst: if one.worst.1 >= other.worst.1 { one.worst } else { other.worst },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(number: i64, endpoint: &str, exchanges: u32, failed: u32, callers: i64) -> Slot {
        let at = OffsetDateTime::from_unix_timestamp(number * SLOT_S).unwrap();
        Slot {
            number,
            endpoint: Some(endpoint.to_owned()),
            exchanges: f64::from(exchanges),
            failed: f64::from(failed),
            failed_records: i64::from(failed),
            failed_callers: (0..callers).collect(),
            first_failure: (failed > 0).then_some(at),
            last_failure: (failed > 0).then_some(at),
        }
    }

    #[test]
    fn a_host_on_which_most_fails_is_an_outage() {
        let outage = assess(&[slot(1, "GET /a", 8, 7, 2), slot(1, "GET /b", 6, 5, 4)]).unwrap();
        assert_eq!(outage.endpoint, None);
        assert_eq!((outage.failures, outage.callers), (12, 4));
        assert_eq!(outage.reason("shop.example"), "12 of 14 exchanges with shop.example failed within 60 s");
    }

    #[test]
    fn an_endpoint_that_fails_on_a_healthy_host_is_an_outage_of_the_endpoint() {
        let outage = assess(&[slot(1, "GET /a", 200, 0, 0), slot(1, "GET /b", 12, 12, 3)]).unwrap();
        assert_eq!(outage.endpoint.as_deref(), Some("GET /b"));
    }

    #[test]
    fn few_exchanges_few_callers_or_few_failures_are_none() {
        let check = |slots: &[Slot]| assert_eq!(assess(slots), None);
        check(&[slot(1, "GET /a", 9, 9, 5)]);
        check(&[slot(1, "GET /a", 40, 40, 2)]);
        check(&[slot(1, "GET /a", 40, 20, 9)]);
        check(&[]);
    }

    #[test]
    fn single_failures_of_a_busy_host_are_not_suspicious() {
        assert!(!is_suspicious(&[slot(1, "GET /a", 100, 3, 3), slot(1, "GET /b", 10, 4, 3)]));
        assert!(is_suspicious(&[slot(1, "GET /a", 100, 3, 3), slot(1, "GET /b", 10, 5, 3)]));
        assert!(!is_suspicious(&[slot(1, "GET /a", 100, 0, 0)]));
    }

    #[test]
    fn a_slot_counts_weights_failures_and_distinct_callers() {
        let at = OffsetDateTime::from_unix_timestamp(100).unwrap();
        let mut counted = Slot::new(10, Some("GET /a"));
        counted.add(at, 4.0, false, Some(1));
        for caller in [7, 3, 7] {
            counted.add(at, 1.0, true, Some(caller));
        }
        assert_eq!((counted.exchanges, counted.failed, counted.failed_records), (7.0, 3.0, 3));
        assert_eq!(counted.failed_callers, [3, 7]);
    }

    #[test]
    fn the_window_is_sixty_seconds() {
        assert_eq!(assess(&[slot(1, "GET /a", 6, 6, 3), slot(7, "GET /a", 6, 6, 3)]), None);
        assert!(assess(&[slot(1, "GET /a", 6, 6, 3), slot(6, "GET /a", 6, 6, 3)]).is_some());
    }
}
