//! Base64 (RFC 4648, both alphabets) where it decodes to text: as the whole value or as a run inside it.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{Pass, Undone};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);
/// Characters of the shortest run that is looked into: twelve random bytes are hardly ever all printable.
const RUN_BYTES_MIN: usize = 16;

pub fn undo(text: &str) -> Option<Pass> {
    let mut rest = text;
    let mut made = String::new();
    let mut changed = false;
    while !rest.is_empty() {
        let run_end = rest.bytes().position(|byte| !is_alphabet(byte)).unwrap_or(rest.len());
        let (run, after) = rest.split_at_checked(run_end)?;
        let padding = after.bytes().take(2).take_while(|byte| *byte == b'=').count();
        match text_in(run) {
            Some(decoded) => {
                changed = true;
                made.push_str(&decoded);
                rest = after.get(padding..)?;
            }
            None => {
                made.push_str(run);
                rest = after;
            }
        }
        let between = rest.bytes().position(is_alphabet).unwrap_or(rest.len());
        let (signs, next) = rest.split_at_checked(between)?;
        made.push_str(signs);
        rest = next;
    }
    changed.then_some(Pass { text: made, undone: Undone::BASE64 })
}

fn is_alphabet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'-' | b'_')
}

/// The text that a run stands for.
fn text_in(run: &str) -> Option<String> {
    // A run of one case only is a word, hexadecimal or a number.
    let has_both_cases =
        run.bytes().any(|byte| byte.is_ascii_uppercase()) && run.bytes().any(|byte| byte.is_ascii_lowercase());
    if run.len() < RUN_BYTES_MIN || !has_both_cases {
        return None;
    }
    let standard: Vec<u8> = run
        .bytes()
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    let mut bytes = LENIENT.decode(&standard).ok()?;
    // UTF-16, as PowerShell takes it.
    if bytes.len() > 8 && bytes.iter().skip(1).step_by(2).all(|byte| *byte == 0) {
        bytes = bytes.into_iter().step_by(2).collect();
    }
    let text = String::from_utf8(bytes).ok()?;
    let printable = |sign: &char| !sign.is_control() || matches!(sign, '\n' | '\r' | '\t');
    let unprintable = text.chars().filter(|sign| !printable(sign)).count();
    (unprintable * 32 <= text.len() && text.chars().filter(char::is_ascii).count() * 4 >= text.len() * 3)
        .then_some(text)
}
