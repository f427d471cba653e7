//! Values that hold others: JSON, forms, tokens and GraphQL documents inside a value, and inside of these again, up
//! to [`crate::limits::NESTED_VALUES_MAX`] levels.

use serde::de::IgnoredAny;

use crate::jwt;

use super::Location;
use super::fields::FieldCollector;
use super::graphql;
use super::json::member_name;
use super::request_json::{self, JsonEnd};

/// Bytes of a name in a form inside a value.
const NAME_BYTES_MAX: usize = 64;

/// Gives what is inside a value to the collector; `false` where the value is one by itself.
pub fn collect(location: Location, name: &str, text: &str, collector: &mut FieldCollector<'_>) -> bool {
    let trimmed = text.trim();
    if let Some(literals) = graphql_literals(location, name, trimmed) {
        for literal in literals {
            collector.value(location, &member_name(name, literal.argument), literal.text);
        }
        return true;
    }
    if trimmed.starts_with(['{', '[']) {
        let is_json = collector.budget.take_bytes(trimmed.len()) && serde_json::from_str::<IgnoredAny>(trimmed).is_ok();
        if is_json {
            request_json::collect(trimmed.as_bytes(), location, name, collector);
        }
        return is_json;
    }
    if is_token(trimmed)
        && collector.budget.take_bytes(trimmed.len())
        && let Some(parts) = jwt::parts(trimmed)
    {
        return collect_token(&parts, location, name, collector);
    }
    if is_form(trimmed) {
        collector.urlencoded(location, name, trimmed.as_bytes());
        return true;
    }
    false
}

/// The strings in the claims and in the header of a token; `false` where these are no JSON.
pub fn collect_token(parts: &jwt::Parts, location: Location, name: &str, collector: &mut FieldCollector<'_>) -> bool {
    let claims = request_json::collect(&parts.claims, location, name, collector);
    let header = request_json::collect(&parts.header, location, &member_name(name, "header"), collector);
    claims.end == JsonEnd::Complete && header.end == JsonEnd::Complete
}

/// Whether a text can be a token: it begins as JSON does in base64, and is nothing but base64url.
fn is_token(text: &str) -> bool {
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'=');
    text.starts_with("eyJ") && text.bytes().all(is_of_token)
}

fn graphql_literals<'t>(location: Location, name: &str, text: &'t str) -> Option<Vec<graphql::Literal<'t>>> {
    let is_named = name == "query" || name.ends_with(".query");
    if is_named || location == Location::Text { graphql::literals(text) } else { None }
}

/// Whether a text is `name=value&name=value` with nothing in it that would have been encoded.
fn is_form(text: &str) -> bool {
    let is_encoded =
        |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'<' | b'>' | b'`' | b'{' | b'}');
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']' | b'%');
    let is_pair = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(is_of_name))
    };
    text.contains('&') && text.bytes().all(is_encoded) && text.split('&').all(is_pair)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_told_from_texts() {
        for text in ["a=1&b=2", "user[name]=x%27&b=", "utm_source=a&utm_medium=b"] {
            assert!(is_form(text), "{text}");
        }
        for text in ["a=1", "a&b", "a' or 1=1&b=2", "https://x.example/?a=1&b=2", "a=<b>&c=d", "a=1&b", "x=1 & y=2", ""]
        {
            assert!(!is_form(text), "{text}");
        }
    }
}
