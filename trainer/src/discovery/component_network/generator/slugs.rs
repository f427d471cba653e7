//! Content slugs and the names of repositories, projects, tags, branches, images, places and categories.

use super::{
    Vocabulary,
    dice::{Dice, capitalised},
};

#[derive(Clone, Copy)]
enum Form {
    Title,
    Repository,
    Tag,
    Place,
    Category,
    Technology,
    Goods,
    CapitalisedWords,
    Container,
}

pub fn slug(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let form = dice.weighted(&[
        (26, Form::Title),
        (16, Form::Repository),
        (8, Form::Tag),
        (11, Form::Place),
        (10, Form::Category),
        (11, Form::Technology),
        (10, Form::Goods),
        (5, Form::CapitalisedWords),
        (3, Form::Container),
    ]);
    match form {
        Form::Title => title(vocabulary, dice),
        Form::Repository => repository(vocabulary, dice),
        Form::Tag => tag(vocabulary, dice),
        Form::Place => place(vocabulary, dice),
        Form::Category => category(vocabulary, dice),
        Form::Technology => technology(vocabulary, dice),
        Form::Goods => goods(vocabulary, dice),
        Form::CapitalisedWords => {
            let words = dice.number(1, 3);
            (0..words).map(|_| capitalised(dice.one(&vocabulary.prose))).collect()
        }
        Form::Container => {
            let separator = dice.one(&["_", "-"]);
            format!("{}{separator}{}", dice.one(&vocabulary.prose), dice.one(&vocabulary.family_names))
        }
    }
}

/// A headline: prose words with function words between.
fn title(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let mut words = Vec::new();
    if dice.percent(15) {
        words.push(dice.one(&["how-to", "top-10", "what-is", "why", "the-best", "5-ways-to", "a-guide-to"]));
    }
    for _ in 0..dice.number(2, 5) {
        if dice.percent(30) {
            words.push(dice.one(&vocabulary.function_words));
        }
        words.push(match dice.number(0, 19) {
            0 => dice.one(&vocabulary.places),
            1 => dice.one(&vocabulary.technologies),
            2 => dice.one(&vocabulary.given_names),
            _ => dice.one(&vocabulary.prose),
        });
    }
    let separator = dice.weighted(&[(85, "-"), (12, "_"), (3, ".")]);
    let mut title = words.join("-").replace('-', separator);
    if dice.percent(12) {
        title = format!("{title}{separator}{}", dice.appended_number());
    }
    if dice.percent(6) {
        title = title.split(separator).map(capitalised).collect::<Vec<_>>().join(separator);
    }
    title
}

fn repository(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let first = match dice.number(0, 9) {
        0..=4 => dice.one(&vocabulary.technologies),
        5 => dice.one(&["my", "the", "awesome", "hello", "learn", "simple", "tiny", "go", "py", "node"]),
        6 => dice.one(&vocabulary.handles),
        _ => dice.one(&vocabulary.prose),
    };
    let second = match dice.number(0, 9) {
        0..=3 => dice.one(&vocabulary.technologies),
        4 => dice.one(&["app", "project", "repo", "test", "demo", "site", "web", "js", "py", "rs", "ui", "kit", "hub"]),
        5 => dice.one(&vocabulary.api_nouns),
        _ => dice.one(&vocabulary.prose),
    };
    let separator = dice.weighted(&[(72, "-"), (12, "_"), (6, "."), (10, "")]);
    let mut name = format!("{first}{separator}{second}");
    if dice.percent(20) {
        name = format!("{name}-{}", dice.one(&vocabulary.technologies));
    }
    if dice.percent(18) {
        name = format!("{name}-{}", dice.appended_number());
    }
    if dice.percent(6) { name.split('-').map(capitalised).collect() } else { name }
}

/// Versions, branches and image tags.
fn tag(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let version = format!("{}.{}", dice.number(0, 24), dice.number(0, 30));
    let patch = if dice.percent(60) { format!("{version}.{}", dice.number(0, 20)) } else { version };
    match dice.number(0, 6) {
        0 => format!("release-{patch}"),
        1 => format!("v{patch}-{}", dice.one(&["rc1", "rc.2", "beta.1", "alpha", "beta2", "dev", "pre"])),
        2 => format!("{patch}-{}", dice.one(&vocabulary.technologies)),
        3 => format!("{}-{}", dice.one(&vocabulary.technologies), patch),
        4 => format!(
            "{}-{}",
            dice.one(&["feature", "fix", "bugfix", "hotfix", "feat", "chore"]),
            dice.one(&vocabulary.prose)
        ),
        5 => {
            let (kind, noun) =
                (dice.one(&["feature", "fix", "issue", "add", "update"]), dice.one(&vocabulary.api_nouns));
            format!("{kind}-{noun}-{}", dice.one(&vocabulary.prose))
        }
        _ => format!("{}-{}", dice.one(&["issue", "bug", "build", "rel", "pr", "sprint"]), dice.number(1, 4000)),
    }
}

fn place(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let place = dice.one(&vocabulary.places);
    match dice.number(0, 9) {
        0 => {
            let side = dice.one(&["east", "west", "north", "south", "central", "northeast", "southeast"]);
            let area = dice.one(&["us", "eu", "ap", "sa", "ca", "me", "af", "europe", "asia", "australia"]);
            let zone = dice.one(&["", "", "a", "b", "-a", "-b"]);
            format!("{area}-{side}{}{}{zone}", dice.one(&["-", ""]), dice.number(1, 4))
        }
        1 => format!("{}{}", dice.characters("abcdefghijklmnoprstuvwyz", 3), dice.number(1, 4)),
        2 => format!("{}-{place}", dice.one(&["new", "san", "port", "saint", "north", "los", "el", "la", "east"])),
        3 => format!("{place}-{}", dice.one(&vocabulary.places)),
        4 => format!("{place}-{}", dice.one(&vocabulary.prose)),
        5 => capitalised(place),
        6 => place.chars().take(3).collect::<String>().to_uppercase(),
        7 => place.chars().take(2).collect(),
        _ => place.to_owned(),
    }
}

fn category(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let word = dice.one(&vocabulary.prose);
    match dice.number(0, 9) {
        0..=2 if !word.ends_with('s') => format!("{word}s"),
        3 => format!("{word}-and-{}", dice.one(&vocabulary.prose)),
        4 => capitalised(word),
        _ => word.to_owned(),
    }
}

fn technology(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let name = dice.one(&vocabulary.technologies);
    match dice.number(0, 9) {
        0 => format!("{name}-{}.{}", dice.number(1, 24), dice.one(&["04", "10", "1", "0", "5"])),
        1 => format!("{name}{}", dice.number(2, 22)),
        2 => format!("{name}-{}", dice.number(2, 22)),
        3 => capitalised(name),
        _ => name.to_owned(),
    }
}

/// What shops sell, with a size, a colour or a model.
fn goods(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let separator = dice.weighted(&[(80, "-"), (20, "_")]);
    let mut words: Vec<String> = (0..dice.number(2, 3)).map(|_| dice.one(&vocabulary.prose).to_owned()).collect();
    match dice.number(0, 9) {
        0 => words
            .push(dice.one(&["xl", "pro", "mini", "set", "black", "size-m", "eu", "plus", "max", "lite"]).to_owned()),
        1 | 2 => words.push(dice.appended_number()),
        3 => words.insert(0, dice.one(&vocabulary.companies).to_owned()),
        _ => {}
    }
    words.join(separator)
}
