//! Comments of SQL, shells and HTML, which part words or hide them.

use super::{Pass, Undone};

/// Bytes of a comment to the end of a line that is taken out.
const LINE_COMMENT_BYTES_MAX: usize = 64;

pub fn undo(text: &str) -> Option<Pass> {
    let mut reader = Reader { made: String::new(), changed: false, open_conditionals: 0, has_end: true };
    let mut rest = text;
    while let Some(place) = rest.find(['/', '*', '-', '#', '<']) {
        let (before, sign) = rest.split_at_checked(place)?;
        reader.made.push_str(before);
        rest = reader.take(sign);
    }
    reader.made.push_str(rest);
    reader.changed.then_some(Pass { text: reader.made, undone: Undone::COMMENTS })
}

struct Reader {
    made: String,
    changed: bool,
    /// `/*!50000` of MySQL whose `*/` is still to come.
    open_conditionals: usize,
    /// A `*/` may still come; without this each `/*` would look for one again.
    has_end: bool,
}

impl Reader {
    /// Takes what begins with a sign that may begin a comment; gives what comes after it.
    fn take<'t>(&mut self, text: &'t str) -> &'t str {
        if let Some(conditional) = text.strip_prefix("/*!") {
            self.open_conditionals += 1;
            return self.replace(' ', conditional.trim_start_matches(|sign: char| sign.is_ascii_digit()));
        }
        if self.open_conditionals > 0
            && let Some(after) = text.strip_prefix("*/")
        {
            self.open_conditionals -= 1;
            return self.replace(' ', after);
        }
        if self.has_end
            && let Some(comment) = text.strip_prefix("/*")
        {
            if let Some((_, after)) = comment.split_once("*/") {
                return self.replace(' ', after);
            }
            self.has_end = false;
        }
        if text.starts_with("<!--")
            && let Some((_, after)) = text.get(..text.floor_char_boundary(1024)).unwrap_or(text).split_once("-->")
        {
            self.changed = true;
            let after_length = text.len().min(text.floor_char_boundary(1024)) - after.len();
            return text.get(after_length..).unwrap_or_default();
        }
        let line_comment = text.strip_prefix("--").or_else(|| text.strip_prefix('#'));
        if let Some(comment) = line_comment
            && let Some(end) = comment.bytes().take(LINE_COMMENT_BYTES_MAX).position(|byte| byte == b'\n')
        {
            return self.replace(' ', comment.get(end + 1..).unwrap_or_default());
        }
        let mut signs = text.chars();
        self.made.extend(signs.next());
        signs.as_str()
    }

    fn replace<'t>(&mut self, sign: char, after: &'t str) -> &'t str {
        self.changed = true;
        self.made.push(sign);
        after
    }
}
