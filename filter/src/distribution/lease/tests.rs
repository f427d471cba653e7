use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::host::SharedValue;
use crate::host::fake::{FakeHost, SharedMap};

const KEY: &str = "lease";
const NOW_MS: u64 = 1_790_000_000_000;

#[test]
fn one_worker_holds_it_until_it_expires() {
    let map = Rc::new(SharedMap::default());
    let (one, two) = (FakeHost::worker(&map, 1), FakeHost::worker(&map, 2));
    assert!(hold(&one, KEY, [1; 16], NOW_MS, 1000).is_some());
    assert!(hold(&two, KEY, [2; 16], NOW_MS, 1000).is_none());
    assert!(hold(&one, KEY, [1; 16], NOW_MS + 900, 1000).is_some(), "renewed by its holder");
    assert!(hold(&two, KEY, [2; 16], NOW_MS + 1500, 1000).is_none());
    assert!(hold(&two, KEY, [2; 16], NOW_MS + 1900, 1000).is_some());
    assert!(hold(&one, KEY, [1; 16], NOW_MS + 1901, 1000).is_none());
}

/// A host on which another worker takes the lease between every read and the write that follows it.
struct Raced {
    inner: FakeHost,
    rival: FakeHost,
}

impl Raced {
    fn race(&self) {
        hold(&self.rival, KEY, [2; 16], NOW_MS, 1000);
    }
}

#[test]
fn of_two_workers_that_find_no_lease_one_wins() {
    let map = Rc::new(SharedMap::default());
    let raced = Raced { inner: FakeHost::worker(&map, 1), rival: FakeHost::worker(&map, 2) };
    assert_eq!(raced.inner.shared_data(KEY), None);
    raced.race();
    assert!(raced.inner.set_shared_data(KEY, &Lease::default().encode(), SharedVersion::Absent).is_err());
    assert!(hold(&raced.inner, KEY, [1; 16], NOW_MS, 1000).is_none());
}

#[test]
fn of_two_workers_that_find_a_free_lease_one_wins() {
    let map = Rc::new(SharedMap::default());
    let raced = Raced { inner: FakeHost::worker(&map, 1), rival: FakeHost::worker(&map, 2) };
    map.plant(KEY, &Lease::default().encode());
    let SharedValue { version, .. } = raced.inner.shared_data(KEY).unwrap();
    raced.race();
    assert!(raced.inner.set_shared_data(KEY, &Lease::default().encode(), version).is_err());
}

#[test]
fn the_next_holder_knows_the_etag() {
    let map = Rc::new(SharedMap::default());
    let (one, two) = (FakeHost::worker(&map, 1), FakeHost::worker(&map, 2));
    hold(&one, KEY, [1; 16], NOW_MS, 1000).unwrap();
    remember_etag(&one, KEY, [1; 16], "\"7\"");
    remember_etag(&two, KEY, [2; 16], "\"6\"");
    remember_etag(&one, KEY, [1; 16], "bad etag\n");
    assert_eq!(hold(&two, KEY, [2; 16], NOW_MS + 2000, 1000).unwrap().etag, "\"7\"");
}

#[test]
fn what_is_no_lease_or_lasts_for_ever_does_not_stop_polling() {
    let map = Rc::new(SharedMap::default());
    let host = FakeHost::worker(&map, 1);
    let forever = Lease { holder: [9; 16], expires_ms: u64::MAX, etag: String::new() };
    for hostile in [b"".as_slice(), b"\x01short", b"\x02xxxxxxxxxxxxxxxxxxxxxxxxxxxx", &forever.encode()] {
        map.plant(KEY, hostile);
        assert!(hold(&host, KEY, [1; 16], NOW_MS, 1000).is_some());
    }
}

proptest! {
    #[test]
    fn a_lease_survives_shared_data(holder: [u8; 16], expires_ms: u64, etag in "[!-~]{0,128}") {
        let lease = Lease { holder, expires_ms, etag };
        prop_assert_eq!(Lease::decode(&lease.encode()), Some(lease));
    }

    #[test]
    fn any_bytes_are_decoded_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(lease) = Lease::decode(&bytes) {
            prop_assert!(lease.etag.len() <= limits::ETAG_BYTES_MAX);
        }
    }
}
