//! Any request head is observed within the limits. The first line is the target, the others are headers.
#![no_main]

use apiward_detector::hashing::KeyedHasher;
use apiward_detector::limits;
use apiward_detector::observation::Observer;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|head: &str| {
    let hasher = KeyedHasher::new(b"0123456789abcdef").expect("the key is long enough");
    let mut lines = head.lines();
    let target = lines.next().unwrap_or_default();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut observer = Observer::request_headers("GET", "shop.example", target, &headers, None, &hasher);
    let values = observer.take_payload_values();
    assert!(values.len() <= limits::PAYLOAD_VALUES_MAX);
    assert!(values.iter().map(|value| value.text.len()).sum::<usize>() <= limits::PAYLOAD_VALUES_BYTES_MAX);
    assert!(observer.observation().fields.len() <= limits::VALUES_MAX);
});
