//! The shape of a text: what it consists of, and whether its quotes and brackets are closed.

use super::tokens::Placed;

/// Values of a shape, most of them within -1..1.
pub(super) const SHAPE_VALUES: usize = 28;

/// Quotes and brackets that were opened and not closed, or the other way round.
#[derive(Default)]
struct Balance {
    single: i32,
    double: i32,
    backtick: i32,
    /// Round, square, curly, angle.
    open: [i32; 4],
    /// How far the brackets were ever closed before they were opened.
    below: [i32; 4],
}

impl Balance {
    fn of(text: &[u8]) -> Self {
        let mut balance = Self::default();
        let mut before = b' ';
        for (index, &byte) in text.iter().enumerate() {
            match byte {
                b'\'' => {
                    let after = text.get(index + 1).copied().unwrap_or(b' ');
                    let is_letter = |byte: u8| byte.is_ascii_alphabetic() || !byte.is_ascii();
                    // An apostrophe.
                    if !(is_letter(before) && is_letter(after)) {
                        balance.single += 1;
                    }
                }
                b'"' => balance.double += 1,
                b'`' => balance.backtick += 1,
                b'(' => balance.change(0, 1),
                b')' => balance.change(0, -1),
                b'[' => balance.change(1, 1),
                b']' => balance.change(1, -1),
                b'{' => balance.change(2, 1),
                b'}' => balance.change(2, -1),
                b'<' => balance.change(3, 1),
                b'>' => balance.change(3, -1),
                _ => {}
            }
            before = byte;
        }
        balance
    }

    fn change(&mut self, bracket: usize, by: i32) {
        if let (Some(open), Some(below)) = (self.open.get_mut(bracket), self.below.get_mut(bracket)) {
            *open += by;
            *below = (*below).min(*open);
        }
    }
}

/// The shape of a text with these tokens.
pub(super) fn shape(text: &[u8], tokens: &[Placed<'_>]) -> [f32; SHAPE_VALUES] {
    let length = text.len().max(1) as f32;
    let share = |test: fn(&&u8) -> bool| text.iter().filter(test).count() as f32 / length;
    let flag = |is: bool| if is { 1.0 } else { 0.0 };
    let clamped = |value: i32| value.clamp(-2, 2) as f32 / 2.0;
    let balance = Balance::of(text);
    let words = tokens.iter().filter(|placed| placed.is_word()).count() as f32;
    let keywords = tokens.iter().filter(|placed| placed.is_keyword()).count() as f32;
    let odd = tokens.iter().filter(|placed| placed.is_oddly_cased()).count() as f32;
    let trimmed = text.trim_ascii();
    let ends = |endings: &[&[u8]]| flag(endings.iter().any(|ending| trimmed.ends_with(ending)));
    let escapes = text
        .windows(3)
        .filter(|window| matches!(window, [b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()));
    let [round, square, curly, angle] = balance.open;
    let [round_below, square_below, curly_below, angle_below] = balance.below;
    [
        (length + 1.0).log2() / 8.0,
        share(|byte| byte.is_ascii_alphabetic()),
        share(|byte| byte.is_ascii_digit()),
        share(|byte| **byte == b' '),
        share(|byte| byte.is_ascii_punctuation()),
        share(|byte| !byte.is_ascii()),
        share(|byte| byte.is_ascii_uppercase()),
        (balance.single % 2) as f32,
        (balance.double % 2) as f32,
        (balance.backtick % 2) as f32,
        clamped(round),
        clamped(square),
        clamped(curly),
        clamped(angle),
        clamped(round_below),
        clamped(square_below),
        clamped(curly_below),
        clamped(angle_below),
        ends(&[b"--", b"-- -", b"--+", b"#", b"/*", b"*/"]),
        ends(&[b";"]),
        ends(&[b"'", b"\"", b"`"]),
        flag(text.first().is_some_and(|byte| byte.is_ascii_punctuation())),
        keywords / words.max(1.0),
        (keywords + 1.0).log2() / 4.0,
        odd.min(2.0) / 2.0,
        (escapes.count() as f32 * 3.0 / length).min(1.0),
        flag(text.iter().any(|byte| byte.is_ascii_control() && !byte.is_ascii_whitespace())),
        (words + 1.0).log2() / 6.0,
    ]
}
