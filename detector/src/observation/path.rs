//! Request target → normalised path components and raw query.
//!
//! Dot segments are resolved as in RFC 3986 section 5.2.4, after decoding, because that is what the most lenient hop does.

use crate::hashing::{KeyedHasher, Purpose};
use crate::limits;
use crate::work::WorkBudget;

use super::decoding::decode_fully;
use super::parts::parts_of;
use super::shape::{CharacterClasses, ValueShape};
use super::words::is_static_word;
use super::{PathComponent, PathMarks};

/// A request target taken apart.
pub struct ParsedTarget<'t> {
    pub components: Vec<PathComponent>,
    /// The components decoded, in the same order.
    pub texts: Vec<String>,
    /// As it was sent, as far as it is looked at.
    pub path: &'t str,
    pub marks: PathMarks,
    pub path_bytes: usize,
    /// Without the question mark; empty without a query.
    pub query: &'t [u8],
    /// The work budget did not cover all of it.
    pub incomplete: bool,
}

pub fn parse_target<'t>(target: &'t str, hasher: &KeyedHasher, budget: &mut WorkBudget) -> ParsedTarget<'t> {
    let without_fragment = target.split('#').next().unwrap_or_default();
    let (full_path, query) = match without_fragment.split_once('?') {
        Some((path, query)) => (path, query),
        None => (without_fragment, ""),
    };
    let path = without_authority(full_path);
    let mut marks = PathMarks::default();
    let mut incomplete = false;
    let looked_at = path.as_bytes().get(..limits::PATH_BYTES_MAX).unwrap_or(path.as_bytes());
    marks.truncated = looked_at.len() < path.len();

    let mut texts: Vec<(String, u16)> = Vec::new();
    let raw = looked_at.strip_prefix(b"/").unwrap_or(looked_at);
    marks.trailing_slash = raw.ends_with(b"/");
    let raw = raw.strip_suffix(b"/").unwrap_or(raw);
    for part in raw.split(|byte| *byte == b'/') {
        if part.is_empty() {
            marks.empty_component |= !raw.is_empty();
            continue;
        }
        let Some((decoded, layers)) = decode_fully(part, budget) else {
            incomplete = true;
            break;
        };
        marks.encoded_twice |= layers > 1;
        marks.encoded_separator |= decoded.text.contains(['/', '\\', '\0']);
        match decoded.text.as_str() {
            "." => marks.dots = true,
            ".." => {
                marks.dots = true;
                texts.pop();
            }
            _ if texts.len() >= limits::PATH_COMPONENTS_MAX => marks.truncated = true,
            _ => {
                let mut extra = 0;
                if decoded.latin_1 {
                    extra |= CharacterClasses::NOT_UTF_8;
                }
                if layers > 1 {
                    extra |= CharacterClasses::ENCODED_AGAIN;
                }
                texts.push((decoded.text, extra));
            }
        }
    }
    let components = texts
        .iter()
        .map(|(text, extra)| {
            let shape = ValueShape::of_text(text, *extra, Purpose::Value, hasher);
            PathComponent {
                parts: parts_of(text, shape.value_type, hasher),
                word: (is_static_word(text) || is_version_number(text)).then(|| text.clone()),
                shape,
            }
        })
        .collect();
    ParsedTarget {
        components,
        texts: texts.into_iter().map(|(text, _)| text).collect(),
        path: path.get(..path.floor_char_boundary(limits::PATH_BYTES_MAX)).unwrap_or(path),
        marks,
        path_bytes: path.len(),
        query: query.as_bytes(),
        incomplete,
    }
}

/// `v1.56` and `2.0`: many APIs begin with one, though its digits make it no word.
fn is_version_number(text: &str) -> bool {
    let numbers = text.strip_prefix('v').unwrap_or(text);
    let is_short = |number: &str| (1..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    numbers.split_once('.').is_some_and(|(major, minor)| is_short(major) && is_short(minor) && major.len() < 3)
}

/// The path of an absolute-form target (RFC 9112 section 3.2.2); any other target unchanged.
fn without_authority(path: &str) -> &str {
    let Some((scheme, rest)) = path.split_once("://") else {
        return path;
    };
    if path.starts_with('/') || scheme.contains('/') {
        return path;
    }
    rest.find('/').and_then(|slash| rest.get(slash..)).unwrap_or("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(target: &str) -> (Vec<String>, PathMarks) {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let parsed = parse_target(target, &hasher, &mut WorkBudget::default());
        let texts = parsed
            .components
            .iter()
            .map(|part| part.word.clone().unwrap_or_else(|| part.shape.value_type.placeholder().to_owned()))
            .collect();
        (texts, parsed.marks)
    }

    #[test]
    fn normalises_paths() {
        let check = |target: &str, expected: &[&str]| assert_eq!(parse(target).0, expected, "{target}");
        check("/api/cart/3?x=1", &["api", "cart", "{integer}"]);
        check("/", &[]);
        check("", &[]);
        check("*", &["{text}"]);
        check("/a/b/../c/", &["a", "c"]);
        check("/a/%2e%2e/c", &["c"]);
        check("/../../etc/passwd", &["etc", "passwd"]);
        check("//a///b", &["a", "b"]);
        check("https://shop.example/a/b?q", &["a", "b"]);
        check("/redirect/http://evil.example/", &["redirect", "http:", "evil.example"]);
    }

    #[test]
    fn marks_what_is_odd() {
        assert!(parse("/a/..%2f..%2fetc").1.encoded_separator);
        assert!(parse("/a/%252e%252e/b").1.encoded_twice);
        assert!(parse("/a/./b").1.dots);
        assert!(parse("/a//b").1.empty_component);
        assert!(parse(&"/a".repeat(100)).1.truncated);
        assert_eq!(parse("/a/b/").1, PathMarks { trailing_slash: true, ..PathMarks::default() });
        assert_eq!(parse("/a/b").1, PathMarks::default());
        assert_eq!(parse("/").1, PathMarks::default());
    }
}
