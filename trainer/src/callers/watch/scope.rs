//! The sessions of one scope, followed with its active model.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use apiward_detector::calls::{AlarmedSubject, CallContext};
use apiward_detector::detector::Detector;
use apiward_detector::session::MemorySessions;
use apiward_detector::telemetry::ExchangeRecord;
use apiward_detector::volume::SessionSubject;
use time::OffsetDateTime;
use tokio::sync::mpsc;

use crate::serve::Service;
use crate::storage::new_records::{self, EncodedRecords, Reading, Snapshot};
use crate::storage::records;

/// Callers, and addresses, that are followed in one scope; those that were silent longest are forgotten.
const SESSIONS_MAX: usize = 65_536;
/// What is read back when a scope is first followed: what is older has faded to less than a tenth.
const RECENT: Duration = Duration::from_secs(4 * 3600);
/// Records that are read back.
const RECENT_RECORDS_MAX: i64 = 200_000;
/// Chunks of records that wait to be judged.
const CHUNKS_WAITING: usize = 2;
/// Subjects put on the watchlist at once: a proxy that invents callers must not fill it.
const ALARMS_MAX: usize = 256;

/// A scope as far as it was followed.
pub struct ScopeWatch {
    detector: Arc<Detector>,
    sessions: MemorySessions,
    seen: Snapshot,
}

/// What new records showed.
pub struct Followed {
    /// `None` where reading broke off: sessions that took in some of what is new begin again with the recent records.
    pub watch: Option<ScopeWatch>,
    /// The strongest alarm of each caller and address, with its last time.
    pub alarms: Vec<WatchedAlarm>,
    /// Records that were passed over.
    pub unreadable: u64,
    /// Why not all that is new was read.
    pub broken_off: Option<sqlx::Error>,
}

/// A caller or address that alarmed.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchedAlarm {
    pub subject: AlarmedSubject,
    /// Times that it alarmed.
    pub alarms: u32,
    pub at: OffsetDateTime,
}

impl ScopeWatch {
    /// Takes in what is new, with the model that is active now. `None` while there is no model to judge by.
    pub async fn follow(service: &Service, scope: &str, known: Option<Self>) -> anyhow::Result<Option<Followed>> {
        let Some(detector) = service.active_detectors.of(&service.pool, scope).await? else { return Ok(None) };
        let watch = match known {
            // Sessions do not depend on the model.
            Some(watch) => Self { detector, ..watch },
            None => return begin(service, scope, detector).await.map(Some),
        };
        if !new_records::exist(&service.pool, scope, &watch.seen).await? {
            return Ok(Some(Followed { watch: Some(watch), alarms: Vec::new(), unreadable: 0, broken_off: None }));
        }
        let reading = Reading::begin(&service.pool).await?;
        let (sender, receiver) = mpsc::channel(CHUNKS_WAITING);
        let seen = watch.seen.clone();
        let judging = tokio::task::spawn_blocking(move || watch.judge_chunks(receiver));
        let read = reading.read(scope, &seen, &service.stopping, sender).await;
        let (watch, alarms, unreadable) = judging.await.context("judge records")?;
        Ok(Some(match read {
            Ok(seen) => Followed { watch: Some(Self { seen, ..watch }), alarms, unreadable, broken_off: None },
            Err(error) => Followed { watch: None, alarms, unreadable, broken_off: Some(error) },
        }))
    }

    /// Whose calls alarm, and how many records are unreadable.
    fn judge_chunks(mut self, mut chunks: mpsc::Receiver<EncodedRecords>) -> (Self, Vec<WatchedAlarm>, u64) {
        let mut alarms: HashMap<(SessionSubject, u64), WatchedAlarm> = HashMap::new();
        let mut unreadable = 0;
        while let Some(chunk) = chunks.blocking_recv() {
            let (mut records, passed_over) = decode(&chunk);
            unreadable += passed_over;
            // Batches of several proxies come one after the other, whatever their times.
            records.sort_by_key(|record| record.at_ms);
            for record in &records {
                for subject in judge(&self.detector, record, &mut self.sessions) {
                    let Some(at) = records::time_of(record) else { continue };
                    let place = (subject.subject, subject.hash);
                    if let Some(known) = alarms.get_mut(&place) {
                        known.merge(subject, at);
                    } else if alarms.len() < ALARMS_MAX {
                        alarms.insert(place, WatchedAlarm { subject, alarms: 1, at });
                    }
                }
            }
        }
        let mut alarms: Vec<WatchedAlarm> = alarms.into_values().collect();
        // One order of writing for all, so that two transactions never wait for each other.
        alarms.sort_by_key(|alarm| (alarm.subject.subject, alarm.subject.hash));
        (self, alarms, unreadable)
    }
}

/// The records that can be read, and how many cannot.
fn decode(encoded: &EncodedRecords) -> (Vec<ExchangeRecord>, u64) {
    let (mut records, mut unreadable) = (Vec::new(), 0);
    for record in encoded.iter() {
        match rmp_serde::from_slice(record) {
            Ok(record) => records.push(record),
            Err(_) => unreadable += 1,
        }
    }
    (records, unreadable)
}

impl WatchedAlarm {
    fn merge(&mut self, subject: AlarmedSubject, at: OffsetDateTime) {
        self.alarms = self.alarms.saturating_add(1);
        self.at = self.at.max(at);
        if subject.score > self.subject.score {
            self.subject = subject;
        }
    }
}

/// Whose sessions alarm at an exchange.
pub fn judge(detector: &Detector, record: &ExchangeRecord, sessions: &mut MemorySessions) -> Vec<AlarmedSubject> {
    let context = CallContext { caller: record.caller, at_ms: record.at_ms, weight: record.weight };
    let Some(call) = detector.begin_call(&record.observation, context, sessions) else { return Vec::new() };
    let mut alarmed = call.findings.alarmed.clone();
    if let Some(response) = &record.observation.response {
        alarmed.extend(detector.answer_call(&call, response, sessions).alarmed);
    }
    alarmed
}

/// Sessions as the records of the last hours leave them. What alarmed in them was found when they came.
async fn begin(service: &Service, scope: &str, detector: Arc<Detector>) -> anyhow::Result<Followed> {
    let since = OffsetDateTime::now_utc() - RECENT;
    let (recent, seen) = new_records::recent(&service.pool, scope, since, RECENT_RECORDS_MAX).await?;
    let replayed = tokio::task::spawn_blocking(move || {
        let mut sessions = MemorySessions::new(SESSIONS_MAX);
        let (records, unreadable) = decode(&recent);
        for record in &records {
            judge(&detector, record, &mut sessions);
        }
        let watch = ScopeWatch { detector, sessions, seen };
        Followed { watch: Some(watch), alarms: Vec::new(), unreadable, broken_off: None }
    });
    replayed.await.context("replay the records of the last hours")
}
