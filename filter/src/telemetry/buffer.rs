//! What waits to be sent: bounded, flagged records before normal ones, exact counts beside them.

use std::collections::{HashMap, VecDeque};

use apiward_detector::limits as engine_limits;
use apiward_detector::observation::{ComponentPart, ObservedField, PathComponent, ResponseField};
use apiward_detector::telemetry::{BundleRefusal, CapturedExchange, EndpointCount, ExchangeRecord};
use apiward_detector::verdict::Finding;

use crate::config::TelemetryLimits;
use crate::limits;

use super::random::SplitMix;

/// Under this name exchanges are counted that no bundle judged.
pub const UNJUDGED_ENDPOINT: &str = "(unjudged)";
/// Under this name endpoints past [`limits::COUNTED_ENDPOINTS_MAX`] are counted together.
pub const OTHER_ENDPOINTS: &str = "(other)";

/// What became of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The record itself was sampled out; others of its kind carry its weight.
    pub sampled_out: bool,
    /// Older records that had to go.
    pub dropped: u64,
    /// Its endpoint was counted under [`OTHER_ENDPOINTS`].
    pub endpoints_full: bool,
    /// Its capture was left out.
    pub captures_full: bool,
}

/// The content of one batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Content {
    pub records: Vec<ExchangeRecord>,
    pub counts: Vec<EndpointCount>,
    pub records_dropped: u64,
    pub refusals: Vec<BundleRefusal>,
    pub captures: Vec<CapturedExchange>,
}

impl Content {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
            && self.counts.is_empty()
            && self.records_dropped == 0
            && self.refusals.is_empty()
            && self.captures.is_empty()
    }
}

/// Records, counts, refusals and captures of one worker since the last batch.
#[derive(Debug)]
pub struct TelemetryBuffer {
    limits: TelemetryLimits,
    flagged: Lane,
    normal: Lane,
    counts: HashMap<String, (u64, u64)>,
    records_dropped: u64,
    refusals: VecDeque<BundleRefusal>,
    captures: VecDeque<(usize, CapturedExchange)>,
    capture_bytes: usize,
    random: SplitMix,
}

#[derive(Debug, Default)]
struct Lane {
    records: VecDeque<(usize, ExchangeRecord)>,
    bytes: usize,
}

impl Lane {
    fn push(&mut self, record: ExchangeRecord) {
        let bytes = memory_bytes(&record);
        self.bytes += bytes;
        self.records.push_back((bytes, record));
    }

    fn pop(&mut self) -> Option<(usize, ExchangeRecord)> {
        let (bytes, record) = self.records.pop_front()?;
        self.bytes = self.bytes.saturating_sub(bytes);
        Some((bytes, record))
    }
}

impl TelemetryBuffer {
    /// `seed` only decides which normal records stay under pressure.
    pub fn new(limits: TelemetryLimits, seed: u64) -> Self {
        Self {
            limits,
            flagged: Lane::default(),
            normal: Lane::default(),
            counts: HashMap::new(),
            records_dropped: 0,
            refusals: VecDeque::new(),
            captures: VecDeque::new(),
            capture_bytes: 0,
            random: SplitMix::new(seed),
        }
    }

    /// Records waiting.
    pub fn records_waiting(&self) -> usize {
        self.flagged.records.len() + self.normal.records.len()
    }

    /// Whether a whole batch waits.
    pub fn batch_is_full(&self) -> bool {
        self.records_waiting() >= self.limits.batch_records_max || self.bytes() >= limits::TELEMETRY_BATCH_BYTES_MAX
    }

    /// Counts an exchange and keeps its record, unless it is normal and sampled out.
    pub fn admit(&mut self, mut record: ExchangeRecord, capture: Option<CapturedExchange>) -> Admitted {
        let anomalous = record.verdict.as_ref().is_some_and(|verdict| verdict.anomalous);
        bound_texts(&mut record);
        let endpoint = record.verdict.as_ref().map_or(UNJUDGED_ENDPOINT, |verdict| verdict.endpoint.as_str());
        let mut admitted = Admitted {
            endpoints_full: !self.count(endpoint, 1, u64::from(anomalous)),
            captures_full: capture.is_some_and(|capture| !self.keep_capture(capture)),
            ..Admitted::default()
        };
        if anomalous {
            self.flagged.push(record);
        } else {
            let stands_for = self.normal_sampling();
            if self.random.below(stands_for) != 0 {
                admitted.sampled_out = true;
                return admitted;
            }
            record.weight *= stands_for as f32;
            self.normal.push(record);
        }
        admitted.dropped = self.make_room();
        self.records_dropped += admitted.dropped;
        admitted
    }

    pub fn refuse(&mut self, refusal: BundleRefusal) {
        if self.refusals.len() == limits::REFUSALS_MAX {
            self.refusals.pop_front();
        }
        self.refusals.push_back(refusal);
    }

    /// Takes what fits one batch, flagged records first.
    pub fn take(&mut self) -> Content {
        let mut records = Vec::new();
        let mut bytes = 0;
        for lane in [&mut self.flagged, &mut self.normal] {
            while records.len() < self.limits.batch_records_max
                && bytes < limits::TELEMETRY_BATCH_BYTES_MAX
                && let Some((record_bytes, record)) = lane.pop()
            {
                bytes += record_bytes;
                records.push(record);
            }
        }
        let mut captures = Vec::new();
        while captures.len() < engine_limits::BATCH_RECORDS_MAX
            && bytes < limits::TELEMETRY_BATCH_BYTES_MAX
            && let Some((capture_bytes, capture)) = self.captures.pop_front()
        {
            self.capture_bytes = self.capture_bytes.saturating_sub(capture_bytes);
            bytes += capture_bytes;
            captures.push(capture);
        }
        let mut counts: Vec<EndpointCount> = self
            .counts
            .drain()
            .map(|(endpoint, (exchanges, anomalous))| EndpointCount { endpoint, exchanges, anomalous })
            .collect();
        counts.sort_by(|one, other| one.endpoint.cmp(&other.endpoint));
        Content {
            records,
            counts,
            records_dropped: std::mem::take(&mut self.records_dropped),
            refusals: self.refusals.drain(..).collect(),
            captures,
        }
    }

    /// Takes back what a batch that was given up had told exactly: its counts, refusals and losses. Its records are lost and
    /// counted as such.
    pub fn take_back(&mut self, given_up: GivenUp) {
        for count in given_up.counts {
            self.count(&count.endpoint, count.exchanges, count.anomalous);
        }
        for refusal in given_up.refusals {
            self.refuse(refusal);
        }
        self.records_dropped += given_up.records_lost;
    }

    fn bytes(&self) -> usize {
        self.flagged.bytes + self.normal.bytes
    }

    /// How many normal exchanges one kept record stands for: 1 up to half of the buffer, 4 up to three quarters, then 16.
    fn normal_sampling(&self) -> u64 {
        let records = self.records_waiting() as f64 / self.limits.buffer_records_max as f64;
        let bytes = self.bytes() as f64 / limits::TELEMETRY_BUFFER_BYTES_MAX as f64;
        match records.max(bytes) {
            fill if fill < 0.5 => 1,
            fill if fill < 0.75 => 4,
            _ => 16,
        }
    }

    /// Drops the oldest normal records, then the oldest flagged ones, until the buffer is within its limits.
    fn make_room(&mut self) -> u64 {
        let mut dropped = 0;
        while self.records_waiting() > self.limits.buffer_records_max
            || self.bytes() > limits::TELEMETRY_BUFFER_BYTES_MAX
        {
            if self.normal.pop().or_else(|| self.flagged.pop()).is_none() {
                break;
            }
            dropped += 1;
        }
        dropped
    }

    /// `false` when the endpoint had to be counted under [`OTHER_ENDPOINTS`].
    fn count(&mut self, endpoint: &str, exchanges: u64, anomalous: u64) -> bool {
        let known = self.counts.contains_key(endpoint) || self.counts.len() < limits::COUNTED_ENDPOINTS_MAX;
        let name = if known { endpoint } else { OTHER_ENDPOINTS };
        let (all, flagged) = self.counts.entry(name.to_owned()).or_default();
        *all += exchanges;
        *flagged += anomalous;
        known
    }

    /// `false` when older captures had to go or this one is too large.
    fn keep_capture(&mut self, capture: CapturedExchange) -> bool {
        let bytes = capture_memory_bytes(&capture);
        if bytes > limits::CAPTURE_BYTES_MAX {
            return false;
        }
        self.capture_bytes += bytes;
        self.captures.push_back((bytes, capture));
        let mut all_kept = true;
        while self.captures.len() > limits::CAPTURES_MAX || self.capture_bytes > limits::CAPTURE_BYTES_MAX {
            let Some((oldest, _)) = self.captures.pop_front() else { break };
            self.capture_bytes = self.capture_bytes.saturating_sub(oldest);
            all_kept = false;
        }
        all_kept
    }
}

/// What remains of a batch that was given up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GivenUp {
    pub counts: Vec<EndpointCount>,
    pub refusals: Vec<BundleRefusal>,
    /// Records of the batch, and what it had itself reported as dropped.
    pub records_lost: u64,
}

/// The trainer refuses a whole batch for one overlong text, so none leaves.
fn bound_texts(record: &mut ExchangeRecord) {
    if let Some(verdict) = &mut record.verdict {
        truncate(&mut verdict.endpoint, engine_limits::BATCH_TEXT_BYTES_MAX);
        verdict.findings.truncate(engine_limits::FINDINGS_MAX);
        for finding in &mut verdict.findings {
            truncate(&mut finding.reason, engine_limits::BATCH_TEXT_BYTES_MAX);
        }
    }
}

/// Cuts at a character boundary.
pub fn truncate(text: &mut String, bytes_max: usize) {
    text.truncate(text.floor_char_boundary(bytes_max));
}

/// Bytes that a record takes in memory, allocations included; more than it takes in a batch.
fn memory_bytes(record: &ExchangeRecord) -> usize {
    let observation = &record.observation;
    let fields: usize = observation.fields.iter().map(|field| field.name.len() + field.shape.pattern.len()).sum();
    let components: usize = observation
        .components
        .iter()
        .map(|component| {
            let parts: usize = component.parts.iter().map(component_part_bytes).sum();
            component.word.as_ref().map_or(0, String::len) + component.shape.pattern.len() + parts
        })
        .sum();
    let response_fields: usize =
        observation.response_fields.iter().map(|field| size_of::<ResponseField>() + field.name.len()).sum();
    let kinds: usize = observation.caller_kinds.iter().map(|kind| size_of::<String>() + kind.len()).sum();
    let verdict = record.verdict.as_ref().map_or(0, |verdict| {
        let reasons: usize = verdict.findings.iter().map(|finding| size_of::<Finding>() + finding.reason.len()).sum();
        verdict.endpoint.len() + reasons
    });
    size_of::<ExchangeRecord>()
        + observation.fields.len() * size_of::<ObservedField>()
        + fields
        + observation.components.len() * size_of::<PathComponent>()
        + components
        + response_fields
        + kinds
        + verdict
}

fn component_part_bytes(part: &ComponentPart) -> usize {
    size_of::<ComponentPart>() + part.word.as_ref().map_or(0, String::len) + part.separator.len()
}

fn capture_memory_bytes(capture: &CapturedExchange) -> usize {
    let headers = |headers: &[(String, String)]| -> usize {
        headers.iter().map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum()
    };
    let exchange = &capture.exchange;
    let response =
        exchange.response.as_ref().map_or(0, |response| headers(&response.headers) + 2 * response.body.len());
    size_of::<CapturedExchange>()
        + exchange.request.target.len()
        // Bytes above 127 take two in MessagePack, since bodies travel as lists of numbers.
        + 2 * exchange.request.body.len()
        + headers(&exchange.request.headers)
        + response
}

#[cfg(test)]
mod tests;
