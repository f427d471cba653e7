//! Literals of APIs: nouns, verbs and their compounds in the styles of real interfaces.

use super::{
    Vocabulary,
    dice::{Dice, capitalised},
};

#[derive(Clone, Copy)]
enum Form {
    Noun,
    Verb,
    Qualifier,
    Abbreviation,
    Fixed,
    Compound,
    Operation,
    Dotted,
    Marked,
}

/// How the words of a compound are joined.
#[derive(Clone, Copy)]
enum Style {
    Kebab,
    Snake,
    Camel,
    Pascal,
    Joined,
    Upper,
}

pub fn word(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let form = dice.weighted(&[
        (28, Form::Noun),
        (9, Form::Verb),
        (3, Form::Qualifier),
        (7, Form::Abbreviation),
        (4, Form::Fixed),
        (24, Form::Compound),
        (18, Form::Operation),
        (5, Form::Dotted),
        (2, Form::Marked),
    ]);
    match form {
        Form::Noun => single_noun(vocabulary, dice),
        Form::Verb => dice.one(&vocabulary.api_verbs).to_owned(),
        Form::Qualifier => dice.one(&vocabulary.api_qualifiers).to_owned(),
        Form::Abbreviation => dice.one(&vocabulary.api_abbreviations).to_owned(),
        Form::Fixed => dice.one(&vocabulary.api_fixed).to_owned(),
        Form::Compound => compound(vocabulary, dice),
        Form::Operation => operation(vocabulary, dice),
        Form::Dotted => dotted(vocabulary, dice),
        Form::Marked => {
            let mark = dice.one(&["_", "$", ".", ":", "@", "__", "~"]);
            format!("{mark}{}", single_noun(vocabulary, dice))
        }
    }
}

fn single_noun(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let words = noun(vocabulary, dice, 60);
    let style = dice.weighted(&[
        (45, Style::Kebab),
        (25, Style::Snake),
        (15, Style::Camel),
        (8, Style::Joined),
        (5, Style::Pascal),
        (2, Style::Upper),
    ]);
    joined(&words, style)
}

fn compound(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let mut words = match dice.number(0, 9) {
        0..=3 => vec![dice.one(&vocabulary.api_qualifiers).to_owned()],
        4 => vec![dice.one(&vocabulary.api_abbreviations).to_owned()],
        _ => noun(vocabulary, dice, 5),
    };
    if dice.percent(15) {
        words.extend(noun(vocabulary, dice, 0));
    }
    words.extend(if dice.percent(10) {
        vec![dice.one(&vocabulary.api_verbs).to_owned()]
    } else {
        noun(vocabulary, dice, 55)
    });
    if dice.percent(4) {
        words.push(dice.one(&["v2", "v3", "2", "by", "id", "info", "list"]).to_owned());
    }
    joined(&words, compound_style(dice))
}

/// A verb and its object, as in `getUserById` and `find_by_status`.
fn operation(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let mut words = vec![dice.one(&vocabulary.api_verbs).to_owned()];
    if dice.percent(25) {
        words.push(dice.one(&vocabulary.api_qualifiers).to_owned());
    }
    if !dice.percent(8) {
        words.extend(noun(vocabulary, dice, 45));
    }
    if dice.percent(25) || words.len() == 1 {
        words.push(
            dice.weighted(&[(12, "by"), (4, "for"), (3, "with"), (2, "from"), (2, "to"), (2, "in"), (1, "and")])
                .to_owned(),
        );
        words.extend(if dice.percent(25) {
            vec![dice.one(&["id", "ids", "all"]).to_owned()]
        } else {
            noun(vocabulary, dice, 20)
        });
    }
    let style = dice.weighted(&[
        (50, Style::Camel),
        (15, Style::Kebab),
        (12, Style::Snake),
        (13, Style::Pascal),
        (10, Style::Joined),
    ]);
    joined(&words, style)
}

/// Methods after their object (`chat.postMessage`), and services in their package (`shop.v1.OrderService`).
fn dotted(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let first = joined(&noun(vocabulary, dice, 50), Style::Camel);
    if dice.percent(30) {
        let service = joined(&noun(vocabulary, dice, 10), Style::Pascal);
        let version = dice.one(&["v1", "v2", "v1beta1", "api"]);
        let suffix = dice.one(&["Service", "API", "", "Manager", "Admin"]);
        return format!("{first}.{version}.{service}{suffix}");
    }
    let mut words = vec![dice.one(&vocabulary.api_verbs).to_owned()];
    if dice.percent(45) {
        words.extend(noun(vocabulary, dice, 35));
    }
    let method = joined(&words, Style::Camel);
    if dice.percent(20) {
        let between = joined(&noun(vocabulary, dice, 50), Style::Camel);
        return format!("{first}.{between}.{method}");
    }
    format!("{first}.{method}")
}

/// A noun of one or more words, plural in `plural_percent` of cases.
fn noun(vocabulary: &Vocabulary, dice: &mut Dice, plural_percent: u32) -> Vec<String> {
    let noun = dice.one(&vocabulary.api_nouns);
    let mut words: Vec<String> = noun.split('-').map(str::to_owned).collect();
    if dice.percent(plural_percent)
        && let Some(last) = words.last_mut()
    {
        *last = plural(last);
    }
    words
}

fn plural(noun: &str) -> String {
    let ends = |endings: &[&str]| endings.iter().any(|ending| noun.ends_with(ending));
    match noun.strip_suffix('y') {
        Some(stem) if !ends(&["ay", "ey", "oy", "uy"]) => format!("{stem}ies"),
        _ if ends(&["s", "x", "ch", "sh"]) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

fn compound_style(dice: &mut Dice) -> Style {
    dice.weighted(&[
        (34, Style::Kebab),
        (28, Style::Snake),
        (22, Style::Camel),
        (5, Style::Pascal),
        (9, Style::Joined),
        (2, Style::Upper),
    ])
}

fn joined(words: &[String], style: Style) -> String {
    let pascal = |words: &[String]| words.iter().map(|word| capitalised(word)).collect::<String>();
    match style {
        Style::Kebab => words.join("-"),
        Style::Snake => words.join("_"),
        Style::Camel => match words.split_first() {
            Some((first, others)) => format!("{first}{}", pascal(others)),
            None => String::new(),
        },
        Style::Pascal => pascal(words),
        Style::Joined => words.concat(),
        Style::Upper => words.join("_").to_uppercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plurals_and_styles_are_those_of_the_language() {
        assert_eq!(
            ["query", "key", "address", "branch", "user"].map(plural),
            ["queries", "keys", "addresses", "branches", "users"]
        );
        let words = ["get", "user", "groups"].map(str::to_owned);
        assert_eq!(joined(&words, Style::Camel), "getUserGroups");
        assert_eq!(joined(&words, Style::Upper), "GET_USER_GROUPS");
    }
}
