//! Path components that are made of literals and values: `{id}.json`, `{base}...{head}`, `{id}:cancel`.

use serde::{Deserialize, Serialize};

use crate::observation::{ComponentPart, PathComponent, ValueType};

/// A mixed component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixedComponent {
    /// As in OpenAPI: `{id}.json`.
    pub template: String,
    pub parts: Vec<MixedPart>,
}

/// One part with the punctuation before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MixedPart {
    pub separator: String,
    pub kind: MixedPartKind,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MixedPartKind {
    Literal(String),
    Value {
        name: String,
        /// The types it takes, sorted.
        types: Vec<ValueType>,
    },
}

impl MixedComponent {
    /// Whether a component has this form. A value may itself hold punctuation (`v1.2` in `v1.2...main`) and then takes any type.
    pub fn matches(&self, component: &PathComponent) -> bool {
        !component.parts.is_empty() && parts_match(&self.parts, &component.parts)
    }

    /// How many of its parts are literals.
    pub fn literals(&self) -> usize {
        self.parts.iter().filter(|part| matches!(part.kind, MixedPartKind::Literal(_))).count()
    }
}

/// At most [`crate::limits::COMPONENT_PARTS_MAX`] parts on either side, so the backtracking is small.
fn parts_match(form: &[MixedPart], parts: &[ComponentPart]) -> bool {
    let (Some((first, form_rest)), Some((part, _))) = (form.split_first(), parts.split_first()) else {
        return form.is_empty() && parts.is_empty();
    };
    if first.separator != part.separator {
        return false;
    }
    match &first.kind {
        MixedPartKind::Literal(word) => {
            let is_same = match &part.word {
                Some(found) => found == word,
                None => word.is_empty() && part.value_type == ValueType::Empty,
            };
            is_same && parts.get(1..).is_some_and(|rest| parts_match(form_rest, rest))
        }
        MixedPartKind::Value { types, .. } => (1..=parts.len()).any(|taken| {
            let fits = taken > 1 || types.binary_search(&part.value_type).is_ok();
            fits && parts.get(taken..).is_some_and(|rest| parts_match(form_rest, rest))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hashing::KeyedHasher;
    use crate::observation::Observer;

    fn value(separator: &str, types: &[ValueType]) -> MixedPart {
        MixedPart {
            separator: separator.to_owned(),
            kind: MixedPartKind::Value { name: "id".to_owned(), types: types.to_vec() },
        }
    }

    fn literal(separator: &str, word: &str) -> MixedPart {
        MixedPart { separator: separator.to_owned(), kind: MixedPartKind::Literal(word.to_owned()) }
    }

    #[test]
    fn forms_match_what_they_were_learned_from() {
        let hasher = KeyedHasher::new(b"0123456789abcdef").unwrap();
        let check = |parts: Vec<MixedPart>, component: &str, expected: bool| {
            let form = MixedComponent { template: String::new(), parts };
            let target = format!("/{component}");
            let observer = Observer::request_headers("GET", "h", &target, &[], None, &hasher);
            let found = form.matches(&observer.observation().components[0]);
            assert_eq!(found, expected, "{component}");
        };
        let report = || vec![value("", &[ValueType::Integer]), literal(".", "json")];
        check(report(), "42.json", true);
        check(report(), "42.xml", false);
        check(report(), "42", false);
        check(report(), "x.json", false);
        let compare = || vec![value("", &[ValueType::Word]), value("...", &[ValueType::Word])];
        check(compare(), "main...feature", true);
        check(compare(), "main..feature", false);
        check(compare(), "a.b...feature", true);
        let odata = || vec![literal("", "Users"), value("('", &[ValueType::Word]), literal("')", "")];
        check(odata(), "Users('ann')", true);
        check(odata(), "Users('ann", false);
    }
}
