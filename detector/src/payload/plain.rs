//! What needs no network: values that no attack consists of.

use super::lexicon;

/// Words that make an attack without any sign, alone or with the word or number beside them, and names of scanners.
const SUSPECT_WORDS: [&str; 122] = [
    "__class__",
    "__globals__",
    "__import__",
    "__proto__",
    "acunetix",
    "alert",
    "analyse",
    "appscan",
    "arachni",
    "bash",
    "benchmark",
    "burpcollaborator",
    "bxss",
    "calc",
    "cat",
    "censysinspect",
    "classloader",
    "cmd",
    "commix",
    "concat",
    "confirm",
    "curl",
    "dalfox",
    "dbms_pipe",
    "delay",
    "delete",
    "detectify",
    "dir",
    "dirbuster",
    "dirsearch",
    "droopescan",
    "drop",
    "echo",
    "eval",
    "exec",
    "execute",
    "extractvalue",
    "feroxbuster",
    "ffuf",
    "getent",
    "getenv",
    "getruntime",
    "gobuster",
    "gotestwaf",
    "grant",
    "havij",
    "having",
    "identified",
    "ifconfig",
    "information_schema",
    "insert",
    "interactsh",
    "ipconfig",
    "jaeles",
    "jndi",
    "joomscan",
    "jorgee",
    "l9explore",
    "l9tcpid",
    "like",
    "limit",
    "localhost",
    "ls",
    "masscan",
    "morfeus",
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
    "oast",
    "oastify",
    "openvas",
    "order",
    "passwd",
    "pg_sleep",
    "phpinfo",
    "ping",
    "powershell",
    "procedure",
    "qualys",
    "reboot",
    "rlike",
    "runtime",
    "script",
    "select",
    "shutdown",
    "skipfish",
    "slaveof",
    "sleep",
    "sqlmap",
    "sqlninja",
    "system",
    "systeminfo",
    "tasklist",
    "tplmap",
    "uname",
    "union",
    "uniscan",
    "update",
    "w00tw00t",
    "w3af",
    "waitfor",
    "webinspect",
    "wfuzz",
    "wget",
    "whatweb",
    "whoami",
    "wpscan",
    "xp_cmdshell",
    "xspear",
    "xss",
    "xsstrike",
    "zaproxy",
    "zgrab",
    "zmeu",
];
/// Endings of files that scanners ask for: programs, settings, keys, databases and archives.
const SUSPECT_EXTENSIONS: [&str; 88] = [
    "7z",
    "action",
    "asa",
    "ashx",
    "asmx",
    "asp",
    "aspx",
    "axd",
    "backup",
    "bak",
    "bash",
    "bat",
    "bz2",
    "cer",
    "cfg",
    "cfm",
    "cgi",
    "cmd",
    "cnf",
    "conf",
    "config",
    "copy",
    "crt",
    "dat",
    "db",
    "dist",
    "dll",
    "dump",
    "env",
    "evt",
    "exe",
    "git",
    "gz",
    "htaccess",
    "htpasswd",
    "inc",
    "ini",
    "jar",
    "jks",
    "jsp",
    "jspa",
    "jspx",
    "kdbx",
    "key",
    "lck",
    "lock",
    "log",
    "mdb",
    "nsf",
    "old",
    "orig",
    "p12",
    "pem",
    "pfx",
    "php",
    "php3",
    "php4",
    "php5",
    "php7",
    "phps",
    "phtml",
    "ppk",
    "properties",
    "ps1",
    "pwd",
    "rar",
    "rb",
    "rdb",
    "sam",
    "save",
    "sh",
    "shtml",
    "sln",
    "sql",
    "sqlite",
    "sqlite3",
    "src",
    "svn",
    "swo",
    "swp",
    "tar",
    "tgz",
    "tmp",
    "toml",
    "war",
    "yaml",
    "yml",
    "zip",
];
/// Objects of programs, with a dot and a name behind them.
const PROGRAM_OBJECTS: [&str; 32] = [
    "application",
    "class",
    "config",
    "document",
    "global",
    "globalthis",
    "io",
    "java",
    "javax",
    "location",
    "math",
    "os",
    "parent",
    "php",
    "process",
    "python",
    "request",
    "require",
    "response",
    "runtime",
    "self",
    "session",
    "settings",
    "std",
    "string",
    "subprocess",
    "sun",
    "sys",
    "system",
    "this",
    "top",
    "window",
];
/// How serialised objects begin as text: of Java in base64 and in hexadecimal, of Java and others compressed, of .NET, Python and Ruby.
const SERIALISED: [&str; 6] = ["AAEAAAD", "BAhv", "H4sIAAAA", "aced0005", "gASV", "rO0AB"];
/// Values that conditions are made of beside numbers.
const TRUTH_VALUES: [&str; 2] = ["false", "true"];
/// Words that join conditions: an attack with a number or a truth value beside them.
const JOINING_WORDS: [&str; 9] = ["and", "between", "div", "in", "is", "not", "or", "regexp", "xor"];
/// Words that are taken apart at most; a text of more is left to the network.
const WORDS_MAX: usize = 128;

/// Whether a text needs no network: words, numbers, ids, dates, tokens, e-mail addresses and sentences in any script.
///
/// An attack needs either a sign that no such text has, or one of a few words, or it is the name of a file or of an object of a
/// program. So a text is plain when it consists of letters, digits, blanks and harmless signs, and has none of these; not plain is
/// what only may be an attack.
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

fn is_serialised(text: &str) -> bool {
    SERIALISED.into_iter().any(|start| text.get(..start.len()).is_some_and(|begins| begins.eq_ignore_ascii_case(start)))
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
    let mut end = 0;
    for _ in 0..WORDS_MAX {
        let Some(word) = words.next() else { return true };
        let start = end;
        end = start + word.len();
        let after = text.get(end..).unwrap_or_default();
        end += after.chars().next().map_or(0, char::len_utf8);
        if word.is_empty() {
            continue;
        }
        if is_name_of_program(word, text.get(..start).unwrap_or_default(), after) {
            return false;
        }
        let is_value = word.bytes().all(|byte| byte.is_ascii_digit()) || lexicon::contains(&TRUTH_VALUES, word);
        if lexicon::contains(&SUSPECT_WORDS, word) || (joined && is_value) {
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

/// Whether a word, between what is before and behind it, ends the name of a suspect file or starts a path of names.
fn is_name_of_program(word: &str, before: &str, after: &str) -> bool {
    let is_letter = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_');
    let behind = after.as_bytes();
    let goes_on = behind.first() == Some(&b'.') && is_letter(behind.get(1));
    let list: &[&str] = if goes_on { &PROGRAM_OBJECTS } else { &SUSPECT_EXTENSIONS };
    (goes_on || before.ends_with('.')) && lexicon::contains(list, word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_lists_are_sorted() {
        assert!(SUSPECT_WORDS.is_sorted());
        assert!(SUSPECT_EXTENSIONS.is_sorted());
        assert!(PROGRAM_OBJECTS.is_sorted());
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
            "report.pdf",
            "IMG_2041.JPG",
            "www.example.com",
            "We read the document. It is long.",
            "Back up the old log and the key.",
        ] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_may_be_an_attack_is_not_plain() {
        for text in [
            "'",
            "1 or 1",
            "or true",
            "bash -c id",
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
            "document.cookie",
            "aced00057372",
            "wwwroot.zip",
            "index.php.bak",
            "id_rsa.key",
            "java.lang.Runtime",
            "WhatWeb 0.5.5",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }
}
