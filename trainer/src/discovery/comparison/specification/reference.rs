use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use serde_json::Value;

/// References that are followed from one to the next.
const REFERENCE_CHAIN_MAX: usize = 16;

/// What a value stands for: itself, or what its `$ref` leads to. `None` where that is outside of the document, or a circle.
pub fn resolve<'s>(root: &'s Value, value: &'s Value) -> Option<&'s Value> {
    let mut found = value;
    for _ in 0..REFERENCE_CHAIN_MAX {
        match found.get("$ref").and_then(Value::as_str) {
            None => return Some(found),
            Some(reference) => found = target(root, reference)?,
        }
    }
    None
}

fn target<'s>(root: &'s Value, reference: &str) -> Option<&'s Value> {
    let pointer = percent_decode_str(reference.strip_prefix('#')?).decode_utf8().ok()?;
    root.pointer(&pointer)
}

/// The references of a document that lead nowhere in it.
pub fn unresolved(root: &Value) -> BTreeSet<String> {
    let mut lost = BTreeSet::new();
    let mut open = vec![root];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str)
                    && target(root, reference).is_none()
                {
                    lost.insert(reference.to_owned());
                }
                open.extend(members.values());
            }
            Value::Array(items) => open.extend(items),
            _ => {}
        }
    }
    lost
}
