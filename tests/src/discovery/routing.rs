//! Which of a set of templates a request belongs to, decided as the product's route table does.

use std::collections::BTreeMap;

use super::template::{Component, ComponentKind, Template, decoded};

/// A trie of components. A literal is tried before a mixture, that before a parameter; the leftmost decision counts, and a
/// path that is known with other methods only belongs to none.
#[derive(Debug, Default)]
pub struct RouteTable {
    root: Node,
}

#[derive(Debug, Default)]
struct Node {
    literals: BTreeMap<String, Node>,
    /// Those with more fixed characters first.
    mixed: Vec<(Component, Node)>,
    parameter: Option<Box<Node>>,
    /// Index of the template by method.
    methods: BTreeMap<String, usize>,
}

impl RouteTable {
    /// The table's answers are positions in `routes`; of equal routes the first one counts.
    pub fn new<'t>(routes: impl IntoIterator<Item = (&'t str, &'t Template)>) -> Self {
        let mut table = Self::default();
        for (index, (method, template)) in routes.into_iter().enumerate() {
            let mut node = &mut table.root;
            for component in template.components() {
                node = node.child_or_new(component);
            }
            node.methods.entry(method.to_owned()).or_insert(index);
        }
        table
    }

    /// `target` is a path as on the wire; its query is not looked at.
    pub fn find(&self, method: &str, target: &str) -> Option<usize> {
        let path = target.split(['?', '#']).next().unwrap_or_default();
        let components: Vec<String> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
        self.root.descend(&components)?.methods.get(method).copied()
    }
}

impl Node {
    fn child_or_new(&mut self, component: &Component) -> &mut Self {
        match component.kind() {
            ComponentKind::Literal => self.literals.entry(component.anonymised()).or_default(),
            ComponentKind::Parameter => self.parameter.get_or_insert_default(),
            ComponentKind::Mixed => {
                let position = self.mixed.iter().position(|(known, _)| known.anonymised() == component.anonymised());
                let position = position.unwrap_or_else(|| {
                    let fixed = component.literal_chars();
                    let position = self.mixed.partition_point(|(known, _)| known.literal_chars() >= fixed);
                    self.mixed.insert(position, (component.clone(), Self::default()));
                    position
                });
                &mut self.mixed[position].1
            }
        }
    }

    fn descend(&self, components: &[String]) -> Option<&Self> {
        let [first, rest @ ..] = components else {
            return (!self.methods.is_empty()).then_some(self);
        };
        let literal = self.literals.get(first).and_then(|child| child.descend(rest));
        let mixed = || {
            self.mixed
                .iter()
                .filter(|(component, _)| component.matches(first))
                .find_map(|(_, child)| child.descend(rest))
        };
        literal.or_else(mixed).or_else(|| self.parameter.as_ref()?.descend(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_come_before_mixtures_and_these_before_parameters() {
        let texts = [
            ("GET", "/users/me"),
            ("GET", "/users/{id}"),
            ("DELETE", "/users/{id}"),
            ("GET", "/users/{id}.json"),
            ("GET", "/users/{id}/posts/{post}"),
            ("GET", "/"),
        ];
        let templates: Vec<_> = texts.iter().map(|(method, text)| (*method, Template::parse(text))).collect();
        let table = RouteTable::new(templates.iter().map(|(method, template)| (*method, template)));
        let check = |method: &str, path: &str, expected: Option<&str>| {
            assert_eq!(table.find(method, path).map(|index| texts[index].1), expected, "{method} {path}");
        };
        check("GET", "/users/me", Some("/users/me"));
        check("GET", "/users/7/?x=/y", Some("/users/{id}"));
        check("GET", "/users/7.json", Some("/users/{id}.json"));
        check("GET", "/users/me/posts/a%2Fb", Some("/users/{id}/posts/{post}"));
        check("GET", "/", Some("/"));
        check("DELETE", "/users/me", None);
        check("GET", "/users/7/posts", None);
    }
}
