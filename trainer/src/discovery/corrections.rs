//! What people decided about templates, which no traffic changes.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

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

impl Correction {
    pub fn place(&self) -> (&str, &str) {
        match self {
            Correction::Pin { host, template }
            | Correction::Split { host, template }
            | Correction::Merge { host, template } => (host, template),
        }
    }
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
}
