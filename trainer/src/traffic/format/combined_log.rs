//! Common and combined log format of Apache and nginx, as untidy as real logs are.
//!
//! `address ident user [time] "request" status bytes "referer" "user agent"`, where the last two are missing in the common
//! format, more may follow, and anything may be cut at the end of the line. A server name before the address
//! (`vhost_combined`) is the host; what else stands before it (a syslog header) is passed over.

use std::net::IpAddr;

use apiward_detector::exchange::{Caller, Exchange};
use apiward_detector::limits;
use apiward_detector::observation::UNKNOWN;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

use super::Recorded;
use super::parts::{self, RecordedResponse, RequestBody, address_without_port, shown};
use super::url::host_and_target;

/// `17/May/2015:10:05:03 +0000`
const TIME: &[BorrowedFormatItem<'_>] = format_description!(
    "[day]/[month repr:short]/[year]:[hour]:[minute]:[second] [offset_hour sign:mandatory][offset_minute]"
);
/// Characters between the brackets of a time.
const TIME_BYTES_MAX: usize = 40;
/// What stands where there is no value.
const NO_VALUE: &str = "-";
/// With this status the server has not accepted the user whom the client named.
const UNAUTHORIZED: u64 = 401;

/// Reads one line.
///
/// # Errors
/// What is wrong with it, in one lower-case sentence.
pub fn exchange_of_line(line: &[u8]) -> Result<Recorded, String> {
    let line = String::from_utf8_lossy(line);
    let (client, at_ms, rest) =
        split_at_time(line.trim()).ok_or("it has no time such as [17/May/2015:10:05:03 +0000]")?;
    let rest = rest.trim_start().strip_prefix('"').ok_or("there is no quoted request after its time")?;
    let request_end = closing_quote(rest, begins_with_status).ok_or("it ends before the status")?;
    let (request, rest) = (&rest[..request_end], &rest[request_end + 1..]);
    let (method, target) =
        request_line(&unescaped(request)).ok_or_else(|| format!("{:?} is no HTTP request line", shown(request)))?;
    let (status, rest) = next_word(rest);
    let status = status.parse::<u64>().ok();
    let (bytes, rest) = sent_bytes(rest);
    let (referer, rest) = quoted(rest);
    let (user_agent, _) = quoted(rest);

    let client = Client::of(client);
    let (host, target) = match host_and_target(&target) {
        Some((host, target)) => (Some(host.to_owned()), target),
        None => (client.host, target),
    };
    let headers = [("referer", referer), ("user-agent", user_agent)]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect();
    let identity = client.user.filter(|_| status != Some(UNAUTHORIZED));
    let request = parts::request(method, host, target, headers, RequestBody::default())?;
    let response = parts::response(RecordedResponse { status, bytes, ..RecordedResponse::default() })?;
    let caller = Caller { identity, verified: false, address: client.address, kinds: vec![UNKNOWN.to_owned()] };
    Ok((Exchange { at_ms: Some(at_ms), caller, request, response }, None))
}

/// What is before the time, the time in milliseconds since the Unix epoch, and what is after it.
fn split_at_time(line: &str) -> Option<(&str, i64, &str)> {
    line.match_indices('[').find_map(|(at, _)| {
        let rest = &line[at + 1..];
        let end = rest.bytes().take(TIME_BYTES_MAX).position(|byte| byte == b']')?;
        let time = OffsetDateTime::parse(&rest[..end], TIME).ok()?;
        Some((&line[..at], time.unix_timestamp() * 1000, &rest[end + 1..]))
    })
}

/// Who sent the request, and to which of the server's names.
struct Client {
    host: Option<String>,
    address: Option<String>,
    user: Option<String>,
}

impl Client {
    fn of(text: &str) -> Self {
        let words: Vec<&str> = text.split_whitespace().collect();
        // The server may log names in place of addresses; then the name comes first.
        let at = words.iter().position(|word| word.parse::<IpAddr>().is_ok()).unwrap_or(0);
        let host = if at == 1 { words.first().copied() } else { None };
        let address = words.get(at).copied().and_then(present).and_then(address_without_port);
        // After the identity of RFC 1413, which nobody has; a user's name may have spaces in it.
        let user = words.get(at + 2..).map(|user| user.join(" ")).unwrap_or_default();
        Self {
            host: host.and_then(present).map(str::to_owned),
            address,
            user: present(&user).filter(|user| *user != "\"\"").map(unescaped),
        }
    }
}

fn present(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty() && *text != NO_VALUE)
}

/// Method and target of `GET /index.html HTTP/1.1`, or of `GET /index.html` (HTTP/0.9); the target may have spaces in it.
fn request_line(text: &str) -> Option<(String, String)> {
    let (method, rest) = text.split_once(' ')?;
    let is_method = !method.is_empty() && method.len() <= limits::METHOD_BYTES_MAX && method.bytes().all(is_token_byte);
    let target = match rest.rsplit_once(' ') {
        Some((target, version)) if version.starts_with("HTTP/") => target.trim(),
        None if method == "GET" => rest,
        _ => return None,
    };
    let is_target = target.starts_with('/')
        || host_and_target(target).is_some()
        || (method == "OPTIONS" && target == "*")
        || (method == "CONNECT" && !target.is_empty());
    (is_method && is_target).then(|| (method.to_owned(), target.to_owned()))
}

/// A character of a token (RFC 9110, section 5.6.2).
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

/// Whether this is what follows a request: a status, or nothing known of it.
fn begins_with_status(text: &str) -> bool {
    let Some(text) = text.strip_prefix(' ') else { return false };
    let (word, _) = next_word(text);
    word == NO_VALUE || (word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The bytes that were sent (`-` is none of them), where the line says so.
fn sent_bytes(text: &str) -> (Option<u64>, &str) {
    let (word, rest) = next_word(text);
    match word.parse() {
        Ok(bytes) => (Some(bytes), rest),
        Err(_) if word == NO_VALUE => (Some(0), rest),
        Err(_) => (None, text),
    }
}

/// The first word, and what comes after it.
fn next_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_at(text.find(' ').unwrap_or(text.len()))
}

/// A quoted value at the beginning of a text, and what comes after it; one that is cut ends with the line.
fn quoted(text: &str) -> (Option<String>, &str) {
    let text = text.trim_start();
    let Some(content) = text.strip_prefix('"') else { return (None, text) };
    let ends_word = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let (value, rest) = match closing_quote(content, ends_word) {
        Some(end) => (&content[..end], &content[end + 1..]),
        None => (content, ""),
    };
    (present(value).map(unescaped), rest)
}

/// Where the quote is that is not escaped and followed by what must follow: not every server escapes quotes in values.
fn closing_quote(text: &str, is_followed: impl Fn(&str) -> bool) -> Option<usize> {
    let mut escaped = false;
    text.bytes().enumerate().find_map(|(at, byte)| {
        let is_quote = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        (is_quote && is_followed(&text[at + 1..])).then_some(at)
    })
}

/// Undoes the escapes of Apache and nginx: `\"`, `\\`, `\n` and the like, `\x16`.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let (byte, after) = if byte == b'\\' { unescaped_byte(after).unwrap_or((byte, after)) } else { (byte, after) };
        bytes.push(byte);
        rest = after;
    }
    match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    }
}

/// The byte that an escape stands for, given what comes after the backslash, and what comes after it.
fn unescaped_byte(text: &[u8]) -> Option<(u8, &[u8])> {
    let (&kind, after) = text.split_first()?;
    match kind {
        b'"' | b'\\' => Some((kind, after)),
        b'n' => Some((b'\n', after)),
        b'r' => Some((b'\r', after)),
        b't' => Some((b'\t', after)),
        b'b' => Some((0x08, after)),
        b'f' => Some((0x0c, after)),
        b'v' => Some((0x0b, after)),
        b'x' => {
            let (digits, after) = after.split_at_checked(2)?;
            let digits =
                std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|d| d.is_ascii_hexdigit()))?;
            Some((u8::from_str_radix(digits, 16).ok()?, after))
        }
        _ => None,
    }
}

#[cfg(test)]
#[path = "combined_log_tests.rs"]
mod tests;
