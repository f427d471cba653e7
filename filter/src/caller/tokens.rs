//! JWTs in request headers, each read once.

use apiward_detector::jwt;
use serde_json::Value;

use crate::host::{HeaderMap, header_text};

/// Reads tokens of a request.
pub struct Tokens<'h> {
    headers: &'h HeaderMap,
    /// Header and claims of the last token; almost always all sources read the same.
    last: Option<(String, Option<Value>)>,
}

impl<'h> Tokens<'h> {
    pub fn new(headers: &'h HeaderMap) -> Self {
        Self { headers, last: None }
    }

    /// The claims of the token in a header; `None` when there is none.
    pub fn claims(&mut self, header: &str) -> Option<&Value> {
        if self.last.as_ref().is_none_or(|(last, _)| last != header) {
            let claims = header_text(self.headers, header).and_then(|token| jwt::claims(&token));
            self.last = Some((header.to_owned(), claims));
        }
        self.last.as_ref().and_then(|(_, claims)| claims.as_ref())
    }
}
