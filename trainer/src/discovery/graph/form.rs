//! The form of a component that is no word: its literals and punctuation, with `·` in the place of values.

use apiward_detector::observation::{ComponentPart, PathComponent, ValueType};

/// The sign in the place of a value.
pub const VALUE: &str = "·";

/// Signs that join two values, whatever these look like: `react@18.2.0`, `main...feature`, `2026-01-01..2026-02-01`.
pub const JOINING_SIGNS: [&str; 3] = ["@", "..", "..."];

/// `·.json`, `·:cancel`, `Orders(·)`; empty for a component that is a value as a whole. A prefix without punctuation (`bot·`) is the
/// value's own unless nothing before the component names it.
pub fn form_of(component: &PathComponent, is_named: bool) -> String {
    if is_joined(component) {
        return joined_form(component);
    }
    if is_urn(component) {
        return String::new();
    }
    let parts = &component.parts;
    let mut form = String::new();
    let (mut has_literal, mut has_value) = (false, false);
    let mut rest = parts.iter().peekable();
    while let Some(part) = rest.next() {
        let is_prefix = rest.peek().is_some_and(|next| next.separator.is_empty());
        if let Some(prefix) = part.word.as_deref().filter(|_| is_prefix && !is_named) {
            // The value may have punctuation of its own.
            return format!("{prefix}{VALUE}");
        }
        if is_prefix {
            rest.next();
        }
        let names_another = rest.peek().is_some_and(|next| next.separator == "=");
        let literal = if is_prefix { None } else { literal_of(part, names_another) };
        has_literal |= literal.is_some();
        has_value |= literal.is_none();
        form.push_str(&part.separator);
        form.push_str(literal.unwrap_or(VALUE));
    }
    let is_one_value = form == VALUE;
    match () {
        () if is_one_value => String::new(),
        () if has_literal && has_value => form,
        () => separators_of(component),
    }
}

/// Whether a component is two values with a sign between them.
pub fn is_joined(component: &PathComponent) -> bool {
    component.parts.iter().skip(1).any(|part| JOINING_SIGNS.contains(&part.separator.as_str()))
}

/// Whether a component is a uniform resource name (RFC 8141), which is one identifier: `urn:isbn:0451450523`.
pub fn is_urn(component: &PathComponent) -> bool {
    let is_scheme = |part: &ComponentPart| {
        part.separator.is_empty() && part.word.as_deref().is_some_and(|word| word.eq_ignore_ascii_case("urn"))
    };
    component.parts.len() > 2
        && component.parts.first().is_some_and(is_scheme)
        && component.parts.get(1).is_some_and(|part| part.separator == ":")
}

/// `·@·`: other punctuation belongs to the values.
fn joined_form(component: &PathComponent) -> String {
    let parts = component.parts.iter().enumerate();
    let kept = parts.filter(|(place, part)| *place == 0 || JOINING_SIGNS.contains(&part.separator.as_str()));
    kept.map(|(_, part)| format!("{}{VALUE}", part.separator)).collect()
}

/// Values on all sides: `·,·`, `@·`.
fn separators_of(component: &PathComponent) -> String {
    let parts = component.parts.iter().enumerate();
    let kept: Vec<&ComponentPart> =
        parts.filter(|(place, part)| *place == 0 || !part.separator.is_empty()).map(|(_, part)| part).collect();
    if kept.len() < 2 && kept.iter().all(|part| part.separator.is_empty()) {
        return String::new();
    }
    kept.into_iter().map(|part| format!("{}{VALUE}", part.separator)).collect()
}

/// The text of a part that is a literal. What is in brackets is an argument, unless it is the name of one: `Orders('anna')`,
/// `Orders(number=17)`.
fn literal_of(part: &ComponentPart, names_another: bool) -> Option<&str> {
    if part.value_type == ValueType::Empty {
        return Some("");
    }
    let is_argument = part.separator.contains('(') && !names_another;
    part.word.as_deref().filter(|_| !part.value_type.is_clearly_parameter() && !is_argument)
}

#[cfg(test)]
mod tests {
    use apiward_detector::exchange::{Exchange, Request};
    use apiward_detector::hashing::KeyedHasher;
    use apiward_detector::observation::Observer;

    use super::form_of;

    #[test]
    fn forms_keep_literals_and_punctuation() {
        let hasher = KeyedHasher::new(b"a key that is long enough for tests").unwrap();
        let check = |text: &str, is_named: bool, expected: &str| {
            let request = Request { method: "GET".to_owned(), target: format!("/{text}"), ..Request::default() };
            let observation = Observer::observe(&Exchange { request, ..Exchange::default() }, &hasher);
            assert_eq!(form_of(&observation.components[0], is_named), expected, "{text}");
        };
        check("4711", true, "");
        check("4711.json", true, "·.json");
        check("17:cancel", true, "·:cancel");
        check("Products(5)", true, "Products(·)");
        check("Products('anna')", true, "Products('·')");
        check("Lines(Order=5,Number=17)", true, "Lines(Order=·,Number=·)");
        check("react@18.2.0", true, "·@·");
        check("react@next", true, "·@·");
        check("main...feature.x", true, "·...·");
        check("2026-01-01..2026-02-01", true, "·..·");
        check("@48.8,2.35", true, "@·,·");
        check("bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", false, "bot·");
        check("bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", true, "·:·");
        check("urn:isbn:0451450523", true, "");
        check("ord1000037", true, "");
        check("ord1000037.json", true, "·.json");
    }
}
