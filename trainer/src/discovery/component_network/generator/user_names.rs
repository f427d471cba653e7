//! Names that people and organisations choose for their accounts.

use super::{
    Vocabulary,
    dice::{Dice, capitalised},
};

#[derive(Clone, Copy)]
enum Form {
    Given,
    Family,
    Full,
    InitialAndFamily,
    GivenAndInitial,
    Handle,
    Organisation,
}

pub fn user_name(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let form = dice.weighted(&[
        (11, Form::Given),
        (5, Form::Family),
        (26, Form::Full),
        (15, Form::InitialAndFamily),
        (5, Form::GivenAndInitial),
        (20, Form::Handle),
        (18, Form::Organisation),
    ]);
    match form {
        Form::Given => person(dice.one(&vocabulary.given_names).to_owned(), dice),
        Form::Family => person(dice.one(&vocabulary.family_names).to_owned(), dice),
        Form::Full => full_name(vocabulary, dice),
        Form::InitialAndFamily => {
            let initials = dice.number(1, 10).div_ceil(9);
            let initials = dice.characters("abcdefghijklmnoprstvwyz", initials);
            let separator = dice.weighted(&[(75, ""), (12, "."), (7, "_"), (6, "-")]);
            person(format!("{initials}{separator}{}", dice.one(&vocabulary.family_names)), dice)
        }
        Form::GivenAndInitial => {
            let separator = dice.weighted(&[(60, ""), (15, "."), (15, "_"), (10, "-")]);
            let initial = dice.characters("abcdefghijklmnoprstvwyz", 1);
            person(format!("{}{separator}{initial}", dice.one(&vocabulary.given_names)), dice)
        }
        Form::Handle => handle(vocabulary, dice),
        Form::Organisation => organisation(vocabulary, dice),
    }
}

/// A name, in a third of cases with a number, seldom with a capital.
fn person(name: String, dice: &mut Dice) -> String {
    let name = if dice.percent(8) { capitalised(&name) } else { name };
    if dice.percent(33) {
        let separator = dice.weighted(&[(80, ""), (14, "_"), (6, "-")]);
        return format!("{name}{separator}{}", dice.appended_number());
    }
    name
}

fn full_name(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let (given, family) = (dice.one(&vocabulary.given_names), dice.one(&vocabulary.family_names));
    let separator = dice.weighted(&[(30, "."), (25, "_"), (17, "-"), (28, "")]);
    match dice.number(0, 19) {
        0 | 1 => person(format!("{family}{separator}{given}"), dice),
        2 | 3 => format!("{}{}", capitalised(given), capitalised(family)),
        4 => format!("{}{}", dice.one(&["dr_", "mr.", "mrs-", "prof_", "the-real-", "its", "iam_"]), given),
        _ => person(format!("{given}{separator}{family}"), dice),
    }
}

fn handle(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let first = dice.one(&vocabulary.handles);
    let second = if dice.percent(30) { dice.one(&vocabulary.given_names) } else { dice.one(&vocabulary.handles) };
    let separator = dice.weighted(&[(55, ""), (28, "_"), (12, "-"), (5, ".")]);
    match dice.number(0, 19) {
        0 => format!("xX_{first}_Xx"),
        1 => format!("the{separator}{first}"),
        2 | 3 => format!("{}{}", capitalised(first), capitalised(second)),
        4 => format!("{second}_the_{first}"),
        5 => format!("{first}{}", dice.appended_number()),
        6 => format!(
            "{first}{}",
            dice.one(&["y", "ie", "er", "ito", "x", "z", "zilla", "inator", "-bot", "[bot]", "bot"])
        ),
        _ => person(format!("{first}{separator}{second}"), dice),
    }
}

fn organisation(vocabulary: &Vocabulary, dice: &mut Dice) -> String {
    let first = match dice.number(0, 9) {
        0 | 1 => dice.one(&vocabulary.family_names),
        2 => dice.one(&vocabulary.handles),
        _ => dice.one(&vocabulary.companies),
    };
    let suffix = dice.one(&vocabulary.company_suffixes);
    let separator = dice.weighted(&[(70, "-"), (22, ""), (8, "_")]);
    match dice.number(0, 9) {
        0 => first.to_owned(),
        1 => format!("{}{}", capitalised(first), capitalised(suffix)),
        2 => format!("{first}{separator}{}{separator}{suffix}", dice.one(&vocabulary.companies)),
        3 => format!("{first}-and-{}", dice.one(&["sons", "co", "partners", "friends"])),
        4 => format!("{first}{separator}{}", dice.one(&vocabulary.companies)),
        _ => format!("{first}{separator}{suffix}"),
    }
}
