//! Of what kind a caller is: by role, by scope, by certificate, or unknown to the service.

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;

use super::words::is_static_word;

/// The kind of a caller without credentials.
pub const ANONYMOUS: &str = "anonymous";

/// `role:admin`, `scope:orders.read`; a name that is no static word is told by its keyed hash.
pub fn caller_kind(source: &str, name: &str, hasher: &KeyedHasher) -> String {
    if is_static_word(name) {
        return format!("{source}:{name}");
    }
    format!("{source}:{:016x}", hasher.hash(Purpose::CallerKind, name.as_bytes()))
}

/// `certificate:spiffe://shop/cart`: a workload's identity, exactly; `None` for what is no printable ASCII or too long.
pub fn certificate_kind(identity: &str) -> Option<String> {
    let kind = format!("certificate:{identity}");
    (kind.len() <= limits::CALLER_KIND_BYTES_MAX && kind.bytes().all(|byte| byte.is_ascii_graphic())).then_some(kind)
}
