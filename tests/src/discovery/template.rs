//! Path templates: literals, parameters, and components that mix both.

use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What clients leave unescaped in a path component.
pub(super) const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b':')
    .remove(b'@')
    .remove(b',')
    .remove(b'+');

/// A stretch of a component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    Literal(String),
    /// The parameter's name.
    Parameter(String),
}

/// What stands between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    pieces: Vec<Piece>,
}

/// How much a component leaves open; the first that fits is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ComponentKind {
    Literal,
    Mixed,
    Parameter,
}

/// A path with parameters in braces, such as `/reports/{id}.json`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    components: Vec<Component>,
    trailing_slash: bool,
}

impl Component {
    /// `{name}`, `name` or a mixture; a brace that is never closed is a literal.
    fn parse(text: &str) -> Self {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let Some(length) = rest[open..].find('}') else { break };
            if open > 0 {
                pieces.push(Piece::Literal(rest[..open].to_owned()));
            }
            pieces.push(Piece::Parameter(rest[open + 1..open + length].to_owned()));
            rest = &rest[open + length + 1..];
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Self { pieces }
    }

    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    pub fn kind(&self) -> ComponentKind {
        match self.pieces.as_slice() {
            [Piece::Literal(_)] => ComponentKind::Literal,
            [Piece::Parameter(_)] => ComponentKind::Parameter,
            _ => ComponentKind::Mixed,
        }
    }

    /// Characters that are fixed.
    pub fn literal_chars(&self) -> usize {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(text) => text.chars().count(),
                Piece::Parameter(_) => 0,
            })
            .sum()
    }

    /// `{}.json`
    pub fn anonymised(&self) -> String {
        self.pieces
            .iter()
            .map(|piece| match piece {
                Piece::Literal(literal) => decoded(literal),
                Piece::Parameter(_) => "{}".to_owned(),
            })
            .collect()
    }

    /// Whether a decoded path component fits: literals in their order, at least one character for each parameter.
    pub fn matches(&self, text: &str) -> bool {
        fits(&self.pieces, text)
    }
}

fn fits(pieces: &[Piece], text: &str) -> bool {
    match pieces {
        [] => text.is_empty(),
        [Piece::Literal(literal), rest @ ..] => {
            text.strip_prefix(decoded(literal).as_str()).is_some_and(|remaining| fits(rest, remaining))
        }
        [Piece::Parameter(_)] => !text.is_empty(),
        [Piece::Parameter(_), rest @ ..] => {
            text.char_indices().skip(1).any(|(position, _)| fits(rest, &text[position..]))
        }
    }
}

impl Template {
    /// Empty components are passed over, as proxies and the product do.
    pub fn parse(text: &str) -> Self {
        let components = text.split('/').filter(|part| !part.is_empty()).map(Component::parse).collect::<Vec<_>>();
        let trailing_slash = text.ends_with('/') && !components.is_empty();
        Self { components, trailing_slash }
    }

    pub fn components(&self) -> &[Component] {
        &self.components
    }

    pub fn has_parameters(&self) -> bool {
        self.components.iter().any(|component| component.kind() != ComponentKind::Literal)
    }

    /// A path with the values in place of the parameters, in order, percent-encoded.
    pub fn filled(&self, values: &[String]) -> String {
        let mut values = values.iter();
        let mut path = String::new();
        for component in &self.components {
            path.push('/');
            for piece in &component.pieces {
                match piece {
                    Piece::Literal(text) => path.push_str(text),
                    Piece::Parameter(_) => {
                        let value = values.next().map_or("", String::as_str);
                        path.extend(utf8_percent_encode(value, ESCAPED));
                    }
                }
            }
        }
        if path.is_empty() || self.trailing_slash {
            path.push('/');
        }
        path
    }

    /// By what two templates are compared: parameters without names, no slash at the end, `/pets/{}/photo.{}`.
    pub fn anonymised(&self) -> String {
        if self.components.is_empty() {
            return "/".to_owned();
        }
        self.components.iter().map(|component| format!("/{}", component.anonymised())).collect()
    }
}

impl fmt::Display for Template {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.components.is_empty() {
            return formatter.write_str("/");
        }
        for component in &self.components {
            formatter.write_str("/")?;
            for piece in &component.pieces {
                match piece {
                    Piece::Literal(literal) => formatter.write_str(literal)?,
                    Piece::Parameter(name) => write!(formatter, "{{{name}}}")?,
                }
            }
        }
        if self.trailing_slash { formatter.write_str("/") } else { Ok(()) }
    }
}

/// Percent-decoded once; bytes that are no UTF-8 are replaced.
pub(super) fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_lose_their_parameter_names() {
        let check = |text: &str, expected: &str| assert_eq!(Template::parse(text).anonymised(), expected);
        check("/", "/");
        check("/pets/{petId}/", "/pets/{}");
        check("/reports/{id}.json", "/reports/{}.json");
        check("/compare/{base}...{head}", "/compare/{}...{}");
        check("/maps/@{lat},{lon}", "/maps/@{},{}");
        check("/odd/{open", "/odd/{open");
    }

    #[test]
    fn parameters_are_filled_in_order_and_escaped() {
        let check = |template: &str, values: &[&str], expected: &str| {
            let values: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
            assert_eq!(Template::parse(template).filled(&values), expected);
        };
        check("/", &[], "/");
        check("/a/{id}/", &["x/y z"], "/a/x%2Fy%20z/");
        check("/compare/{base}...{head}", &["v1", "é"], "/compare/v1...%C3%A9");
    }

    #[test]
    fn components_match_as_a_whole() {
        let check = |component: &str, text: &str, expected: bool| {
            assert_eq!(Component::parse(component).matches(text), expected, "{component} {text}");
        };
        check("{id}.json", "7.json", true);
        check("{id}.json", ".json", false);
        check("{id}.json", "7.xml", false);
        check("{base}...{head}", "main...feature/x", true);
        check("{base}...{head}", "main..x", false);
        check("{a}-{b}", "a-b-c", true);
        check("me", "me", true);
        check("me", "men", false);
        check("{id}", "é", true);
    }
}
