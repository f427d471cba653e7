//! Text as tokens: words that attacks are written with are kept, other words and numbers only say of which kind they are.

use super::lexicon::KEYWORDS;

/// A token: the byte of a sign, a kind of word or number, or a keyword.
pub(super) type Token = u16;

pub(super) const BLANK: Token = 128;
pub(super) const LINE_BREAK: Token = 129;
pub(super) const CONTROL: Token = 130;
pub(super) const COMMENT: Token = 131;
const DIGIT: Token = 132;
const NUMBER: Token = 133;
const LONG_NUMBER: Token = 134;
const HEXADECIMAL: Token = 135;
const LETTER: Token = 136;
const LOWER: Token = 137;
const CAPITALISED: Token = 138;
const UPPER: Token = 139;
const MIXED: Token = 140;
const ALPHANUMERIC: Token = 141;
const LONG: Token = 142;
const FOREIGN: Token = 143;
const UNDERSCORED: Token = 144;
const KEYWORD: Token = 256;

/// Bytes of a word from which on it is a token of some encoding.
const LONG_WORD_BYTES: usize = 24;

/// A token with its place in the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Placed<'a> {
    pub(super) token: Token,
    pub(super) text: &'a [u8],
}

impl Placed<'_> {
    pub(super) fn is_keyword(&self) -> bool {
        self.token >= KEYWORD
    }

    pub(super) fn is_word(&self) -> bool {
        self.token >= LETTER
    }

    /// A keyword in a mix of cases that nobody writes, such as `uNioN`.
    pub(super) fn is_oddly_cased(&self) -> bool {
        let lower = |byte: &u8| byte.is_ascii_lowercase();
        let upper = |byte: &u8| byte.is_ascii_uppercase();
        self.is_keyword()
            && self.text.iter().skip(1).any(upper)
            && (self.text.iter().any(lower) && !self.text.iter().skip(1).filter(|byte| upper(byte)).count().eq(&1)
                || self.text.first().is_some_and(lower) && self.text.last().is_some_and(upper))
    }
}

/// The tokens of a text in order.
pub(super) fn tokens(text: &[u8]) -> Vec<Placed<'_>> {
    let mut tokens = Vec::with_capacity(text.len() / 2);
    let mut rest = text;
    while let Some(&first) = rest.first() {
        let (length, token) = match first {
            b'\n' | b'\r' => (1, LINE_BREAK),
            b' ' | b'\t' | 0x0b | 0x0c => (run(rest, |byte| matches!(byte, b' ' | b'\t' | 0x0b | 0x0c)), BLANK),
            b'/' if rest.starts_with(b"/*") => match rest.windows(2).skip(2).position(|pair| pair == b"*/") {
                // What is in a comment that SQL servers run is looked at.
                Some(length) if rest.get(2) != Some(&b'!') => (length + 4, COMMENT),
                _ => (2, COMMENT),
            },
            b'*' if rest.starts_with(b"*/") => (2, COMMENT),
            byte if is_word_byte(byte) => {
                let length = run(rest, is_word_byte);
                (length, word(rest.get(..length).unwrap_or_default()))
            }
            byte if byte.is_ascii_control() => (1, CONTROL),
            sign => (1, Token::from(sign)),
        };
        let (taken, left) = rest.split_at_checked(length.max(1)).unwrap_or((rest, &[]));
        tokens.push(Placed { token, text: taken });
        rest = left;
    }
    tokens
}

fn run(text: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&byte| !belongs(byte)).unwrap_or(text.len())
}

fn is_word_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn word(word: &[u8]) -> Token {
    if let Some(index) = super::lexicon::position(&KEYWORDS, word) {
        return KEYWORD + index as Token;
    }
    let all = |test: fn(&u8) -> bool| word.iter().all(test);
    let digits = word.iter().filter(|byte| byte.is_ascii_digit()).count();
    if digits == word.len() {
        return match digits {
            1 => DIGIT,
            2..=6 => NUMBER,
            _ => LONG_NUMBER,
        };
    }
    if word.len() > 2 && word.starts_with(b"0x") && word.iter().skip(2).all(u8::is_ascii_hexdigit) {
        return HEXADECIMAL;
    }
    if !word.is_ascii() {
        return FOREIGN;
    }
    if word.len() == 1 {
        return LETTER;
    }
    if word.len() >= LONG_WORD_BYTES {
        return LONG;
    }
    if digits > 0 {
        return ALPHANUMERIC;
    }
    if word.contains(&b'_') {
        return UNDERSCORED;
    }
    let uppers = word.iter().filter(|byte| byte.is_ascii_uppercase()).count();
    match (uppers, word.first().is_some_and(u8::is_ascii_uppercase)) {
        (0, _) => LOWER,
        (1, true) => CAPITALISED,
        _ if all(u8::is_ascii_uppercase) => UPPER,
        _ => MIXED,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Token> {
        tokens(text.as_bytes()).iter().map(|placed| placed.token).collect()
    }

    #[test]
    fn keywords_are_kept_in_any_case_and_comments_are_one_token() {
        assert_eq!(kinds("UnIoN/**/sELEct"), [kinds("union")[0], COMMENT, kinds("SELECT")[0]]);
        assert_eq!(kinds("blue 7"), [LOWER, BLANK, DIGIT]);
        assert_eq!(kinds("/*!50000union*/"), kinds("/*!50000union*/"));
        assert_eq!(kinds("0x41"), [HEXADECIMAL]);
    }

    #[test]
    fn odd_cases_are_told_from_usual_ones() {
        for (text, odd) in [("UnIoN", true), ("select", false), ("SELECT", false), ("Select", false), ("selecT", true)]
        {
            assert_eq!(tokens(text.as_bytes())[0].is_oddly_cased(), odd, "{text}");
        }
    }
}
