//! What a comparison says, as programs read it.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::discovery::inventory::{DataLocation, EndpointState, SensitiveData};

/// Traffic beside a specification.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub specification: ComparedSpecification,
    /// The hosts whose traffic was compared.
    pub hosts: Vec<String>,
    /// What comes before the specification's paths in the traffic, `/v1`; empty for nothing.
    pub prefix: String,
    /// Endpoints with traffic that the specification does not have.
    pub shadow: Vec<ShadowEndpoint>,
    /// Operations that are deprecated, and still used.
    pub zombie: Vec<ZombieOperation>,
    /// Operations without traffic.
    pub unused: Vec<UnusedOperation>,
    /// Where traffic that succeeded is not as declared.
    pub mismatches: Vec<Mismatch>,
    /// Operations with traffic.
    pub matched: Vec<MatchedOperation>,
    /// What could not be compared, as sentences.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComparedSpecification {
    pub title: String,
    pub version: String,
    /// `OpenAPI 3.1.0`
    pub format: String,
    pub operations: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShadowEndpoint {
    pub host: String,
    pub method: String,
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub reason: ShadowReason,
    pub state: EndpointState,
    pub exchanges: u64,
    pub sensitive: Vec<SensitiveData>,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_seen: Option<OffsetDateTime>,
}

/// What of an endpoint is not declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ShadowReason {
    Path,
    /// The path is declared with other methods.
    Method,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ZombieOperation {
    pub method: String,
    /// As declared.
    pub path: String,
    pub exchanges: u64,
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_seen: Option<OffsetDateTime>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnusedOperation {
    pub method: String,
    /// As declared.
    pub path: String,
    pub deprecated: bool,
    /// A discovered template with a parameter in the place of a literal of this path: if it is used, it is counted there.
    pub within: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedOperation {
    pub method: String,
    /// As declared.
    pub path: String,
    pub exchanges: u64,
    pub endpoints: Vec<MatchedEndpoint>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MatchedEndpoint {
    pub host: String,
    pub template: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub exchanges: u64,
    /// Components that are a literal in the one and a parameter in the other; empty where both agree.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// One component in which a declared path and a discovered template differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deviation {
    pub declared: String,
    pub discovered: String,
}

/// Something of an operation that is not as declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mismatch {
    pub method: String,
    /// As declared.
    pub path: String,
    /// Name of the GraphQL operation or JSON-RPC method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    pub kind: MismatchKind,
    /// `null` for what is about the whole exchange.
    pub location: Option<DataLocation>,
    /// Of the parameter or field, dotted in bodies; empty for the body itself.
    pub name: String,
    /// What the specification says.
    pub declared: String,
    /// What was seen.
    pub seen: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MismatchKind {
    /// In the traffic, and not declared.
    Undeclared,
    /// Declared as required, and absent in exchanges that succeeded.
    RequiredAbsent,
    /// Declared elsewhere, as for a query parameter that is sent in the body.
    Location,
    Type,
    Format,
    /// More different values than are declared.
    Enumeration,
    /// Longer than declared.
    Length,
    MediaType,
    /// A success with a status that is not declared.
    Status,
    /// Succeeded without credentials where some are asked for.
    Unauthenticated,
}

impl MismatchKind {
    /// The words a person reads.
    pub fn noun(self) -> &'static str {
        match self {
            MismatchKind::Undeclared => "undeclared",
            MismatchKind::RequiredAbsent => "required but absent",
            MismatchKind::Location => "in another place",
            MismatchKind::Type => "type",
            MismatchKind::Format => "format",
            MismatchKind::Enumeration => "more values",
            MismatchKind::Length => "longer",
            MismatchKind::MediaType => "media type",
            MismatchKind::Status => "status",
            MismatchKind::Unauthenticated => "unauthenticated",
        }
    }
}

impl Comparison {
    /// Whether the traffic is as declared; unused operations are no difference that traffic shows.
    pub fn agrees(&self) -> bool {
        self.shadow.is_empty() && self.zombie.is_empty() && self.mismatches.is_empty()
    }
}
