//! Which declared operation a discovered endpoint is.
//!
//! Literals and parameters need not be at the same places in both: discovery may have kept a busy value apart (`/users/admin`),
//! or put a literal among the values (`/users/me` into `/users/{id}`).

use std::collections::{BTreeMap, BTreeSet};

use crate::discovery::inventory::EndpointInventory;
use crate::discovery::openapi::without_names;

use super::report::Deviation;
use super::specification::DeclaredOperation;

/// What became of all endpoints below one prefix.
#[derive(Debug, Default)]
pub struct Matching {
    pub prefix: String,
    /// Of all endpoints that were assigned.
    pub exchanges: u64,
    /// In the order of the endpoints.
    pub assignments: Vec<Assignment>,
    /// In the order of the operations.
    declared: Vec<(String, Vec<Component>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Assignment {
    /// Index of the operation.
    Operation {
        index: usize,
        deviations: Vec<Deviation>,
    },
    /// HEAD and OPTIONS of declared paths, which nobody declares.
    Implicit,
    /// The path is declared with other methods.
    UnknownMethod,
    UnknownPath,
}

/// One component of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Component {
    text: String,
    kind: ComponentKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ComponentKind {
    Literal,
    Parameter,
    /// Its text without names: `{}.json`.
    Mixed(String),
}

/// How a declared component and a discovered one go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    /// What is discovered is a part of what is declared.
    Narrower,
    /// What is declared may be a part of what is discovered.
    Wider,
}

impl Matching {
    /// Matches with `prefix` before all declared paths.
    pub fn below(prefix: &str, endpoints: &[&EndpointInventory], operations: &[DeclaredOperation]) -> Self {
        let declared: Vec<(String, Vec<Component>)> = operations
            .iter()
            .map(|operation| (operation.method.clone(), components(&format!("{prefix}{}", operation.path))))
            .collect();
        let mut by_length: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (index, (_, path)) in declared.iter().enumerate() {
            by_length.entry(path.len()).or_default().push(index);
        }
        let mut matching = Self { prefix: prefix.to_owned(), declared, ..Self::default() };
        for endpoint in endpoints {
            let template = components(&endpoint.template);
            let candidates = by_length.get(&template.len()).map(Vec::as_slice).unwrap_or_default();
            let assignment = matching.assign(&endpoint.method, &template, candidates);
            if matches!(assignment, Assignment::Operation { .. }) {
                matching.exchanges += endpoint.exchanges;
            }
            matching.assignments.push(assignment);
        }
        matching
    }

    fn assign(&self, method: &str, template: &[Component], candidates: &[usize]) -> Assignment {
        let mut methods = BTreeSet::new();
        let mut best: Option<(usize, usize, usize, Vec<Deviation>)> = None;
        for index in candidates {
            let Some((declared_method, path)) = self.declared.get(*index) else {
                continue;
            };
            let Some(fits) = fits(path, template).filter(|fits| explains(fits, path)) else {
                continue;
            };
            methods.insert(declared_method.as_str());
            if declared_method != method {
                continue;
            }
            let deviations = deviations(&fits, path, template);
            let parameters = path.iter().filter(|component| component.kind != ComponentKind::Literal).count();
            let rank = (deviations.len(), parameters, *index);
            if best.as_ref().is_none_or(|(differ, parameters, index, _)| rank < (*differ, *parameters, *index)) {
                best = Some((rank.0, rank.1, rank.2, deviations));
            }
        }
        match best {
            Some((_, _, index, deviations)) => Assignment::Operation { index, deviations },
            None if methods.is_empty() => Assignment::UnknownPath,
            None if method == "OPTIONS" || method == "HEAD" && methods.contains("GET") => Assignment::Implicit,
            None => Assignment::UnknownMethod,
        }
    }

    /// The discovered template that an unused operation's requests would be counted under.
    pub fn within(&self, endpoints: &[&EndpointInventory], index: usize) -> Option<String> {
        let (method, path) = self.declared.get(index)?;
        endpoints
            .iter()
            .filter(|endpoint| endpoint.method == *method)
            .find(|endpoint| {
                let template = components(&endpoint.template);
                fits(path, &template).is_some_and(|fits| fits.contains(&Fit::Wider))
            })
            .map(|endpoint| endpoint.template.clone())
    }
}

/// Whether all that is discovered is declared by this path: where discovery has a parameter in the place of a literal, what
/// follows must be the same, for otherwise that literal is but one value of many.
fn explains(fits: &[Fit], path: &[Component]) -> bool {
    fits.iter().enumerate().all(|(place, fit)| {
        let below = fits.iter().zip(path).skip(place + 1);
        *fit != Fit::Wider
            || below.clone().any(|(fit, component)| *fit == Fit::Same && component.kind == ComponentKind::Literal)
    })
}

fn fits(path: &[Component], template: &[Component]) -> Option<Vec<Fit>> {
    if path.len() != template.len() {
        return None;
    }
    path.iter().zip(template).map(|(declared, discovered)| fit(declared, discovered)).collect()
}

fn fit(declared: &Component, discovered: &Component) -> Option<Fit> {
    use ComponentKind::{Literal, Mixed, Parameter};
    match (&declared.kind, &discovered.kind) {
        (Literal, Literal) => (declared.text == discovered.text).then_some(Fit::Same),
        (Parameter, Parameter) => Some(Fit::Same),
        (Mixed(one), Mixed(next)) => (one == next).then_some(Fit::Same),
        (Parameter, Literal | Mixed(_)) => Some(Fit::Narrower),
        (Literal | Mixed(_), Parameter) => Some(Fit::Wider),
        (Mixed(form), Literal) => has_form(&discovered.text, form).then_some(Fit::Narrower),
        (Literal, Mixed(form)) => has_form(&declared.text, form).then_some(Fit::Wider),
    }
}

fn deviations(fits: &[Fit], path: &[Component], template: &[Component]) -> Vec<Deviation> {
    fits.iter()
        .zip(path.iter().zip(template))
        .filter(|(fit, _)| **fit != Fit::Same)
        .map(|(_, (declared, discovered))| Deviation {
            declared: declared.text.clone(),
            discovered: discovered.text.clone(),
        })
        .collect()
}

fn components(path: &str) -> Vec<Component> {
    path.split(['?', '#'])
        .next()
        .unwrap_or_default()
        .split('/')
        .filter(|text| !text.is_empty())
        .map(|text| {
            let form = without_names(text);
            let kind = match form.as_str() {
                "{}" => ComponentKind::Parameter,
                form if form.contains("{}") => ComponentKind::Mixed(form.to_owned()),
                _ => ComponentKind::Literal,
            };
            Component { text: text.to_owned(), kind }
        })
        .collect()
}

/// Whether a text begins, goes on and ends with the literals of a form, in order.
fn has_form(text: &str, form: &str) -> bool {
    let Some((before, last)) = form.rsplit_once("{}") else {
        return text == form;
    };
    let mut literals = before.split("{}");
    let Some(mut rest) = literals.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    for literal in literals {
        let Some((_, after)) = rest.split_once(literal) else {
            return false;
        };
        rest = after;
    }
    rest.len() > last.len() && rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `expected` is the path that is assigned, or what else it is.
    #[track_caller]
    fn check(declared: &[&str], discovered: &str, expected: &str) {
        let operations: Vec<(String, Vec<Component>)> = declared
            .iter()
            .filter_map(|operation| operation.split_once(' '))
            .map(|(method, path)| (method.to_owned(), components(path)))
            .collect();
        let matching = Matching { declared: operations, ..Matching::default() };
        let (method, template) = discovered.split_once(' ').unwrap();
        let template = components(template);
        let candidates: Vec<usize> = (0..declared.len()).collect();
        let found = match matching.assign(method, &template, &candidates) {
            Assignment::Operation { index, .. } => declared[index],
            Assignment::Implicit => "implicit",
            Assignment::UnknownMethod => "unknown method",
            Assignment::UnknownPath => "unknown path",
        };
        assert_eq!(found, expected, "{discovered} among {declared:?}");
    }

    #[test]
    fn endpoints_find_their_operations() {
        let users = ["GET /users/{name}", "GET /users/me", "DELETE /users/{name}", "GET /users/me/settings"];
        check(&users, "GET /users/{id}", "GET /users/{name}");
        check(&users, "GET /users/me", "GET /users/me");
        // A value that was kept apart.
        check(&users, "GET /users/admin", "GET /users/{name}");
        check(&users, "POST /users/{id}", "unknown method");
        check(&users, "OPTIONS /users/{id}", "implicit");
        check(&users, "HEAD /users/me", "implicit");
        // A literal among the values, told by what is below.
        check(&users, "GET /users/{id}/settings", "GET /users/me/settings");
        check(&users, "GET /users/{id}/posts", "unknown path");
        check(&users, "GET /people/{id}", "unknown path");
        // One declared literal does not declare all values.
        check(&["GET /health"], "GET /{id}", "unknown path");
        check(&["GET /r/{id}.json", "GET /r/{file}"], "GET /r/{id}.json", "GET /r/{id}.json");
        check(&["GET /r/{file}"], "GET /r/{id}.json", "GET /r/{file}");
        check(&["GET /r/{name}.json"], "GET /r/latest.json", "GET /r/{name}.json");
        check(&["GET /r/{name}.json"], "GET /r/latest.xml", "unknown path");
        check(&["GET /"], "GET /", "GET /");
        check(&["GET /c/{base}...{head}"], "GET /c/{id}...{id2}", "GET /c/{base}...{head}");
    }
}
