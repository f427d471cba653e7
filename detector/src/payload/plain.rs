//! What needs no network: values that no attack consists of.

use super::lexicon;

/// Words that make an attack without any sign, alone or with the word or number beside them.
const SUSPECT_WORDS: [&str; 90] = [
    "__class__",
    "__globals__",
    "__import__",
    "__proto__",
    "acunetix",
    "alert",
    "analyse",
    "arachni",
    "benchmark",
    "bxss",
    "calc",
    "cat",
    "classloader",
    "cmd",
    "commix",
    "concat",
    "confirm",
    "curl",
    "dbms_pipe",
    "delay",
    "delete",
    "detectify",
    "dir",
    "dirbuster",
    "dirsearch",
    "drop",
    "echo",
    "eval",
    "exec",
    "execute",
    "extractvalue",
    "getenv",
    "getruntime",
    "gobuster",
    "havij",
    "having",
    "ifconfig",
    "information_schema",
    "insert",
    "interactsh",
    "ipconfig",
    "jndi",
    "jorgee",
    "like",
    "limit",
    "localhost",
    "ls",
    "masscan",
    "muieblackcat",
    "ncat",
    "nessus",
    "net",
    "netcat",
    "netsparker",
    "nikto",
    "nmap",
    "nslookup",
    "nuclei",
    "null",
    "openvas",
    "order",
    "passwd",
    "pg_sleep",
    "phpinfo",
    "ping",
    "powershell",
    "procedure",
    "rlike",
    "runtime",
    "script",
    "select",
    "shutdown",
    "sleep",
    "sqlmap",
    "system",
    "tasklist",
    "uname",
    "union",
    "update",
    "w00tw00t",
    "waitfor",
    "wfuzz",
    "wget",
    "whoami",
    "wpscan",
    "xp_cmdshell",
    "xss",
    "xsstrike",
    "zgrab",
    "zmeu",
];
/// Words that join conditions: an attack with a number beside them.
const JOINING_WORDS: [&str; 9] = ["and", "between", "div", "in", "is", "not", "or", "regexp", "xor"];
/// Words that are taken apart at most; a text of more is left to the network.
const WORDS_MAX: usize = 128;

/// Whether a text needs no network: words, numbers, ids, dates, tokens, e-mail addresses and sentences in any script.
///
/// An attack needs either a sign that no such text has, or one of a few words. So a text is plain when it consists of
/// letters, digits, blanks and harmless signs, and has no such word; not plain is what only may be an attack.
pub fn is_plain(text: &str) -> bool {
    if text.is_empty() {
        return true;
    }
    if !text.bytes().all(is_harmless) || text.starts_with(['.', '-', '@']) {
        return false;
    }
    if ["..", "--", "@@"].into_iter().any(|pair| text.contains(pair)) || is_serialised(text) {
        return false;
    }
    // Line breaks and such, which may look like letters of other scripts.
    if !text.is_ascii() && text.chars().any(is_odd) {
        return false;
    }
    words_are_harmless(text)
}

/// How objects of Java and .NET begin in base64.
fn is_serialised(text: &str) -> bool {
    text.starts_with("rO0AB") || text.starts_with("AAEAAAD")
}

/// Whether a byte is neither letter, digit nor blank.
pub(super) fn is_sign(byte: u8) -> bool {
    byte.is_ascii() && !byte.is_ascii_alphanumeric() && byte != b' '
}

fn is_harmless(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii() || matches!(byte, b' ' | b'-' | b'_' | b'.' | b'@' | b':' | b',')
}

/// Characters that applications may turn into signs: full-width forms, quotation marks, separators and controls.
fn is_odd(character: char) -> bool {
    matches!(character, '\u{80}'..='\u{9f}' | '\u{2b9}'..='\u{2bc}' | '\u{2000}'..='\u{206f}' | '\u{2215}' | '\u{fe50}'..='\u{fe6f}')
        || matches!(character, '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}' | '\u{ff3b}'..='\u{ff40}' | '\u{ff5b}'..='\u{ff5e}')
        || matches!(character, '\u{560a}' | '\u{560d}' | '\u{563c}' | '\u{563e}' | '\u{fffd}')
}

fn words_are_harmless(text: &str) -> bool {
    let mut words = text.split(|character: char| !(character.is_alphanumeric() || character == '_'));
    let mut before = "";
    let mut joined = false;
    for _ in 0..WORDS_MAX {
        let Some(word) = words.next() else { return true };
        if word.is_empty() {
            continue;
        }
        let is_number = word.bytes().all(|byte| byte.is_ascii_digit());
        if lexicon::contains(&SUSPECT_WORDS, word) || (joined && is_number) {
            return false;
        }
        joined = lexicon::contains(&JOINING_WORDS, word);
        if joined && before.bytes().all(|byte| byte.is_ascii_digit()) && !before.is_empty() {
            return false;
        }
        before = word;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_lists_are_sorted() {
        assert!(SUSPECT_WORDS.is_sorted());
        assert!(JOINING_WORDS.is_sorted());
    }

    #[test]
    fn plain_values_are_told() {
        for text in [
            "",
            "blue",
            "42",
            "2026-11-25",
            "2026-11-25T01:20:59Z",
            "anna.lee@example.com",
            "3f2a9c70-1b2c",
            "New York, NY",
            "The quick brown fox jumps over the lazy dog.",
            "Grüße aus Köln",
            "日本語のテキスト",
            "Привет мир",
            "1.5",
            "SKU_1234",
            "now or never",
            "salt and pepper",
            "12:30",
            "a,b,c",
        ] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_an_attack_is_not_plain() {
        for text in [
            "'",
            "1 or 1",
            "1 or sleep 5",
            "1 and 2",
            "or 1",
            "union select",
            "../x",
            "..",
            "1;id",
            "a|id",
            "$x",
            "%00",
            "`id`",
            "<b>",
            "1--",
            "{{7}}",
            "whoami",
            "drop table users",
            ".env",
            ".git",
            "javascript:alert",
            "a\nb",
            "＇ or",
            "sqlmap",
            "嘊嘍Set-Cookie:a",
            "a/b",
            "x=y",
            "(a)",
            "a\\b",
            "a*",
            "a\u{2028}b",
            "@@version",
            "rO0ABXNyABFqYXZhLnV0aWwuSGFzaE1hcA",
            "class.module.classLoader.resources",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
