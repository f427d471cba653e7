//! What the product promises, held against what was measured.

use std::time::Duration;

use apiward_trainer::evaluation::Proportion;

use super::attacks::{ATTACKS_MIN, AttackFigures};
use super::sessions::{SessionAttackFigures, SessionFigures};
use super::story::{FalseAlarms, Story};
use crate::traffic::AttackKind;

const ATTACKS_FLAGGED_MIN: f64 = 0.95;
const FALSE_ALARMS_MAX: f64 = 0.005;
/// Attempts, and objects, by which the attacker is found.
const STUFFING_MAX: u64 = 15;
const SLOW_STUFFING_MAX: u64 = 60;
const ENUMERATION_MAX: u64 = 30;
/// Accepted share of normal sessions that alarm.
const SESSIONS_ALARMED_MAX: f64 = 0.001;
const SWAP_MAX: Duration = Duration::from_secs(60);
const ENVOY_START_MAX: Duration = Duration::from_secs(6);

/// One promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub promise: String,
    pub measured: String,
    pub met: bool,
}

impl Target {
    fn new(promise: impl Into<String>, measured: impl Into<String>, met: bool) -> Self {
        Self { promise: promise.into(), measured: measured.into(), met }
    }

    /// All of them.
    pub fn all(story: &Story) -> Vec<Self> {
        let slowest = story.trainings().iter().map(|training| training.in_use_after).max().unwrap_or_default();
        let (release, outage) = (&story.release, &story.outage);
        let left_out = outage.training.report.excluded.server_failures;
        vec![
            seconds("Envoy serves soon after its start", story.envoy_start, ENVOY_START_MAX),
            seconds("start of training to model in use, slowest", slowest, SWAP_MAX),
            Self::new(
                "all endpoints that customers use are learned",
                format!("{} of {}", story.endpoints.1, story.endpoints.0),
                story.endpoints.0 == story.endpoints.1,
            ),
            false_alarms("fresh normal traffic flagged", &story.false_alarms),
            attacks("each kind of attack flagged, worst kind", &story.attacks),
            session_attacks(&story.sessions.attacks),
            soon(AttackKind::StuffingFast, STUFFING_MAX, &story.sessions.attacks),
            soon(AttackKind::StuffingSlow, SLOW_STUFFING_MAX, &story.sessions.attacks),
            soon(AttackKind::Enumeration, ENUMERATION_MAX, &story.sessions.attacks),
            normal_sessions(&story.sessions),
            Self::new(
                "release 2: new endpoints are flagged at first",
                format!("{} of {}", release.new_at_first.1, release.new_at_first.0),
                share(release.new_at_first) >= ATTACKS_FLAGGED_MIN && release.new_at_first.0 > 0,
            ),
            Self::new(
                "release 2: new endpoints are learned and normal after training",
                format!(
                    "{} unlearned, {} of {} flagged",
                    release.unlearned.len(),
                    release.new_afterwards.1,
                    release.new_afterwards.0
                ),
                release.unlearned.is_empty() && share(release.new_afterwards) <= FALSE_ALARMS_MAX,
            ),
            false_alarms("release 2: normal traffic flagged", &release.false_alarms),
            attacks("release 2: each kind of attack flagged, worst kind", &release.attacks),
            Self::new(
                "release 2: the endpoint that only attackers use is not learned",
                if release.hidden_learned { "learned" } else { "not learned" },
                !release.hidden_learned,
            ),
            Self::new("outage: one incident", outage.incidents.to_string(), outage.incidents == 1),
            Self::new("outage: no caller flagged", outage.callers_flagged.to_string(), outage.callers_flagged == 0),
            Self::new(
                "outage: nothing learned",
                format!(
                    "{left_out} of {} exchanges left out, {} new endpoints, {} with usual failures",
                    outage.exchanges,
                    outage.new_endpoints.len(),
                    outage.learned_failures
                ),
                left_out >= outage.exchanges && outage.new_endpoints.is_empty() && outage.learned_failures == 0,
            ),
        ]
    }
}

fn share((of, flagged): (usize, usize)) -> f64 {
    flagged as f64 / of.max(1) as f64
}

fn seconds(promise: &str, measured: Duration, most: Duration) -> Target {
    let promise = format!("{promise}, at most {} s", most.as_secs());
    Target::new(promise, format!("{:.1} s", measured.as_secs_f64()), measured <= most)
}

fn false_alarms(promise: &str, alarms: &FalseAlarms) -> Target {
    Target::new(
        format!("{promise}, at most {:.1} %", FALSE_ALARMS_MAX * 100.0),
        format!("{:.2} % ({} of {})", alarms.share() * 100.0, alarms.flagged, alarms.exchanges),
        alarms.exchanges > 0 && alarms.share() <= FALSE_ALARMS_MAX,
    )
}

fn attacks(promise: &str, attacks: &[AttackFigures]) -> Target {
    let worst = attacks.iter().min_by(|one, other| one.flagged_share().total_cmp(&other.flagged_share()));
    let measured = worst.map_or_else(String::new, |worst| {
        format!("{:.1} % ({})", worst.flagged_share() * 100.0, worst.kind.display_name())
    });
    let holds = |kind: &AttackFigures| kind.sent >= ATTACKS_MIN && kind.flagged_share() >= ATTACKS_FLAGGED_MIN;
    Target::new(
        format!("{promise}, at least {:.0} %", ATTACKS_FLAGGED_MIN * 100.0),
        measured,
        !attacks.is_empty() && attacks.iter().all(holds),
    )
}

fn session_attacks(attacks: &[SessionAttackFigures]) -> Target {
    let missed: Vec<&str> =
        attacks.iter().filter(|kind| !kind.is_found()).map(|kind| kind.kind.display_name()).collect();
    let measured = match missed.is_empty() {
        true => format!("all {} kinds", attacks.len()),
        false => format!("not: {}", missed.join(", ")),
    };
    Target::new(
        "attackers whom only their sessions show are found, each kind",
        measured,
        !attacks.is_empty() && missed.is_empty(),
    )
}

fn soon(kind: AttackKind, requests_max: u64, attacks: &[SessionAttackFigures]) -> Target {
    let of_kind = attacks.iter().find(|figures| figures.kind == kind);
    Target::new(
        format!("{} found within {requests_max} requests", kind.display_name()),
        of_kind.map_or_else(String::new, |figures| format!("{}", figures.requests_max)),
        of_kind.is_some_and(|figures| figures.is_found() && figures.requests_max <= requests_max),
    )
}

fn normal_sessions(sessions: &SessionFigures) -> Target {
    // A few alarms in a few thousand sessions are no rate: what they rule out is told by the lower end of its 95 % bounds.
    let bounds = Proportion::of(sessions.alarmed, sessions.normal_sessions).bounds;
    Target::new(
        "normal sessions with an alarm, no more than 1 in 1,000 as far as can be told",
        format!("{} of {}", sessions.alarmed, sessions.normal_sessions),
        bounds.is_some_and(|[lower, _]| lower <= SESSIONS_ALARMED_MAX),
    )
}
