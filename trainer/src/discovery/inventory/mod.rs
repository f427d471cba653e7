//! The API inventory: what each discovered endpoint takes and returns, who calls it, and since when, as people and programs
//! read it. The same types serve the command line, REST and the OpenAPI export. Nothing in it is a value: types, counts,
//! bounds and classes only.

mod authentication;
mod body;
mod evidence;
mod parameter;
mod schema;
mod sensitive;
mod state;
mod values;

use std::collections::BTreeSet;

use apiward_detector::observation::CredentialKinds;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use authentication::{Authentication, AuthenticationUse};
pub use body::{Body, BodyContent};
pub use evidence::{REQUIRED_EXCHANGES_MIN, REQUIRED_SHARE_MIN};
pub use parameter::Parameter;
pub use schema::extension;
pub use sensitive::{DataLocation, SensitiveData};
pub use state::{EndpointState, StateSettings, Timeframe};
pub use values::{LengthBounds, NumericBounds, TypeShare, ValueInventory};

use super::routes::DiscoveredEndpoint;
use super::summary::EndpointSummary;
use evidence::rounded;

/// All endpoints of a scope.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Inventory {
    /// Sorted by host, template, method and operation.
    pub endpoints: Vec<EndpointInventory>,
}

/// One endpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EndpointInventory {
    /// 16 hexadecimal digits, the same over trainings.
    pub id: String,
    pub host: String,
    pub method: String,
    /// `/api/cart/{id}`, `/reports/{id}.json`
    pub template: String,
    /// Name of a GraphQL operation or JSON-RPC method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub state: EndpointState,
    /// How sure it is that there is such an endpoint with such a template, 0..1: as the least sure of its path parameters, and
    /// less with hardly any traffic.
    pub confidence: f64,
    pub exchanges: u64,
    /// Of them, those that did not fail; all below except `statuses` is about these.
    pub succeeded: u64,
    /// Distinct callers as far as they are remembered, at most 16.
    pub callers: usize,
    /// `null` for traffic without times.
    #[serde(with = "time::serde::rfc3339::option")]
    pub first_seen: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_seen: Option<OffsetDateTime>,
    /// Over the time from first to last seen.
    pub exchanges_per_hour: Option<f64>,
    /// Path parameters in the order of the path, then query, form and body fields by name; of a body only the values, by dotted
    /// names (`items[].note`).
    pub parameters: Vec<Parameter>,
    pub request_body: Option<Body>,
    pub response_body: Option<Body>,
    pub statuses: Vec<StatusCount>,
    pub authentication: Authentication,
    /// Where personal or secret data was seen, and of which classes.
    pub sensitive: Vec<SensitiveData>,
    /// The kinds of callers that use it, the most frequent first.
    pub caller_kinds: Vec<CallerKindCount>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusCount {
    pub status: u16,
    pub exchanges: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallerKindCount {
    /// `role:admin`, `anonymous`; see [`apiward_detector::observation::Observation::caller_kinds`].
    pub kind: String,
    pub exchanges: u64,
}

/// Milliseconds; what was seen for less has no rate.
const RATE_SPAN_MIN_MS: i64 = 60_000;
const HOUR_MS: f64 = 3_600_000.0;

impl Inventory {
    /// The inventory of what was discovered, seen from the end of the timeframe.
    pub fn of(found: &[DiscoveredEndpoint], timeframe: &Timeframe, settings: &StateSettings) -> Self {
        let mut endpoints: Vec<EndpointInventory> =
            found.iter().map(|found| EndpointInventory::of(found, timeframe, settings)).collect();
        endpoints.sort_by(|one, next| one.order().cmp(&next.order()));
        Self { endpoints }
    }

    /// Takes back what is said of credentials where a host showed none at all: recordings mostly lack the headers that carry
    /// them, and what was not recorded cannot be missed.
    pub fn distrust_absent_credentials(&mut self) {
        let telling: BTreeSet<String> = self
            .endpoints
            .iter()
            .filter(|endpoint| !endpoint.authentication.credentials.is_empty())
            .map(|endpoint| endpoint.host.clone())
            .collect();
        for endpoint in self.endpoints.iter_mut().filter(|endpoint| !telling.contains(&endpoint.host)) {
            endpoint.authentication.usage = AuthenticationUse::Unknown;
        }
    }

    /// Sorted, each once.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = self.endpoints.iter().map(|endpoint| endpoint.host.as_str()).collect();
        hosts.dedup();
        hosts
    }

    /// The endpoints of one host only.
    pub fn of_host(&self, host: &str) -> Self {
        Self { endpoints: self.endpoints.iter().filter(|endpoint| endpoint.host == host).cloned().collect() }
    }
}

impl EndpointInventory {
    pub fn of(found: &DiscoveredEndpoint, timeframe: &Timeframe, settings: &StateSettings) -> Self {
        let DiscoveredEndpoint { endpoint, parameters, support, summary } = found;
        let least_sure = parameters.iter().map(|parameter| f64::from(parameter.confidence)).fold(1.0, f64::min);
        let successes = summary.succeeded as f64;
        Self {
            id: format!("{:016x}", endpoint.id),
            host: endpoint.host.clone(),
            method: endpoint.method.clone(),
            template: endpoint.template.clone(),
            operation: endpoint.operation.clone(),
            state: settings.state(summary.first_seen_ms, summary.last_seen_ms, timeframe),
            confidence: rounded(least_sure * successes / (successes + 1.0)),
            exchanges: summary.exchanges,
            succeeded: summary.succeeded,
            callers: support.callers().len(),
            first_seen: summary.first_seen_ms.and_then(time_of),
            last_seen: summary.last_seen_ms.and_then(time_of),
            exchanges_per_hour: exchanges_per_hour(summary),
            parameters: parameter::parameters(parameters, summary),
            request_body: body::request_body(&endpoint.method, summary),
            response_body: body::response_body(summary),
            statuses: summary
                .statuses
                .iter()
                .map(|(status, exchanges)| StatusCount { status: *status, exchanges: *exchanges })
                .collect(),
            authentication: Authentication::of(summary),
            sensitive: sensitive::sensitive_data(parameters, summary),
            caller_kinds: caller_kinds(summary),
        }
    }

    /// `POST /api/cart/{id}`, `POST /graphql GetUser`
    pub fn label(&self) -> String {
        match &self.operation {
            Some(operation) => format!("{} {} {operation}", self.method, self.template),
            None => format!("{} {}", self.method, self.template),
        }
    }

    fn order(&self) -> (&str, &str, &str, Option<&str>) {
        (&self.host, &self.template, &self.method, self.operation.as_deref())
    }
}

fn time_of(at_ms: i64) -> Option<OffsetDateTime> {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000).ok()
}

fn exchanges_per_hour(summary: &EndpointSummary) -> Option<f64> {
    let span_ms = summary.last_seen_ms?.saturating_sub(summary.first_seen_ms?);
    (span_ms >= RATE_SPAN_MIN_MS).then(|| rounded(summary.exchanges as f64 * HOUR_MS / span_ms as f64))
}

fn caller_kinds(summary: &EndpointSummary) -> Vec<CallerKindCount> {
    let mut kinds: Vec<CallerKindCount> = summary
        .caller_kinds
        .iter()
        .map(|(kind, exchanges)| CallerKindCount { kind: kind.to_string(), exchanges: *exchanges })
        .collect();
    kinds.sort_by_key(|kind| std::cmp::Reverse(kind.exchanges));
    kinds
}

/// The word for a bit of [`CredentialKinds`].
fn credential_name(bit: u8) -> Option<&'static str> {
    CredentialKinds(bit).names().next()
}
