//! Deterministic recognisers for what a text is.

use serde::{Deserialize, Serialize};

/// What a value looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValueType {
    Empty,
    Integer,
    Decimal,
    Boolean,
    Uuid,
    /// Hexadecimal of 8 and more digits, letters and digits mixed; also with the algorithm of a digest before it.
    Hex,
    Date,
    DateTime,
    Email,
    Ip,
    Url,
    Version,
    FileName,
    Locale,
    /// A latitude and a longitude joined by a comma.
    Coordinates,
    /// A short lower-case prefix, `_`, and an opaque identifier: `cus_9s6XKzkNRiZ8i3`.
    PrefixedId,
    /// Letters only.
    Word,
    /// Words joined by `-` or `_`.
    Slug,
    /// Letters and digits mixed without blanks: an opaque identifier.
    Token,
    /// Everything else.
    Text,
}

impl ValueType {
    /// The type of a text; `Text` for everything over 2,048 bytes.
    pub fn of(text: &str) -> Self {
        if text.is_empty() {
            return ValueType::Empty;
        }
        if text.len() > 2048 {
            return ValueType::Text;
        }
        let bytes = text.as_bytes();
        if is_integer(bytes) {
            return ValueType::Integer;
        }
        if is_decimal(bytes) {
            return ValueType::Decimal;
        }
        if matches!(text, "true" | "false" | "True" | "False" | "TRUE" | "FALSE") {
            return ValueType::Boolean;
        }
        if is_uuid(bytes) {
            return ValueType::Uuid;
        }
        if is_date_time(bytes) {
            return ValueType::DateTime;
        }
        if matches_mask(bytes, b"9999-99-99") || matches_mask(bytes, b"9999/99/99") {
            return ValueType::Date;
        }
        if text.parse::<std::net::IpAddr>().is_ok() {
            return ValueType::Ip;
        }
        if is_version(text) {
            return ValueType::Version;
        }
        if matches_mask(bytes, b"aa-AA") || matches_mask(bytes, b"aa_AA") {
            return ValueType::Locale;
        }
        if text.starts_with("http://") || text.starts_with("https://") {
            return ValueType::Url;
        }
        if is_email(text) {
            return ValueType::Email;
        }
        if is_coordinates(text) {
            return ValueType::Coordinates;
        }
        if is_prefixed_id(text) {
            return ValueType::PrefixedId;
        }
        if bytes.iter().all(u8::is_ascii_alphabetic) {
            return ValueType::Word;
        }
        if is_hex(bytes) || is_digest(text) {
            return ValueType::Hex;
        }
        if is_file_name(text) {
            return ValueType::FileName;
        }
        if is_slug(bytes) {
            return ValueType::Slug;
        }
        if is_token(bytes) {
            return ValueType::Token;
        }
        ValueType::Text
    }

    /// The word a person reads.
    pub fn noun(self) -> &'static str {
        self.placeholder().trim_matches(['{', '}'])
    }

    /// How a route template or a field name shows a component of this type.
    pub fn placeholder(self) -> &'static str {
        match self {
            ValueType::Empty => "{empty}",
            ValueType::Integer => "{integer}",
            ValueType::Decimal => "{decimal}",
            ValueType::Boolean => "{boolean}",
            ValueType::Uuid => "{uuid}",
            ValueType::Hex => "{hex}",
            ValueType::Date => "{date}",
            ValueType::DateTime => "{datetime}",
            ValueType::Email => "{email}",
            ValueType::Ip => "{ip}",
            ValueType::Url => "{url}",
            ValueType::Version => "{version}",
            ValueType::FileName => "{file}",
            ValueType::Locale => "{locale}",
            ValueType::Coordinates => "{coordinates}",
            ValueType::PrefixedId => "{prefixed-id}",
            ValueType::Word => "{word}",
            ValueType::Slug => "{slug}",
            ValueType::Token => "{token}",
            ValueType::Text => "{text}",
        }
    }

    /// Whether a path component of this type is a parameter by its looks alone.
    pub fn is_clearly_parameter(self) -> bool {
        matches!(
            self,
            ValueType::Integer
                | ValueType::Decimal
                | ValueType::Uuid
                | ValueType::Hex
                | ValueType::Date
                | ValueType::DateTime
                | ValueType::Email
                | ValueType::Ip
                | ValueType::Url
                | ValueType::Coordinates
                | ValueType::PrefixedId
                | ValueType::Token
        )
    }
}

/// `9` stands for a digit, `a` for a lower-case and `A` for an upper-case letter, anything else for itself.
fn matches_mask(bytes: &[u8], mask: &[u8]) -> bool {
    bytes.len() == mask.len()
        && bytes.iter().zip(mask).all(|(byte, mask)| match mask {
            b'9' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_lowercase(),
            b'A' => byte.is_ascii_uppercase(),
            other => byte == other,
        })
}

fn is_integer(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    !digits.is_empty() && digits.iter().all(u8::is_ascii_digit)
}

fn is_decimal(bytes: &[u8]) -> bool {
    let number = bytes.strip_prefix(b"-").or_else(|| bytes.strip_prefix(b"+")).unwrap_or(bytes);
    let mut halves = number.split(|byte| *byte == b'.');
    let (Some(whole), Some(fraction), None) = (halves.next(), halves.next(), halves.next()) else {
        return false;
    };
    !whole.is_empty()
        && !fraction.is_empty()
        && whole.iter().all(u8::is_ascii_digit)
        && fraction.iter().all(u8::is_ascii_digit)
}

fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn is_hex(bytes: &[u8]) -> bool {
    bytes.len() >= 8 && bytes.iter().all(u8::is_ascii_hexdigit) && bytes.iter().any(u8::is_ascii_digit)
}

/// A content digest with its algorithm, `sha256:…`, as in the OCI image specification.
fn is_digest(text: &str) -> bool {
    let Some((algorithm, digest)) = text.split_once(':') else {
        return false;
    };
    matches!(algorithm, "md5" | "sha1" | "sha256" | "sha384" | "sha512" | "blake3")
        && digest.len() >= 32
        && digest.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_date_time(bytes: &[u8]) -> bool {
    bytes.len() >= 16
        && bytes.len() <= 40
        && bytes.get(..10).is_some_and(|date| matches_mask(date, b"9999-99-99"))
        && matches!(bytes.get(10), Some(b'T' | b' ' | b't'))
        && bytes.get(11..16).is_some_and(|time| matches_mask(time, b"99:99"))
        && bytes.get(16..).is_some_and(|rest| {
            rest.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'Z' | b'z'))
        })
}

/// `v1`, `v2beta1`, `v1.41`, `1.2.3`, `v1.2.3-rc.1`: numbers with a `v` before them or at least two dots between them, and what
/// Semantic Versioning 2.0.0 allows to follow.
fn is_version(text: &str) -> bool {
    if text.len() > 32 {
        return false;
    }
    let (numbers, is_prefixed) = match text.strip_prefix(['v', 'V']) {
        Some(numbers) => (numbers, true),
        None => (text, false),
    };
    let core_end = numbers.find(|sign: char| !sign.is_ascii_digit() && sign != '.').unwrap_or(numbers.len());
    let (Some(core), Some(rest)) = (numbers.get(..core_end), numbers.get(core_end..)) else {
        return false;
    };
    let core_is_version = !core.starts_with('.')
        && !core.ends_with('.')
        && !core.contains("..")
        && !core.is_empty()
        && (is_prefixed || core.bytes().filter(|byte| *byte == b'.').count() >= 2);
    let label = rest.trim_start_matches(['-', '+']);
    let label_word = label.trim_end_matches(|sign: char| sign.is_ascii_digit() || matches!(sign, '.' | '-'));
    let rest_is_label = rest.is_empty()
        || matches!(label_word, "alpha" | "beta" | "rc" | "preview" | "dev" | "pre")
        || (rest.starts_with('-') && core.contains('.') && label.bytes().all(is_label));
    core_is_version && rest_is_label
}

fn is_label(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'+')
}

fn is_coordinates(text: &str) -> bool {
    let Some((latitude, longitude)) = text.split_once(',') else {
        return false;
    };
    let within = |number: &str, most: f64| {
        is_decimal(number.as_bytes()) && number.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= most)
    };
    within(latitude, 90.0) && within(longitude, 180.0)
}

/// A prefix of 2 to 8 lower-case letters (`sk_live` and the like may have two), and at least 8 letters and digits mixed.
fn is_prefixed_id(text: &str) -> bool {
    let Some((prefix, id)) = text.rsplit_once('_') else {
        return false;
    };
    let prefix_is_short = (2..=16).contains(&prefix.len())
        && prefix
            .split('_')
            .all(|part| (2..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase()));
    let bytes = id.as_bytes();
    let is_mixed = bytes.iter().any(u8::is_ascii_digit) && bytes.iter().any(u8::is_ascii_alphabetic);
    prefix_is_short && (8..=64).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_alphanumeric) && is_mixed
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else {
        return false;
    };
    // No top-level domain is a number, as the end of `react@18.2.0` is.
    let toplevel = domain.rsplit('.').next().unwrap_or_default();
    let is_toplevel = toplevel.len() >= 2 && toplevel.bytes().all(|byte| byte.is_ascii_alphabetic());
    !local.is_empty()
        && domain.contains('.')
        && !domain.starts_with('.')
        && (is_toplevel || toplevel.starts_with("xn--"))
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%'))
        && domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
}

fn is_file_name(text: &str) -> bool {
    let Some((stem, extension)) = text.rsplit_once('.') else {
        return false;
    };
    !stem.is_empty()
        && (1..=5).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

fn is_slug(bytes: &[u8]) -> bool {
    let mut parts = 0;
    for part in bytes.split(|byte| matches!(byte, b'-' | b'_')) {
        let word = part.iter().all(u8::is_ascii_alphabetic) || (part.len() <= 4 && part.iter().all(u8::is_ascii_digit));
        if part.is_empty() || !word {
            return false;
        }
        parts += 1;
    }
    parts > 1
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.len() >= 6
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=' | b'~'))
        && bytes.iter().any(u8::is_ascii_digit)
        && bytes.iter().any(u8::is_ascii_alphabetic)
        && switches_between_letters_and_digits(bytes) >= 3
}

fn switches_between_letters_and_digits(bytes: &[u8]) -> usize {
    bytes.iter().zip(bytes.iter().skip(1)).filter(|(one, next)| one.is_ascii_digit() != next.is_ascii_digit()).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recognises_what_a_text_is() {
        let check = |text: &str, expected: ValueType| assert_eq!(ValueType::of(text), expected, "{text}");
        check("", ValueType::Empty);
        check("-17", ValueType::Integer);
        check("3.25", ValueType::Decimal);
        check("true", ValueType::Boolean);
        check("2f1acc6c-1d2a-4f7e-9c55-3c1d2d3a4b5c", ValueType::Uuid);
        check("9f86d081884c", ValueType::Hex);
        check("2026-11-23", ValueType::Date);
        check("2026-11-23T06:00:00Z", ValueType::DateTime);
        check("ann.lee@example.org", ValueType::Email);
        check("10.0.0.1", ValueType::Ip);
        check("https://example.org/x", ValueType::Url);
        check("v1", ValueType::Version);
        check("v2beta1", ValueType::Version);
        check("v1.41", ValueType::Version);
        check("2.31.0", ValueType::Version);
        check("v1.2.3-rc.1", ValueType::Version);
        check("48.8566,2.3522", ValueType::Coordinates);
        check("cus_9s6XKzkNRiZ8i3", ValueType::PrefixedId);
        check("access_tokens", ValueType::Slug);
        check("index.jsp", ValueType::FileName);
        check("de-DE", ValueType::Locale);
        check("products", ValueType::Word);
        check("blue-suede-shoes", ValueType::Slug);
        check("xK9f2Qp71z", ValueType::Token);
        check("a b", ValueType::Text);
        check("1' or 1=1", ValueType::Text);
    }
}
