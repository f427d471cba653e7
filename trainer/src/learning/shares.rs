//! Callers' shares of an endpoint's exchanges.
//!
//! Admission caps what a caller has of all traffic; at a quiet endpoint that is still more than everybody else's. Sizes and
//! counts are learned from all callers alike, so that one of them cannot stretch what is usual there.

use std::collections::HashMap;

use super::routes::Located;

/// Most exchanges of a caller at an endpoint, as a multiple of what callers have there on average…
const OF_AVERAGE_MAX: f64 = 2.0;
/// …and what it may have in any case.
const FREE: usize = 4;

/// The exchanges without what callers have beyond their share, thinned evenly over time. Exchanges without a caller all stay.
pub fn capped<'r>(located: &[Located<'r>]) -> Vec<Located<'r>> {
    let caller_of = |place: &Located<'_>| place.record.caller.distinct_by().map(|caller| (place.endpoint, caller));
    let mut of_caller: HashMap<(usize, u64), usize> = HashMap::new();
    for key in located.iter().filter_map(caller_of) {
        *of_caller.entry(key).or_default() += 1;
    }
    let mut of_endpoint: HashMap<usize, (usize, usize)> = HashMap::new();
    for ((endpoint, _), exchanges) in &of_caller {
        let (callers, all) = of_endpoint.entry(*endpoint).or_default();
        *callers += 1;
        *all += exchanges;
    }
    let most = |endpoint: usize| {
        let (callers, all) = of_endpoint.get(&endpoint).copied().unwrap_or((1, 0));
        ((all as f64 / callers as f64 * OF_AVERAGE_MAX).ceil() as usize).max(FREE)
    };
    let mut seen: HashMap<(usize, u64), usize> = HashMap::new();
    let stays = |place: &&Located<'_>| {
        let Some(key) = caller_of(place) else { return true };
        let (all, most) = (of_caller[&key], most(place.endpoint));
        let number = seen.entry(key).or_default();
        *number += 1;
        all <= most || *number * most / all > (*number - 1) * most / all
    };
    located.iter().filter(stays).cloned().collect()
}

#[cfg(test)]
mod tests {
    use apiward_detector::exchange::{Caller, Exchange};
    use apiward_detector::hashing::KeyedHasher;
    use apiward_detector::observation::Observer;
    use apiward_detector::telemetry::{CallerRecord, ExchangeRecord};

    use super::*;

    fn records(counts: &[(Option<&str>, usize)]) -> Vec<ExchangeRecord> {
        let hasher = KeyedHasher::new(b"the key of a unit test").unwrap();
        let observation = Observer::observe(&Exchange::default(), &hasher);
        let record = |identity: Option<&str>| ExchangeRecord {
            at_ms: None,
            caller: CallerRecord::of(&Caller { identity: identity.map(str::to_owned), ..Caller::default() }, &hasher),
            observation: observation.clone(),
            weight: 1.0,
            verdict: None,
            request_id: None,
        };
        counts.iter().flat_map(|(identity, count)| vec![record(*identity); *count]).collect()
    }

    /// How many exchanges of each caller stay, in the order of `counts`.
    fn check(counts: &[(Option<&str>, usize)], expected: &[usize]) {
        let records = records(counts);
        let located: Vec<Located<'_>> =
            records.iter().map(|record| Located { record, endpoint: 0, parameters: Vec::new() }).collect();
        let stay = capped(&located);
        let of_caller = |identity: &Option<&str>| {
            let hashed = self::records(&[(*identity, 1)])[0].caller;
            stay.iter().filter(|place| place.record.caller == hashed).count()
        };
        let found: Vec<usize> = counts.iter().map(|(identity, _)| of_caller(identity)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_caller_has_no_more_than_twice_the_average() {
        check(&[(Some("a"), 10), (Some("b"), 12), (Some("c"), 8)], &[10, 12, 8]);
        check(&[(Some("a"), 2), (Some("b"), 2), (Some("c"), 2), (Some("d"), 2), (Some("e"), 92)], &[2, 2, 2, 2, 40]);
        check(&[(Some("a"), 1), (Some("b"), 1), (Some("c"), 4)], &[1, 1, 4]);
    }

    #[test]
    fn without_callers_everything_stays() {
        check(&[(None, 50)], &[50]);
    }
}
