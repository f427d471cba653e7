//! Ten ways in which attacks are sent past filters while they keep working, and what they cost the detector.
//!
//! Each attack is sent as a whole request through the same observer as in the filter: taken apart, decoded, scored.

use std::{io::Write as _, time::Instant};

use apiward_detector::bundle::BundleError;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::observation::Observer;
use apiward_detector::payload::{Evidence, PayloadClass, PayloadScorer};
use flate2::{Compression, write::GzEncoder};
use serde_json::json;

use crate::evaluation::Proportion;

use super::LabelledText;

/// Bytes of harmless text on each side of an attack that is padded, within the 256 KiB of a body that are read.
const PADDING_BYTES: usize = 120_000;
/// Requests whose cost is measured: the cache has room for the forms of them all.
const COST_REQUESTS: usize = 1000;
/// Any key: nothing is kept.
const HASH_KEY: &[u8] = b"the key of an evaluation";

/// A way to send an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evasion {
    /// In the query, percent-encoded once: what the others are compared with.
    Plain,
    DoubleEncoding,
    /// Letters in turn in upper and lower case, where it does not matter: keywords of SQL, names of tags, Windows.
    Case,
    /// Comments or what else a language takes for a blank.
    Comments,
    /// Signs as `%u0027` and in full width in turn.
    Unicode,
    /// Every character as `\u0027` in JSON.
    JsonEscapes,
    /// The parameter three times, the attack in the middle.
    ParameterPollution,
    /// In the middle of a long field.
    Padding,
    /// JSON that is declared to be something else.
    WrongContentType,
    /// JSON in a string of JSON in a string of JSON.
    NestedJson,
    /// JSON with `content-encoding: gzip`.
    CompressedBody,
}

impl Evasion {
    /// The plain request, then the ten.
    pub const ALL: [Self; 11] = [
        Self::Plain,
        Self::DoubleEncoding,
        Self::Case,
        Self::Comments,
        Self::Unicode,
        Self::JsonEscapes,
        Self::ParameterPollution,
        Self::Padding,
        Self::WrongContentType,
        Self::NestedJson,
        Self::CompressedBody,
    ];

    /// What a person reads.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain, in the query",
            Self::DoubleEncoding => "percent-encoded twice",
            Self::Case => "letters in turn in upper and lower case",
            Self::Comments => "comments instead of blanks",
            Self::Unicode => "%u escapes and full-width signs",
            Self::JsonEscapes => "JSON escapes",
            Self::ParameterPollution => "a parameter three times",
            Self::Padding => "padding of 240 kB",
            Self::WrongContentType => "another content type than it has",
            Self::NestedJson => "JSON in JSON in JSON",
            Self::CompressedBody => "gzip",
        }
    }

    fn request(self, class: PayloadClass, text: &str) -> Request {
        let query =
            |query: String| Request { target: format!("/search?{query}"), headers: Vec::new(), body: Vec::new() };
        let body = |content_type: &str, body: Vec<u8>| Request {
            target: "/search".to_owned(),
            headers: vec![("content-type".to_owned(), content_type.to_owned())],
            body,
        };
        match self {
            Self::Plain => query(format!("q={}", percent(text))),
            Self::DoubleEncoding => query(format!("q={}", percent(&percent(text)))),
            Self::Case => query(format!("q={}", percent(&other_case(class, text)))),
            Self::Comments => query(format!("q={}", percent(&commented(class, text)))),
            Self::Unicode => query(format!("q={}", percent_unicode(text))),
            Self::JsonEscapes => body("application/json", json_escapes(text).into_bytes()),
            Self::ParameterPollution => query(format!("q=shoes&q={}&q=blue", percent(text))),
            Self::Padding => {
                let padding = "It was a bright cold day in April, and the clocks were striking thirteen. ";
                let padding = padding.repeat(PADDING_BYTES / padding.len());
                body(
                    "application/json",
                    json!({ "note": format!("{padding}{text} {padding}") }).to_string().into_bytes(),
                )
            }
            Self::WrongContentType => body("image/png", json!({ "q": text }).to_string().into_bytes()),
            Self::NestedJson => {
                let inner = json!({ "filter": { "q": [text] } }).to_string();
                body(
                    "application/json",
                    json!({ "data": json!({ "inner": inner }).to_string() }).to_string().into_bytes(),
                )
            }
            Self::CompressedBody => {
                let mut request = body("application/json", gzip(json!({ "q": text }).to_string().as_bytes()));
                request.headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
                request
            }
        }
    }
}

struct Request {
    target: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What was found of the attacks that were sent in one way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Robustness {
    pub evasion: Evasion,
    pub found: Proportion,
}

/// Sends each attack among `texts` in every way, and counts those with a value above `threshold`, in nats.
///
/// # Errors
/// When the network breaks a rule of bundles.
pub fn robustness(onnx: &[u8], texts: &[LabelledText], threshold: f32) -> Result<Vec<Robustness>, BundleError> {
    let scorer = PayloadScorer::load(onnx)?;
    let hasher = KeyedHasher::new(HASH_KEY).map_err(|error| BundleError::Payload(error.to_string()))?;
    let attacks: Vec<&LabelledText> = texts.iter().filter(|text| text.class != PayloadClass::Benign).collect();
    let found = |evasion: Evasion| {
        let is_found = |attack: &&&LabelledText| {
            highest(&evasion.request(attack.class, &attack.text), &scorer, &hasher) > threshold
        };
        let count = attacks.iter().filter(is_found).count();
        Robustness { evasion, found: Proportion::of(count as u64, attacks.len() as u64) }
    };
    Ok(Evasion::ALL.map(found).to_vec())
}

/// Microseconds that observing and scoring takes for a request with `text` in its query: of this machine, not of the module.
///
/// # Errors
/// When the network breaks a rule of bundles.
pub fn native_cost_us(onnx: &[u8], texts: &[LabelledText], cached: bool) -> Result<f64, BundleError> {
    let hasher = KeyedHasher::new(HASH_KEY).map_err(|error| BundleError::Payload(error.to_string()))?;
    let requests: Vec<Request> =
        texts.iter().map(|text| Evasion::Plain.request(text.class, &text.text)).take(COST_REQUESTS).collect();
    let scorer = PayloadScorer::load(onnx)?;
    let pass = || {
        let started = Instant::now();
        for request in &requests {
            std::hint::black_box(highest(request, &scorer, &hasher));
        }
        started.elapsed()
    };
    let first = pass();
    let taken = if cached { pass() } else { first };
    Ok(taken.as_secs_f64() * 1e6 / requests.len().max(1) as f64)
}

/// The highest log-odds of any value of a request.
fn highest(request: &Request, scorer: &PayloadScorer, hasher: &KeyedHasher) -> f32 {
    let method = if request.body.is_empty() { "GET" } else { "POST" };
    let mut observer =
        Observer::request_headers(method, "shop.example", &request.target, &request.headers, None, hasher);
    if !request.body.is_empty() {
        observer.request_body(&request.body, request.body.len() as u64, hasher);
    }
    observer.score_payloads(scorer, Evidence::default(), hasher);
    observer.observation().payloads.iter().map(|payload| payload.attack).fold(f32::NEG_INFINITY, f32::max)
}

fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(3 * text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() { encoded.push(char::from(byte)) } else { encoded += &format!("%{byte:02X}") }
    }
    encoded
}

fn other_case(class: PayloadClass, text: &str) -> String {
    let in_turn = |text: &str| -> String {
        text.chars()
            .enumerate()
            .map(
                |(place, letter)| {
                    if place % 2 == 0 { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
                },
            )
            .collect()
    };
    match class {
        PayloadClass::Sqli => in_turn(text),
        // Script knows upper from lower case, the names of tags and attributes do not.
        PayloadClass::Xss => ["script", "img", "svg", "iframe", "body", "onerror", "onload", "onmouseover", "onfocus"]
            .iter()
            .fold(text.to_owned(), |text, word| text.replace(word, &in_turn(word))),
        PayloadClass::PathTraversal if text.contains('\\') => in_turn(text),
        _ => text.to_owned(),
    }
}

fn commented(class: PayloadClass, text: &str) -> String {
    match class {
        PayloadClass::Sqli => text.replace(' ', "/**/"),
        PayloadClass::Xss => text.replace(' ', "/"),
        PayloadClass::CommandInjection => text.replace(' ', "${IFS}"),
        PayloadClass::PathTraversal => text.replace("../", ".././"),
        _ => text.to_owned(),
    }
}

fn percent_unicode(text: &str) -> String {
    let mut encoded = String::new();
    for (place, character) in text.chars().enumerate() {
        let code = u32::from(character);
        match character {
            'a'..='z' | 'A'..='Z' | '0'..='9' => encoded.push(character),
            '!'..='~' if place % 2 == 0 => {
                encoded += &percent(&char::from_u32(code - 0x21 + 0xff01).unwrap_or(character).to_string());
            }
            _ if code <= 0xffff => encoded += &format!("%u{code:04X}"),
            _ => encoded += &percent(&character.to_string()),
        }
    }
    encoded
}

fn json_escapes(text: &str) -> String {
    let mut units = [0; 2];
    let escaped: String = text
        .chars()
        .flat_map(|character| {
            character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>()
        })
        .collect();
    format!("{{\"q\":\"{escaped}\"}}")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    // Writing to memory does not fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_attack_comes_out_of_every_evasion_as_it_was() {
        let hasher = KeyedHasher::new(HASH_KEY).unwrap();
        let attack = "1' union select password from users -- ";
        for evasion in Evasion::ALL {
            let request = evasion.request(PayloadClass::Sqli, attack);
            let mut observer =
                Observer::request_headers("POST", "shop.example", &request.target, &request.headers, None, &hasher);
            observer.request_body(&request.body, request.body.len() as u64, &hasher);
            let values = observer.take_payload_values();
            let is_there = values.iter().any(|value| {
                let mut budget = apiward_detector::work::WorkBudget::default();
                let forms = apiward_detector::payload::undo::forms_of(&value.text, &mut budget);
                forms.texts().any(|text| text.to_lowercase().contains("union select password from users"))
            });
            assert!(is_there, "{evasion:?}: {values:?}");
        }
        let quoted: Value = serde_json::from_str(&json_escapes("a'\u{1f600}")).unwrap();
        assert_eq!(quoted["q"], "a'\u{1f600}");
    }
}
