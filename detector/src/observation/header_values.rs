//! The values in a request's path and headers that the payload detector looks at.

use crate::jwt;

use super::Location;
use super::PathMarks;
use super::decoding::decode_once;
use super::fields::FieldCollector;
use super::nested::collect_token;
use super::words::field_name;

/// Headers for the connection, the proxy or the content itself, which applications hardly use as data. Groups end in `-`.
const PROTOCOL_HEADERS: [&str; 26] = [
    "accept",
    "accept-",
    "authorization",
    "cache-control",
    "connection",
    "content-",
    "date",
    "dnt",
    "expect",
    "host",
    "if-",
    "keep-alive",
    "origin",
    "pragma",
    "priority",
    "proxy-",
    "range",
    "sec-",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "upgrade-insecure-requests",
    "via",
    "x-envoy-",
    "x-forwarded-client-cert",
];
/// What none of these headers needs; one with any of it is a value all the same.
const FOREIGN_SIGNS: [&str; 11] = ["${", "%{", "{{", "$(", "<", "'", "`", "/**", "../", "||", "() {"];
/// Endings of files that scanners ask for; where such a path is known, so is its verdict.
const PROBED_ENDINGS: [&str; 36] = [
    ".7z", ".asp", ".aspx", ".axd", ".bak", ".bat", ".cfg", ".cgi", ".conf", ".config", ".db", ".dll", ".env", ".exe",
    ".gz", ".ini", ".jks", ".jsp", ".key", ".log", ".old", ".orig", ".pem", ".php", ".pl", ".rar", ".save", ".sh",
    ".sql", ".sqlite", ".swp", ".tar", ".tgz", ".yml", ".zip", "~",
];

/// Components (decoded) by their index, and the whole path as it was sent where it climbs, hides something or asks for a file of the
/// server's own.
pub fn collect_path(path: &str, components: &[String], marks: PathMarks, collector: &mut FieldCollector<'_>) {
    for (index, component) in components.iter().enumerate() {
        collector.value(Location::Path, &index.to_string(), component);
    }
    let is_probe = |component: &String| {
        let lower = component.to_ascii_lowercase();
        component.starts_with('.')
            || component.contains("..")
            || PROBED_ENDINGS.iter().any(|ending| lower.ends_with(ending))
    };
    if marks.dots || marks.encoded_twice || marks.encoded_separator || components.iter().any(is_probe) {
        collector.value(Location::Path, "", path);
    }
}

/// Headers have names in lower case.
pub fn collect_headers(headers: &[(String, String)], collector: &mut FieldCollector<'_>) {
    for (name, value) in headers {
        if !collector.budget.take_bytes(value.len()) {
            collector.incomplete = true;
            return;
        }
        match name.as_str() {
            "cookie" => cookies(value, collector),
            "referer" => referer(value, collector),
            "authorization" if token(value, collector) => {}
            _ if is_of_protocol(name) && !has_foreign_signs(value) => {}
            _ => collector.value(Location::Header, &field_name(name), value),
        }
    }
}

fn is_of_protocol(name: &str) -> bool {
    PROTOCOL_HEADERS.iter().any(|protocol| name == *protocol || (protocol.ends_with('-') && name.starts_with(protocol)))
}

/// Whether a header has something that no header of the protocol needs.
pub fn has_foreign_signs(value: &str) -> bool {
    FOREIGN_SIGNS.iter().any(|sign| value.contains(sign))
}

/// The claims and the header of a token; `false` where there is none.
fn token(authorization: &str, collector: &mut FieldCollector<'_>) -> bool {
    jwt::parts(authorization)
        .is_some_and(|parts| collector.inside(|collector| collect_token(&parts, Location::Token, "", collector)))
}

fn cookies(header: &str, collector: &mut FieldCollector<'_>) {
    for pair in header.split(';').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or(("", pair));
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        let Some(decoded) = decode_once(value.as_bytes(), false, collector.budget) else {
            collector.incomplete = true;
            return;
        };
        let field_name = field_name(name);
        collector.value(Location::Cookie, &field_name, &decoded.text);
        collector.name(Location::Cookie, "", name);
    }
}

/// A page's address: its query's values by themselves, since addresses are full of signs.
fn referer(value: &str, collector: &mut FieldCollector<'_>) {
    let is_address = value.starts_with("https://") || value.starts_with("http://");
    match value.split_once('?').filter(|_| is_address) {
        Some((page, query)) => {
            collector.value(Location::Header, "referer", page);
            collector.inside(|collector| collector.urlencoded(Location::Header, "referer", query.as_bytes()));
        }
        None => collector.value(Location::Header, "referer", value),
    }
}
