//! How much has to be seen before something is said of an endpoint.

/// A type of a value, or a media type, that is rarer than this among all seen is left out: one odd request that happened to
/// succeed does not change what an endpoint takes.
pub const SHARE_MIN: f64 = 0.005;
/// What at least this share carries is required; the rest may be observations that are incomplete.
pub const REQUIRED_SHARE_MIN: f64 = 0.99;
/// Exchanges below which nothing is called required.
pub const REQUIRED_EXCHANGES_MIN: u64 = 10;
/// Different values up to which a field can be an enumeration.
pub const ENUMERATION_VALUES_MAX: usize = 24;
/// How often the values of an enumeration were seen on average, at least.
pub const ENUMERATION_USES_MIN: u64 = 20;

/// Whether `count` of `total` says that it is always there.
pub fn is_required(count: u64, total: u64) -> bool {
    total >= REQUIRED_EXCHANGES_MIN && share(count, total) >= REQUIRED_SHARE_MIN
}

/// 0..1, to four places; 0 of nothing.
pub fn share(count: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { rounded((count as f64 / total as f64).min(1.0)) }
}

/// To four places, so that documents are readable and the same everywhere.
pub fn rounded(number: f64) -> f64 {
    (number * 10_000.0).round() / 10_000.0
}
