//! How an operation answers and what it takes besides its path, chosen once per operation from a hash of method and template.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};
use serde_json::{Map, Value, json};

use super::names::{self, NameStyle};
use super::operations::Operation;
use super::seeds::Seed;
use super::template::Component;

const QUERY_PARAMETERS: [&str; 12] =
    ["page", "per_page", "sort", "order", "q", "since", "until", "fields", "limit", "offset", "include", "status"];
const BODY_FIELDS: [&str; 16] = [
    "name",
    "description",
    "title",
    "enabled",
    "tags",
    "type",
    "email",
    "owner",
    "note",
    "priority",
    "settings",
    "url",
    "amount",
    "due_on",
    "visibility",
    "count",
];
/// Words for content that services keep elsewhere and redirect to.
const REDIRECTING: [&str; 7] = ["archive", "authorize", "avatar", "content", "download", "logs", "zip"];
/// Query parameters and body fields of an operation, at most.
const QUERY_PARAMETERS_MAX: u64 = 4;
const BODY_FIELDS_MAX: u64 = 6;
/// Items of a list that are told.
const ITEMS_MAX: u64 = 4;

/// What an operation is like.
#[derive(Debug)]
pub(super) struct Behaviour {
    success: u16,
    has_parameters: bool,
    takes_body: bool,
    query: Vec<&'static str>,
    fields: Vec<&'static str>,
    answers_json: bool,
}

impl Behaviour {
    pub fn of(operation: &Operation, seed: Seed) -> Self {
        let own = seed.with(&operation.method).with(&operation.template.anonymised());
        let some = |words: &[&'static str], name: &str, count: u64| {
            let own = own.with(name);
            let mut chosen = Vec::new();
            for step in 0..own.below(count + 1) {
                let word = words[own.with_number(step).below(words.len() as u64) as usize];
                if !chosen.contains(&word) {
                    chosen.push(word);
                }
            }
            chosen
        };
        let statuses: &[u16] = match operation.method.as_str() {
            "GET" if redirects(operation) => &[302, 302, 200],
            "GET" => &[200],
            "POST" => &[201, 201, 200, 202, 204],
            "PUT" => &[200, 204, 201],
            "DELETE" => &[204, 204, 200, 202],
            "OPTIONS" => &[204],
            _ => &[200],
        };
        let success = statuses[own.with("status").below(statuses.len() as u64) as usize];
        let takes_body = matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH");
        Self {
            success,
            has_parameters: operation.template.has_parameters(),
            takes_body,
            query: if operation.method == "GET" {
                some(&QUERY_PARAMETERS, "query", QUERY_PARAMETERS_MAX)
            } else {
                vec![]
            },
            fields: if takes_body { some(&BODY_FIELDS, "fields", BODY_FIELDS_MAX) } else { vec![] },
            answers_json: matches!(success, 200..=202) && operation.method != "HEAD",
        }
    }

    /// Mostly success; clients' mistakes, missing objects, limits and failures of the server in small numbers.
    pub fn status(&self, rng: &mut impl Rng) -> u16 {
        match rng.random_range(0..1_000) {
            0..30 if self.has_parameters => 404,
            30..50 if self.takes_body => [400, 422, 409][rng.random_range(0..3)],
            50..60 => 401,
            60..70 => 403,
            70..73 => 429,
            73..76 => 500,
            76..96 if self.success == 200 && !self.takes_body => 304,
            _ => self.success,
        }
    }

    /// Each of the operation's query parameters half of the time; empty or beginning with a question mark.
    pub fn query(&self, rng: &mut impl Rng) -> String {
        let mut query = String::new();
        for name in &self.query {
            if rng.random_bool(0.5) {
                let value = match *name {
                    "page" | "per_page" | "limit" | "offset" => rng.random_range(1..100).to_string(),
                    "since" | "until" => format!("2026-10-{:02}", rng.random_range(1..31)),
                    "order" => ["asc", "desc"][rng.random_range(0..2)].to_owned(),
                    "sort" | "fields" | "include" => ["created", "updated", "name"][rng.random_range(0..3)].to_owned(),
                    _ => names::name(NameStyle::Kebab, rng),
                };
                query.push(if query.is_empty() { '?' } else { '&' });
                query.push_str(&format!("{name}={value}"));
            }
        }
        query
    }

    /// JSON with the operation's fields, some left out; `None` where no body is sent.
    pub fn request_body(&self, rng: &mut impl Rng) -> Option<String> {
        if !self.takes_body || self.fields.is_empty() {
            return None;
        }
        let mut body = Map::new();
        for (position, name) in self.fields.iter().enumerate() {
            if position == 0 || rng.random_bool(0.8) {
                body.insert((*name).to_owned(), field(name, rng));
            }
        }
        Some(Value::Object(body).to_string())
    }

    /// JSON that hands out ids: those of the items below (`items`) where there are such, otherwise the object's own.
    pub fn response_body(
        &self,
        status: u16,
        own_id: Option<&str>,
        items: &[String],
        rng: &mut impl Rng,
    ) -> Option<String> {
        if status >= 400 {
            return Some(json!({"message": "not done", "status": status}).to_string());
        }
        if !self.answers_json || status == 304 {
            return None;
        }
        let item = |id: &str, rng: &mut _| json!({"id": id, "name": names::name(NameStyle::Kebab, rng)});
        let body = match (own_id, items) {
            (_, [created, ..]) if self.takes_body => item(created, rng),
            (_, [_, ..]) => {
                let items: Vec<Value> = items.iter().map(|id| item(id, rng)).collect();
                json!({"total": items.len(), "items": items})
            }
            (Some(id), []) => item(id, rng),
            (None, []) => json!({"ok": true}),
        };
        Some(body.to_string())
    }

    /// How many ids a list tells.
    pub fn item_count(&self, rng: &mut impl Rng) -> u64 {
        if self.takes_body { 1 } else { rng.random_range(1..=ITEMS_MAX) }
    }

    pub fn creates(&self) -> bool {
        self.success == 201
    }
}

/// Whether the template ends in a word for content that lies elsewhere.
fn redirects(operation: &Operation) -> bool {
    let last = operation.template.components().last().map(Component::anonymised).unwrap_or_default();
    REDIRECTING.contains(&last.as_str())
}

fn field(name: &str, rng: &mut impl Rng) -> Value {
    match name {
        "enabled" => json!(rng.random_bool(0.5)),
        "amount" => json!(f64::from(rng.random_range(1..100_000)) / 100.0),
        "priority" | "count" => json!(rng.random_range(0..50)),
        "tags" => json!([names::name(NameStyle::Kebab, rng), names::name(NameStyle::Kebab, rng)]),
        "settings" => json!({"notify": rng.random_bool(0.5), "level": rng.random_range(0..4)}),
        "email" => json!(format!("{}@{}", names::name(NameStyle::User, rng), names::domain(rng))),
        "url" => json!(format!("https://{}/hook", names::domain(rng))),
        "due_on" => json!(format!("2026-12-{:02}", rng.random_range(1..32))),
        "visibility" => json!(["public", "private", "internal"].choose(rng)),
        "description" | "note" | "title" => json!(names::name(NameStyle::Slug, rng).replace('-', " ")),
        _ => json!(names::name(NameStyle::Kebab, rng)),
    }
}
