use serde::{Deserialize, Serialize};

use crate::discovery::routes::DiscoveredEndpoint;

/// Where an endpoint is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndpointState {
    /// First seen of late, while others had been watched for longer.
    New,
    Active,
    /// Not seen for long.
    Stale,
}

impl EndpointState {
    /// The word a person reads.
    pub fn noun(self) -> &'static str {
        match self {
            EndpointState::New => "new",
            EndpointState::Active => "active",
            EndpointState::Stale => "stale",
        }
    }
}

/// From when to when traffic was watched, milliseconds since the Unix epoch; `None` for traffic without times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeframe {
    pub from_ms: Option<i64>,
    /// Now for a service; the end of the traffic for files.
    pub to_ms: Option<i64>,
}

impl Timeframe {
    /// From the first to the last exchange of the endpoints.
    pub fn of_traffic(found: &[DiscoveredEndpoint]) -> Self {
        Self {
            from_ms: found.iter().filter_map(|found| found.summary.first_seen_ms).min(),
            to_ms: found.iter().filter_map(|found| found.summary.last_seen_ms).max(),
        }
    }
}

/// What counts as new and as stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateSettings {
    /// Milliseconds before the end within which an endpoint was first seen to be new.
    pub new_for_ms: i64,
    /// Milliseconds before the end in which an endpoint was not seen to be stale.
    pub stale_after_ms: i64,
}

const DAY_MS: i64 = 24 * 3_600_000;

impl Default for StateSettings {
    fn default() -> Self {
        Self { new_for_ms: 7 * DAY_MS, stale_after_ms: 30 * DAY_MS }
    }
}

impl StateSettings {
    /// Without times everything is active. Nothing is new as long as traffic was not watched before that: everything would be.
    pub fn state(&self, first_seen_ms: Option<i64>, last_seen_ms: Option<i64>, timeframe: &Timeframe) -> EndpointState {
        let (Some(from), Some(to)) = (timeframe.from_ms, timeframe.to_ms) else {
            return EndpointState::Active;
        };
        let new_since = to.saturating_sub(self.new_for_ms);
        if last_seen_ms.is_some_and(|last| last < to.saturating_sub(self.stale_after_ms)) {
            EndpointState::Stale
        } else if from < new_since && first_seen_ms.is_some_and(|first| first >= new_since) {
            EndpointState::New
        } else {
            EndpointState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_from_first_and_last_seen() {
        let check = |watched_days: i64, first: i64, last: i64, expected: EndpointState| {
            let to = 100 * DAY_MS;
            let timeframe = Timeframe { from_ms: Some(to - watched_days * DAY_MS), to_ms: Some(to) };
            let days_ago = |days: i64| Some(to - days * DAY_MS);
            let state = StateSettings::default().state(days_ago(first), days_ago(last), &timeframe);
            assert_eq!(state, expected, "watched {watched_days}, first {first}, last {last} days ago");
        };
        check(60, 60, 0, EndpointState::Active);
        check(60, 6, 0, EndpointState::New);
        check(60, 8, 0, EndpointState::Active);
        check(60, 60, 31, EndpointState::Stale);
        // A log of three days shows only endpoints of the last three days.
        check(3, 2, 0, EndpointState::Active);
        check(7, 6, 0, EndpointState::Active);
        let state = StateSettings::default().state(None, None, &Timeframe::default());
        assert_eq!(state, EndpointState::Active);
    }
}
