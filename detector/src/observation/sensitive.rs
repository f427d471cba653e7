//! Classes of personal or secret data, told by the form of a value. Only the class is kept.

use serde::{Deserialize, Serialize};

use super::ValueType;

/// A set of classes of sensitive data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SensitiveClasses(pub u8);

impl SensitiveClasses {
    pub const EMAIL: u8 = 1;
    /// International form (`+` and 8 to 15 digits, ITU-T E.164), or the usual groups.
    pub const PHONE: u8 = 1 << 1;
    /// 13 to 19 digits with a valid check digit (ISO/IEC 7812-1).
    pub const CARD_NUMBER: u8 = 1 << 2;
    /// A bank account number with valid check digits (ISO 13616).
    pub const IBAN: u8 = 1 << 3;
    /// National identity and social security numbers by their form.
    pub const NATIONAL_ID: u8 = 1 << 4;
    /// Signed tokens (RFC 7519) and keys with a known prefix.
    pub const TOKEN: u8 = 1 << 5;
    pub const POSTAL_ADDRESS: u8 = 1 << 6;
    pub const IP_ADDRESS: u8 = 1 << 7;

    /// Each class with the word that stands for it everywhere.
    pub const NAMES: [(u8, &'static str); 8] = [
        (Self::EMAIL, "email"),
        (Self::PHONE, "phone"),
        (Self::CARD_NUMBER, "card-number"),
        (Self::IBAN, "iban"),
        (Self::NATIONAL_ID, "national-id"),
        (Self::TOKEN, "token"),
        (Self::POSTAL_ADDRESS, "postal-address"),
        (Self::IP_ADDRESS, "ip-address"),
    ];

    /// The classes of a text of that type.
    pub fn of(text: &str, value_type: ValueType) -> Self {
        if text.len() < 7 || text.len() > 2048 {
            return Self::default();
        }
        let classes = [
            (Self::EMAIL, value_type == ValueType::Email),
            (Self::IP_ADDRESS, value_type == ValueType::Ip),
            (Self::PHONE, is_phone(text)),
            (Self::CARD_NUMBER, is_card_number(text)),
            (Self::IBAN, is_iban(text)),
            (Self::NATIONAL_ID, is_national_id(text)),
            (Self::TOKEN, is_secret_token(text)),
            (Self::POSTAL_ADDRESS, is_postal_address(text)),
        ];
        Self(classes.into_iter().filter(|(_, is)| *is).fold(0, |set, (class, _)| set | class))
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The words of the classes in the set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().filter(move |(class, _)| self.0 & class != 0).map(|(_, name)| name)
    }
}

fn digits_of(text: &str) -> impl DoubleEndedIterator<Item = u32> {
    text.chars().filter_map(|sign| sign.to_digit(10))
}

fn is_phone(text: &str) -> bool {
    let count = digits_of(text).count();
    let groups = |sign: char| matches!(sign, ' ' | '-' | '.' | '(' | ')' | '/');
    if !text.chars().all(|sign| sign.is_ascii_digit() || groups(sign) || sign == '+') {
        return false;
    }
    match text.strip_prefix('+') {
        Some(rest) => (8..=15).contains(&count) && !rest.contains('+'),
        // Without a country code only the grouped form of ten digits tells a telephone number from any other number.
        None => {
            let bytes = text.trim_start_matches('(').as_bytes();
            count == 10
                && bytes.iter().take(3).all(u8::is_ascii_digit)
                && text.chars().filter(|sign| matches!(sign, '-' | ' ' | '.')).count() >= 1
                && text.len() >= 12
                && text.len() <= 14
        }
    }
}

fn is_card_number(text: &str) -> bool {
    if text.len() > 24 || !text.chars().all(|sign| sign.is_ascii_digit() || matches!(sign, ' ' | '-')) {
        return false;
    }
    let count = digits_of(text).count();
    // The first digit names the industry; 3 to 6 are those of payment cards, 2 some of them.
    let is_payment = matches!(digits_of(text).next(), Some(2..=6));
    (13..=19).contains(&count) && is_payment && luhn_holds(text)
}

fn luhn_holds(text: &str) -> bool {
    let sum: u32 = digits_of(text)
        .rev()
        .enumerate()
        .map(|(place, digit)| match place % 2 {
            0 => digit,
            _ if digit > 4 => digit * 2 - 9,
            _ => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}

fn is_iban(text: &str) -> bool {
    let compact: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    let (Some(country), Some(check), Some(account)) = (compact.get(..2), compact.get(2..4), compact.get(4..)) else {
        return false;
    };
    let is_formed = (15..=34).contains(&compact.len())
        && country.iter().all(u8::is_ascii_uppercase)
        && check.iter().all(u8::is_ascii_digit)
        && account.iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    let remainder = account.iter().chain(country).chain(check).fold(0_u32, |remainder, byte| {
        let sign = u32::from(*byte);
        if byte.is_ascii_digit() { (remainder * 10 + sign - 48) % 97 } else { (remainder * 100 + sign - 55) % 97 }
    });
    is_formed && remainder == 1
}

/// United States (123-45-6789), United Kingdom (AB 12 34 56 C), Spain (12345678Z), Brazil (123.456.789-09).
fn is_national_id(text: &str) -> bool {
    let pattern: String = text
        .chars()
        .map(|sign| match sign {
            '0'..='9' => '9',
            'A'..='Z' => 'A',
            other => other,
        })
        .collect();
    match pattern.as_str() {
        "999-99-9999" => !text.starts_with("000") && !text.starts_with("666") && !text.starts_with('9'),
        "AA 99 99 99 A" | "AA999999A" | "999.999.999-99" => true,
        "99999999A" => {
            let number = digits_of(text).fold(0_u32, |number, digit| number * 10 + digit);
            let letters = "TRWAGMYFPDXBNJZSQVHLCKE";
            letters.chars().nth((number % 23) as usize) == text.chars().last()
        }
        _ => false,
    }
}

/// Prefixes by which issuers mark their keys.
const KEY_PREFIXES: [&str; 12] = [
    "sk_live_",
    "sk_test_",
    "rk_live_",
    "ghp_",
    "gho_",
    "ghs_",
    "github_pat_",
    "glpat-",
    "xoxb-",
    "xoxp-",
    "AKIA",
    "AIza",
];

fn is_secret_token(text: &str) -> bool {
    let token = text.strip_prefix("Bearer ").unwrap_or(text);
    let is_base64url = |part: &str| {
        part.len() >= 8 && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let is_jwt = token.starts_with("eyJ") && token.split('.').count() == 3 && token.split('.').all(is_base64url);
    is_jwt || (token.len() >= 16 && KEY_PREFIXES.iter().any(|prefix| token.starts_with(prefix)))
}

/// Words that follow a street's name.
const STREET_WORDS: [&str; 16] = [
    "street",
    "st",
    "avenue",
    "ave",
    "road",
    "rd",
    "lane",
    "ln",
    "drive",
    "boulevard",
    "blvd",
    "square",
    "straße",
    "strasse",
    "weg",
    "platz",
];

/// A house number and a street word among few words.
fn is_postal_address(text: &str) -> bool {
    if text.len() > 160 || !text.contains(' ') || text.contains('\n') && text.lines().count() > 5 {
        return false;
    }
    let mut has_number = false;
    let mut has_street = false;
    let mut words = 0;
    for word in
        text.split([' ', ',', '\n']).map(|word| word.trim_matches(['.', ',', ';'])).filter(|word| !word.is_empty())
    {
        words += 1;
        let digits = word.bytes().take_while(u8::is_ascii_digit).count();
        has_number |= (1..=5).contains(&digits) && word.len() <= digits + 1;
        let lower = word.to_lowercase();
        has_street |= STREET_WORDS.contains(&lower.as_str())
            || ["straße", "strasse", "weg", "platz"]
                .iter()
                .any(|ending| lower.len() > ending.len() && lower.ends_with(ending))
            || matches!(lower.as_str(), "rue" | "calle" | "via");
    }
    has_number && has_street && (3..=16).contains(&words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_sensitive_data_by_its_form() {
        let check = |text: &str, expected: &[&str]| {
            let found: Vec<&str> = SensitiveClasses::of(text, ValueType::of(text)).names().collect();
            assert_eq!(found, expected, "{text}");
        };
        check("ann.lee@example.org", &["email"]);
        check("+49 30 1234567", &["phone"]);
        check("(555) 010-4477", &["phone"]);
        check("5550104477", &[]);
        check("4111 1111 1111 1111", &["card-number"]);
        check("4111111111111112", &[]);
        check("DE89 3704 0044 0532 0130 00", &["iban"]);
        check("DE89 3704 0044 0532 0130 01", &[]);
        check("123-45-6789", &["national-id"]);
        check("12345678Z", &["national-id"]);
        check("12345678A", &[]);
        check("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", &["token"]);
        check("221B Baker Street, London", &["postal-address"]);
        check("Hauptstraße 12, 10115 Berlin", &["postal-address"]);
        check("10.0.0.1", &["ip-address"]);
        check("the quick brown fox", &[]);
        check("2026-11-23", &[]);
        check("1700000000000", &[]);
    }
}
