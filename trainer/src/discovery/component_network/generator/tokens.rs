//! Opaque identifiers of the usual alphabets. What other recognisers are sure of (UUIDs, long hexadecimal numbers) is rare here.

use super::dice::Dice;

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE36: &str = "abcdefghijklmnopqrstuvwxyz0123456789";
const BASE36_UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
const BASE58: &str = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const BASE62: &str = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const BASE64_URL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
/// RFC 4648, and Crockford's without letters that look like digits.
const BASE32: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE32_LOWER: &str = "abcdefghijklmnopqrstuvwxyz234567";
const CROCKFORD: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Identifiers that must not form words go without vowels.
const CONSONANTS: &str = "bcdfghjklmnpqrstvwxz";
const HEX: &str = "0123456789abcdef";
const HEX_LETTERS: &str = "abcdef";

const PREFIXES: [&str; 36] = [
    "cus", "sub", "pi", "pm", "ch", "re", "tr", "po", "prod", "price", "in", "acct", "usr", "user", "ord", "tok",
    "sk_live", "pk_test", "whsec", "key", "req", "evt", "txn", "file", "run", "thread", "asst", "org", "proj", "ses",
    "inv", "msg", "img", "ami", "vpc", "subnet",
];

pub fn token(dice: &mut Dice) -> String {
    let body = body(dice);
    match dice.number(0, 19) {
        0..=3 => format!("{}{}{body}", dice.one(&PREFIXES), dice.weighted(&[(80, "_"), (15, "-"), (5, ":")])),
        // A service's own prefix, which no list knows.
        4 | 5 => {
            let length = dice.number(1, 4);
            format!("{}{}{body}", dice.characters(LOWER, length), dice.one(&["_", "-"]))
        }
        // Kinds of objects as a letter in front: channels, users, teams.
        6 => {
            let length = dice.number(7, 10);
            format!("{}{}", dice.characters("CDGTUWB", 1), dice.characters(BASE36_UPPER, length))
        }
        7 => {
            let length = dice.number(8, 28);
            format!("eyJ{}", dice.characters(BASE64_URL, length))
        }
        8 => {
            let (left, right) = (dice.number(3, 5), dice.number(3, 5));
            let alphabet = dice.one(&[UPPER, BASE36_UPPER, BASE36, LOWER, CROCKFORD]);
            format!("{}-{}", dice.characters(alphabet, left), dice.characters(alphabet, right))
        }
        _ => body,
    }
}

fn body(dice: &mut Dice) -> String {
    let alphabet = dice.weighted(&[
        (18, LETTERS),
        (16, BASE62),
        (8, BASE58),
        (12, BASE64_URL),
        (9, LOWER),
        (5, UPPER),
        (8, BASE36),
        (4, BASE36_UPPER),
        (4, BASE32),
        (4, BASE32_LOWER),
        (3, CROCKFORD),
        (4, CONSONANTS),
        (3, HEX),
        (2, HEX_LETTERS),
    ]);
    let length = match dice.number(0, 9) {
        0..=2 => dice.number(5, 7),
        3..=6 => dice.number(8, 12),
        7 | 8 => dice.number(13, 24),
        _ => dice.number(25, 40),
    };
    dice.characters(alphabet, length)
}
