//! Names that people and engineers give to things.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::words::{ADJECTIVES, FILE_EXTENSIONS, FIRST_NAMES, LAST_NAMES, NOUNS, TECHNICAL, TOPLEVEL};

/// In what fashion a name is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NameStyle {
    /// `jsmith`, `anna-meyer`, `ravi_92`
    User,
    /// `northern-river`, `acme`, `BlueLabs`
    Organisation,
    /// `fast-parser`, `dotfiles`, `node_router`, `river.js`
    Repository,
    /// `nginx`, `library/redis`, `tools/web:1.4`
    Image,
    /// `the-little-teapot-guide-2`
    Slug,
    /// `billing-worker`
    Kebab,
    /// `user_events`
    Snake,
    /// `orders.created`
    Dotted,
    /// `API_TOKEN`
    Constant,
    /// `Fast`, `RustyRiver`
    Title,
    /// `orderHistory`
    Camel,
    /// `fuzzy-chainsaw-7q9rxv`
    Generated,
}

fn pick(words: &[&'static str], rng: &mut impl Rng) -> &'static str {
    words.choose(rng).copied().unwrap_or_default()
}

fn capitalised(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(characters).collect()
}

pub(super) fn name(style: NameStyle, rng: &mut impl Rng) -> String {
    let (first, second) = (pick(&TECHNICAL, rng), pick(&TECHNICAL, rng));
    let (adjective, noun) = (pick(&ADJECTIVES, rng), pick(&NOUNS, rng));
    match style {
        NameStyle::User => user(rng),
        NameStyle::Organisation => match rng.random_range(0..6) {
            0 => noun.to_owned(),
            1 => format!("{}{}", capitalised(adjective), capitalised(noun)),
            2 => format!("{noun}-labs"),
            3 => format!("{}-{}", pick(&LAST_NAMES, rng), pick(&["gmbh", "inc", "io", "group"], rng)),
            _ => format!("{adjective}-{noun}"),
        },
        NameStyle::Repository => match rng.random_range(0..8) {
            0 => noun.to_owned(),
            1 => pick(&["dotfiles", "website", "docs", "infrastructure", "Hello-World", "scripts"], rng).to_owned(),
            2 => format!("{noun}.js"),
            3 => format!("{noun}_{first}"),
            4 => format!("{adjective}-{noun}-{}", pick(&["rs", "py", "go", "action"], rng)),
            5 => format!("{}{}", capitalised(adjective), capitalised(noun)),
            6 => format!("{noun}{}", rng.random_range(2..9)),
            _ => format!("{noun}-{first}"),
        },
        NameStyle::Image => match rng.random_range(0..6) {
            0 => format!("library/{noun}"),
            1 => format!("{adjective}/{first}"),
            2 => format!("{noun}:{}.{}", rng.random_range(1..9), rng.random_range(0..30)),
            3 => format!("{first}-{second}"),
            _ => noun.to_owned(),
        },
        NameStyle::Slug => match rng.random_range(0..4) {
            0 => format!("{adjective}-{noun}"),
            1 => format!("the-{adjective}-{noun}-{}", pick(&NOUNS, rng)),
            2 => format!("{noun}-for-{}-{}", pick(&ADJECTIVES, rng), pick(&NOUNS, rng)),
            _ => format!("{adjective}-{noun}-{}", rng.random_range(2..2_000)),
        },
        NameStyle::Kebab => match rng.random_range(0..5) {
            0 => first.to_owned(),
            1 => format!("{noun}-{first}"),
            2 => format!("{first}-{}", rng.random_range(1..40)),
            3 => format!("{adjective}-{noun}"),
            _ => format!("{first}-{second}"),
        },
        NameStyle::Snake => match rng.random_range(0..4) {
            0 => format!("{noun}s"),
            1 => format!("{first}_{noun}"),
            2 => format!("{first}_v{}", rng.random_range(1..5)),
            _ => format!("{adjective}_{noun}"),
        },
        NameStyle::Dotted => match rng.random_range(0..3) {
            0 => format!("{first}.{noun}.v{}", rng.random_range(1..4)),
            1 => format!("{first}-{noun}-value"),
            _ => format!("{noun}.{}", pick(&["created", "updated", "deleted", "failed"], rng)),
        },
        NameStyle::Constant => {
            let suffix = pick(&["TOKEN", "KEY", "PASSWORD", "URL", "SECRET", "ID"], rng);
            match rng.random_range(0..3) {
                0 => format!("{}_{suffix}", first.to_uppercase()),
                1 => format!("{}_{}_{suffix}", noun.to_uppercase(), first.to_uppercase()),
                _ => format!("{}_API_{suffix}", noun.to_uppercase()),
            }
        }
        NameStyle::Title => match rng.random_range(0..3) {
            0 => capitalised(noun),
            1 => format!("{} {}", capitalised(adjective), capitalised(noun)),
            _ => format!("{}{}", capitalised(adjective), capitalised(noun)),
        },
        NameStyle::Camel => format!("{adjective}{}{}", capitalised(noun), capitalised(pick(&TECHNICAL, rng))),
        NameStyle::Generated => {
            let suffix: String = (0..rng.random_range(6..14))
                .map(|_| char::from(*b"23456789bcdfghjkmnpqrstvwxz".choose(rng).unwrap_or(&b'x')))
                .collect();
            format!("{adjective}-{noun}-{suffix}")
        }
    }
}

fn user(rng: &mut impl Rng) -> String {
    let (first, last) = (pick(&FIRST_NAMES, rng), pick(&LAST_NAMES, rng));
    match rng.random_range(0..9) {
        0 => first.to_owned(),
        1 => format!("{first}{}", rng.random_range(1..2_000)),
        2 => format!("{first}-{last}"),
        3 => format!("{first}_{last}"),
        4 => format!("{first}.{last}"),
        5 => format!("{}{}", capitalised(first), capitalised(last)),
        6 => format!("{}{}", pick(&ADJECTIVES, rng), pick(&NOUNS, rng)),
        7 => format!("{last}{}", &first[..1]),
        _ => format!("{}{last}", &first[..1]),
    }
}

pub(super) fn domain(rng: &mut impl Rng) -> String {
    let name = match rng.random_range(0..3) {
        0 => format!("{}-{}", pick(&ADJECTIVES, rng), pick(&NOUNS, rng)),
        1 => format!("{}.{}", pick(&TECHNICAL, rng), pick(&NOUNS, rng)),
        _ => format!("{}{}", pick(&NOUNS, rng), pick(&NOUNS, rng)),
    };
    format!("{name}.{}", pick(&TOPLEVEL, rng))
}

/// The first branch of a repository is its main one.
pub(super) fn branch(index: u64, rng: &mut impl Rng) -> String {
    if index == 0 {
        return pick(&["main", "main", "master", "develop"], rng).to_owned();
    }
    let (adjective, noun) = (pick(&ADJECTIVES, rng), pick(&NOUNS, rng));
    match rng.random_range(0..6) {
        0 => format!("feature/{adjective}-{noun}"),
        1 => format!("release-{}.{}", rng.random_range(1..6), rng.random_range(0..20)),
        2 => format!("{}/fix-{noun}", pick(&FIRST_NAMES, rng)),
        3 => format!("dependabot/npm/{noun}-{}", rng.random_range(2..9)),
        4 => noun.to_owned(),
        _ => format!("fix-{}-{noun}", rng.random_range(10..4_000)),
    }
}

pub(super) fn file_name(rng: &mut impl Rng) -> String {
    let stem = match rng.random_range(0..4) {
        0 => pick(&["README", "index", "main", "package", "config"], rng).to_owned(),
        1 => format!("{}-{}", pick(&NOUNS, rng), rng.random_range(2019..2027)),
        2 => format!("{} {}", capitalised(pick(&ADJECTIVES, rng)), pick(&NOUNS, rng)),
        _ => format!("{}_{}", pick(&TECHNICAL, rng), pick(&NOUNS, rng)),
    };
    format!("{stem}.{}", pick(&FILE_EXTENSIONS, rng))
}

pub(super) fn file_path(rng: &mut impl Rng) -> String {
    let file = file_name(rng);
    match rng.random_range(0..4) {
        0 => file,
        1 => format!("src/{file}"),
        2 => pick(&TECHNICAL, rng).to_owned(),
        _ => format!("{}/{}/{file}", pick(&TECHNICAL, rng), pick(&NOUNS, rng)),
    }
}
