use std::rc::Rc;

use proptest::prelude::*;

use super::*;
use crate::host::fake::{FakeHost, SharedMap};

fn document(prefix: &str) -> SharedDocument {
    SharedDocument::new(prefix, "bundle", 1000)
}

#[test]
fn other_workers_find_what_one_published() {
    let map = Rc::new(SharedMap::default());
    let (one, two) = (FakeHost::worker(&map, 1), FakeHost::worker(&map, 2));
    let shared = document("apiward/1/x");
    assert_eq!(shared.generation(&two), None);
    assert_eq!(shared.publish(&one, b"first"), Ok(1));
    assert_eq!(shared.publish(&one, b"second"), Ok(2));
    assert_eq!(shared.generation(&two), Some(2));
    assert_eq!(shared.load(&two), Some(StoredDocument { generation: 2, bytes: b"second".to_vec() }));
    assert_eq!(map.keys().len(), 2, "keys are bounded: shared data is never freed");
}

#[test]
fn configurations_do_not_see_each_others_documents() {
    let host = FakeHost::new();
    document("apiward/1/x").publish(&host, b"x").unwrap();
    assert_eq!(document("apiward/1/y").load(&host), None);
}

#[test]
fn hostile_values_are_overwritten_by_the_next_document() {
    let host = FakeHost::new();
    let shared = document("p");
    host.shared.plant("p/bundle", b"\xff\xff");
    host.shared.plant("p/bundle/generation", &[1, 255, 255, 255, 255, 255, 255, 255, 255]);
    assert_eq!(shared.load(&host), None);
    let generation = shared.publish(&host, b"good").unwrap();
    assert_eq!(shared.generation(&host), Some(generation));
    assert_eq!(shared.load(&host).unwrap().bytes, b"good");
}

proptest! {
    #[test]
    fn any_bytes_are_decoded_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let _ = decode_generation(&bytes);
        let _ = decode_document(&bytes, 50);
    }
}
