//! Which kinds of callers may become normal for an endpoint.
//!
//! Of the kinds that have support, only those are kept that explain who uses the endpoint: where every user of a service has the
//! role `user` and administrators have `admin` besides, `admin` explains the calls of an administrative endpoint, and `user`
//! nothing. So the kinds are chosen one after the other until every supported call is explained, and each time from those whose
//! bearers turn to this endpoint most.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use apiward_detector::bundle::Bundle;
use apiward_detector::findings::Odd;
use apiward_detector::observation::Observation;
use apiward_detector::route::RouteTable;
use apiward_detector::verdict::FindingKind;

use super::admission::{SupportCounter, SupportNeeded};
use super::routes::Located;

/// Fewest callers of a kind, where the kind has less than full support but makes up most of the endpoint's callers: what only
/// two administrators use.
const CALLERS_MIN: usize = 2;
/// Least share of such a kind in the endpoint's callers.
const CALLERS_SHARE_MIN: f64 = 0.5;
/// A certificate is one caller's alone, so it needs this share of the endpoint's exchanges in place of callers…
const CERTIFICATE_SHARE_MIN: f64 = 0.05;
/// …in this many windows, where times are known.
const CERTIFICATE_WINDOWS_MIN: usize = 2;
/// Kinds whose bearers turn to the endpoint at least this much as often as those of the first explain it as well.
const SIMILAR_SHARE: f64 = 0.5;
/// Kinds of one endpoint; more can only be noise.
const KINDS_MAX: usize = 256;

/// Whether the service did what it was asked for, or nothing is known of its response. A redirection may lead to a login page.
pub fn is_answered(observation: &Observation) -> bool {
    observation.response.is_none_or(|response| response.status.is_none() || response.is_answer())
}

/// Whether a caller of an unknown kind says something of normal use: it was refused, as happens every day, or it is of a kind that
/// is about to become normal. What is answered to others counts as little as other things without support.
pub fn is_caller_news(observation: &Observation, admitted: &BTreeSet<String>) -> bool {
    !is_answered(observation) || observation.caller_kinds.iter().any(|kind| admitted.contains(kind))
}

/// Whether the exchange shows such a caller.
pub fn has_caller_news(observation: &Observation, odd: &[Odd], admitted: &BTreeSet<String>) -> bool {
    odd.iter().any(|odd| odd.kind == FindingKind::CallerKind) && is_caller_news(observation, admitted)
}

/// Per endpoint of the table, the kinds that explain who uses it; those that the parent model knows stay.
pub fn admitted_kinds(
    routes: &RouteTable,
    located: &[Located<'_>],
    parent: Option<&Bundle>,
    needed: &SupportNeeded,
) -> Vec<BTreeSet<String>> {
    let mut usage: Vec<Usage<'_>> = routes.endpoints.iter().map(|_| Usage::default()).collect();
    let mut everywhere: HashMap<&str, usize> = HashMap::new();
    for place in located.iter().filter(|place| is_answered(&place.record.observation)) {
        for kind in &place.record.observation.caller_kinds {
            *everywhere.entry(kind).or_default() += 1;
        }
        if let Some(usage) = usage.get_mut(place.endpoint) {
            usage.count(place, needed.window_ms);
        }
    }
    let mut known: HashMap<u64, BTreeSet<String>> = HashMap::new();
    for (endpoint, profile) in parent.iter().flat_map(|parent| parent.routes.endpoints.iter().zip(&parent.profiles)) {
        known.insert(endpoint.id, profile.caller_kinds.iter().cloned().collect());
    }
    routes
        .endpoints
        .iter()
        .zip(&usage)
        .map(|(endpoint, usage)| usage.explained(known.remove(&endpoint.id).unwrap_or_default(), &everywhere, needed))
        .collect()
}

/// Who uses an endpoint.
#[derive(Default)]
struct Usage<'r> {
    exchanges: usize,
    callers: HashSet<u64>,
    kinds: HashMap<&'r str, KindUsage>,
    /// Exchanges by all the kinds of their caller.
    combinations: BTreeMap<&'r [String], usize>,
}

#[derive(Default)]
struct KindUsage {
    exchanges: usize,
    callers: HashSet<u64>,
    support: SupportCounter,
}

impl<'r> Usage<'r> {
    fn count(&mut self, place: &Located<'r>, window_ms: i64) {
        let kinds = place.record.observation.caller_kinds.as_slice();
        if kinds.is_empty() {
            return;
        }
        let caller = place.record.caller.distinct_by();
        self.exchanges += 1;
        self.callers.extend(caller);
        *self.combinations.entry(kinds).or_default() += 1;
        for kind in kinds {
            let usage = self.kinds.entry(kind).or_default();
            usage.exchanges += 1;
            usage.callers.extend(caller);
            usage.support.count(place.record, window_ms);
        }
    }

    fn is_supported(&self, kind: &str, usage: &KindUsage, needed: &SupportNeeded) -> bool {
        if usage.support.suffices(needed) {
            return true;
        }
        let share = |part: usize, of: usize| part as f64 / of.max(1) as f64;
        let mut lowered = *needed;
        if kind.starts_with("certificate:") {
            lowered.callers = lowered.callers.min(1);
            lowered.windows = lowered.windows.max(if usage.support.has_times() { CERTIFICATE_WINDOWS_MIN } else { 0 });
            return usage.support.suffices(&lowered) && share(usage.exchanges, self.exchanges) >= CERTIFICATE_SHARE_MIN;
        }
        lowered.callers = lowered.callers.min(CALLERS_MIN);
        usage.support.suffices(&lowered) && share(usage.callers.len(), self.callers.len()) >= CALLERS_SHARE_MIN
    }

    /// `known` and what explains the exchanges that they leave over.
    fn explained(
        &self,
        known: BTreeSet<String>,
        everywhere: &HashMap<&str, usize>,
        needed: &SupportNeeded,
    ) -> BTreeSet<String> {
        let candidates: BTreeMap<&str, f64> = self
            .kinds
            .iter()
            .filter(|(kind, usage)| self.is_supported(kind, usage, needed))
            .map(|(kind, usage)| {
                (*kind, usage.exchanges as f64 / everywhere.get(kind).copied().unwrap_or(1).max(1) as f64)
            })
            .collect();
        let mut unexplained = self.combinations.clone();
        let mut chosen = known;
        unexplained.retain(|kinds, _| !kinds.iter().any(|kind| chosen.contains(kind)));
        while chosen.len() < KINDS_MAX {
            let mut explains: BTreeMap<&str, usize> = BTreeMap::new();
            for (kinds, exchanges) in &unexplained {
                for kind in kinds.iter().filter(|kind| candidates.contains_key(kind.as_str())) {
                    *explains.entry(kind).or_default() += exchanges;
                }
            }
            let devoted = |kind: &str| candidates.get(kind).copied().unwrap_or(0.0);
            let most = explains.keys().map(|kind| devoted(kind)).fold(0.0, f64::max);
            let best = explains
                .iter()
                .filter(|(kind, _)| devoted(kind) >= most * SIMILAR_SHARE)
                .max_by(|(one, of_one), (other, of_other)| {
                    of_one.cmp(of_other).then(devoted(one).total_cmp(&devoted(other))).then(other.cmp(one))
                })
                .map(|(kind, _)| *kind);
            let Some(best) = best else { break };
            unexplained.retain(|kinds, _| !kinds.iter().any(|kind| kind == best));
            chosen.insert(best.to_owned());
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use apiward_detector::exchange::{Caller, Exchange, Request, Response};
    use apiward_detector::hashing::KeyedHasher;
    use apiward_detector::observation::Observer;
    use apiward_detector::route::Endpoint;
    use apiward_detector::telemetry::{CallerRecord, ExchangeRecord};

    use super::*;

    const NEEDED: SupportNeeded = SupportNeeded { callers: 3, callerless: 1, windows: 0, window_ms: 3_600_000 };
    const WINDOWS: [i64; 2] = [1_790_000_000_000, 1_790_010_000_000];

    /// What a caller of some kinds did.
    struct Use {
        endpoint: usize,
        caller: u8,
        kinds: &'static [&'static str],
        status: u16,
        times: usize,
        windows: usize,
    }

    fn uses(endpoint: usize, callers: std::ops::Range<u8>, kinds: &'static [&'static str], times: usize) -> Vec<Use> {
        callers.map(|caller| Use { endpoint, caller, kinds, status: 200, times, windows: 2 }).collect()
    }

    fn record(one: &Use, at_ms: i64) -> ExchangeRecord {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let caller = Caller {
            address: Some(format!("10.0.{}.1", one.caller)),
            kinds: one.kinds.iter().map(|kind| (*kind).to_owned()).collect(),
            ..Caller::default()
        };
        let request = Request { method: "GET".into(), host: "shop.example".into(), ..Request::default() };
        let response = Some(Response { status: Some(one.status), ..Response::default() });
        let exchange = Exchange { at_ms: Some(at_ms), caller, request, response };
        ExchangeRecord {
            at_ms: exchange.at_ms,
            caller: CallerRecord::of(&exchange.caller, &hasher),
            observation: Observer::observe(&exchange, &hasher),
            weight: 1.0,
            verdict: None,
            request_id: None,
        }
    }

    #[track_caller]
    fn check(uses: Vec<Vec<Use>>, expected: &[&[&str]]) {
        let endpoint = |id| Endpoint {
            id,
            host: "shop.example".into(),
            method: "GET".into(),
            template: format!("/{id}"),
            operation: None,
        };
        let routes = RouteTable { hosts: Vec::new(), endpoints: (0..expected.len() as u64).map(endpoint).collect() };
        let records: Vec<(usize, ExchangeRecord)> = uses
            .iter()
            .flatten()
            .flat_map(|one| (0..one.times).map(|time| (one.endpoint, record(one, WINDOWS[time % one.windows]))))
            .collect();
        let located: Vec<Located<'_>> = records
            .iter()
            .map(|(endpoint, record)| Located { record, endpoint: *endpoint, parameters: Vec::new() })
            .collect();
        let found = admitted_kinds(&routes, &located, None, &NEEDED);
        let found: Vec<Vec<&str>> = found.iter().map(|kinds| kinds.iter().map(String::as_str).collect()).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn two_administrators_teach_their_kind_and_one_busy_attacker_does_not() {
        let attacker = || uses(0, 9..10, &["role:customer"], 500);
        check(vec![uses(0, 0..2, &["role:admin"], 10)], &[&["role:admin"]]);
        check(vec![uses(0, 0..2, &["role:admin"], 10), attacker()], &[&["role:admin"]]);
        check(vec![uses(0, 0..4, &["role:admin"], 10), attacker()], &[&["role:admin"]]);
        check(vec![attacker()], &[&[]]);
    }

    #[test]
    fn a_role_that_everybody_has_explains_nothing_where_another_does() {
        let of_admins: &[&str] = &["role:admin", "role:user"];
        check(
            vec![
                uses(0, 0..5, of_admins, 20),
                uses(1, 0..5, of_admins, 20),
                uses(1, 10..90, &["role:user"], 20),
                uses(2, 10..20, &["role:user"], 5),
                uses(2, 50..60, &["role:partner"], 5),
            ],
            &[&["role:admin"], &["role:user"], &["role:partner", "role:user"]],
        );
    }

    #[test]
    fn refused_and_redirected_callers_teach_nothing() {
        let turned_away = |status| {
            uses(0, 10..60, &["anonymous"], 5).into_iter().map(|one| Use { status, ..one }).collect::<Vec<_>>()
        };
        let customers = || uses(0, 0..9, &["role:customer"], 5);
        for status in [401, 403, 404, 302] {
            check(vec![customers(), turned_away(status)], &[&["role:customer"]]);
        }
        check(vec![customers(), turned_away(200)], &[&["anonymous", "role:customer"]]);
    }

    #[test]
    fn a_certificate_needs_a_share_of_the_exchanges_over_time() {
        let cart = || uses(0, 0..1, &["certificate:spiffe://shop/cart"], 40);
        let others = || uses(0, 1..4, &["certificate:spiffe://shop/web"], 20);
        let both: &[&str] = &["certificate:spiffe://shop/cart", "certificate:spiffe://shop/web"];
        check(vec![cart(), others()], &[both]);
        let at_once = cart().into_iter().map(|one| Use { windows: 1, ..one }).collect();
        check(vec![at_once, others()], &[&["certificate:spiffe://shop/web"]]);
    }
}
