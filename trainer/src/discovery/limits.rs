//! Every limit of discovery, named with its unit. All of them hold per scope, whatever the traffic.

/// Hosts of a scope that are looked at; the first ones seen.
pub const HOSTS_MAX: usize = 256;
/// Different words kept below one node; the least visited ones then count as values.
pub const WORDS_MAX: usize = 512;
/// Forms of values (`·.json`) told apart below one node.
pub const FORMS_MAX: usize = 96;
/// Nodes kept of one host.
pub const NODES_MAX: usize = 60_000;
/// Methods and operations kept at one node.
pub const CALLS_MAX: usize = 512;
/// Callers that are remembered per node, to count distinct ones.
pub const CALLERS_KEPT: usize = 16;
/// Windows of time that are remembered per node.
pub const WINDOWS_KEPT: usize = 8;
/// Callers whose conduct is remembered.
pub const CONDUCTS_MAX: usize = 100_000;
/// Identifiers handed out in responses that are remembered.
pub const HANDED_OUT_MAX: usize = 200_000;
/// Different values of a field that are counted.
pub const DISTINCT_MAX: usize = 48;
/// Fields of requests, and of responses, kept per endpoint.
pub const FIELDS_MAX: usize = 384;
/// Kinds of callers kept per endpoint.
pub const KINDS_MAX: usize = 32;
/// Literals of a mixed component at one of its places; with more of them it is a value.
pub const PART_WORDS_MAX: usize = 8;
/// Bytes of a specification that is compared with traffic.
pub const SPECIFICATION_BYTES_MAX: usize = 32 * 1024 * 1024;
/// YAML events, aliases included, of a specification.
pub const SPECIFICATION_EVENTS_MAX: usize = 4_000_000;
/// Nesting of a specification, as deep as `serde_json` goes.
pub const SPECIFICATION_DEPTH_MAX: usize = 127;
/// Operations of a specification.
pub const SPECIFICATION_OPERATIONS_MAX: usize = 20_000;
/// Schemas of a specification that are looked at in one comparison, each as often as it is used; others then allow anything.
pub const SCHEMA_VISITS_MAX: usize = 200_000;
/// Mismatches that one comparison lists.
pub const MISMATCHES_MAX: usize = 10_000;
