//! Values that grammars are filled with: numbers, words, names, tokens, dates.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};

use crate::discovery::component_network::{
    generator::dice::{Dice, capitalised},
    vocabulary::{Part, Vocabulary},
};

const LOWER: &str = "abcdefghijklmnopqrstuvwxyz";
const ALPHANUMERIC: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEXADECIMAL: &str = "0123456789abcdef";
const NAMES: [&str; 38] = [
    "d",
    "n",
    "N",
    "big",
    "float",
    "price",
    "year",
    "date",
    "time",
    "ip",
    "version",
    "hex2",
    "hex4",
    "hex8",
    "hex16",
    "hex32",
    "hex40",
    "hex64",
    "uuid",
    "token",
    "digits",
    "base64",
    "base64text",
    "jwt",
    "letter",
    "letters",
    "word",
    "Word",
    "words",
    "sentence",
    "given",
    "family",
    "place",
    "company",
    "tech",
    "noun",
    "handle",
    "identifier",
];

/// Draws values.
pub struct Values {
    vocabulary: Vocabulary,
}

impl Values {
    pub fn new() -> Self {
        Self { vocabulary: Vocabulary::new(Part::All) }
    }

    /// Whether there is a value of that name.
    pub fn knows(name: &str) -> bool {
        NAMES.contains(&name)
    }

    /// A value; nothing for a name that is not known.
    pub fn draw(&self, name: &str, dice: &mut Dice) -> String {
        let words = &self.vocabulary;
        let hexadecimal = |dice: &mut Dice, length| dice.characters(HEXADECIMAL, length);
        match name {
            "d" => dice.number(0, 9).to_string(),
            "n" => number(dice),
            "N" => dice.number(1000, 9999).to_string(),
            "big" => dice.number(100_000, 9_999_999_999).to_string(),
            "float" => format!("{}.{}", dice.number(0, 200), dice.number(0, 9999)),
            "price" => format!("{}.{:02}", dice.number(0, 999), dice.number(0, 99)),
            "year" => dice.number(1950, 2030).to_string(),
            "date" => format!("{}-{:02}-{:02}", dice.number(1970, 2030), dice.number(1, 12), dice.number(1, 28)),
            "time" => format!("{:02}:{:02}:{:02}", dice.number(0, 23), dice.number(0, 59), dice.number(0, 59)),
            "ip" => (0..4).map(|_| dice.number(1, 254).to_string()).collect::<Vec<_>>().join("."),
            "version" => format!("{}.{}.{}", dice.number(0, 20), dice.number(0, 30), dice.number(0, 99)),
            "hex2" => hexadecimal(dice, 2),
            "hex4" => hexadecimal(dice, 4),
            "hex8" => hexadecimal(dice, 8),
            "hex16" => hexadecimal(dice, 16),
            "hex32" => hexadecimal(dice, 32),
            "hex40" => hexadecimal(dice, 40),
            "hex64" => hexadecimal(dice, 64),
            "uuid" => [8, 4, 4, 4, 12].map(|length| hexadecimal(dice, length)).join("-"),
            "token" => {
                let length = dice.number(6, 32);
                dice.characters(ALPHANUMERIC, length)
            }
            "digits" => {
                let length = dice.number(5, 18);
                dice.characters("0123456789", length)
            }
            "base64" => {
                let length = dice.number(8, 120);
                let bytes: Vec<u8> = (0..length).map(|_| dice.number(0, 255) as u8).collect();
                if dice.percent(70) { STANDARD.encode(bytes) } else { URL_SAFE_NO_PAD.encode(bytes) }
            }
            "base64text" => STANDARD.encode(self.sentence(dice)),
            "jwt" => {
                let claims = format!(
                    "{{\"sub\":\"{}\",\"iat\":{}}}",
                    dice.number(1, 99_999),
                    dice.number(1_500_000_000, 1_900_000_000)
                );
                let signature = dice.characters(ALPHANUMERIC, 43);
                let header = URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
                format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims))
            }
            "letter" => dice.characters(LOWER, 1),
            "letters" => {
                let length = dice.number(3, 8);
                dice.characters(LOWER, length)
            }
            "word" => dice.one(&words.prose).to_owned(),
            "Word" => capitalised(dice.one(&words.prose)),
            "words" => {
                let count = dice.number(2, 6);
                self.words(count, dice)
            }
            "sentence" => self.sentence(dice),
            "given" => capitalised(dice.one(&words.given_names)),
            "family" => capitalised(dice.one(&words.family_names)),
            "place" => capitalised(dice.one(&words.places)),
            "company" => capitalised(dice.one(&words.companies)),
            "tech" => dice.one(&words.technologies).to_owned(),
            "noun" => dice.one(&words.api_nouns).to_owned(),
            "handle" => dice.one(&words.handles).to_owned(),
            "identifier" => self.identifier(dice),
            _ => String::new(),
        }
    }

    /// Words and function words in turn, more or less.
    fn words(&self, count: usize, dice: &mut Dice) -> String {
        let word = |dice: &mut Dice| {
            if dice.percent(40) { dice.one(&self.vocabulary.function_words) } else { dice.one(&self.vocabulary.prose) }
        };
        (0..count).map(|_| word(dice)).collect::<Vec<_>>().join(" ")
    }

    fn sentence(&self, dice: &mut Dice) -> String {
        let count = dice.number(4, 16);
        let mut text = capitalised(&self.words(count, dice));
        if dice.percent(30) {
            let count = dice.number(2, 7);
            text.push_str(dice.one(&[", ", "; ", " - ", ": "]));
            text.push_str(&self.words(count, dice));
        }
        text.push_str(dice.weighted(&[(12, "."), (2, "!"), (2, "?"), (2, ""), (1, "...")]));
        text
    }

    fn identifier(&self, dice: &mut Dice) -> String {
        let [first, second] = [dice.one(&self.vocabulary.api_nouns), dice.one(&self.vocabulary.api_nouns)];
        match dice.number(0, 4) {
            0 => format!("{first}_{second}"),
            1 => format!("{first}{}", capitalised(second)),
            2 => format!("{first}{}", dice.number(1, 9)),
            3 => format!("{first}-{second}"),
            _ => first.to_owned(),
        }
    }
}

/// Small numbers more often than large ones.
fn number(dice: &mut Dice) -> String {
    let most = dice.weighted(&[(6, 9), (4, 99), (3, 999), (3, 9999), (1, 999_999)]);
    dice.number(0, most).to_string()
}
