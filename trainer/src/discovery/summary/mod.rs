//! What an endpoint takes and returns, counted so that summaries of several places of the graph can be put together.

mod distinct;
mod field;
mod response;

use std::borrow::Borrow;

use apiward_detector::observation::{ContentClass, Location};
use apiward_detector::telemetry::ExchangeRecord;
use litemap::LiteMap;
use serde::{Deserialize, Serialize};

pub use distinct::DistinctValues;
pub use field::{FieldSummary, TypeCounts, ValueSummary};
pub use response::ResponseFieldSummary;

use super::limits;

/// Counts over the exchanges of an endpoint; sampled exchanges count with their weight.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointSummary {
    pub exchanges: u64,
    /// Of them, known to have succeeded or without a known status; only these tell fields, credentials and kinds of callers.
    pub succeeded: u64,
    /// Milliseconds since the Unix epoch; `None` for traffic without times.
    pub first_seen_ms: Option<i64>,
    pub last_seen_ms: Option<i64>,
    pub statuses: LiteMap<u16, u64>,
    /// By bit of [`apiward_detector::observation::CredentialKinds`].
    pub credentials: LiteMap<u8, u64>,
    /// Successful exchanges whose headers were seen and held no credentials.
    pub without_credentials: u64,
    /// See [`apiward_detector::observation::Observation::caller_kinds`].
    pub caller_kinds: LiteMap<Box<str>, u64>,
    pub request_content: LiteMap<ContentClass, u64>,
    pub response_content: LiteMap<ContentClass, u64>,
    /// Query, form and body fields.
    pub fields: LiteMap<(Location, Box<str>), FieldSummary>,
    pub response_fields: LiteMap<Box<str>, ResponseFieldSummary>,
    /// Successful exchanges whose response body was looked at.
    pub responses_read: u64,
}

impl EndpointSummary {
    /// Takes in an exchange.
    pub fn count(&mut self, record: &ExchangeRecord, succeeded: bool) {
        let observation = &record.observation;
        let weight = weight_of(record);
        self.exchanges = self.exchanges.saturating_add(weight);
        if let Some(at_ms) = record.at_ms {
            self.first_seen_ms = Some(self.first_seen_ms.map_or(at_ms, |first| first.min(at_ms)));
            self.last_seen_ms = Some(self.last_seen_ms.map_or(at_ms, |last| last.max(at_ms)));
        }
        if let Some(status) = observation.response.and_then(|response| response.status) {
            *self.statuses.entry(status).or_default() += weight;
        }
        if !succeeded {
            return;
        }
        self.succeeded = self.succeeded.saturating_add(weight);
        for bit in (0..8).map(|bit| 1_u8 << bit).filter(|bit| observation.credentials.0 & bit != 0) {
            *self.credentials.entry(bit).or_default() += weight;
        }
        // Without any headers nothing is known of credentials.
        let shows_none = observation.credentials.is_anonymous() && observation.request.header_count > 0;
        self.without_credentials += if shows_none { weight } else { 0 };
        for kind in &observation.caller_kinds {
            if let Some(count) = bounded_entry(&mut self.caller_kinds, kind.as_str(), limits::KINDS_MAX) {
                *count += weight;
            }
        }
        *self.request_content.entry(observation.request_content).or_default() += weight;
        if let Some(response) = observation.response {
            *self.response_content.entry(response.content).or_default() += weight;
        }
        field::count_fields(&mut self.fields, &observation.fields, weight);
        if !observation.response_fields.is_empty() {
            self.responses_read = self.responses_read.saturating_add(weight);
            response::count_fields(&mut self.response_fields, &observation.response_fields, weight);
        }
    }

    /// Successful exchanges with a JSON body that has been walked.
    pub fn json_exchanges(&self) -> u64 {
        // The outermost value is last to be observed, so that long bodies may lack it.
        let of_body = self.fields.iter().filter(|((location, _), _)| *location == Location::Body);
        of_body.map(|(_, field)| field.exchanges).max().unwrap_or(0)
    }

    /// Successful exchanges with a form.
    pub fn form_exchanges(&self) -> u64 {
        self.requests_of(ContentClass::Form)
    }

    /// Successful exchanges whose request declares that type.
    pub fn requests_of(&self, class: ContentClass) -> u64 {
        self.request_content.get(&class).copied().unwrap_or(0)
    }

    /// Adds what another place of the same endpoint saw.
    pub fn merge(&mut self, other: &EndpointSummary) {
        self.exchanges = self.exchanges.saturating_add(other.exchanges);
        self.succeeded = self.succeeded.saturating_add(other.succeeded);
        self.first_seen_ms = self.first_seen_ms.into_iter().chain(other.first_seen_ms).min();
        self.last_seen_ms = self.last_seen_ms.into_iter().chain(other.last_seen_ms).max();
        merge_counts(&mut self.statuses, &other.statuses, usize::MAX);
        merge_counts(&mut self.credentials, &other.credentials, usize::MAX);
        self.without_credentials += other.without_credentials;
        merge_counts(&mut self.caller_kinds, &other.caller_kinds, limits::KINDS_MAX);
        merge_counts(&mut self.request_content, &other.request_content, usize::MAX);
        merge_counts(&mut self.response_content, &other.response_content, usize::MAX);
        for (key, field) in &other.fields {
            if let Some(own) = bounded_entry(&mut self.fields, key, limits::FIELDS_MAX) {
                own.merge(field);
            }
        }
        for (name, field) in &other.response_fields {
            if let Some(own) = bounded_entry(&mut self.response_fields, name, limits::FIELDS_MAX) {
                own.merge(field);
            }
        }
        self.responses_read = self.responses_read.saturating_add(other.responses_read);
    }
}

/// How many exchanges a record stands for.
pub fn weight_of(record: &ExchangeRecord) -> u64 {
    // Weights are between 1 and a million by the limits of telemetry.
    record.weight.round().max(1.0) as u64
}

/// The entry of a key, made if there is room for one more.
fn bounded_entry<'m, K, Q, V>(map: &'m mut LiteMap<K, V>, key: &Q, entries_max: usize) -> Option<&'m mut V>
where
    K: Ord + Borrow<Q>,
    Q: Ord + ToOwned + ?Sized,
    Q::Owned: Into<K>,
    V: Default,
{
    if !map.contains_key(key) {
        if map.len() >= entries_max {
            return None;
        }
        map.insert(key.to_owned().into(), V::default());
    }
    map.get_mut(key)
}

fn merge_counts<K: Ord + Clone>(own: &mut LiteMap<K, u64>, other: &LiteMap<K, u64>, entries_max: usize) {
    for (key, count) in other {
        if let Some(sum) = bounded_entry(own, key, entries_max) {
            *sum = sum.saturating_add(*count);
        }
    }
}
