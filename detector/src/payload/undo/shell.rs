//! What a shell takes out of a word: `c''at`, `c\at`, `w^hoami`, `c$@at`; and blanks written as `${IFS}`.

use super::{Pass, Undone};

/// In the order in which they are tried.
const BLANKS: [&str; 3] = ["${IFS}", "$IFS$9", "$IFS"];
const NOTHING: [&str; 8] = ["''", "\"\"", "``", "$@", "$*", "$()", "^", BACKSLASH];
const BACKSLASH: &str = "\\";
/// With any of these in it a text's backslashes part the names of a path on Windows.
const WINDOWS_PATHS: [&str; 3] = [":\\", "..\\", "\\.."];

pub fn undo(text: &str) -> Option<Pass> {
    let is_windows_path = WINDOWS_PATHS.iter().any(|sign| text.contains(sign));
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    while let Some(place) = rest.find(['\'', '"', '`', '$', '\\', '^']) {
        let (before, sign) = rest.split_at_checked(place)?;
        made.push_str(before);
        if let Some(after) = BLANKS.iter().find_map(|blank| sign.strip_prefix(blank)) {
            made.push(' ');
            changed = true;
            rest = after;
            continue;
        }
        let is_in_word = made.ends_with(|letter: char| letter.is_ascii_alphabetic());
        let after = NOTHING
            .iter()
            .filter(|nothing| !is_windows_path || **nothing != BACKSLASH)
            .find_map(|nothing| sign.strip_prefix(nothing));
        match after.filter(|after| is_in_word && after.starts_with(|letter: char| letter.is_ascii_alphabetic())) {
            Some(after) => {
                changed = true;
                rest = after;
            }
            None => {
                made.push_str(sign.get(..1)?);
                rest = sign.get(1..)?;
            }
        }
    }
    made.push_str(rest);
    changed.then_some(Pass { text: made, undone: Undone::SHELL })
}
