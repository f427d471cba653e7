//! Strings written in pieces: `'a'+'b'`, `'a'||'b'`, `"a"."b"`, `'a'&'b'`, `concat('a','b')`.

use super::{Pass, Undone};

/// Blanks between a piece and its operator.
const BLANKS_MAX: usize = 8;

pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    let mut in_concat = false;
    while let Some(place) = rest.find(['\'', '"', '(', ')']) {
        let (before, sign) = rest.split_at_checked(place)?;
        made.push_str(before);
        let after = sign.get(1..)?;
        match sign.as_bytes().first() {
            Some(b'(') => in_concat |= ends_with_concat(&made),
            Some(b')') => in_concat = false,
            _ => {
                if let Some(joined) = after_operator(after, in_concat) {
                    changed = true;
                    rest = joined;
                    continue;
                }
            }
        }
        made.push_str(sign.get(..1)?);
        rest = after;
    }
    made.push_str(rest);
    changed.then_some(Pass { text: made, undone: Undone::CONCATENATION })
}

/// What follows the opening quote of the next piece, where one is joined to a piece that has just ended.
fn after_operator(text: &str, in_concat: bool) -> Option<&str> {
    let text = without_blanks(text);
    let text = text
        .strip_prefix("||")
        .or_else(|| text.strip_prefix(['+', '.', '&']))
        .or_else(|| text.strip_prefix(',').filter(|_| in_concat))?;
    without_blanks(text).strip_prefix(['\'', '"'])
}

fn without_blanks(text: &str) -> &str {
    let blanks = text.bytes().take(BLANKS_MAX).take_while(u8::is_ascii_whitespace).count();
    text.get(blanks..).unwrap_or_default()
}

fn ends_with_concat(made: &str) -> bool {
    let bytes = made.trim_ascii_end().as_bytes();
    let ends = |name: &[u8]| {
        bytes
            .len()
            .checked_sub(name.len())
            .and_then(|start| bytes.get(start..))
            .is_some_and(|end| end.eq_ignore_ascii_case(name))
    };
    ends(b"concat") || ends(b"concat_ws")
}
