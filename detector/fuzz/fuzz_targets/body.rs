//! Any body is taken apart within the limits. The first two bytes choose its type and its content encoding.
#![no_main]

use apiward_detector::hashing::KeyedHasher;
use apiward_detector::limits;
use apiward_detector::observation::Observer;
use libfuzzer_sys::fuzz_target;

const CONTENT_TYPES: [&str; 8] = [
    "application/json",
    "application/x-www-form-urlencoded",
    "multipart/form-data; boundary=x",
    "application/xml",
    "application/graphql",
    "text/plain",
    "application/octet-stream",
    "",
];
const CONTENT_ENCODINGS: [&str; 5] = ["", "gzip", "deflate", "br", "gzip, br"];

fuzz_target!(|input: &[u8]| {
    let [content_type, content_encoding, body @ ..] = input else {
        return;
    };
    let hasher = KeyedHasher::new(b"0123456789abcdef").expect("the key is long enough");
    let content_type = CONTENT_TYPES[usize::from(*content_type) % CONTENT_TYPES.len()];
    let content_encoding = CONTENT_ENCODINGS[usize::from(*content_encoding) % CONTENT_ENCODINGS.len()];
    let headers = [("content-type", content_type), ("content-encoding", content_encoding)];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut observer = Observer::request_headers("POST", "shop.example", "/", &headers, None, &hasher);
    observer.request_body(body, body.len() as u64, &hasher);
    let values = observer.take_payload_values();
    assert!(values.len() <= limits::PAYLOAD_VALUES_MAX);
    assert!(values.iter().map(|value| value.text.len()).sum::<usize>() <= limits::PAYLOAD_VALUES_BYTES_MAX);
    assert!(observer.observation().fields.len() <= limits::VALUES_MAX);
});
