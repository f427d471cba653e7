//! What tools do to attacks so that filters do not know them, as in sqlmap's tamper scripts, commix and XSStrike.

use apiward_detector::payload::PayloadClass;

use crate::discovery::component_network::generator::dice::Dice;

/// Replacements for a blank in SQL.
const SQL_BLANKS: [&str; 14] =
    ["/**/", "/**/", "+", "%20", "%09", "%0a", "%0b", "%0c", "%0d", "\t", "\n", "  ", "/*!*/", "--%0a"];
/// Replacements for a blank in a shell.
const SHELL_BLANKS: [&str; 8] = ["${IFS}", "$IFS", "$IFS$9", "%20", "+", "\t", "%09", "<"];
/// Replacements for a blank in a tag.
const TAG_BLANKS: [&str; 7] = ["/", "\t", "\n", "%09", "%0a", "%0d", "+"];

/// Changes an attack in one of the ways that its class has, most of the time in none.
pub fn mutate(class: PayloadClass, text: String, dice: &mut Dice) -> String {
    if dice.percent(65) {
        return text;
    }
    match class {
        PayloadClass::Sqli => match dice.number(0, 8) {
            0 | 1 => random_case(&text, dice),
            2 | 3 => replace_all(&text, " ", &SQL_BLANKS, dice),
            4 => replace_each(&text, ' ', &SQL_BLANKS, dice),
            5 => text.replace('=', dice.one(&[" = ", " like ", "=", " rlike ", " in ", "<=>", "!<"])),
            6 => comment_in_keywords(&text, dice),
            7 => text.replace("' ", "'").replace(" '", "'").replace(" (", "("),
            _ => versioned(&text, dice),
        },
        PayloadClass::Xss => match dice.number(0, 6) {
            0 | 1 => random_case(&text, dice),
            2 | 3 => replace_all(&text, " ", &TAG_BLANKS, dice),
            4 => text.replace(
                "alert",
                dice.one(&["al\\u0065rt", "top['al'+'ert']", "prompt", "confirm", "(alert)", "al&#101;rt"]),
            ),
            5 => text.replace(['(', ')'], "`"),
            _ => text.replace(
                "script",
                dice.one(&["scr\0ipt", "scr\nipt", "scr<script>ipt", "SCRIPT", "ſcript", "script/x"]),
            ),
        },
        PayloadClass::CommandInjection => match dice.number(0, 5) {
            0 | 1 => replace_all(&text, " ", &SHELL_BLANKS, dice),
            2 => quoted_words(&text, dice),
            3 => text.replace(
                "/etc/passwd",
                dice.one(&["/e?c/p?sswd", "/etc/pass*", "/et''c/passwd", "/etc/./passwd", "$HOME/../etc/passwd"]),
            ),
            4 => text.replace("cat ", dice.one(&["c''at ", "c\\at ", "/bin/cat ", "tac ", "nl ", "cat<", "head -n9 "])),
            _ => format!(
                "{}{}{}",
                dice.one(&["\n", "%0a", " ", "1", "x"]),
                text,
                dice.one(&["\n", "%0a", " #", "|| x", " ; "])
            ),
        },
        PayloadClass::PathTraversal => match dice.number(0, 4) {
            0 => text.replace('/', "\\"),
            1 => text.replace('/', "%2f"),
            2 => text.replace("../", dice.one(&["..//", "....//", "..././", "..\\/", ".%2e/", "%2e%2e/"])),
            3 => random_case(&text, dice),
            _ => text.replace('/', "//"),
        },
        PayloadClass::TemplateInjection | PayloadClass::CodeInjection => match dice.number(0, 3) {
            0 => text.replace('\'', "\""),
            1 => text.replace('"', "'"),
            2 => text.replace(' ', dice.one(&["", "+", "%20", "\t"])),
            _ => text,
        },
        _ => match dice.number(0, 3) {
            0 => random_case(&text, dice),
            1 => text.replace('"', "'"),
            2 => text.replace(": ", ":").replace(", ", ","),
            _ => text,
        },
    }
}

/// A part of a text, as windows of long ones are.
pub fn cut(text: String, dice: &mut Dice) -> String {
    if text.len() < 24 || !dice.percent(12) {
        return text;
    }
    let start = if dice.percent(50) { 0 } else { text.floor_char_boundary(dice.number(0, text.len() / 2)) };
    let end = if dice.percent(50) {
        text.len()
    } else {
        text.floor_char_boundary(dice.number(text.len() * 3 / 5, text.len()))
    };
    text[start..end.max(start)].to_owned()
}

/// Letters in any case.
pub fn random_case(text: &str, dice: &mut Dice) -> String {
    text.chars()
        .map(|letter| if dice.percent(50) { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() })
        .collect()
}

fn replace_all(text: &str, what: &str, by: &[&str], dice: &mut Dice) -> String {
    text.replace(what, dice.one(by))
}

fn replace_each(text: &str, what: char, by: &[&str], dice: &mut Dice) -> String {
    let mut result = String::new();
    for character in text.chars() {
        if character == what { result.push_str(dice.one(by)) } else { result.push(character) }
    }
    result
}

/// `un/**/ion` and `ununionion`.
fn comment_in_keywords(text: &str, dice: &mut Dice) -> String {
    let mut text = text.to_owned();
    for keyword in ["union", "select", "from", "where", "and", "or", "sleep"] {
        if dice.percent(60) {
            let (start, end) = keyword.split_at(keyword.len() / 2);
            let split = if dice.percent(50) { format!("{start}/**/{end}") } else { format!("{start}{keyword}{end}") };
            text = text.replace(keyword, &split);
        }
    }
    text
}

/// `/*!50000union*/`
fn versioned(text: &str, dice: &mut Dice) -> String {
    let version = dice.one(&["", "50000", "12345", "40101"]);
    let mut text = text.to_owned();
    for keyword in ["union", "select", "from", "and ", "or ", "order by"] {
        text = text.replace(keyword, &format!("/*!{version}{}*/", keyword.trim_end()));
    }
    text
}

/// `w'h'oami`, `who\ami`
fn quoted_words(text: &str, dice: &mut Dice) -> String {
    let words = text.split(' ').map(|word| {
        if word.len() < 3 || !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
            return word.to_owned();
        }
        let (start, end) = word.split_at(dice.number(1, word.len() - 1));
        format!("{start}{}{end}", dice.one(&["''", "\"\"", "\\", "$@", "``", "$()"]))
    });
    words.collect::<Vec<_>>().join(" ")
}
