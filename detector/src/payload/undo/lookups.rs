//! Log4j lookups that only hide letters: `${lower:j}`, `${::-j}`, `${env:NONE:-j}`, also nested.

use super::{Pass, Undone};

/// Bytes of a lookup that is looked at.
const LOOKUP_BYTES_MAX: usize = 64;
/// Lookups that may be open at once.
const OPEN_MAX: usize = 16;

pub fn undo(text: &str) -> Option<Pass> {
    if !text.contains("${") {
        return None;
    }
    let mut made = String::with_capacity(text.len());
    let mut open: Vec<usize> = Vec::new();
    let mut changed = false;
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign == '$' && signs.peek() == Some(&'{') {
            signs.next();
            if open.len() < OPEN_MAX {
                open.push(made.len());
            }
            made.push_str("${");
        } else if sign == '}'
            && let Some(start) = open.pop()
            && let Some(hidden) = made.get(start + 2..).and_then(hidden_in)
        {
            let hidden = hidden.to_owned();
            made.truncate(start);
            made.push_str(&hidden);
            changed = true;
        } else {
            made.push(sign);
        }
    }
    changed.then_some(Pass { text: made, undone: Undone::LOOKUPS })
}

/// What a lookup that looks nothing up gives.
fn hidden_in(lookup: &str) -> Option<&str> {
    if lookup.len() > LOOKUP_BYTES_MAX {
        return None;
    }
    let with_case = |name: &str| {
        let (start, hidden) = lookup.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(hidden)
    };
    with_case("lower:").or_else(|| with_case("upper:")).or_else(|| lookup.split_once(":-").map(|(_, hidden)| hidden))
}
