//! From judged records to groups: one per subject, endpoint and reason.

use std::collections::BTreeMap;

use apiward_detector::exchange::Phase;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::verdict::{Finding, FindingKind};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::storage::records::StoredRecord;

/// Whom a detection is about, as a keyed hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    Caller(u64),
    Address(u64),
    Nobody,
}

impl Subject {
    fn of(record: &ExchangeRecord) -> Self {
        match (record.caller.identity, record.caller.address) {
            (Some(identity), _) => Subject::Caller(identity),
            (None, Some(address)) => Subject::Address(address),
            (None, None) => Subject::Nobody,
        }
    }

    fn hash(self) -> Option<i64> {
        match self {
            Subject::Caller(hash) | Subject::Address(hash) => Some(hash.cast_signed()),
            Subject::Nobody => None,
        }
    }

    fn kind(self) -> Option<&'static str> {
        match self {
            Subject::Caller(_) => Some("caller"),
            Subject::Address(_) => Some("address"),
            Subject::Nobody => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct GroupKey<'r> {
    scope: &'r str,
    subject: Subject,
    host: &'r str,
    endpoint: &'r str,
    finding_key: u64,
}

#[derive(Debug)]
struct Group<'r> {
    /// The finding with the highest score.
    finding: &'r Finding,
    exchanges: i64,
    blocked: i64,
    first_seen: OffsetDateTime,
    last_seen: OffsetDateTime,
    request_id: Option<&'r str>,
}

/// Groups of some records, in a fixed order: transactions that touch the same groups then wait for each other and never
/// deadlock.
#[derive(Debug, Default)]
pub struct Groups<'r>(BTreeMap<GroupKey<'r>, Group<'r>>);

impl<'r> Groups<'r> {
    /// Adds the alarms of a record. A failing server says nothing of its callers, so a failed exchange has none.
    pub fn add(&mut self, stored: &StoredRecord<'r>) {
        let record = stored.record;
        let failed = record.observation.response.as_ref().is_some_and(|response| response.is_server_failure());
        let Some(verdict) = record.verdict.as_ref().filter(|verdict| verdict.anomalous && !failed) else {
            return;
        };
        for finding in verdict.findings.iter().filter(|finding| finding.alarm) {
            let key = GroupKey {
                scope: stored.scope,
                subject: Subject::of(record),
                host: &record.observation.host,
                endpoint: &verdict.endpoint,
                finding_key: finding.key,
            };
            let group = self.0.entry(key).or_insert(Group {
                finding,
                exchanges: 0,
                blocked: 0,
                first_seen: stored.at,
                last_seen: stored.at,
                request_id: record.request_id.as_deref(),
            });
            group.exchanges += 1;
            group.blocked += i64::from(verdict.blocked);
            group.first_seen = group.first_seen.min(stored.at);
            group.last_seen = group.last_seen.max(stored.at);
            if finding.score > group.finding.score {
                group.finding = finding;
                group.request_id = record.request_id.as_deref().or(group.request_id);
            }
        }
    }

    /// Adds the groups to the stored ones.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn store(&self, connection: &mut PgConnection) -> sqlx::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let keys = || self.0.keys();
        let groups = || self.0.values();
        sqlx::query(
            "insert into detections as stored (scope, kind, subject, subject_kind, host, endpoint, finding_key, finding,
                 detector, phase, reason, exchanges, blocked, score, first_seen, last_seen, request_id)
             select scope, 'caller', subject, subject_kind, host, endpoint, finding_key, finding,
                 detector, phase, reason, exchanges, blocked, score, first_seen, last_seen, request_id
             from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                 $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::real[], $14::timestamptz[],
                 $15::timestamptz[], $16::text[])
                 as new (scope, subject, subject_kind, host, endpoint, finding_key, finding, detector, phase, reason,
                     exchanges, blocked, score, first_seen, last_seen, request_id)
             on conflict (scope, kind, coalesce(subject, 0), host, endpoint, finding_key) where kind = 'caller'
             do update set
                 exchanges = stored.exchanges + excluded.exchanges,
                 blocked = stored.blocked + excluded.blocked,
                 first_seen = least(stored.first_seen, excluded.first_seen),
                 last_seen = greatest(stored.last_seen, excluded.last_seen),
                 reason = case when excluded.score > stored.score then excluded.reason else stored.reason end,
                 request_id = case when excluded.score > stored.score then coalesce(excluded.request_id, stored.request_id)
                     else coalesce(stored.request_id, excluded.request_id) end,
                 score = greatest(stored.score, excluded.score)",
        )
        .bind(keys().map(|key| key.scope).collect::<Vec<_>>())
        .bind(keys().map(|key| key.subject.hash()).collect::<Vec<_>>())
        .bind(keys().map(|key| key.subject.kind()).collect::<Vec<_>>())
        .bind(keys().map(|key| storable(key.host)).collect::<Vec<_>>())
        .bind(keys().map(|key| storable(key.endpoint)).collect::<Vec<_>>())
        .bind(keys().map(|key| key.finding_key.cast_signed()).collect::<Vec<_>>())
        .bind(groups().map(|group| finding_name(group.finding.kind)).collect::<Vec<_>>())
        .bind(groups().map(|group| group.finding.kind.detector().name()).collect::<Vec<_>>())
        .bind(groups().map(|group| phase_name(group.finding.phase)).collect::<Vec<_>>())
        .bind(groups().map(|group| storable(&group.finding.reason)).collect::<Vec<_>>())
        .bind(groups().map(|group| group.exchanges).collect::<Vec<_>>())
        .bind(groups().map(|group| group.blocked).collect::<Vec<_>>())
        .bind(groups().map(|group| group.finding.score).collect::<Vec<_>>())
        .bind(groups().map(|group| group.first_seen).collect::<Vec<_>>())
        .bind(groups().map(|group| group.last_seen).collect::<Vec<_>>())
        .bind(groups().map(|group| group.request_id.map(storable)).collect::<Vec<_>>())
        .execute(connection)
        .await?;
        Ok(())
    }
}

/// PostgreSQL keeps no NUL characters in texts.
pub fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn finding_name(kind: FindingKind) -> String {
    match serde_json::to_value(kind) {
        Ok(serde_json::Value::String(name)) => name,
        _ => format!("{kind:?}"),
    }
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Headers => "headers",
        Phase::Body => "body",
        Phase::Response => "response",
    }
}
