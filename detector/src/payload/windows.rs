//! Long texts in parts that the network looks at one by one.

use super::plain::{is_plain, is_sign};

/// Bytes of a text that the network sees at once.
pub const WINDOW_BYTES: usize = 256;
/// Bytes from the start of a window to the start of the next.
const WINDOW_STEP_BYTES: usize = 160;
/// Windows of one text that are looked at; of more, those with the most signs are.
const WINDOWS_MAX: usize = 64;

/// The windows of a text that the network has to look at, in the order of the text; none of plain text.
///
/// Each byte is in one window, and everything of up to 96 bytes is in one as a whole. Plain sentences at the ends of a window are
/// left out of it, so that it makes no difference how much prose an attack is put into.
pub fn windows(text: &str) -> Vec<&str> {
    if text.len() <= WINDOW_BYTES {
        return if is_plain(text) { Vec::new() } else { vec![text] };
    }
    let mut windows = Vec::new();
    let mut start = 0;
    loop {
        let end = text.floor_char_boundary(start + WINDOW_BYTES);
        let window = without_plain_ends(text.get(start..end).unwrap_or_default());
        if !is_plain(window) {
            windows.push(window);
        }
        if end >= text.len() {
            break;
        }
        start = text.floor_char_boundary(start + WINDOW_STEP_BYTES);
    }
    if windows.len() > WINDOWS_MAX {
        keep_most_signs(&mut windows);
    }
    windows
}

/// A window from its first to its last sentence that is not plain; nothing of one that is plain altogether.
fn without_plain_ends(window: &str) -> &str {
    let mut rest = window;
    while let Some(end) = rest.as_bytes().windows(2).position(ends_sentence)
        && let Some((sentence, others)) = rest.split_at_checked(end + 1)
        && is_plain(sentence)
    {
        rest = others;
    }
    while let Some(end) = rest.as_bytes().windows(2).rposition(ends_sentence)
        && let Some((others, sentence)) = rest.split_at_checked(end + 1)
        && is_plain(sentence)
    {
        rest = others;
    }
    rest.trim()
}

/// A full stop and a blank, or the end of a line.
fn ends_sentence(two: &[u8]) -> bool {
    matches!(two, [b'.' | b'!' | b'?', b' ' | b'\n'] | [b'\n', _])
}

/// Keeps [`WINDOWS_MAX`] windows, in their order.
fn keep_most_signs(windows: &mut Vec<&str>) {
    let signs = |window: &str| window.bytes().filter(|&byte| is_sign(byte)).count();
    let mut counts: Vec<usize> = windows.iter().map(|window| signs(window)).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    let least = counts.get(WINDOWS_MAX - 1).copied().unwrap_or(0);
    let mut ties = WINDOWS_MAX - counts.iter().filter(|&&count| count > least).count();
    windows.retain(|window| {
        let count = signs(window);
        let tie = count == least && ties > 0;
        ties -= usize::from(tie);
        count > least || tie
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prose_around_an_attack_is_left_out() {
        let prose = "It rained all night. The river rose by a foot, and we stayed. ".repeat(20);
        let attack = "1' or '1'='1' -- ";
        let windows = windows(&format!("{prose}{attack}{prose}")).join("|");
        assert!(windows.contains(attack.trim()) && windows.len() < 200, "{windows}");
        assert_eq!(super::windows(&prose), Vec::<&str>::new());
    }

    #[test]
    fn an_attack_in_a_long_text_is_in_a_window_as_a_whole() {
        let attack = "' union select password from users where name like 'admin%' -- ";
        for position in [0, 100, 200, 255, 256, 1000, 5000] {
            let mut text = "plain words of a long text ".repeat(400);
            text.insert_str(position, attack);
            assert!(windows(&text).iter().any(|window| window.contains(attack)), "at {position}");
        }
    }

    #[test]
    fn of_many_windows_those_with_the_most_signs_are_kept() {
        let mut text = "a (long) text. ".repeat(3000);
        text.insert_str(30_000, "';!--\"<XSS>=&{()}");
        let windows = windows(&text);
        assert_eq!(windows.len(), WINDOWS_MAX);
        assert!(windows.iter().any(|window| window.contains("<XSS>")));
        assert!(windows.iter().all(|window| window.len() <= WINDOW_BYTES));
    }

    #[test]
    fn windows_end_at_characters() {
        let text = "日本語 'テスト' ".repeat(200);
        assert!(windows(&text).len() > 10);
    }
}
