//! The configuration as it is written. Its JSON Schema is `filter/config.schema.json`.

use apiward_detector::observation::KindClaims;
use serde::Deserialize;

/// Configuration of the apiward filter.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// What this filter protects, as the trainer names it (a host, a namespace, a gateway). Only bundles of this scope load.
    pub scope: String,
    /// `monitor` lets everything pass; `enforce` answers anomalous requests with 403.
    #[serde(default)]
    pub mode: Mode,
    /// Where telemetry goes and bundles come from.
    pub trainer: TrainerConnection,
    /// Keys that may sign bundles, as `apiward keygen` prints them: `apiward-public-` and 64 hexadecimal digits.
    #[cfg_attr(test, schemars(length(min = 1, max = 8)))]
    pub public_keys: Vec<String>,
    /// Bundles with a lower serial are refused.
    #[serde(default)]
    pub min_serial: u64,
    /// Secret under which callers, addresses and values are hashed, at least 16 bytes; the same in all filters of the scope.
    #[cfg_attr(test, schemars(length(min = 16)))]
    pub hash_key: String,
    /// How the caller is told; the first that matches counts.
    #[serde(default)]
    #[cfg_attr(test, schemars(length(max = 16)))]
    pub caller: Vec<CallerSource>,
    /// By what kinds callers are told apart, besides by who they are: learned is which of them use an endpoint.
    #[serde(default)]
    pub caller_kinds: CallerKinds,
    /// How many proxies in front of this one append to `x-forwarded-for`, as Envoy's `xff_num_trusted_hops`; without it the
    /// address is the one that Envoy itself found (`source.address`).
    #[serde(default)]
    #[cfg_attr(test, schemars(range(max = 32)))]
    pub trusted_hops: usize,
    /// Bytes of request body that are read. Must be below the listener's `per_connection_buffer_limit_bytes` in enforce mode.
    #[serde(default = "default_body_bytes_max")]
    #[cfg_attr(test, schemars(range(max = 1_048_576)))]
    pub body_bytes_max: usize,
    /// What happens to a request whose body is longer than that, in enforce mode: `pass` judges it by what was read and lets the
    /// rest pass unseen; `refuse` answers it with 413.
    #[serde(default)]
    pub body_over_limit: BodyOverLimit,
    /// Let reasons show the text of a value that looks like an attack. Without it they show its signs and the words that
    /// attacks are written with, everything else masked.
    #[serde(default)]
    pub show_evidence: bool,
    /// Bytes of a JSON response that are read as they pass; 0 turns it off. Nothing is held back for it.
    #[serde(default = "default_response_body_bytes_max")]
    #[cfg_attr(test, schemars(range(max = 262_144)))]
    pub response_body_bytes_max: usize,
    /// Request header that tells the upstream the verdict of the header phase; what the client sent under this name is removed.
    #[serde(default)]
    pub upstream_header: Option<String>,
    /// Response header that tells the client the verdict on its request. For tests and debugging.
    #[serde(default)]
    pub response_header: Option<String>,
    /// Send whole exchanges, with their values, to the trainer for labelling.
    #[serde(default)]
    pub capture: bool,
    /// How many callers and addresses are remembered, by all workers together.
    #[serde(default)]
    pub sessions: Sessions,
    /// What becomes of callers and addresses that the trainer tells all filters to watch.
    #[serde(default)]
    pub watchlist: WatchlistSettings,
    /// Limits of the telemetry buffer of one worker.
    #[serde(default)]
    pub telemetry: TelemetryLimits,
    /// In enforce mode, answer 503 while there is no model to judge by.
    #[serde(default)]
    pub fail_closed: bool,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    #[default]
    Monitor,
    Enforce,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BodyOverLimit {
    #[default]
    Pass,
    Refuse,
}

#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct TrainerConnection {
    /// Name of the Envoy cluster through which the trainer is reached.
    pub cluster: String,
    /// Host name sent to the trainer; without it the cluster's name.
    #[serde(default)]
    pub authority: Option<String>,
    /// Put before `/v1/...`, for a trainer behind a path.
    #[serde(default)]
    pub path_prefix: String,
    /// Token with the role `filter` for this scope.
    pub token: String,
    /// How often one of the workers asks for a new bundle, milliseconds.
    #[serde(default = "default_poll_interval_ms")]
    #[cfg_attr(test, schemars(range(min = 200, max = 3_600_000)))]
    pub poll_interval_ms: u64,
    /// How often each worker sends what it has recorded, milliseconds.
    #[serde(default = "default_flush_interval_ms")]
    #[cfg_attr(test, schemars(range(min = 200, max = 3_600_000)))]
    pub flush_interval_ms: u64,
    /// How long an answer of the trainer is waited for, milliseconds.
    #[serde(default = "default_timeout_ms")]
    #[cfg_attr(test, schemars(range(min = 100, max = 60_000)))]
    pub timeout_ms: u64,
}

/// Sessions of callers and addresses, in shared data. Each caller takes 394 bytes, each address 193.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// Callers that are remembered; beyond, those that were silent longest are forgotten.
    #[cfg_attr(test, schemars(range(min = 8, max = 1_048_576)))]
    pub callers_max: usize,
    /// The same for addresses.
    #[cfg_attr(test, schemars(range(min = 8, max = 1_048_576)))]
    pub addresses_max: usize,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { callers_max: 32_768, addresses_max: 32_768 }
    }
}

/// Callers and addresses that the trainer found out about, since it sees the traffic of all proxies of the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct WatchlistSettings {
    /// What happens to their requests in enforce mode, if nothing else is odd about them. In monitor mode they are flagged only.
    pub action: WatchlistAction,
    /// How often one of the workers asks for changes, milliseconds.
    #[cfg_attr(test, schemars(range(min = 200, max = 3_600_000)))]
    pub poll_interval_ms: u64,
}

impl Default for WatchlistSettings {
    fn default() -> Self {
        Self { action: WatchlistAction::default(), poll_interval_ms: 1500 }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum WatchlistAction {
    /// The trainer is not asked for a watchlist.
    Off,
    /// They are flagged and pass.
    Log,
    /// They are answered with 429 and a `retry-after` that says when their entry expires.
    #[default]
    TooManyRequests,
    /// They are answered with 403.
    Forbid,
}

/// One way to tell the caller.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CallerSource {
    /// Name of a request header, claimed by the client unless a proxy in front sets it.
    Header(String),
    /// Name of a cookie.
    Cookie(String),
    JwtClaim(JwtClaim),
    /// A field of the client certificate; counts as verified, so the listener must require and check certificates.
    ClientCertificate(CertificateField),
    Address(AddressSource),
}

/// A claim of a JWT: verified where Envoy's `jwt_authn` filter, placed before this one, put it into its metadata; otherwise
/// read from the token without a check and counted as claimed.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct JwtClaim {
    /// Header that carries the token, with or without `Bearer `.
    #[serde(default = "default_jwt_header")]
    pub header: String,
    /// Top-level claim, `sub` for instance.
    pub claim: String,
    /// `payload_in_metadata` of the `jwt_authn` provider.
    #[serde(default = "default_payload_in_metadata")]
    pub payload_in_metadata: String,
}

/// The kinds of a caller: its certificate's first URI, DNS name or subject, the roles and scopes of its JWT, or whether it has
/// any credentials. Roles and scopes are verified where Envoy's `jwt_authn` filter put the token's payload into its metadata;
/// otherwise they are read from the token without a check.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct CallerKinds {
    /// `false`: nothing is said of kinds of callers.
    pub enabled: bool,
    /// Claims that hold roles or groups, as a list or a text; the way to a nested one with dots.
    #[cfg_attr(test, schemars(length(max = 16)))]
    pub roles: Vec<String>,
    /// Claims that hold scopes, as a list or a text with blanks between.
    #[cfg_attr(test, schemars(length(max = 16)))]
    pub scopes: Vec<String>,
    /// Header that carries the token, with or without `Bearer `.
    pub header: String,
    /// `payload_in_metadata` of the `jwt_authn` provider.
    pub payload_in_metadata: String,
}

impl Default for CallerKinds {
    fn default() -> Self {
        let KindClaims { roles, scopes } = KindClaims::default();
        Self {
            enabled: true,
            roles,
            scopes,
            header: default_jwt_header(),
            payload_in_metadata: default_payload_in_metadata(),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum CertificateField {
    UriSan,
    DnsSan,
    Subject,
}

/// The client's address as its identity, for networks in which addresses are stable.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct AddressSource {
    /// As the `trusted_hops` of the configuration itself, which it overrides.
    #[serde(default)]
    #[cfg_attr(test, schemars(range(max = 32)))]
    pub trusted_hops: Option<usize>,
}

#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryLimits {
    /// Records kept while the trainer cannot be reached; beyond, normal ones go first.
    #[cfg_attr(test, schemars(range(min = 16, max = 65_536)))]
    pub buffer_records_max: usize,
    /// Records sent at once.
    #[cfg_attr(test, schemars(range(min = 1, max = 4096)))]
    pub batch_records_max: usize,
}

impl Default for TelemetryLimits {
    fn default() -> Self {
        Self { buffer_records_max: 8192, batch_records_max: 1024 }
    }
}

fn default_body_bytes_max() -> usize {
    apiward_detector::limits::BODY_BYTES_DEFAULT
}

fn default_response_body_bytes_max() -> usize {
    apiward_detector::limits::RESPONSE_BODY_BYTES_DEFAULT
}

fn default_poll_interval_ms() -> u64 {
    5000
}

fn default_flush_interval_ms() -> u64 {
    2000
}

fn default_timeout_ms() -> u64 {
    5000
}

fn default_jwt_header() -> String {
    "authorization".to_owned()
}

fn default_payload_in_metadata() -> String {
    "jwt_payload".to_owned()
}
