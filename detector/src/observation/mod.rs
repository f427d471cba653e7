//! What is seen of an exchange: shapes, counts and keyed hashes, never values.
//!
//! The observation is the only input of scoring and of learning, and it is what telemetry carries; so the filter, the
//! offline scorer and the trainer see the same thing, and the store holds no values.

mod body;
mod caller_kind;
mod credentials;
mod decoding;
mod fields;
mod graphql;
mod header_values;
mod json;
mod nested;
mod observer;
mod operation;
mod parts;
mod path;
mod payload_values;
mod request_json;
mod response;
mod sensitive;
mod shape;
mod value_type;
mod words;

use serde::{Deserialize, Serialize};

use crate::exchange::Phase;
use crate::payload::ObservedPayload;

pub use caller_kind::{
    ANONYMOUS, AUTHENTICATED, COOKIE, KindClaims, KindSource, UNKNOWN, caller_kind, certificate_kind,
};
pub use credentials::CredentialKinds;
pub use observer::{Observer, normalised_host};
pub use parts::ComponentPart;
pub use payload_values::{PayloadValue, PayloadValues};
pub use response::ResponseField;
pub use sensitive::SensitiveClasses;
pub use shape::{CharacterClasses, ValueShape};
pub use value_type::ValueType;
pub use words::{field_name, is_static_word};

/// Shape-level view of one exchange.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Observation {
    /// Lower case, without port; `{ip}` for addresses, `{host}` for what is no host name.
    pub host: String,
    /// Upper case; `{method}` for what is no token.
    pub method: String,
    pub components: Vec<PathComponent>,
    pub path_marks: PathMarks,
    /// Of what kinds the caller is, sorted: `certificate:spiffe://shop/cart`, `role:admin`, `scope:orders.read`; without
    /// any of these [`AUTHENTICATED`], [`COOKIE`] or [`ANONYMOUS`]. Empty where nothing is known.
    pub caller_kinds: Vec<String>,
    pub credentials: CredentialKinds,
    /// Media type class of the request.
    pub request_content: ContentClass,
    /// Name of the GraphQL operation or JSON-RPC method in the body, when it passes the static-word test.
    pub operation: Option<String>,
    pub fields: Vec<ObservedField>,
    /// Values of a JSON response, as far as they are looked at.
    pub response_fields: Vec<ResponseField>,
    pub request: RequestMeasures,
    pub body: BodyMeasures,
    pub response: Option<ResponseMeasures>,
    /// How far the exchange had come when it was observed.
    pub phase: Phase,
    /// Minutes since midnight UTC.
    pub minute_of_day: Option<u16>,
    /// Some work budget or limit was hit: the observation is incomplete.
    pub incomplete: bool,
    /// Fields with a value that looks like an attack, by the payload network; empty where there is none.
    #[serde(default)]
    pub payloads: Vec<ObservedPayload>,
    /// The payload network did not come to see all values that it should: there were more of them than the work of one exchange
    /// allows.
    #[serde(default)]
    pub payloads_unscored: bool,
}

/// One component of a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathComponent {
    /// The text, when it passes the static-word test.
    pub word: Option<String>,
    pub shape: ValueShape,
    /// What it is made of, where there is punctuation in it that can part a literal from a value; else empty.
    pub parts: Vec<ComponentPart>,
}

/// Oddities of a path as sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathMarks {
    /// `.` or `..` components were resolved.
    pub dots: bool,
    /// Something is still percent-encoded after one decoding.
    pub encoded_twice: bool,
    /// An encoded slash, backslash or NUL.
    pub encoded_separator: bool,
    /// Empty components (`//`).
    pub empty_component: bool,
    /// It ends in a slash, which the components do not tell.
    pub trailing_slash: bool,
    /// More components or bytes than are looked at.
    pub truncated: bool,
}

/// Where a field was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Location {
    Path,
    Query,
    Form,
    /// JSON.
    Body,
    Multipart,
    Xml,
    /// A body as one text; never a field.
    Text,
    /// Never a field.
    Header,
    /// Never a field.
    Cookie,
    /// A claim of the token (RFC 7519) in `authorization`; never a field.
    Token,
}

impl Location {
    /// The word a person reads: `body field "role"`.
    pub fn noun(self) -> &'static str {
        match self {
            Location::Path => "path parameter",
            Location::Query => "query parameter",
            Location::Form => "form field",
            Location::Body => "body field",
            Location::Multipart => "multipart field",
            Location::Xml => "XML field",
            Location::Text => "body text",
            Location::Header => "header",
            Location::Cookie => "cookie",
            Location::Token => "token claim",
        }
    }

    /// The phase in which fields of this location become known.
    pub fn phase(self) -> Phase {
        match self {
            Location::Path | Location::Query | Location::Header | Location::Cookie | Location::Token => Phase::Headers,
            Location::Form | Location::Body | Location::Multipart | Location::Xml | Location::Text => Phase::Body,
        }
    }
}

/// One value of a field; a field that occurs several times gives several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObservedField {
    pub location: Location,
    /// Static parts in clear, others as `{type}`; JSON names dotted, array items as `[]`: `items[].note`.
    pub name: String,
    pub encoding: ValueEncoding,
    pub shape: ValueShape,
}

/// How a value was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueEncoding {
    /// Path, query, form, multipart or XML: everything is text.
    Text,
    JsonString,
    JsonNumber,
    JsonBoolean,
    JsonNull,
    /// Its shape's length is the number of items.
    JsonArray,
    /// Its shape's length is the number of members.
    JsonObject,
}

impl ValueEncoding {
    pub fn is_container(self) -> bool {
        matches!(self, ValueEncoding::JsonArray | ValueEncoding::JsonObject)
    }

    /// The word a person reads.
    pub fn noun(self) -> &'static str {
        match self {
            ValueEncoding::Text => "text",
            ValueEncoding::JsonString => "string",
            ValueEncoding::JsonNumber => "number",
            ValueEncoding::JsonBoolean => "boolean",
            ValueEncoding::JsonNull => "null",
            ValueEncoding::JsonArray => "array",
            ValueEncoding::JsonObject => "object",
        }
    }
}

/// Media types by how they are parsed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContentClass {
    #[default]
    Absent,
    Json,
    Form,
    Multipart,
    Xml,
    Html,
    Text,
    Grpc,
    Other,
}

/// What the request head tells in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RequestMeasures {
    pub path_bytes: u32,
    pub query_bytes: u32,
    pub header_count: u16,
    pub header_bytes: u32,
    pub cookie_count: u16,
    pub user_agent_bytes: u16,
    pub accept_bytes: u16,
    pub authorization: bool,
    /// `content-length`, when sent.
    pub declared_bytes: Option<u64>,
}

/// What the request body tells in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BodyMeasures {
    /// Of the whole body, also of what was not read.
    pub bytes: u64,
    pub depth: u16,
    pub items_max: u32,
    /// The body does not parse as its declared type: `problem` says how.
    pub malformed: bool,
    /// Only a part of the body was read.
    pub cut: bool,
    /// `None` in telemetry before version 3.
    #[serde(default)]
    pub problem: Option<BodyProblem>,
}

/// What a body is not that it was declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyProblem {
    Json,
    Multipart,
    Xml,
    /// Not encoded as `content-encoding` says, or in a way that is not known.
    ContentEncoding,
    /// Out of its content encoding it comes so much larger that it is meant to use up memory.
    Bomb,
}

impl BodyProblem {
    /// What a person reads after "body".
    pub fn words(self) -> &'static str {
        match self {
            BodyProblem::Json => "is no valid JSON",
            BodyProblem::Multipart => "is no valid multipart form",
            BodyProblem::Xml => "is no valid XML",
            BodyProblem::ContentEncoding => "is not encoded as its content-encoding says",
            BodyProblem::Bomb => "is a decompression bomb",
        }
    }
}

/// What the response tells in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponseMeasures {
    pub status: Option<u16>,
    pub grpc_status: Option<u16>,
    pub content: ContentClass,
    pub header_count: u16,
    pub bytes: Option<u64>,
    pub duration_us: Option<u64>,
}

impl ResponseMeasures {
    /// The upstream or the proxy failed (5xx, or gRPC UNAVAILABLE, INTERNAL, UNKNOWN, DATA_LOSS, DEADLINE_EXCEEDED): this
    /// says something of the service, not of the caller.
    pub fn is_server_failure(&self) -> bool {
        self.status.is_some_and(|status| status >= 500) || matches!(self.grpc_status, Some(2 | 4 | 13 | 14 | 15))
    }

    /// Known to have given what was asked for: 2xx or 304, and gRPC OK where there is a gRPC status.
    pub fn is_answer(&self) -> bool {
        self.status.is_some_and(|status| matches!(status, 200..300 | 304))
            && self.grpc_status.is_none_or(|status| status == 0)
    }

    /// Known to have succeeded: 1xx to 3xx, and gRPC OK where there is a gRPC status.
    pub fn is_success(&self) -> bool {
        self.status.is_some_and(|status| status < 400) && self.grpc_status.is_none_or(|status| status == 0)
    }
}

impl ContentClass {
    /// Class of a `content-type` header; `Absent` without one.
    pub fn of(content_type: Option<&str>) -> Self {
        let Some(content_type) = content_type else {
            return ContentClass::Absent;
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match essence.as_str() {
            "" => ContentClass::Absent,
            "application/x-www-form-urlencoded" => ContentClass::Form,
            "multipart/form-data" => ContentClass::Multipart,
            "text/html" | "application/xhtml+xml" => ContentClass::Html,
            json if json == "application/json" || json == "text/json" || json.ends_with("+json") => ContentClass::Json,
            xml if xml == "application/xml" || xml == "text/xml" || xml.ends_with("+xml") => ContentClass::Xml,
            grpc if grpc.starts_with("application/grpc") => ContentClass::Grpc,
            text if text.starts_with("text/") => ContentClass::Text,
            _ => ContentClass::Other,
        }
    }

    /// The word a person reads.
    pub fn noun(self) -> &'static str {
        match self {
            ContentClass::Absent => "none",
            ContentClass::Json => "JSON",
            ContentClass::Form => "form",
            ContentClass::Multipart => "multipart",
            ContentClass::Xml => "XML",
            ContentClass::Html => "HTML",
            ContentClass::Text => "text",
            ContentClass::Grpc => "gRPC",
            ContentClass::Other => "other",
        }
    }
}
