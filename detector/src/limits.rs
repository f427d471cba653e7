//! Every limit of the engine, named with its unit. What is cut by one is marked in the observation.

/// Path components that are looked at; a longer path is marked as truncated.
pub const PATH_COMPONENTS_MAX: usize = 32;
/// Bytes of the path and query that are parsed.
pub const PATH_BYTES_MAX: usize = 16 * 1024;
/// Values (query, form and JSON fields, containers included) kept of one exchange.
pub const VALUES_MAX: usize = 256;
/// Nesting of JSON that gives fields.
pub const JSON_DEPTH_MAX: usize = 24;
/// Bytes of a field name, dotted path included.
pub const FIELD_NAME_BYTES_MAX: usize = 160;
/// Bytes of one static word (path component or one part of a field name) that may travel in clear.
pub const WORD_BYTES_MAX: usize = 48;
/// The same for words with dots, such as package names.
pub const DOTTED_WORD_BYTES_MAX: usize = 96;
/// Parts that a path component is taken apart into at its punctuation; one with more is looked at as a whole only.
pub const COMPONENT_PARTS_MAX: usize = 8;
/// Values of a response body that are looked at.
pub const RESPONSE_VALUES_MAX: usize = 96;
/// Items of each list in a response body that are looked at.
pub const RESPONSE_ITEMS_MAX: usize = 4;
/// Bytes of response body that are read by default.
pub const RESPONSE_BODY_BYTES_DEFAULT: usize = 16 * 1024;
/// Bytes of a JWT that is looked into.
pub const JWT_BYTES_MAX: usize = 16 * 1024;
/// Kinds of one caller that are read of its credentials, before they are sorted.
pub const CALLER_KINDS_READ_MAX: usize = 64;
/// Kinds of one caller that are kept.
pub const CALLER_KINDS_MAX: usize = 8;
/// Bytes of one kind of caller.
pub const CALLER_KIND_BYTES_MAX: usize = 128;
/// Characters of one value that are classified; its length counts all of them.
pub const VALUE_CHARS_MAX: usize = 4096;
/// Characters of a collapsed character-class pattern.
pub const PATTERN_CHARS_MAX: usize = 32;
/// Different punctuation characters counted in one value.
pub const PUNCTUATION_KINDS_MAX: usize = 32;
/// Percent-decoding layers undone to look for hidden encodings.
pub const DECODING_LAYERS_MAX: usize = 3;
/// Bytes of a host name.
pub const HOST_BYTES_MAX: usize = 255;
/// Bytes of a method name.
pub const METHOD_BYTES_MAX: usize = 32;
/// Bytes of a request id kept in telemetry.
pub const REQUEST_ID_BYTES_MAX: usize = 64;
/// Bytes decoded or walked for one exchange, over all parsers.
pub const WORK_BYTES_MAX: u64 = 2 * 1024 * 1024;
/// Values classified for one exchange, over all parsers.
pub const WORK_VALUES_MAX: u64 = 4096;
/// Decoding layers for one exchange, over all values.
pub const WORK_LAYERS_MAX: u64 = 8192;
/// Network inferences per exchange: the autoencoder's three, and batches of 64 windows of values, which are some 10 in the longest
/// requests that are looked at to their end.
pub const WORK_INFERENCES_MAX: u64 = 32;
/// Bytes of request body that are read by default.
pub const BODY_BYTES_DEFAULT: usize = 256 * 1024;

/// Bytes of request body that are looked at after its content encoding is undone.
pub const DECODED_BODY_BYTES_MAX: usize = BODY_BYTES_DEFAULT;
/// Content encodings of one body, one around the other.
pub const CONTENT_ENCODINGS_MAX: usize = 2;
/// How many times larger than sent a body may come out of its content encoding, where it is cut at the limit; above this it is a
/// bomb. Deflate reaches 1,032 with zeros only, JSON and text hardly 20.
pub const DECODED_BODY_RATIO_MAX: usize = 100;
/// Binary logarithm of a Brotli window: RFC 7932 allows 24, which are 16 MiB.
pub const BROTLI_WINDOW_BITS_MAX: u8 = 22;
/// Parts of a multipart body that are looked at.
pub const MULTIPART_PARTS_MAX: usize = 256;
/// Bytes of the headers of one part of a multipart body.
pub const MULTIPART_HEADER_BYTES_MAX: usize = 8 * 1024;
/// Nesting of XML elements that is walked.
pub const XML_DEPTH_MAX: usize = 128;
/// Values inside of values (JSON in a text of JSON, a form in a parameter) that are taken apart.
pub const NESTED_VALUES_MAX: usize = 3;
/// Values of one phase that the payload detector looks at.
pub const PAYLOAD_VALUES_MAX: usize = 128;
/// Bytes of all of them.
pub const PAYLOAD_VALUES_BYTES_MAX: usize = 48 * 1024;
/// Bytes of one of them; of a longer value windows are taken.
pub const PAYLOAD_VALUE_BYTES_MAX: usize = 4096;
/// Bytes of a window of a long value.
pub const PAYLOAD_WINDOW_BYTES: usize = 2048;
/// Bytes that a window shares with the next one.
pub const PAYLOAD_WINDOW_OVERLAP_BYTES: usize = 256;
/// Windows of one value.
pub const PAYLOAD_WINDOWS_MAX: usize = 6;

/// Payloads that an observation carries.
pub const OBSERVED_PAYLOADS_MAX: usize = 16;

/// Bytes of a bundle file.
pub const BUNDLE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Networks in a bundle.
pub const NETWORKS_MAX: usize = 8;
/// Bytes of one network.
pub const NETWORK_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Parameters of one network.
pub const NETWORK_PARAMETERS_MAX: usize = 1_000_000;
/// Nodes (operations) of one network.
pub const NETWORK_NODES_MAX: usize = 512;
/// Multiply-adds of one inference, values of element-wise operations included: a few milliseconds at worst.
pub const NETWORK_MULTIPLY_ADDS_MAX: usize = 2_000_000;
/// Protobuf fields of one network, nested ones included.
pub const NETWORK_FIELDS_MAX: usize = 8192;
/// Bytes of any name in a network.
pub const NETWORK_NAME_BYTES_MAX: usize = 128;
/// Bytes of an encoded list of integers (a shape or axes) in a network.
pub const NETWORK_LIST_BYTES_MAX: usize = 64;
/// Endpoints in a bundle.
pub const ENDPOINTS_MAX: usize = 20_000;
/// Field profiles in a bundle, over all endpoints.
pub const FIELD_PROFILES_MAX: usize = 200_000;
/// Golden cases in a bundle.
pub const GOLDEN_CASES_MAX: usize = 64;
/// Golden texts of the payload network in a bundle.
pub const GOLDEN_PAYLOADS_MAX: usize = 64;
/// Fields with payload thresholds of their own, and exceptions, in a bundle.
pub const PAYLOAD_FIELDS_MAX: usize = 50_000;
/// Thresholds of how much callers and addresses do, in a bundle.
pub const VOLUME_THRESHOLDS_MAX: usize = 100_000;
/// Callers and addresses with thresholds of their own, over all measures, in a bundle.
pub const BUSY_SUBJECTS_MAX: usize = 4096;
/// Endpoints that take logins, in a bundle.
pub const LOGIN_FIELDS_MAX: usize = 1024;
/// Kinds of answers by which one of them refuses.
pub const LOGIN_REFUSALS_MAX: usize = 16;
/// Bytes of a watchlist file.
pub const WATCHLIST_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Entries of a watchlist.
pub const WATCH_ENTRIES_MAX: usize = 8192;
/// Bytes of the reason of a watchlist entry.
pub const WATCH_REASON_BYTES_MAX: usize = 200;
/// Endpoints that the sequence model of a bundle predicts.
pub const SEQUENCE_SYMBOLS_MAX: usize = 8192;
/// Contexts of a sequence model.
pub const SEQUENCE_CONTEXTS_MAX: usize = 150_000;
/// Transitions of a sequence model, over all contexts.
pub const SEQUENCE_TRANSITIONS_MAX: usize = 400_000;
/// Required predecessors of a sequence model.
pub const SEQUENCE_REQUIRED_MAX: usize = 20_000;
/// Findings kept for one exchange.
pub const FINDINGS_MAX: usize = 16;

/// Bytes of one telemetry batch after decompression.
pub const BATCH_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Records in one telemetry batch.
pub const BATCH_RECORDS_MAX: usize = 4096;
/// Bytes of any one text in a telemetry batch.
pub const BATCH_TEXT_BYTES_MAX: usize = 1024;
/// Oldest record time accepted, milliseconds before now.
pub const RECORD_AGE_MAX_MS: i64 = 24 * 60 * 60 * 1000;
/// Newest record time accepted, milliseconds after now.
pub const RECORD_AHEAD_MAX_MS: i64 = 5 * 60 * 1000;
