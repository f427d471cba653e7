//! Blanks, characters without width and look-alikes of ASCII characters.

use super::{Pass, Undone};

/// NUL and characters without width removed, blanks and control characters as blanks (line breaks stay), look-alikes as ASCII.
pub fn normalise(text: &str) -> Option<Pass> {
    let first = text.find(|sign| kind_of(sign).0 != 0)?;
    let (before, rest) = text.split_at_checked(first)?;
    let mut made = String::with_capacity(text.len());
    made.push_str(before);
    let mut undone = 0;
    for sign in rest.chars() {
        let (kind, replacement) = kind_of(sign);
        undone |= kind;
        made.extend(replacement);
    }
    Some(Pass { text: made, undone })
}

/// Runs of blanks and line breaks made one blank, where there is any.
pub fn collapse_blanks(text: &str) -> Option<Pass> {
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t');
    if !text.as_bytes().windows(2).any(|pair| pair.iter().all(|byte| is_blank(*byte))) {
        return None;
    }
    let mut made = String::with_capacity(text.len());
    let mut after_blank = false;
    for sign in text.chars() {
        let blank = matches!(sign, ' ' | '\t');
        if !(blank && after_blank) {
            made.push(if blank { ' ' } else { sign });
        }
        after_blank = blank;
    }
    Some(Pass { text: made, undone: Undone::BLANKS })
}

/// What is odd about a character (0 where nothing is), and what stands in its place.
fn kind_of(sign: char) -> (u16, Option<char>) {
    let code = u32::from(sign);
    let look_alike = |code: u32| (Undone::LOOK_ALIKES, char::from_u32(code));
    let letter = |offset: u32| look_alike(if offset < 26 { 0x41 + offset } else { 0x61 + offset - 26 });
    match sign {
        ' '..='~' | '\n' | '\r' => (0, Some(sign)),
        '\0' => (Undone::NUL, None),
        '\u{1}'..='\u{1f}' | '\u{7f}' => (Undone::BLANKS, Some(' ')),
        '\u{80}'..='\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{2028}' | '\u{2029}' => {
            (Undone::BLANKS, Some(' '))
        }
        '\u{202f}' | '\u{205f}' | '\u{3000}' => (Undone::BLANKS, Some(' ')),
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2064}' | '\u{feff}' => (Undone::BLANKS, None),
        '\u{ff01}'..='\u{ff5e}' => look_alike(code - 0xfee0),
        // Other apostrophes, slashes and angle brackets that best-fit conversions make ASCII.
        '\u{2b9}' | '\u{2bc}' | '\u{2c8}' | '\u{2032}' => look_alike(0x27),
        '\u{2ba}' | '\u{2033}' => look_alike(0x22),
        '\u{2044}' | '\u{2215}' => look_alike(0x2f),
        '\u{2216}' | '\u{fe68}' => look_alike(0x5c),
        '\u{fe64}' | '\u{2039}' => look_alike(0x3c),
        '\u{fe65}' | '\u{203a}' => look_alike(0x3e),
        '\u{2024}' => look_alike(0x2e),
        '\u{17f}' => look_alike(0x73),
        '\u{212a}' => look_alike(0x6b),
        '\u{2460}'..='\u{2468}' => look_alike(code - 0x2460 + 0x31),
        '\u{24ea}' => look_alike(0x30),
        '\u{24b6}'..='\u{24e9}' => letter(code - 0x24b6),
        // Mathematical alphabets, as interpreters with NFKC identifiers read them.
        '\u{1d400}'..='\u{1d6a3}' => letter((code - 0x1d400) % 52),
        '\u{1d7ce}'..='\u{1d7ff}' => look_alike(0x30 + (code - 0x1d7ce) % 10),
        _ => (0, Some(sign)),
    }
}
