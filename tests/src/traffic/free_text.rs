//! What people type: reviews, searches, names, notes.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use crate::shop::{CITIES, FIRST_NAMES, LAST_NAMES, REVIEW_SENTENCES, STREETS};

const SEARCH_WORDS: [&str; 36] = [
    "teapot",
    "mug",
    "knife",
    "desk lamp",
    "lamp",
    "tent",
    "backpack",
    "puzzle",
    "notebook",
    "headphones",
    "speaker",
    "chair",
    "desk",
    "bowl",
    "kite",
    "radio",
    "hammock",
    "cookbook",
    "planter",
    "hose",
    "candle",
    "torch",
    "whisk",
    "atlas",
    "novel",
    "pen set",
    "stapler",
    "rake",
    "lantern",
    "earbuds",
    "pan",
    "compass",
    "comic",
    "yo-yo",
    "café",
    "chef's knife",
];
const SEARCH_ADDITIONS: [&str; 14] = [
    "bamboo",
    "nordic",
    "für kinder",
    "size 40",
    "0.5l",
    "grün",
    "under 20€",
    "l'été",
    "& case",
    "\"vintage\"",
    "+ stand",
    "wireless",
    "24/7",
    "(large)",
];
const NOTES: [&str; 10] = [
    "Please leave the parcel with the neighbour (2nd floor, left).",
    "Bitte bei Müller klingeln, die Klingel ist kaputt!",
    "Ring twice - it's a back yard building.",
    "Gift for my mum, no invoice in the box please :)",
    "Livraison l'après-midi si possible.",
    "Call +49 170 5551234 before delivery",
    "Not before 10:30",
    "Tor-Code: 4711#, danke",
    "Leave at O'Malley's shop next door; they know me.",
    "Packstation 123 / Postnummer 8812345",
];

fn pick<T: Copy>(choices: &[T], rng: &mut impl Rng) -> T {
    *choices.choose(rng).unwrap_or(&choices[0])
}

/// Mistypes one character: swaps, doubles or drops it.
fn mistype(text: &str, rng: &mut impl Rng) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    if chars.len() < 3 {
        return text.to_owned();
    }
    let at = rng.random_range(0..chars.len() - 1);
    match rng.random_range(0..3) {
        0 => chars.swap(at, at + 1),
        1 => chars.insert(at, chars[at]),
        _ => {
            chars.remove(at);
        }
    }
    chars.into_iter().collect()
}

/// A search as people type it: one to three words, now and then with a typo or a sign.
pub(super) fn search(rng: &mut impl Rng) -> String {
    let mut text = pick(&SEARCH_WORDS, rng).to_owned();
    if rng.random_bool(0.3) {
        text = format!("{text} {}", pick(&SEARCH_ADDITIONS, rng));
    }
    if rng.random_bool(0.12) {
        text = mistype(&text, rng);
    }
    if rng.random_bool(0.15) {
        text = text.to_uppercase();
    }
    text
}

/// A review of one to about twelve sentences, most of them short.
pub(super) fn review(rng: &mut impl Rng) -> String {
    let length = 1 + rng.random_range(0..4) + if rng.random_bool(0.15) { rng.random_range(3..9) } else { 0 };
    let separator = if rng.random_bool(0.1) { "\n\n" } else { " " };
    let chosen: Vec<String> = (0..length)
        .map(|_| {
            let sentence = pick(&REVIEW_SENTENCES, rng);
            if rng.random_bool(0.08) { mistype(sentence, rng) } else { sentence.to_owned() }
        })
        .collect();
    chosen.join(separator)
}

/// The title of a review.
pub(super) fn review_title(rng: &mut impl Rng) -> String {
    pick(
        &[
            "Great!",
            "Würde ich wieder kaufen",
            "Meh...",
            "5 stars",
            "Don't",
            "Très bien",
            "OK for the price",
            "It's fine",
            "Love it",
            "Zu klein",
            "Top & schnell",
            "Broken after 2 weeks?",
        ],
        rng,
    )
    .to_owned()
}

/// A note for the courier.
pub(super) fn delivery_note(rng: &mut impl Rng) -> String {
    let note = pick(&NOTES, rng);
    if rng.random_bool(0.2) { mistype(note, rng) } else { note.to_owned() }
}

/// What an administrator writes down about a customer.
pub(super) fn admin_note(rng: &mut impl Rng) -> String {
    format!(
        "{} {} ({})",
        pick(&["Called back,", "Refund granted:", "Complaint about parcel,", "VIP –", "Asked for invoice;"], rng),
        pick(&["ok", "waiting for photo", "see ticket", "won't answer", "geklärt"], rng),
        rng.random_range(1_000..99_999)
    )
}

/// A person's full name.
pub(super) fn name(rng: &mut impl Rng) -> String {
    format!("{} {}", pick(&FIRST_NAMES, rng), pick(&LAST_NAMES, rng))
}

/// A last name, as administrators search for it.
pub(super) fn last_name(rng: &mut impl Rng) -> &'static str {
    pick(&LAST_NAMES, rng)
}

/// A phone number in one of the spellings that people use.
pub(super) fn phone(rng: &mut impl Rng) -> String {
    let number = rng.random_range(1_000_000..9_999_999);
    match rng.random_range(0..4) {
        0 => format!("+49 170 {number}"),
        1 => format!("0170/{number}"),
        2 => format!("+44 (0)20 {number}"),
        _ => format!("0033-6-{number}"),
    }
}

/// A street with a house number.
pub(super) fn street(rng: &mut impl Rng) -> String {
    let house = rng.random_range(1..250);
    let street = pick(&STREETS, rng);
    match rng.random_range(0..10) {
        0 => format!("{house} {street}, Apt. 4/B"),
        1 => format!("{street} {house}a"),
        _ => format!("{street} {house}"),
    }
}

/// City, postal code and country.
pub(super) fn city(rng: &mut impl Rng) -> (&'static str, &'static str, &'static str) {
    pick(&CITIES, rng)
}

/// A company.
pub(super) fn company(rng: &mut impl Rng) -> String {
    format!("{} {}", last_name(rng), pick(&["GmbH", "Ltd.", "& Söhne", "S.A.", "A/S"], rng))
}

/// A short engraving.
pub(super) fn engraving(rng: &mut impl Rng) -> String {
    let first = pick(&FIRST_NAMES, rng);
    match rng.random_range(0..3) {
        0 => format!("For {first} ♥"),
        1 => format!("{first} & {}", pick(&FIRST_NAMES, rng)),
        _ => format!("{first} {}", rng.random_range(1950..2026)),
    }
}
