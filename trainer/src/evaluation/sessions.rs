//! The same judgement per session: how many attacking sessions were found, how soon, and how many normal ones alarmed.

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use apiward_detector::exchange::Exchange;
use apiward_detector::session::SESSION_GAP_MS;
use serde::Serialize;

use super::table::{percent, share, table};
use super::{Outcome, Proportion};

/// Sessions in which false alarms are expressed.
const PER: f64 = 10_000.0;

/// Gathers the outcomes of callers, in the order of the file, into sessions: calls of one caller without a silence of 30 minutes.
#[derive(Debug, Default)]
pub struct SessionOutcomes {
    /// Index of a caller's latest session, and when its last call was.
    latest: HashMap<String, (usize, Option<i64>)>,
    sessions: Vec<Session>,
}

#[derive(Debug, Default)]
struct Session {
    /// Of the first attack in it.
    attack: Option<String>,
    /// When that was.
    attacked_at_ms: Option<i64>,
    /// Exchanges from the first attack on, that one included, until the first alarm, that one included.
    delay_requests: Option<u64>,
    delay_ms: Option<i64>,
    attacked: u64,
    alarmed: bool,
}

/// What `apiward eval` says of sessions.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionReport {
    pub sessions: u64,
    /// Sessions without an attack that alarmed.
    pub false_alarms: Proportion,
    /// The same, in 10,000 normal sessions.
    pub false_alarms_per_10000: Option<f64>,
    /// Sessions with an attack in which an exchange was flagged, from the first attack on.
    pub detected: Proportion,
    /// By the name of the first attack in the session, in alphabetical order.
    pub attack_kinds: Vec<SessionAttackReport>,
}

/// Sessions whose first attack has one name.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SessionAttackReport {
    pub attack: String,
    pub detected: Proportion,
    /// Median of the exchanges from the first attack to the first alarm, both included; `None` where none was detected.
    pub delay_requests: Option<u64>,
    /// The longest.
    pub delay_requests_max: Option<u64>,
    /// Median of the seconds from the first attack to the first alarm; `None` also without times.
    pub delay_seconds: Option<f64>,
}

impl SessionOutcomes {
    /// An exchange without caller and address belongs to no session.
    pub fn add(&mut self, exchange: &Exchange, outcome: &Outcome) {
        let caller = &exchange.caller;
        let Some(named) = caller.identity.as_ref().or(caller.address.as_ref()) else { return };
        let is_silence = |last: i64, now: i64| now.saturating_sub(last) >= SESSION_GAP_MS;
        let place = match self.latest.get(named) {
            Some((place, last)) if !last.zip(exchange.at_ms).is_some_and(|(last, now)| is_silence(last, now)) => *place,
            _ => {
                self.sessions.push(Session::default());
                self.sessions.len() - 1
            }
        };
        self.latest.insert(named.clone(), (place, exchange.at_ms));
        if let Some(session) = self.sessions.get_mut(place) {
            session.add(exchange.at_ms, outcome);
        }
    }

    /// `None` where no exchange had a caller.
    pub fn report(&self) -> Option<SessionReport> {
        if self.sessions.is_empty() {
            return None;
        }
        let normal: Vec<&Session> = self.sessions.iter().filter(|session| session.attack.is_none()).collect();
        let alarmed = normal.iter().filter(|session| session.alarmed).count() as u64;
        let mut by_attack: BTreeMap<&str, Vec<&Session>> = BTreeMap::new();
        for session in &self.sessions {
            if let Some(attack) = &session.attack {
                by_attack.entry(attack).or_default().push(session);
            }
        }
        let attack_kinds: Vec<SessionAttackReport> =
            by_attack.into_iter().map(|(attack, sessions)| SessionAttackReport::of(attack, &sessions)).collect();
        let false_alarms = Proportion::of(alarmed, normal.len() as u64);
        let detected = attack_kinds.iter().map(|report| report.detected.count).sum();
        let attacked = attack_kinds.iter().map(|report| report.detected.total).sum();
        Some(SessionReport {
            sessions: self.sessions.len() as u64,
            false_alarms_per_10000: false_alarms.share.map(|share| share * PER),
            false_alarms,
            detected: Proportion::of(detected, attacked),
            attack_kinds,
        })
    }
}

impl Session {
    fn add(&mut self, at_ms: Option<i64>, outcome: &Outcome) {
        if self.attack.is_none() {
            self.attack.clone_from(&outcome.attack);
            self.attacked_at_ms = at_ms;
        }
        if self.attack.is_some() {
            self.attacked += 1;
            if outcome.anomalous && self.delay_requests.is_none() {
                self.delay_requests = Some(self.attacked);
                self.delay_ms = at_ms.zip(self.attacked_at_ms).map(|(now, begun)| now.saturating_sub(begun));
            }
        }
        self.alarmed |= outcome.anomalous;
    }
}

impl SessionAttackReport {
    fn of(attack: &str, sessions: &[&Session]) -> Self {
        let mut requests: Vec<u64> = sessions.iter().filter_map(|session| session.delay_requests).collect();
        let mut milliseconds: Vec<i64> = sessions.iter().filter_map(|session| session.delay_ms).collect();
        requests.sort_unstable();
        milliseconds.sort_unstable();
        let middle = |length: usize| length.saturating_sub(1) / 2;
        Self {
            attack: attack.to_owned(),
            detected: Proportion::of(requests.len() as u64, sessions.len() as u64),
            delay_requests: requests.get(middle(requests.len())).copied(),
            delay_requests_max: requests.last().copied(),
            delay_seconds: milliseconds.get(middle(milliseconds.len())).map(|delay| *delay as f64 / 1000.0),
        }
    }
}

impl fmt::Display for SessionReport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = self.false_alarms_per_10000.map_or_else(|| "-".to_owned(), |alarms| format!("{alarms:.1}"));
        writeln!(
            formatter,
            "{} sessions: {} of the normal ones alarmed, {per} in 10,000; of those with an attack {} were found",
            self.sessions,
            share(&self.false_alarms),
            share(&self.detected)
        )?;
        if self.attack_kinds.is_empty() {
            return Ok(());
        }
        let columns = ["sessions by first attack", "found", "requests to the alarm", "at most", "seconds to the alarm"];
        let mut kinds = table(&columns);
        for kind in &self.attack_kinds {
            let number = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |number| number.to_string());
            let found =
                format!("{} of {} ({})", kind.detected.count, kind.detected.total, percent(kind.detected.share));
            let seconds = kind.delay_seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.1}"));
            kinds.add_row([
                kind.attack.clone(),
                found,
                number(kind.delay_requests),
                number(kind.delay_requests_max),
                seconds,
            ]);
        }
        writeln!(formatter, "\n{kinds}")
    }
}

#[cfg(test)]
mod tests {
    use apiward_detector::exchange::{Caller, Request};
    use apiward_detector::verdict::DetectorScores;

    use super::*;

    fn exchange(caller: Option<&str>, at_s: i64) -> Exchange {
        Exchange {
            at_ms: Some(at_s * 1000),
            caller: Caller { identity: caller.map(str::to_owned), ..Caller::default() },
            request: Request {
                method: "GET".into(),
                host: "shop.example".into(),
                target: "/".into(),
                headers: vec![],
                body: vec![],
                body_bytes: 0,
            },
            response: None,
        }
    }

    fn outcome(attack: Option<&str>, anomalous: bool) -> Outcome {
        Outcome {
            attack: attack.map(str::to_owned),
            seen_in_training: None,
            anomalous,
            score: 0.0,
            detectors: DetectorScores::default(),
            alarms: vec![],
            network: None,
        }
    }

    #[test]
    fn sessions_end_with_a_silence_and_delays_count_from_the_first_attack() {
        let mut outcomes = SessionOutcomes::default();
        for (caller, at_s, attack, anomalous) in [
            (Some("anna"), 0, None, false),
            (Some("eve"), 1, None, false),
            (Some("eve"), 10, Some("stuffing"), false),
            (Some("eve"), 20, Some("stuffing"), false),
            (Some("eve"), 40, Some("stuffing"), true),
            (Some("anna"), 2000, None, true),
            (Some("eve"), 9000, Some("walk"), false),
            (None, 9000, None, true),
        ] {
            outcomes.add(&exchange(caller, at_s), &outcome(attack, anomalous));
        }
        let report = outcomes.report().unwrap();
        assert_eq!((report.sessions, report.false_alarms.count, report.false_alarms.total), (4, 1, 2));
        assert_eq!((report.detected.count, report.detected.total), (1, 2));
        let [stuffing, walk] = &report.attack_kinds[..] else { panic!("{report:?}") };
        assert_eq!((stuffing.delay_requests, stuffing.delay_seconds), (Some(3), Some(30.0)));
        assert_eq!((walk.attack.as_str(), walk.detected.count, walk.delay_requests), ("walk", 0, None));
        assert!(report.to_string().contains("5000.0 in 10,000"), "{report}");
    }
}
