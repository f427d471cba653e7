//! GraphQL documents (specification of October 2021, section 2): their head, and the strings in them.

/// The head of a document.
pub struct Document<'t> {
    pub name: Option<&'t str>,
    pub first_field: Option<&'t str>,
}

impl<'t> Document<'t> {
    /// `None` for what does not begin as a document: a search box has a `query` too.
    pub fn of(text: &'t str) -> Option<Self> {
        let text = skip_ignored(text);
        let (keyword, rest) = word_of(text);
        let (name, rest) = match keyword {
            "" if text.starts_with('{') => (None, text),
            "query" | "mutation" | "subscription" => {
                let (name, rest) = word_of(skip_ignored(rest));
                ((!name.is_empty()).then_some(name), rest)
            }
            _ => return None,
        };
        let selection = rest.split_once('{')?.1;
        let (first, _) = word_of(skip_ignored(selection));
        Some(Self { name, first_field: (!first.is_empty()).then_some(first) })
    }
}

/// A string in a document, without its quotes and with its escapes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Literal<'t> {
    /// The name before it: `name` in `user(name: "ann")`.
    pub argument: &'t str,
    pub text: &'t str,
}

/// The strings of a document; `None` for what is none, from its first to its last sign.
pub fn literals(text: &str) -> Option<Vec<Literal<'_>>> {
    Document::of(text)?.first_field?;
    let mut literals = Vec::new();
    let mut argument = "";
    let mut rest = skip_ignored(text);
    while let Some(sign) = rest.chars().next() {
        if let Some((literal, after)) = string(rest) {
            literals.push(Literal { argument, text: literal });
            rest = after;
        } else if sign.is_ascii_alphanumeric() || sign == '_' {
            let (word, after) = word_of(rest);
            argument = if skip_ignored(after).starts_with(':') { word } else { argument };
            rest = after;
        } else if matches!(
            sign,
            '!' | '$' | '&' | '(' | ')' | '.' | ':' | '=' | '@' | '[' | ']' | '{' | '|' | '}' | '-'
        ) {
            rest = rest.get(1..).unwrap_or_default();
        } else {
            return None;
        }
        rest = skip_ignored(rest);
    }
    Some(literals)
}

/// A string that begins here, and what comes after it.
fn string(text: &str) -> Option<(&str, &str)> {
    if let Some(block) = text.strip_prefix("\"\"\"") {
        return block.split_once("\"\"\"");
    }
    let literal = text.strip_prefix('"')?;
    let mut escaped = false;
    let end = literal.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })?;
    Some((literal.get(..end)?, literal.get(end + 1..)?))
}

/// Without leading blanks, commas and comments.
fn skip_ignored(mut text: &str) -> &str {
    loop {
        text = text.trim_start_matches(|sign: char| sign.is_whitespace() || sign == ',' || sign == '\u{feff}');
        match text.strip_prefix('#') {
            Some(comment) => text = comment.split_once('\n').map_or("", |(_, after)| after),
            None => return text,
        }
    }
}

fn word_of(text: &str) -> (&str, &str) {
    text.split_at(text.find(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_').unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn strings_are_found_with_their_arguments() {
        let check = |text: &str, expected: Option<&[(&str, &str)]>| {
            let found = literals(text);
            let found: Option<Vec<_>> =
                found.map(|literals| literals.iter().map(|literal| (literal.argument, literal.text)).collect());
            assert_eq!(found.as_deref(), expected, "{text}");
        };
        check(
            r#"query A($i: [ID!]! = "d") { a: user(name: "x\" or 1=1", n: -1.5, tags: ["t"]) @include(if: true) { ...F } }"#,
            Some(&[("i", "d"), ("name", r#"x\" or 1=1"#), ("tags", "t")]),
        );
        check("{ note(text: \"\"\"a \"quoted\" b\"\"\") }", Some(&[("text", "a \"quoted\" b")]));
        check("# c\n{ viewer { login } }", Some(&[]));
        check("{{7*7}}", None);
        check("{ user(id: 1' or '1'='1) }", None);
        check("{ user(name: \"open }", None);
        check("red shoes", None);
    }

    proptest! {
        #[test]
        fn any_text_is_read(text in "\\PC{0,100}|[{}():\"a-z ,#\n\\\\]{0,100}") {
            let _ = literals(&text);
            let _ = literals(&format!("{{ a(b: \"{text}\") }}"));
        }
    }
}
