//! How well endpoints were discovered: against the operations that the traffic was made from, and request by request.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::operations::{Api, Operation};
use super::routing::RouteTable;

/// A request as far as mapping it goes.
#[derive(Clone, Debug)]
pub struct TrueRequest {
    pub method: String,
    /// Path and query.
    pub target: String,
    /// Position in the API's operations; `None` for noise.
    pub operation: Option<usize>,
}

/// What was right and what was not. Shares are from 0 to 1.
#[derive(Clone, Debug, Serialize)]
pub struct Quality {
    /// Templates with a method that the traffic is of.
    pub expected: usize,
    pub discovered: usize,
    pub correct: usize,
    /// Operations that no request can reach, since another one takes all of their paths.
    pub unreachable: usize,
    /// Requests that are no noise.
    pub requests: usize,
    pub mapped: usize,
    pub missing: Vec<Missing>,
    pub spurious: Vec<Spurious>,
}

/// A template that was not found.
#[derive(Clone, Debug, Serialize)]
pub struct Missing {
    pub method: String,
    pub template: String,
    pub requests: usize,
}

/// A template that is not there, with the requests that it took, of which some are noise.
#[derive(Clone, Debug, Serialize)]
pub struct Spurious {
    pub method: String,
    pub template: String,
    pub requests: usize,
    pub noise: usize,
    /// The operation that most of its requests belong to.
    pub mostly: Option<String>,
}

impl Quality {
    pub fn of(api: &Api, requests: &[TrueRequest], discovered: &[Operation]) -> Self {
        let mut requests_of: BTreeMap<usize, usize> = BTreeMap::new();
        for operation in requests.iter().filter_map(|request| request.operation) {
            *requests_of.entry(operation).or_default() += 1;
        }
        let keys: Vec<(String, String)> = discovered.iter().map(Operation::key).collect();
        let found: BTreeSet<&(String, String)> = keys.iter().collect();
        let expected: BTreeMap<(String, String), usize> =
            requests_of.keys().map(|operation| (api.operations[*operation].key(), *operation)).collect();
        let table = RouteTable::new(discovered.iter().map(|one| (one.method.as_str(), &one.template)));
        let mut takers = vec![Taken::default(); discovered.len()];
        let mut mapped = 0;
        for request in requests {
            let Some(index) = table.find(&request.method, &request.target) else { continue };
            takers[index].note(request.operation);
            if request.operation.is_some_and(|operation| expected.get(&keys[index]) == Some(&operation)) {
                mapped += 1;
            }
        }
        let mut missing: Vec<Missing> = expected
            .iter()
            .filter(|(key, _)| !found.contains(key))
            .map(|(_, operation)| Missing {
                method: api.operations[*operation].method.clone(),
                template: api.operations[*operation].template.to_string(),
                requests: requests_of[operation],
            })
            .collect();
        missing.sort_by(|a, b| (&a.template, &a.method).cmp(&(&b.template, &b.method)));
        let mut spurious: Vec<Spurious> = discovered
            .iter()
            .zip(&keys)
            .zip(&takers)
            .filter(|((_, key), _)| !expected.contains_key(key))
            .map(|((endpoint, _), taken)| taken.spurious(endpoint, api))
            .collect();
        spurious.sort_by(|a, b| (&a.template, &a.method).cmp(&(&b.template, &b.method)));
        Self {
            expected: expected.len(),
            discovered: found.len(),
            correct: expected.len() - missing.len(),
            unreachable: api.operations.len() - expected.len(),
            requests: requests_of.values().sum(),
            mapped,
            missing,
            spurious,
        }
    }

    /// Of what was discovered, the share that is there.
    pub fn precision(&self) -> f64 {
        share(self.correct, self.discovered)
    }

    /// Of what is there, the share that was discovered.
    pub fn recall(&self) -> f64 {
        share(self.correct, self.expected)
    }

    /// Harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        share(2 * self.correct, self.discovered + self.expected)
    }

    /// Share of requests, noise aside, that lead to their operation's template.
    pub fn mapped_share(&self) -> f64 {
        share(self.mapped, self.requests)
    }
}

fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The requests that a discovered template takes.
#[derive(Clone, Debug, Default)]
struct Taken {
    requests: usize,
    noise: usize,
    by_operation: BTreeMap<usize, usize>,
}

impl Taken {
    fn note(&mut self, operation: Option<usize>) {
        self.requests += 1;
        match operation {
            Some(operation) => *self.by_operation.entry(operation).or_default() += 1,
            None => self.noise += 1,
        }
    }

    fn spurious(&self, endpoint: &Operation, api: &Api) -> Spurious {
        let mostly = self.by_operation.iter().max_by_key(|(_, count)| **count).map(|(operation, _)| operation);
        Spurious {
            method: endpoint.method.clone(),
            template: endpoint.template.to_string(),
            requests: self.requests,
            noise: self.noise,
            mostly: mostly.map(|operation| {
                let operation = &api.operations[*operation];
                format!("{} {}", operation.method, operation.template)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::operations::parse_operations;
    use crate::discovery::template::Template;

    #[test]
    fn figures_of_a_small_case_worked_out_by_hand() {
        let apis = parse_operations("a\tGET\t/u\na\tGET\t/u/me\na\tGET\t/u/{id}\na\tPUT\t/u/{id}\n").unwrap();
        let request = |method: &str, target: &str, operation: Option<usize>| TrueRequest {
            method: method.to_owned(),
            target: target.to_owned(),
            operation,
        };
        let requests = [
            request("GET", "/u", Some(0)),
            request("GET", "/u/me?x=1", Some(1)),
            request("GET", "/u/7", Some(2)),
            request("GET", "/u/8", Some(2)),
            request("GET", "/.env", None),
        ];
        let found =
            |method: &str, template: &str| Operation { method: method.to_owned(), template: Template::parse(template) };
        let discovered = [found("GET", "/u"), found("GET", "/u/{user}"), found("GET", "/u/8"), found("GET", "/.env")];
        let quality = Quality::of(&apis[0], &requests, &discovered);
        // Nobody sent a PUT, so it is not expected; /u/me and one of the two users lead elsewhere.
        assert_eq!((quality.expected, quality.discovered, quality.correct, quality.unreachable), (3, 4, 2, 1));
        assert_eq!((quality.requests, quality.mapped), (4, 2));
        assert_eq!((quality.precision(), quality.f1(), quality.mapped_share()), (0.5, 4.0 / 7.0, 0.5));
        assert_eq!(quality.missing.len(), 1);
        assert_eq!((quality.missing[0].template.as_str(), quality.missing[0].requests), ("/u/me", 1));
        let spurious: Vec<_> =
            quality.spurious.iter().map(|one| (one.template.as_str(), one.requests, one.noise)).collect();
        assert_eq!(spurious, [("/.env", 1, 1), ("/u/8", 1, 0)]);
        assert_eq!(quality.spurious[1].mostly.as_deref(), Some("GET /u/{id}"));
    }
}
