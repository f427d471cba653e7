//! Identifiers that responses handed out: where one comes back as a path component, that component is a value.

use std::collections::HashSet;

use apiward_detector::observation::{ResponseField, ValueEncoding};
use apiward_detector::profile::own_name;
use serde::{Deserialize, Serialize};

use crate::discovery::limits;

/// Last words of the names under which responses carry identifiers.
const IDENTIFIER_WORDS: [&str; 17] = [
    "id",
    "uuid",
    "guid",
    "slug",
    "name",
    "login",
    "username",
    "handle",
    "key",
    "code",
    "sha",
    "ref",
    "number",
    "tag",
    "token",
    "digest",
    "identifier",
];

/// Keyed hashes of identifiers, in two generations so that old ones are forgotten.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandedOut {
    recent: HashSet<u64>,
    older: HashSet<u64>,
}

impl HandedOut {
    pub fn learn(&mut self, fields: &[ResponseField]) {
        for field in fields.iter().filter(|field| is_identifier(field)) {
            if self.recent.len() >= limits::HANDED_OUT_MAX / 2 {
                self.older = std::mem::take(&mut self.recent);
            }
            self.recent.insert(field.hash);
        }
    }

    pub fn contains(&self, hash: u64) -> bool {
        self.recent.contains(&hash) || self.older.contains(&hash)
    }
}

fn is_identifier(field: &ResponseField) -> bool {
    let is_text = matches!(field.encoding, ValueEncoding::JsonString | ValueEncoding::JsonNumber);
    let own = own_name(&field.name).trim_end_matches("[]");
    // `userId`, `user_id`, `user-id` and `id` alike.
    let start = own.rfind(|sign: char| !sign.is_ascii_lowercase()).unwrap_or(0);
    let last = own.get(start..).unwrap_or(own).trim_start_matches(['_', '-', '.']).to_ascii_lowercase();
    is_text && field.hash != 0 && IDENTIFIER_WORDS.contains(&last.as_str())
}
