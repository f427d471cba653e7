//! What a path parameter stands for, told from its name, the literal before it, and hashes of both.

use super::seeds::Seed;
use super::values::{NameStyle, ValueKind};
use super::words::{COUNTRIES, ENUMERATIONS, LABELS, LOCALES, REGIONS, TECHNICAL};

/// Names that say nothing by themselves: the literal before them says what is meant.
const GENERIC: [&str; 9] = ["id", "uuid", "guid", "name", "number", "slug", "key", "code", "version"];
/// Last words that ask for one of few values.
const ENUMERATED: [&str; 19] = [
    "type",
    "kind",
    "format",
    "extension",
    "ext",
    "status",
    "state",
    "action",
    "addition",
    "product",
    "enablement",
    "category",
    "role",
    "level",
    "severity",
    "period",
    "interval",
    "platform",
    "provider",
];
const ENUMERATED_TOO: [&str; 10] =
    ["channel", "event", "metric", "currency", "unit", "direction", "theme", "resource", "license", "size"];

/// A kind of object, such as users by their name. Objects of one kind are shared by all templates of an API.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ObjectKind(String);

impl ObjectKind {
    /// `{app_id}`, `/apps/{id}` and `{appId}` are one kind, `{app_name}` is another, `{app_name_or_id}` is either.
    pub fn alternatives(name: &str, literal_before: &str) -> Vec<Self> {
        match tokens(name).as_slice() {
            [noun @ .., first, or, second] if or == "or" && !noun.is_empty() => {
                [first, second].map(|form| Self([noun, std::slice::from_ref(form)].concat().join(" "))).into()
            }
            tokens => vec![Self::of(tokens.to_vec(), literal_before)],
        }
    }

    fn of(mut tokens: Vec<String>, literal_before: &str) -> Self {
        if tokens.len() == 1 && GENERIC.contains(&tokens[0].as_str()) {
            let mut noun = self::tokens(literal_before);
            if let Some(last) = noun.last_mut() {
                *last = singular(last);
            }
            noun.append(&mut tokens);
            tokens = noun;
        }
        Self(tokens.join(" "))
    }

    pub fn text(&self) -> &str {
        &self.0
    }
}

/// Lower-case words of `snake_case`, `kebab-case` and `camelCase`.
fn tokens(name: &str) -> Vec<String> {
    let mut tokens = vec![String::new()];
    let mut after_small = false;
    for character in name.chars() {
        let starts_word = !character.is_alphanumeric() || (after_small && character.is_uppercase());
        if starts_word && tokens.last().is_some_and(|token| !token.is_empty()) {
            tokens.push(String::new());
        }
        if character.is_alphanumeric() {
            let last = tokens.len() - 1;
            tokens[last].extend(character.to_lowercase());
        }
        after_small = character.is_lowercase() || character.is_ascii_digit();
    }
    tokens.retain(|token| !token.is_empty());
    tokens
}

fn singular(word: &str) -> String {
    match word.strip_suffix("ies") {
        Some(stem) => format!("{stem}y"),
        None if word.ends_with("ss") => word.to_owned(),
        None => word.strip_suffix('s').unwrap_or(word).to_owned(),
    }
}

/// The kind of values that an object kind is written with. `dominant` is what most ids of the API look like.
pub(super) fn value_kind(object: &ObjectKind, literal_before: &str, dominant: Seed, seed: Seed) -> ValueKind {
    let words: Vec<&str> = object.0.split(' ').collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(word));
    let last = words.last().copied().unwrap_or_default();
    let own = seed.with("kind").with(&object.0);
    if ENUMERATED.contains(&last) || ENUMERATED_TOO.contains(&last) {
        return enumeration(&words, own);
    }
    match last {
        "uuid" | "guid" => ValueKind::Uuid,
        "sha" | "commit" | "revision" => ValueKind::Sha,
        "digest" | "checksum" => ValueKind::Digest,
        "date" | "day" | "since" | "until" | "from" | "to" => ValueKind::Date,
        "year" => ValueKind::Year,
        "month" => ValueKind::Month,
        "locale" | "lang" => ValueKind::Choice(owned(&LOCALES)),
        "language" if literal_before.contains("locale") || literal_before.contains("translation") => {
            ValueKind::Choice(owned(&LOCALES))
        }
        "language" => enumeration(&["programming"], own),
        "country" => ValueKind::Choice(owned(&COUNTRIES)),
        "region" | "zone" => ValueKind::Choice(owned(&REGIONS)),
        "ip" | "ipv4" => ValueKind::Ipv4,
        "ipv6" => ValueKind::Ipv6,
        "urn" | "arn" => ValueKind::Urn(words.first().copied().unwrap_or("item").to_owned()),
        "email" | "mail" => ValueKind::Email,
        "phone" | "msisdn" => ValueKind::Phone,
        "version" | "release" => ValueKind::Version,
        "tag" => ValueKind::Tag,
        "reference" => ValueKind::TagOrDigest,
        "branch" | "ref" | "base" | "head" => ValueKind::Branch,
        "basehead" => ValueKind::BranchPair,
        "path" | "dir" | "directory" => ValueKind::FilePath,
        "file" | "filename" | "document" | "attachment" => ValueKind::FileName,
        "scope" => ValueKind::Scope,
        "lat" | "latitude" => ValueKind::Coordinate { limit: 90 },
        "lon" | "lng" | "longitude" => ValueKind::Coordinate { limit: 180 },
        "x" | "y" => ValueKind::SmallInteger { below: 65_536 },
        "z" | "zoom" | "index" | "page" | "position" | "offset" | "width" | "height" => {
            ValueKind::SmallInteger { below: 19 }
        }
        "ghsa" => ValueKind::Advisory,
        "cve" => ValueKind::Vulnerability,
        "code" | "token" | "secret" | "hash" | "nonce" => ValueKind::Base62 { length: 20 + own.below(12) as usize },
        "isbn" | "ean" | "gtin" | "barcode" => ValueKind::Barcode,
        "sku" => ValueKind::StockCode,
        "host" | "hostname" | "domain" => ValueKind::Domain,
        "number" => ValueKind::Ordinal,
        "slug" | "handle" | "permalink" => ValueKind::Name(NameStyle::Slug),
        "username" | "user" | "login" | "owner" | "member" | "assignee" | "author" => ValueKind::Name(NameStyle::User),
        "org" | "organization" | "organisation" | "team" | "enterprise" | "tenant" | "workspace" | "account" => {
            ValueKind::Name(NameStyle::Organisation)
        }
        "repo" => ValueKind::Name(NameStyle::Repository),
        "id" if has(&["ghsa"]) => ValueKind::Advisory,
        "id" | "identifier" => id_kind(&words[..words.len() - 1], dominant, own),
        _ if last.len() <= 3 && last.ends_with("id") => id_kind(&words, dominant, own),
        "key" if has(&["access", "api"]) => ValueKind::AccessKey,
        "name" => name_kind(&words[..words.len() - 1], own),
        _ => name_kind(&words, own),
    }
}

fn owned(choices: &[&str]) -> Vec<String> {
    choices.iter().map(|choice| (*choice).to_owned()).collect()
}

/// Few values: those that a word of the name is known for, else some technical words.
fn enumeration(words: &[&str], own: Seed) -> ValueKind {
    let known = |word: &&str| ENUMERATIONS.iter().find(|(name, _)| name == word);
    if let Some((_, choices)) = words.iter().find_map(known) {
        return ValueKind::Choice(owned(choices));
    }
    let first = own.below(TECHNICAL.len() as u64) as usize;
    let count = 3 + own.with("count").below(4) as usize;
    ValueKind::Choice((0..count).map(|step| TECHNICAL[(first + 5 * step) % TECHNICAL.len()].to_owned()).collect())
}

/// How services write ids. Mostly as the API's other ids, otherwise a way of the object's own.
fn id_kind(noun: &[&str], dominant: Seed, own: Seed) -> ValueKind {
    let deviates = own.with("deviates").below(100) < 35;
    let chosen = if deviates { own.with("family") } else { dominant };
    match chosen.below(100) {
        0..38 => {
            let magnitude = 10_u64.pow(own.with("magnitude").below(7) as u32);
            ValueKind::Sequence { first: 1 + own.with("first").below(9 * magnitude), gap: 1 + own.with("gap").below(9) }
        }
        38..52 => ValueKind::LongInteger { digits: 9 + own.with("digits").below(5) as usize },
        52..58 => ValueKind::Snowflake,
        58..74 => ValueKind::Uuid,
        74..80 => ValueKind::Hex { length: 24 },
        80..84 => ValueKind::Hex { length: if own.below(2) == 0 { 32 } else { 64 } },
        84..90 => ValueKind::Base62 { length: [11, 16, 22][own.below(3) as usize] },
        90..93 => ValueKind::SortableId,
        _ => ValueKind::PrefixedId { prefix: prefix(noun), length: 10 + own.below(15) as usize },
    }
}

/// `cus` for a customer, `pi` for a payment intent.
fn prefix(noun: &[&str]) -> String {
    match noun {
        [] => "id".to_owned(),
        [word] => word.chars().take(3).collect(),
        words => words.iter().filter_map(|word| word.chars().next()).collect(),
    }
}

fn name_kind(noun: &[&str], own: Seed) -> ValueKind {
    let style = match noun.last().copied().unwrap_or_default() {
        "secret" | "variable" | "env" | "setting" => NameStyle::Constant,
        "topic" | "subject" | "queue" | "stream" => NameStyle::Dotted,
        "database" | "table" | "column" | "schema" | "field" | "property" => NameStyle::Snake,
        "image" | "plugin" | "repository" | "chart" => NameStyle::Image,
        "package" | "repo" | "module" => NameStyle::Repository,
        "label" => return ValueKind::Choice(owned(&LABELS)),
        "domain" | "host" => return ValueKind::Domain,
        "meta" | "environment" if own.below(2) == 0 => return enumeration(noun, own),
        "codespace" | "sandbox" | "instance" => NameStyle::Generated,
        "user" | "person" | "artist" | "member" => NameStyle::User,
        "project" | "service" | "cluster" | "component" | "job" | "pool" | "registry" | "environment" | "policy" => {
            NameStyle::Kebab
        }
        _ => [NameStyle::Kebab, NameStyle::Slug, NameStyle::Snake, NameStyle::Title, NameStyle::Camel]
            [own.with("style").below(5) as usize],
    };
    ValueKind::Name(style)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_kind_of_object_has_many_spellings() {
        let check = |name: &str, literal: &str, expected: &[&str]| {
            let kinds = ObjectKind::alternatives(name, literal);
            assert_eq!(kinds.iter().map(ObjectKind::text).collect::<Vec<_>>(), expected, "{name} after {literal}");
        };
        check("id", "apps", &["app id"]);
        check("app_id", "apps", &["app id"]);
        check("appId", "anything", &["app id"]);
        check("uuid", "knowledge_bases", &["knowledge base uuid"]);
        check("enterprise-team", "teams", &["enterprise team"]);
        check("project_name_or_id", "projects", &["project name", "project id"]);
        check("owner", "repos", &["owner"]);
    }

    #[test]
    fn names_tell_the_kind_of_value() {
        let check = |name: &str, literal: &str, expected: ValueKind| {
            let seed = Seed::new(3);
            let object = ObjectKind::alternatives(name, literal).swap_remove(0);
            assert_eq!(value_kind(&object, literal, seed.with("ids"), seed), expected, "{name} after {literal}");
        };
        check("commit_sha", "commits", ValueKind::Sha);
        check("subject_digest", "attestations", ValueKind::Digest);
        check("username", "users", ValueKind::Name(NameStyle::User));
        check("secret_name", "secrets", ValueKind::Name(NameStyle::Constant));
        check("package_type", "packages", ValueKind::Choice(owned(ENUMERATIONS[0].1)));
        check("issue_number", "issues", ValueKind::Ordinal);
        check("start_date", "insights", ValueKind::Date);
        check("lat", "maps", ValueKind::Coordinate { limit: 90 });
    }
}
