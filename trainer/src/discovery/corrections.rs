//! What people decided about templates, which no traffic changes.

use std::collections::{BTreeMap, BTreeSet};

use apiward_detector::limits::PATH_COMPONENTS_MAX;
use apiward_detector::observation::{ValueType, is_static_word, normalised_host};
use serde::{Deserialize, Serialize};

/// Bytes of a corrected template.
pub const TEMPLATE_BYTES_MAX: usize = 1024;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Correction {
    /// This template is right: its literals stay literals, and at its parameters all words are values that no other correction
    /// keeps apart. Names of parameters do not matter.
    Pin { host: String, template: String },
    /// The last component of the template is a literal beside the parameter: `/users/me`.
    Split { host: String, template: String },
    /// The last component of the template is a parameter, whatever words are there: `/files/{id}`.
    Merge { host: String, template: String },
}

/// All decisions of a scope, by the place that they are about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Corrections {
    places: BTreeMap<(String, String), PlaceCorrection>,
}

/// What was decided for the children of one node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PlaceCorrection {
    pub literals: BTreeSet<String>,
    /// All other words are values.
    pub fold: bool,
}

impl Corrections {
    pub fn new<'c>(corrections: impl IntoIterator<Item = &'c Correction>) -> Self {
        let mut compiled = Self::default();
        for correction in corrections {
            let (host, template) = correction.place();
            let components: Vec<&str> = template.split('/').filter(|part| !part.is_empty()).collect();
            let only_last = !matches!(correction, Correction::Pin { .. });
            for (position, component) in components.iter().enumerate() {
                if only_last && position + 1 < components.len() {
                    continue;
                }
                let prefix = unnamed(components.iter().take(position).copied());
                let place = compiled.places.entry((host.to_owned(), prefix)).or_default();
                if component.contains('{') {
                    place.fold = true;
                } else {
                    place.literals.insert((*component).to_owned());
                }
            }
        }
        compiled
    }

    /// What was decided below a template's prefix, in the form of [`unnamed`].
    pub fn at(&self, host: &str, prefix: &str) -> Option<&PlaceCorrection> {
        self.places.get(&(host.to_owned(), prefix.to_owned()))
    }

    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// Why a correction cannot be about anything that traffic shows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CorrectionError {
    #[error("{given:?} is no host as the inventory lists it, which would be {listed:?}")]
    Host { given: String, listed: String },
    #[error(
        "a template begins with a slash and has 1 to {PATH_COMPONENTS_MAX} components and at most {TEMPLATE_BYTES_MAX} bytes"
    )]
    Template,
    #[error("{component:?} is no component of a template: write a parameter as {{name}}")]
    Component { component: String },
    #[error("{component:?} cannot be a literal: it looks like a value, and filters do not tell values")]
    Literal { component: String },
    #[error("the last component of a split is the literal that stays apart, as in /users/me")]
    SplitParameter,
    #[error("the last component of a merge is the parameter, as in /files/{{id}}")]
    MergeLiteral,
}

impl Correction {
    /// # Errors
    /// When host or template are malformed, or the last component is not what the kind is about.
    pub fn check(&self) -> Result<(), CorrectionError> {
        let (host, template) = self.place();
        let listed = normalised_host(host);
        if listed != host && !matches!(host, "{ip}" | "{host}") {
            return Err(CorrectionError::Host { given: host.to_owned(), listed });
        }
        let components = template.strip_prefix('/').filter(|_| template.len() <= TEMPLATE_BYTES_MAX);
        let components: Vec<&str> = components.ok_or(CorrectionError::Template)?.split('/').collect();
        if components.len() > PATH_COMPONENTS_MAX || components == [""] {
            return Err(CorrectionError::Template);
        }
        components.iter().try_for_each(|component| check_component(component))?;
        let last = components.last().copied().unwrap_or_default();
        match self {
            Correction::Split { .. } if last.contains('{') => Err(CorrectionError::SplitParameter),
            Correction::Merge { .. } if !is_parameter(last) => Err(CorrectionError::MergeLiteral),
            _ => Ok(()),
        }
    }

    pub fn place(&self) -> (&str, &str) {
        match self {
            Correction::Pin { host, template }
            | Correction::Split { host, template }
            | Correction::Merge { host, template } => (host, template),
        }
    }
}

fn check_component(component: &str) -> Result<(), CorrectionError> {
    if !component.contains(['{', '}']) {
        let is_literal = is_static_word(component) && !ValueType::of(component).is_clearly_parameter();
        let component = component.to_owned();
        return if is_literal { Ok(()) } else { Err(CorrectionError::Literal { component }) };
    }
    let mut pieces = component.split('{');
    let is_text_free = |text: &str| !text.contains('}');
    let is_well_formed = pieces.next().is_some_and(is_text_free)
        && pieces.all(|piece| {
            piece.split_once('}').is_some_and(|(name, after)| is_parameter_name(name) && is_text_free(after))
        });
    if is_well_formed { Ok(()) } else { Err(CorrectionError::Component { component: component.to_owned() }) }
}

fn is_parameter(component: &str) -> bool {
    component.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(is_parameter_name)
}

fn is_parameter_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

/// `/users/{}/posts` of a template's components.
pub fn unnamed<'c>(components: impl Iterator<Item = &'c str>) -> String {
    components.map(|component| format!("/{}", if component.contains('{') { "{}" } else { component })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decisions_are_found_at_their_places() {
        let host = "shop.example".to_owned();
        let corrections = Corrections::new(&[
            Correction::Pin { host: host.clone(), template: "/users/{user}/posts".into() },
            Correction::Split { host: host.clone(), template: "/users/me".into() },
            Correction::Merge { host: host.clone(), template: "/files/{id}".into() },
        ]);
        let at = |prefix: &str| corrections.at(&host, prefix).cloned().unwrap_or_default();
        assert!(at("").literals.contains("users") && !at("").fold);
        assert!(at("/users").fold && at("/users").literals.contains("me"));
        assert!(at("/users/{}").literals.contains("posts"));
        assert!(at("/files").fold);
        assert!(corrections.at("other.example", "/users").is_none());
    }

    #[test]
    fn corrections_that_nothing_could_match_are_refused() {
        let check = |kind: fn(String, String) -> Correction, host: &str, template: &str, expected: Option<&str>| {
            let checked = kind(host.to_owned(), template.to_owned()).check().map_err(|error| error.to_string());
            match expected {
                None => assert_eq!(checked, Ok(()), "{host} {template}"),
                Some(words) => assert!(checked.is_err_and(|error| error.contains(words)), "{host} {template}"),
            }
        };
        let pin = |host, template| Correction::Pin { host, template };
        let split = |host, template| Correction::Split { host, template };
        let merge = |host, template| Correction::Merge { host, template };
        check(pin, "shop.example", "/users/{user}/posts", None);
        check(pin, "shop.example", "/reports/{id}.json", None);
        check(pin, "{ip}", "/repos/{owner}/{repo}/compare/{base}...{head}", None);
        check(split, "shop.example", "/users/me", None);
        check(merge, "shop.example", "/files/{id}", None);
        check(pin, "Shop.Example:8080", "/users", Some("shop.example"));
        check(pin, "no host", "/users", Some("{host}"));
        check(pin, "shop.example", "users", Some("slash"));
        check(pin, "shop.example", "/", Some("slash"));
        check(pin, "shop.example", "", Some("slash"));
        check(pin, "shop.example", &"/a".repeat(33), Some("32 components"));
        check(pin, "shop.example", "/users//posts", Some("literal"));
        check(pin, "shop.example", "/users/17", Some("looks like a value"));
        check(pin, "shop.example", "/users/{}", Some("{name}"));
        check(pin, "shop.example", "/users/{a{b}}", Some("{name}"));
        check(pin, "shop.example", "/users/a}", Some("{name}"));
        check(split, "shop.example", "/users/{id}", Some("stays apart"));
        check(merge, "shop.example", "/files/id", Some("is the parameter"));
        check(merge, "shop.example", "/files/{id}.json", Some("is the parameter"));
    }
}
