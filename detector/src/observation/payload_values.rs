//! The values of a request that the payload detector looks at. They live beside the observation, for one phase, and are never
//! sent or stored.

use std::fmt;

use crate::limits;
use crate::payload::is_plain;

use super::Location;

/// A value that is not plain, or a window of a long one.
#[derive(Clone, PartialEq, Eq)]
pub struct PayloadValue {
    pub location: Location,
    /// As the name of the observation's fields: `items[].note`, a header, a cookie, the index of a path component. Of a
    /// value inside a value dotted: `filter.name`. Empty for the whole path and for a body as one text.
    pub name: String,
    pub text: String,
}

impl fmt::Debug for PayloadValue {
    /// Without the text, which must not end in a log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {:?} of {} bytes", self.location.noun(), self.name, self.text.len())
    }
}

/// Values gathered in one phase, at most [`limits::PAYLOAD_VALUES_MAX`] with [`limits::PAYLOAD_VALUES_BYTES_MAX`]. Where there
/// are more, the most telling ones stay: padding a request does not push an attack out of sight.
#[derive(Debug, Clone, Default)]
pub struct PayloadValues {
    values: Vec<(u32, PayloadValue)>,
    bytes: usize,
    dropped: bool,
}

impl PayloadValues {
    /// Keeps a value unless it is plain or known already. Of one over [`limits::PAYLOAD_VALUE_BYTES_MAX`] the windows at its head and
    /// tail are kept and the most telling ones between, [`limits::PAYLOAD_WINDOWS_MAX`] in all.
    pub fn offer(&mut self, location: Location, name: &str, text: &str) {
        if is_plain(text) {
            return;
        }
        if text.len() <= limits::PAYLOAD_VALUE_BYTES_MAX {
            self.keep(telling(text), location, name, text);
            return;
        }
        for (rank, window) in telling_windows(text) {
            self.keep(rank, location, name, window);
        }
    }

    /// What was gathered, which is forgotten here.
    pub fn take(&mut self) -> Vec<PayloadValue> {
        self.bytes = 0;
        std::mem::take(&mut self.values).into_iter().map(|(_, value)| value).collect()
    }

    /// Whether there were more values than are kept.
    pub fn has_dropped(&self) -> bool {
        self.dropped
    }

    fn keep(&mut self, rank: u32, location: Location, name: &str, text: &str) {
        let is_same = |value: &PayloadValue| value.location == location && value.name == name && value.text == text;
        if self.values.iter().any(|(_, value)| is_same(value)) {
            return;
        }
        self.bytes += text.len();
        self.values.push((rank, PayloadValue { location, name: name.to_owned(), text: text.to_owned() }));
        while self.values.len() > limits::PAYLOAD_VALUES_MAX || self.bytes > limits::PAYLOAD_VALUES_BYTES_MAX {
            self.dropped = true;
            // Of equals the latest goes.
            let least = self.values.iter().enumerate().rev().min_by_key(|(_, (rank, _))| *rank).map(|(place, _)| place);
            let Some(least) = least else {
                return;
            };
            let (_, value) = self.values.remove(least);
            self.bytes -= value.text.len();
        }
    }
}

/// Head, tail and the most telling windows between, in order, with their ranks. Windows overlap, so that what falls on an edge
/// is whole in one of two.
fn telling_windows(text: &str) -> Vec<(u32, &str)> {
    let step = limits::PAYLOAD_WINDOW_BYTES - limits::PAYLOAD_WINDOW_OVERLAP_BYTES;
    let mut windows: Vec<(u32, usize, &str)> = Vec::new();
    let mut start = 0;
    loop {
        let is_last = start + limits::PAYLOAD_WINDOW_BYTES >= text.len();
        let from = text.floor_char_boundary(start);
        let window = text.get(from..text.floor_char_boundary(start + limits::PAYLOAD_WINDOW_BYTES)).unwrap_or_default();
        // The tail is as long as the others.
        let window = if is_last {
            text.get(text.floor_char_boundary(text.len().saturating_sub(limits::PAYLOAD_WINDOW_BYTES))..)
                .unwrap_or(window)
        } else {
            window
        };
        windows.push((telling(window), windows.len(), window));
        if is_last {
            break;
        }
        start += step;
    }
    let last = windows.len() - 1;
    windows.sort_by_key(|(rank, place, _)| (*place != 0 && *place != last, std::cmp::Reverse(*rank), *place));
    windows.truncate(limits::PAYLOAD_WINDOWS_MAX);
    windows.sort_by_key(|(_, place, _)| *place);
    windows.into_iter().map(|(rank, _, window)| (rank, window)).collect()
}

/// Words that attacks are made of, in lower case and in order. They only rank the windows of long values.
const TELLING_WORDS: [&str; 52] = [
    "alert",
    "and",
    "base64",
    "bash",
    "benchmark",
    "bin",
    "char",
    "class",
    "cmd",
    "concat",
    "curl",
    "delete",
    "doctype",
    "document",
    "drop",
    "echo",
    "entity",
    "etc",
    "eval",
    "exec",
    "file",
    "having",
    "iframe",
    "import",
    "include",
    "insert",
    "javascript",
    "jndi",
    "ldap",
    "null",
    "onerror",
    "onload",
    "or",
    "passwd",
    "php",
    "powershell",
    "prompt",
    "require",
    "runtime",
    "script",
    "select",
    "sleep",
    "system",
    "table",
    "union",
    "update",
    "waitfor",
    "wget",
    "where",
    "whoami",
    "windows",
    "xp",
];
const TELLING_WORDS_COUNTED_MAX: u32 = 12;

/// How telling a text is: twice the kinds of punctuation in it, and three times the words of attacks.
fn telling(text: &str) -> u32 {
    let mut kinds = 0_u128;
    let mut words = 0;
    for word in text.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()) {
        if words < TELLING_WORDS_COUNTED_MAX && is_telling_word(word) {
            words += 1;
        }
    }
    for byte in text.bytes().filter(u8::is_ascii_punctuation) {
        kinds |= 1 << byte;
    }
    2 * kinds.count_ones() + 3 * words
}

fn is_telling_word(word: &[u8]) -> bool {
    (2..=10).contains(&word.len())
        && TELLING_WORDS.binary_search_by(|known| known.bytes().cmp(word.iter().map(u8::to_ascii_lowercase))).is_ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(values: &mut PayloadValues) -> Vec<String> {
        values.take().into_iter().map(|value| value.text).collect()
    }

    #[test]
    fn plain_and_known_values_are_passed_over() {
        let mut values = PayloadValues::default();
        for text in ["red shoes", "42", "' or 1=1", "' or 1=1"] {
            values.offer(Location::Query, "q", text);
        }
        assert_eq!(texts(&mut values), ["' or 1=1"]);
        assert!(values.take().is_empty());
    }

    #[test]
    fn padding_hides_nothing() {
        let attack = "'; select pg_sleep(9) from t -- ";
        for (before, after) in [(0, 200_000), (100_000, 100_000), (200_000, 0)] {
            let mut values = PayloadValues::default();
            let padding = |length: usize| "lorem; ipsum! ".repeat(length / 14);
            values.offer(Location::Body, "note", &format!("{}{attack}{}", padding(before), padding(after)));
            let kept = texts(&mut values);
            assert!(kept.iter().any(|text| text.contains(attack)), "{before} {after}");
            assert!(kept.len() <= limits::PAYLOAD_WINDOWS_MAX);
        }
        let mut values = PayloadValues::default();
        for number in 0..5000 {
            values.offer(Location::Query, "a", &format!("{number}; {number}"));
        }
        values.offer(Location::Query, "b", attack);
        assert!(values.has_dropped());
        assert!(texts(&mut values).iter().any(|text| text == attack));
    }

    #[test]
    fn telling_words_are_in_order() {
        assert!(TELLING_WORDS.is_sorted());
        assert!(telling("UNION Select") > telling("a + b"));
    }

    proptest! {
        #[test]
        fn what_is_kept_is_bounded(parts in proptest::collection::vec((".{0,40}", 1_usize..400), 0..60)) {
            let mut values = PayloadValues::default();
            for (text, times) in parts {
                values.offer(Location::Body, "x", &text.repeat(times));
            }
            let kept = values.take();
            prop_assert!(kept.len() <= limits::PAYLOAD_VALUES_MAX);
            prop_assert!(kept.iter().map(|value| value.text.len()).sum::<usize>() <= limits::PAYLOAD_VALUES_BYTES_MAX);
            for value in kept {
                prop_assert!(value.text.len() <= limits::PAYLOAD_VALUE_BYTES_MAX);
            }
        }
    }
}
