//! The form of a component that is no word: its literals and punctuation, with `·` in the place of values.

use apiward_detector::observation::{ComponentPart, PathComponent, ValueType};

/// The sign in the place of a value.
pub const VALUE: &str = "·";

/// `·.json`, `·:cancel`; empty for a component that is a value as a whole.
pub fn form_of(component: &PathComponent) -> String {
    let has_literal = component.parts.iter().any(is_literal);
    let has_value = component.parts.iter().any(|part| !is_literal(part));
    if has_literal && has_value { component.parts.iter().map(signs).collect() } else { separators_of(component) }
}

/// Values on all sides: `·...·`, `@·`.
fn separators_of(component: &PathComponent) -> String {
    if component.parts.len() < 2 && component.parts.iter().all(|part| part.separator.is_empty()) {
        return String::new();
    }
    component.parts.iter().map(|part| format!("{}{VALUE}", part.separator)).collect()
}

fn signs(part: &ComponentPart) -> String {
    let text = if is_literal(part) { part.word.as_deref().unwrap_or_default() } else { VALUE };
    format!("{}{text}", part.separator)
}

fn is_literal(part: &ComponentPart) -> bool {
    part.value_type == ValueType::Empty || part.word.is_some() && !part.value_type.is_clearly_parameter()
}
