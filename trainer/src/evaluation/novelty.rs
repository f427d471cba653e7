//! Which exchanges were in the training files word for word.

use std::collections::HashSet;

use apiward_detector::exchange::Request;
use apiward_detector::hashing::stable_hash;

/// Requests by method, target and body. Only hashes are held, so that the training file need not fit into memory.
#[derive(Debug, Clone, Default)]
pub struct KnownRequests(HashSet<u64>);

impl KnownRequests {
    pub fn add(&mut self, request: &Request) {
        self.0.insert(key(request));
    }

    pub fn contains(&self, request: &Request) -> bool {
        self.0.contains(&key(request))
    }
}

fn key(request: &Request) -> u64 {
    stable_hash(&[request.method.as_bytes(), request.target.as_bytes(), &request.body])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_known_only_word_for_word() {
        let request = |method: &str, target: &str, body: &str| Request {
            method: method.into(),
            target: target.into(),
            body: body.into(),
            ..Request::default()
        };
        let mut known = KnownRequests::default();
        known.add(&request("POST", "/a", "x=1"));
        assert!(known.contains(&request("POST", "/a", "x=1")));
        assert!(!known.contains(&request("PUT", "/a", "x=1")));
        assert!(!known.contains(&request("POST", "/a?", "x=1")));
        assert!(!known.contains(&request("POST", "/a", "x=2")));
        assert!(!known.contains(&request("POST", "/ax", "=1")));
    }
}
