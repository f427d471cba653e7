use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use proptest::prelude::*;

use super::*;
use crate::cpu_time::cpu_time;
use crate::hashing::KeyedHasher;
use crate::limits;
use crate::observation::{ObservedField, PayloadValue, PayloadValues};
use crate::work::WorkBudget;

struct Taken {
    observed: ObservedBody,
    fields: Vec<ObservedField>,
    values: Vec<PayloadValue>,
    incomplete: bool,
}

impl Taken {
    fn values(&self) -> Vec<(Location, &str, &str)> {
        self.values.iter().map(|value| (value.location, value.name.as_str(), value.text.as_str())).collect()
    }

    fn has(&self, text: &str) -> bool {
        self.values.iter().any(|value| value.text.contains(text))
    }

    fn names(&self) -> Vec<&str> {
        self.fields.iter().map(|field| field.name.as_str()).collect()
    }

    fn problem(&self) -> Option<BodyProblem> {
        self.observed.measures.problem
    }
}

fn take(content_type: &str, content_encoding: &str, body: &[u8], body_bytes: usize) -> Taken {
    let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
    let (mut budget, mut fields, mut values) = (WorkBudget::default(), Vec::new(), PayloadValues::default());
    let mut collector = FieldCollector::new(&hasher, &mut budget, &mut fields, &mut values);
    let declared = DeclaredBody { content_type: content_type.into(), content_encoding: content_encoding.into() };
    let observed = collect(&declared, body, body_bytes as u64, &mut collector);
    let incomplete = collector.incomplete;
    Taken { observed, fields, values: values.take(), incomplete }
}

fn take_plain(content_type: &str, body: &str) -> Taken {
    take(content_type, "", body.as_bytes(), body.len())
}

const ATTACK: &str = "' or 1=1 -- ";

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// A Brotli stream of one uncompressed block (RFC 7932 section 9.2) with a window of that many bits (17 and more).
fn brotli(body: &[u8], window_bits: u8) -> Vec<u8> {
    let length = body.len() - 1;
    assert!(length <= 0xffff && !body.is_empty());
    // Window bits (4), not last (1), four nibbles of length (2), length (16), uncompressed (1), padding to the byte.
    let window = u32::from(1 | (window_bits - 17) << 1);
    let head = window | (length as u32) << 7 | 1 << 23;
    let mut stream = head.to_le_bytes()[..3].to_vec();
    stream.extend_from_slice(body);
    // The last, empty block.
    stream.push(3);
    stream
}

#[test]
fn json_gives_values_keys_and_what_is_inside_them() {
    let taken = take_plain(
        "application/json",
        r#"{"items":[{"note":"' or 1=1 -- "}],"user":{"$ne":null},"inner":"{\"a\":[\"<b>\"]}","form":"x=1&y=%27a","n":1}"#,
    );
    assert_eq!(
        taken.values(),
        vec![
            (Location::Body, "items[].note", ATTACK),
            (Location::Body, "user.$ne", r#"{"$ne":1}"#),
            (Location::Body, "inner.a[]", "<b>"),
            (Location::Body, "form.y", "'a"),
        ]
    );
    assert_eq!(taken.problem(), None);
    let mut nested = ATTACK.to_owned();
    for _ in 0..3 {
        nested = serde_json::json!({ "a": nested }).to_string();
    }
    assert_eq!(take_plain("application/json", &nested).values(), vec![(Location::Body, "a.a.a", ATTACK)]);
    let deep = format!("{}\"{ATTACK}\"{}", "[".repeat(100), "]".repeat(100));
    assert!(take_plain("application/json", &deep).has(ATTACK));
}

#[test]
fn graphql_gives_its_strings_and_variables() {
    let body = r#"{"query":"{ user(name: \"' or 1=1 -- \") { id } }","variables":{"note":"<x>"}}"#;
    let expected = vec![(Location::Body, "query.name", ATTACK), (Location::Body, "variables.note", "<x>")];
    assert_eq!(take_plain("application/json", body).values(), expected);
    let taken = take_plain("application/graphql", "{ user(name: \"' or 1=1 -- \") { id } }");
    assert_eq!(taken.values(), vec![(Location::Text, "name", ATTACK)]);
    let taken = take_plain("application/json", r#"{"query":"{ user(id: 1' or '1'='1) { id } }"}"#);
    assert!(taken.has("1' or '1'='1"));
}

#[test]
fn what_is_not_as_declared_is_noted_and_looked_at_all_the_same() {
    let check = |content_type: &str, body: &str, problem: Option<BodyProblem>| {
        let taken = take_plain(content_type, body);
        assert_eq!(taken.problem(), problem, "{content_type}: {body}");
        assert_eq!(taken.observed.measures.malformed, problem.is_some());
        assert!(taken.has(ATTACK.trim()), "{content_type}: {body}: {:?}", taken.values());
    };
    check("application/json", "{\"a\":\"' or 1=1 -- \"", Some(BodyProblem::Json));
    check("application/json", "{'a':'' or 1=1 -- '}", Some(BodyProblem::Json));
    check("application/json", "a=' or 1=1 -- &b=2", Some(BodyProblem::Json));
    check("application/json", "a=%27+or+1=1+--+&b=2", Some(BodyProblem::Json));
    check("application/x-www-form-urlencoded", r#"{"a":"' or 1=1 -- "}"#, None);
    check("application/x-www-form-urlencoded", "<a>' or 1=1 -- </a>", None);
    check("text/plain", r#"{"a":"' or 1=1 -- "}"#, None);
    check("text/plain", "' or 1=1 -- ", None);
    check("text/plain", "a=%27+or+1=1+--+&b=2", None);
    check("", "<a>' or 1=1 -- </a>", None);
    check("", "<a>' or 1=1 -- ", None);
    check("application/xml", "<a>' or 1=1 -- ", Some(BodyProblem::Xml));
    check("application/xml", "<a>' or 1=1 -- </b>", Some(BodyProblem::Xml));
    check("multipart/form-data", "a=' or 1=1 -- ", Some(BodyProblem::Multipart));
    check("multipart/form-data; boundary=x", "a=' or 1=1 -- ", Some(BodyProblem::Multipart));
    check("multipart/form-data; boundary=x", "--x\r\nname=\"a\"\r\n' or 1=1 -- ", Some(BodyProblem::Multipart));
    check("application/x-octets", "' or 1=1 -- ", None);
    let utf_16: Vec<u8> = r#"{"a":"' or 1=1 -- "}"#.encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert!(take("application/json", "", &utf_16, utf_16.len()).has(ATTACK));
    let image: Vec<u8> = (0..4000_u32).map(|number| (number * 167 % 256) as u8).collect();
    assert!(take("image/png", "", &image, image.len()).values.is_empty());
}

#[test]
fn multipart_gives_fields_and_file_names() {
    let body = "--x-y\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\n' or 1=1 -- \r\n--x-y\r\n\
        content-disposition: form-data; name=file; filename=\"../../a\\\"b.php\"\r\nContent-Type: text/plain\r\n\r\n\
        <?php system('id');\r\n--x-y\r\nContent-Disposition: form-data;\r\n name=\"data\"\r\nContent-Type: application/json\r\n\r\n\
        {\"a\":\"<b>\"}\r\n--x-y--\r\n";
    let taken = take_plain("multipart/form-data; boundary=\"x-y\"", body);
    assert_eq!(
        taken.values(),
        vec![
            (Location::Multipart, "note", ATTACK),
            (Location::Multipart, "file.filename", "../../a\"b.php"),
            (Location::Multipart, "file.content", "<?php system('id');"),
            (Location::Multipart, "data.a", "<b>"),
        ]
    );
    assert_eq!(taken.names(), ["note", "file.filename", "data"]);
    assert_eq!(taken.problem(), None);
    let unix = take_plain("multipart/form-data; boundary=x-y", &body.replace('\r', ""));
    assert_eq!((unix.values(), unix.problem()), (taken.values(), None));
    let open = body.trim_end().trim_end_matches("--x-y--");
    assert_eq!(take_plain("multipart/form-data; boundary=x-y", open).problem(), Some(BodyProblem::Multipart));
    let cut = take("multipart/form-data; boundary=x-y", "", open.as_bytes(), body.len());
    assert_eq!((cut.problem(), cut.has("<?php")), (None, true));
}

#[test]
fn xml_gives_texts_attributes_and_declarations() {
    let body = r#"<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>
        <s:order xmlns:s="http://www.w3.org/2003/05/soap-envelope" id="7'"><item note="a&lt;b"/><text>' or <!-- c -->1=1
        &#x2d;- &x;</text><code><![CDATA[<script>]]></code></s:order>"#;
    let taken = take_plain("text/xml", body);
    assert_eq!(
        taken.values(),
        vec![
            (Location::Xml, "!DOCTYPE", "a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]"),
            (Location::Xml, "s:order.@id", "7'"),
            (Location::Xml, "s:order.item.@note", "a&lt;b"),
            (Location::Xml, "s:order.text", "' or 1=1\n        -- &x;"),
            (Location::Xml, "s:order.code", "<script>"),
        ]
    );
    assert_eq!((taken.problem(), taken.observed.measures.depth), (None, 2));
}

#[test]
fn content_encodings_are_undone() {
    let body = r#"{"a":"' or 1=1 -- "}"#.as_bytes();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    zlib.write_all(body).unwrap();
    let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
    raw.write_all(body).unwrap();
    let (zlib, raw) = (zlib.finish().unwrap(), raw.finish().unwrap());
    for (encoding, encoded) in [
        ("gzip", gzip(body)),
        ("X-GZIP", gzip(body)),
        ("deflate", zlib),
        ("deflate", raw),
        ("br", brotli(body, 22)),
        ("br, gzip", gzip(&brotli(body, 18))),
        ("identity", body.to_vec()),
    ] {
        let taken = take("application/json", encoding, &encoded, encoded.len());
        assert_eq!(taken.values(), vec![(Location::Body, "a", ATTACK)], "{encoding}");
        assert_eq!((taken.problem(), taken.observed.measures.bytes), (None, encoded.len() as u64), "{encoding}");
    }
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, gzip, gzip"] {
        let taken = take("application/json", encoding, body, body.len());
        assert_eq!(taken.problem(), Some(BodyProblem::ContentEncoding), "{encoding}");
        assert!(taken.has(ATTACK), "{encoding}");
    }
    let zstandard = [&[0x28, 0xb5, 0x2f, 0xfd, 0x24], body].concat();
    let taken = take("application/json", "zstd", &zstandard, zstandard.len());
    assert_eq!((taken.problem(), taken.values().len(), taken.incomplete), (None, 0, true), "is merely not looked into");
    let large = brotli(body, 24);
    assert_eq!(take("application/json", "br", &large, large.len()).problem(), Some(BodyProblem::ContentEncoding));
}

#[test]
fn bombs_stop_and_long_bodies_are_cut() {
    let bomb = gzip(&vec![b'a'; 50_000_000]);
    let taken = take("text/plain", "gzip", &bomb, bomb.len());
    assert_eq!((taken.problem(), taken.observed.measures.cut), (Some(BodyProblem::Bomb), true));
    let numbers: Vec<String> = (0..80_000_u64).map(|number| (number * 2_654_435_761 % 1_000_003).to_string()).collect();
    let long = gzip(format!("[{}]", numbers.join(",")).as_bytes());
    let taken = take("application/json", "gzip", &long, long.len());
    assert_eq!((taken.problem(), taken.observed.measures.cut), (None, true));
}

/// Bodies that make each parser look again and again, up to the largest that is read.
#[test]
fn work_is_bounded() {
    let bytes = limits::BODY_BYTES_DEFAULT;
    let repeated = |part: &str| part.repeat(bytes / part.len());
    let began = cpu_time();
    for (content_type, body) in [
        ("application/json", repeated("[[],")),
        ("application/json", format!("[{}[]]", repeated("[],"))),
        ("application/json", repeated("{\"a\":")),
        ("application/json", format!("{{\"query\":\"{}\"}}", repeated("{a(b:1)"))),
        ("application/x-www-form-urlencoded", repeated("a=%27&")),
        ("application/x-www-form-urlencoded", repeated("&&=")),
        ("application/xml", repeated("<a>")),
        ("application/xml", repeated("<a b='c'/>")),
        ("application/xml", format!("<a {}/>", repeated("b='c' "))),
        ("application/xml", repeated("<!DOCTYPE [")),
        ("application/xml", repeated("&a;")),
        ("application/xml", repeated("<!--")),
        ("multipart/form-data; boundary=-----------------------", repeated("-------------------------\n")),
        ("multipart/form-data; boundary=a", repeated("--a\r\n\r\n\r\n")),
        ("multipart/form-data; boundary=a", format!("--a\r\n{}", repeated("a:b\r\n"))),
        ("text/plain", repeated("a=%27&")),
        ("text/plain", repeated("' or 1=1 ")),
    ] {
        let taken = take(content_type, "", body.as_bytes(), body.len());
        assert!(taken.fields.len() <= limits::VALUES_MAX && taken.values.len() <= limits::PAYLOAD_VALUES_MAX);
    }
    // Seventeen bodies of 256 KiB; a quadratic parser would need minutes.
    let took = cpu_time() - began;
    assert!(took < std::time::Duration::from_secs(10), "{took:?}");
}

proptest! {
    #[test]
    fn any_body_is_taken_apart_within_limits(
        content_type in proptest::sample::select(vec![
            "application/json", "application/x-www-form-urlencoded", "text/xml", "text/plain", "", "application/graphql",
            "multipart/form-data; boundary=x", "multipart/form-data; boundary=\"", "image/png",
        ]),
        encoding in prop_oneof![Just(""), Just("gzip"), Just("deflate"), Just("br"), Just("gzip, br")],
        body in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..1000),
            "[\\[\\]{}\":,0-9a-z\\\\ ]{0,300}".prop_map(String::into_bytes),
            "[<>/!\\[\\]a-z='\"&;?\\- ]{0,300}".prop_map(String::into_bytes),
            "(--x|\r\n|\n|name=\"a\"|Content-Disposition:|;|a|--){0,60}".prop_map(String::into_bytes),
        ],
        more in 0_usize..10,
    ) {
        let taken = take(content_type, encoding, &body, body.len() + more);
        prop_assert!(taken.fields.len() <= limits::VALUES_MAX);
        prop_assert!(taken.values.iter().map(|value| value.text.len()).sum::<usize>() <= limits::PAYLOAD_VALUES_BYTES_MAX);
        for name in taken.fields.iter().map(|field| &field.name).chain(taken.values.iter().map(|value| &value.name)) {
            prop_assert!(name.len() <= limits::FIELD_NAME_BYTES_MAX && name.is_ascii());
        }
    }

    #[test]
    fn damaged_encodings_are_survived(body in "[a-z ]{1,400}", place in 0_usize..400, byte in any::<u8>(), bits in 17_u8..25) {
        let mut encoded = gzip(body.as_bytes());
        let mut stream = brotli(body.as_bytes(), bits.min(24));
        for bytes in [&mut encoded, &mut stream] {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        take("application/json", "gzip", &encoded, encoded.len());
        take("application/json", "br", &stream, stream.len());
        take("application/json", "deflate", &encoded, encoded.len());
    }

    #[test]
    fn padding_of_any_length_hides_nothing(before in 0_usize..3000, after in 0_usize..3000, kind in 0_usize..4) {
        let pad = |count: usize, part: &str| part.repeat(count);
        let (content_type, body) = match kind {
            0 => ("application/json", format!("{{{}\"a\":\"{ATTACK}\"{}}}", pad(before, "\"x\":\"y; z!\","), pad(after, ",\"x\":\"y; z!\""))),
            1 => ("application/x-www-form-urlencoded", format!("{}a={ATTACK}{}", pad(before, "x=y;+z!&"), pad(after, "&x=y;+z!"))),
            2 => ("text/xml", format!("<r>{}<a>{ATTACK}</a>{}</r>", pad(before, "<x>y; z!</x>"), pad(after, "<x>y; z!</x>"))),
            _ => ("text/plain", format!("{}{ATTACK}{}", pad(before, "x y; z! "), pad(after, "x y; z! "))),
        };
        prop_assert!(take_plain(content_type, &body).has(ATTACK.trim()), "{content_type} {before} {after}");
    }
}
