//! Sends batches to the trainer: one in flight, the same batch again until it is accepted, refused or given up.

use apiward_detector::limits as engine_limits;
use apiward_detector::telemetry::{ActiveBundle, BATCH_VERSION, Batch};

use crate::config::FilterPolicy;
use crate::host::{Call, CallToken, Host, LogLevel};
use crate::limits;
use crate::metrics::{Metric, Metrics};

use super::buffer::{Content, GivenUp, TelemetryBuffer};
use super::random::SplitMix;

/// What the trainer's answer to a batch means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reception {
    Accepted,
    /// Send it again, not before so many milliseconds where the trainer said so.
    Again {
        wait_ms: Option<u64>,
    },
    /// It will never be accepted.
    Refused,
}

impl Reception {
    /// `status` is `None` when there was no answer; `retry_after` is that header's text.
    pub fn of(status: Option<u16>, retry_after: Option<&str>) -> Self {
        match status {
            Some(200..=299) => Reception::Accepted,
            Some(429) => {
                let seconds = retry_after.and_then(|text| text.trim().parse::<u64>().ok());
                Reception::Again { wait_ms: seconds.map(|seconds| seconds.min(limits::RETRY_AFTER_MAX_S) * 1000) }
            }
            Some(408) => Reception::Again { wait_ms: None },
            Some(400..=499) => Reception::Refused,
            _ => Reception::Again { wait_ms: None },
        }
    }
}

/// Sends what one worker's buffer holds.
#[derive(Debug)]
pub struct TelemetrySender {
    /// 32 hexadecimal digits.
    id: String,
    next_sequence: u64,
    pending: Option<Pending>,
    next_flush_ms: u64,
    /// The bundle that the last accepted batch named.
    reported: Option<ActiveBundle>,
    random: SplitMix,
    /// The last kind of failure that was logged, so that an outage is one line and not one per attempt.
    logged: Option<Option<u16>>,
}

#[derive(Debug)]
struct Pending {
    encoded: Vec<u8>,
    records: u64,
    bundle: Option<ActiveBundle>,
    remains: GivenUp,
    attempts: u32,
    not_before_ms: u64,
    flight: Option<Flight>,
}

#[derive(Debug, Clone, Copy)]
struct Flight {
    token: CallToken,
    /// After this the answer is taken for lost.
    lost_at_ms: u64,
}

impl TelemetrySender {
    /// `id` is random per VM start; `seed` decides jitter only.
    pub fn new(id: [u8; 16], seed: u64) -> Self {
        Self {
            id: id.iter().map(|byte| format!("{byte:02x}")).collect(),
            next_sequence: 0,
            pending: None,
            next_flush_ms: 0,
            reported: None,
            random: SplitMix::new(seed),
            logged: None,
        }
    }

    /// Starts or repeats a call when one is due.
    pub fn tick(
        &mut self,
        host: &dyn Host,
        policy: &FilterPolicy,
        metrics: &Metrics,
        buffer: &mut TelemetryBuffer,
        bundle: Option<ActiveBundle>,
        now_ms: u64,
    ) {
        if let Some(Flight { token, lost_at_ms }) = self.pending.as_ref().and_then(|pending| pending.flight)
            && now_ms > lost_at_ms
        {
            self.settle(host, metrics, buffer, token, None, None, now_ms);
        }
        if self.pending.is_none() {
            self.prepare(host, policy, metrics, buffer, bundle, now_ms);
        }
        let due = self.pending.as_mut().filter(|pending| pending.flight.is_none() && now_ms >= pending.not_before_ms);
        let Some(pending) = due else {
            return;
        };
        pending.attempts += 1;
        let target = &policy.trainer;
        let started = host.call(&Call {
            cluster: &target.cluster,
            method: "POST",
            authority: &target.authority,
            path: &target.telemetry_path,
            headers: vec![("authorization", &target.authorization), ("content-type", "application/msgpack")],
            body: Some(&pending.encoded),
            timeout_ms: target.timeout_ms,
        });
        match started {
            Ok(token) => {
                pending.flight = Some(Flight { token, lost_at_ms: now_ms + 2 * target.timeout_ms });
            }
            Err(_) => self.again(host, metrics, buffer, None, None, now_ms),
        }
    }

    /// Takes the answer to a call of this sender; `false` when the call is none of its own.
    #[expect(clippy::too_many_arguments, reason = "the answer and what it changes; a struct would only rename them")]
    pub fn settle(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        buffer: &mut TelemetryBuffer,
        token: CallToken,
        status: Option<u16>,
        retry_after: Option<&str>,
        now_ms: u64,
    ) -> bool {
        let Some(pending) = self.pending.as_mut() else {
            return false;
        };
        if pending.flight.is_none_or(|flight| flight.token != token) {
            return false;
        }
        pending.flight = None;
        match Reception::of(status, retry_after) {
            Reception::Accepted => {
                metrics.count(host, Metric::BatchesAccepted, 1);
                metrics.count(host, Metric::RecordsSent, pending.records);
                self.reported = pending.bundle.take();
                self.pending = None;
                if self.logged.take().is_some() {
                    host.log(LogLevel::Info, "the trainer accepts telemetry again");
                }
            }
            Reception::Again { wait_ms } => self.again(host, metrics, buffer, status, wait_ms, now_ms),
            Reception::Refused => {
                self.log_failure(host, status, "the trainer refuses telemetry, what it held is dropped");
                self.give_up(host, metrics, buffer);
            }
        }
        true
    }

    fn prepare(
        &mut self,
        host: &dyn Host,
        policy: &FilterPolicy,
        metrics: &Metrics,
        buffer: &mut TelemetryBuffer,
        bundle: Option<ActiveBundle>,
        now_ms: u64,
    ) {
        if now_ms < self.next_flush_ms && !buffer.batch_is_full() {
            return;
        }
        let interval = policy.trainer.flush_interval_ms;
        self.next_flush_ms = now_ms + interval - interval / 10 + self.random.below(interval / 5 + 1);
        let content = buffer.take();
        if content.is_empty() && bundle == self.reported {
            return;
        }
        let records = content.records.len() as u64;
        let batch = self.batch(policy, bundle.clone(), content);
        let remains = GivenUp {
            counts: batch.counts.clone(),
            refusals: batch.refusals.clone(),
            records_lost: batch.records_dropped + records,
        };
        match batch.encode() {
            Ok(encoded) if encoded.len() <= engine_limits::BATCH_BYTES_MAX => {
                metrics.record(host, Metric::BatchRecords, records);
                self.pending =
                    Some(Pending { encoded, records, bundle, remains, attempts: 0, not_before_ms: 0, flight: None });
            }
            _ => {
                metrics.count(host, Metric::RecordsDropped, records);
                metrics.count(host, Metric::BatchesDropped, 1);
                buffer.take_back(remains);
            }
        }
    }

    fn batch(&mut self, policy: &FilterPolicy, bundle: Option<ActiveBundle>, content: Content) -> Batch {
        let sequence = self.next_sequence;
        self.next_sequence += 1;
        Batch {
            version: BATCH_VERSION,
            sender: self.id.clone(),
            sequence,
            scope: policy.scope.clone(),
            hash_key_id: policy.hasher.key_id().to_owned(),
            bundle,
            records: content.records,
            counts: content.counts,
            records_dropped: content.records_dropped,
            refusals: content.refusals,
            captures: content.captures,
        }
    }

    fn again(
        &mut self,
        host: &dyn Host,
        metrics: &Metrics,
        buffer: &mut TelemetryBuffer,
        status: Option<u16>,
        wait_ms: Option<u64>,
        now_ms: u64,
    ) {
        self.log_failure(host, status, "the trainer does not take telemetry, it will be sent again");
        let Some(pending) = self.pending.as_mut() else {
            return;
        };
        if pending.attempts >= limits::BATCH_ATTEMPTS_MAX {
            self.give_up(host, metrics, buffer);
            return;
        }
        metrics.count(host, Metric::BatchesRetried, 1);
        pending.not_before_ms = now_ms + wait_ms.unwrap_or_else(|| backoff_ms(pending.attempts, &mut self.random));
    }

    fn give_up(&mut self, host: &dyn Host, metrics: &Metrics, buffer: &mut TelemetryBuffer) {
        if let Some(pending) = self.pending.take() {
            metrics.count(host, Metric::BatchesDropped, 1);
            metrics.count(host, Metric::RecordsDropped, pending.records);
            buffer.take_back(pending.remains);
        }
    }

    fn log_failure(&mut self, host: &dyn Host, status: Option<u16>, what: &str) {
        if self.logged.replace(status) != Some(status) {
            let answer = status.map_or("no answer".to_owned(), |status| format!("status {status}"));
            host.log(LogLevel::Warn, &format!("{what} ({answer})"));
        }
    }
}

/// Wait after the given number of attempts: doubling, of which a random half to whole is taken.
pub fn backoff_ms(attempts: u32, random: &mut SplitMix) -> u64 {
    let doublings = attempts.saturating_sub(1).min(16);
    let wait = (limits::BACKOFF_FIRST_MS << doublings).min(limits::BACKOFF_MAX_MS);
    wait / 2 + random.below(wait / 2 + 1)
}

#[cfg(test)]
mod tests;
