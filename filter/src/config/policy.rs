//! The compiled configuration: checked, in the types that the request path uses.

use apiward_detector::bundle::PublicKey;
use apiward_detector::hashing::{KeyedHasher, stable_hash};
use apiward_detector::limits as engine_limits;
use apiward_detector::observation::KindClaims;
use apiward_detector::payload::Evidence;

use crate::limits;
use crate::sessions::SessionLimits;

use super::document::{
    BodyOverLimit, CallerKinds, CallerSource, Configuration, Mode, TelemetryLimits, TrainerConnection,
    WatchlistSettings,
};
use super::{AddressSource, ConfigurationError};

/// What the request path and the worker need of the configuration.
#[derive(Debug, Clone)]
pub struct FilterPolicy {
    pub scope: String,
    pub mode: Mode,
    pub trainer: TrainerTarget,
    pub public_keys: Vec<PublicKey>,
    pub min_serial: u64,
    pub hasher: KeyedHasher,
    pub caller: Vec<CallerSource>,
    /// `None` where kinds are not told.
    pub caller_kinds: Option<KindsPolicy>,
    pub trusted_hops: usize,
    /// Bytes.
    pub body_bytes_max: usize,
    /// Bytes; 0 reads nothing.
    pub body_over_limit: BodyOverLimit,
    pub evidence: Evidence,
    pub response_body_bytes_max: usize,
    /// Lower case.
    pub upstream_header: Option<String>,
    /// Lower case.
    pub response_header: Option<String>,
    pub capture: bool,
    pub sessions: SessionLimits,
    pub watchlist: WatchlistSettings,
    pub telemetry: TelemetryLimits,
    pub fail_closed: bool,
    /// Prefix of this configuration's keys in shared data. It covers what decides which bundles may load, so that filters
    /// that differ in anything else share them.
    pub shared_data_prefix: String,
}

/// Where the kinds of a caller are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KindsPolicy {
    pub claims: KindClaims,
    /// Lower case.
    pub header: String,
    pub payload_in_metadata: String,
}

/// How the trainer is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrainerTarget {
    pub cluster: String,
    pub authority: String,
    pub telemetry_path: String,
    pub bundle_path: String,
    pub watchlist_path: String,
    /// Value of the `authorization` header.
    pub authorization: String,
    pub poll_interval_ms: u64,
    pub flush_interval_ms: u64,
    pub timeout_ms: u64,
}

const HOUR_MS: u64 = 3_600_000;

/// Version of the formats in shared data, and of the filter: what one version refused, the next may load.
const SHARED_DATA_VERSION: &str = concat!("apiward/1/", env!("CARGO_PKG_VERSION"));

impl FilterPolicy {
    /// # Errors
    /// When a value is out of its range; the error names the key.
    pub fn compile(configuration: Configuration) -> Result<Self, ConfigurationError> {
        require_text("scope", &configuration.scope)?;
        let trainer = TrainerTarget::compile(configuration.trainer)?;
        let public_keys = compile_public_keys(&configuration.public_keys)?;
        let hasher = KeyedHasher::new(configuration.hash_key.as_bytes())
            .map_err(|error| ConfigurationError::key("hash_key", error.to_string()))?;
        check_range("trusted_hops", configuration.trusted_hops, 0, limits::TRUSTED_HOPS_MAX)?;
        check_range("body_bytes_max", configuration.body_bytes_max, 0, limits::BODY_BYTES_CEILING)?;
        check_range(
            "response_body_bytes_max",
            configuration.response_body_bytes_max,
            0,
            limits::RESPONSE_BODY_BYTES_CEILING,
        )?;
        let telemetry = configuration.telemetry;
        check_range("telemetry.buffer_records_max", telemetry.buffer_records_max, 16, 65_536)?;
        check_range("telemetry.batch_records_max", telemetry.batch_records_max, 1, engine_limits::BATCH_RECORDS_MAX)?;
        let upstream_header = compile_header_name("upstream_header", configuration.upstream_header)?;
        let response_header = compile_header_name("response_header", configuration.response_header)?;
        let shared_data_prefix =
            shared_data_prefix(&configuration.scope, configuration.min_serial, &trainer, &public_keys, &hasher);
        let sessions = configuration.sessions;
        check_range("sessions.callers_max", sessions.callers_max, 8, limits::SESSIONS_CEILING)?;
        check_range("sessions.addresses_max", sessions.addresses_max, 8, limits::SESSIONS_CEILING)?;
        let watchlist = configuration.watchlist;
        check_range("watchlist.poll_interval_ms", watchlist.poll_interval_ms, limits::TICK_MS, HOUR_MS)?;
        let sessions = SessionLimits {
            callers_max: sessions.callers_max,
            addresses_max: sessions.addresses_max,
            key_prefix: format!("{shared_data_prefix}/sessions"),
        };
        Ok(Self {
            scope: configuration.scope,
            mode: configuration.mode,
            trainer,
            public_keys,
            min_serial: configuration.min_serial,
            hasher,
            caller: compile_callers(configuration.caller)?,
            caller_kinds: compile_caller_kinds(configuration.caller_kinds)?,
            trusted_hops: configuration.trusted_hops,
            body_bytes_max: configuration.body_bytes_max,
            body_over_limit: configuration.body_over_limit,
            evidence: if configuration.show_evidence { Evidence::Shown } else { Evidence::Masked },
            response_body_bytes_max: configuration.response_body_bytes_max,
            upstream_header,
            response_header,
            capture: configuration.capture,
            sessions,
            watchlist,
            telemetry,
            fail_closed: configuration.fail_closed,
            shared_data_prefix,
        })
    }
}

impl TrainerTarget {
    fn compile(connection: TrainerConnection) -> Result<Self, ConfigurationError> {
        require_text("trainer.cluster", &connection.cluster)?;
        require_text("trainer.token", &connection.token)?;
        if !connection.token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigurationError::key("trainer.token", "must be printable ASCII without spaces"));
        }
        let authority = connection.authority.unwrap_or_else(|| connection.cluster.clone());
        require_text("trainer.authority", &authority)?;
        let prefix = connection.path_prefix.trim_end_matches('/');
        let prefix_is_path = prefix.is_empty() || prefix.starts_with('/');
        if !prefix_is_path || !prefix.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ConfigurationError::key("trainer.path_prefix", "must be empty or begin with a slash"));
        }
        check_range("trainer.poll_interval_ms", connection.poll_interval_ms, limits::TICK_MS, HOUR_MS)?;
        check_range("trainer.flush_interval_ms", connection.flush_interval_ms, limits::TICK_MS, HOUR_MS)?;
        check_range("trainer.timeout_ms", connection.timeout_ms, 100, 60_000)?;
        Ok(Self {
            authority,
            telemetry_path: format!("{prefix}/v1/telemetry"),
            bundle_path: format!("{prefix}/v1/bundle"),
            watchlist_path: format!("{prefix}/v1/watchlist/signed"),
            authorization: format!("Bearer {}", connection.token),
            cluster: connection.cluster,
            poll_interval_ms: connection.poll_interval_ms,
            flush_interval_ms: connection.flush_interval_ms,
            timeout_ms: connection.timeout_ms,
        })
    }
}

fn compile_public_keys(texts: &[String]) -> Result<Vec<PublicKey>, ConfigurationError> {
    check_range("public_keys", texts.len(), 1, limits::PUBLIC_KEYS_MAX)?;
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            text.parse::<PublicKey>()
                .map_err(|error| ConfigurationError::key(format!("public_keys[{index}]"), error.to_string()))
        })
        .collect()
}

fn compile_callers(sources: Vec<CallerSource>) -> Result<Vec<CallerSource>, ConfigurationError> {
    check_range("caller", sources.len(), 0, limits::CALLER_SOURCES_MAX)?;
    sources
        .into_iter()
        .enumerate()
        .map(|(index, source)| {
            let key = |rest: &str| format!("caller[{index}].{rest}");
            Ok(match source {
                CallerSource::Header(name) => CallerSource::Header(header_name(&key("header"), &name)?),
                CallerSource::Cookie(name) => {
                    require_text(&key("cookie"), &name)?;
                    CallerSource::Cookie(name)
                }
                CallerSource::JwtClaim(mut claim) => {
                    claim.header = header_name(&key("jwt_claim.header"), &claim.header)?;
                    require_text(&key("jwt_claim.claim"), &claim.claim)?;
                    require_text(&key("jwt_claim.payload_in_metadata"), &claim.payload_in_metadata)?;
                    CallerSource::JwtClaim(claim)
                }
                CallerSource::Address(AddressSource { trusted_hops: Some(hops) }) => {
                    check_range(&key("address.trusted_hops"), hops, 0, limits::TRUSTED_HOPS_MAX)?;
                    CallerSource::Address(AddressSource { trusted_hops: Some(hops) })
                }
                other => other,
            })
        })
        .collect()
}

fn compile_caller_kinds(kinds: CallerKinds) -> Result<Option<KindsPolicy>, ConfigurationError> {
    for (key, claims) in [("caller_kinds.roles", &kinds.roles), ("caller_kinds.scopes", &kinds.scopes)] {
        check_range(key, claims.len(), 0, limits::KIND_CLAIMS_MAX)?;
        for (index, claim) in claims.iter().enumerate() {
            require_text(&format!("{key}[{index}]"), claim)?;
        }
    }
    require_text("caller_kinds.payload_in_metadata", &kinds.payload_in_metadata)?;
    let policy = KindsPolicy {
        claims: KindClaims { roles: kinds.roles, scopes: kinds.scopes },
        header: header_name("caller_kinds.header", &kinds.header)?,
        payload_in_metadata: kinds.payload_in_metadata,
    };
    Ok(kinds.enabled.then_some(policy))
}

fn compile_header_name(key: &str, name: Option<String>) -> Result<Option<String>, ConfigurationError> {
    name.map(|name| header_name(key, &name)).transpose()
}

/// A header name of RFC 9110, in lower case; pseudo headers and those that steer the connection are not accepted.
fn header_name(key: &str, name: &str) -> Result<String, ConfigurationError> {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if name.is_empty() || name.len() > limits::CONFIGURED_TEXT_BYTES_MAX || !name.bytes().all(is_token) {
        return Err(ConfigurationError::key(key, format!("{name:?} is no header name")));
    }
    let name = name.to_ascii_lowercase();
    if matches!(name.as_str(), "host" | "connection" | "content-length" | "transfer-encoding" | "te" | "upgrade") {
        return Err(ConfigurationError::key(key, format!("{name:?} belongs to the connection, take another header")));
    }
    Ok(name)
}

fn require_text(key: &str, text: &str) -> Result<(), ConfigurationError> {
    if text.is_empty() {
        return Err(ConfigurationError::key(key, "must not be empty"));
    }
    if text.len() > limits::CONFIGURED_TEXT_BYTES_MAX || text.chars().any(char::is_control) {
        return Err(ConfigurationError::key(
            key,
            format!("must have at most {} bytes and no control characters", limits::CONFIGURED_TEXT_BYTES_MAX),
        ));
    }
    Ok(())
}

fn check_range<N: PartialOrd + std::fmt::Display>(
    key: &str,
    value: N,
    minimum: N,
    maximum: N,
) -> Result<(), ConfigurationError> {
    if value < minimum || value > maximum {
        return Err(ConfigurationError::key(key, format!("{value} is not within {minimum} to {maximum}")));
    }
    Ok(())
}

fn shared_data_prefix(
    scope: &str,
    min_serial: u64,
    trainer: &TrainerTarget,
    public_keys: &[PublicKey],
    hasher: &KeyedHasher,
) -> String {
    let keys: Vec<String> = public_keys.iter().map(ToString::to_string).collect();
    let min_serial = min_serial.to_le_bytes();
    let mut parts: Vec<&[u8]> = vec![
        scope.as_bytes(),
        &min_serial,
        trainer.cluster.as_bytes(),
        trainer.authority.as_bytes(),
        trainer.bundle_path.as_bytes(),
        hasher.key_id().as_bytes(),
    ];
    parts.extend(keys.iter().map(String::as_bytes));
    format!("{SHARED_DATA_VERSION}/{:016x}", stable_hash(&parts))
}
