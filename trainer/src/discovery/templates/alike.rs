//! Closed enumerations: ordinary words (`day`, `week`, `month`) that are values of one parameter, told by answering alike.
//!
//! The siblings take the same fields, answer with the same shapes and statuses and are followed by the same, in ways that the
//! host's other endpoints do not have in common with them. Looks say nothing here, so it takes all words of a place together, and
//! what often answers alike without being an enumeration is left alone: verbs of one object (`/{id}/start`, `/{id}/stop`),
//! collections, and procedures that tell nothing but that they are done.

use super::habits::{CommonTraits, Habits, likeness};

/// Words that it takes: most for those that change something.
const READ_MIN: usize = 3;
const CHANGED_MIN: usize = 4;
/// Log-odds that each word takes and answers what the others do: half of the words need the one, all of them the other.
const TRAITS_USUAL_MIN: f64 = 1.2;
const TRAITS_MIN: f64 = -2.0;
/// The same for the proportions of calls, of all words.
const PROPORTIONS_MIN: f64 = -4.0;

/// Whether the words of a place, each with its habits, are values of one parameter. `is_below_object` tells that what is
/// before them stands for an object.
pub fn are_alike<'g>(words: &[&Habits<'g>], is_below_object: bool, common: &CommonTraits<'g>) -> bool {
    let only_reads = words.iter().all(|word| word.only_reads());
    let needed = if only_reads { READ_MIN } else { CHANGED_MIN };
    if is_below_object || words.len() < needed || words.iter().any(|word| word.is_collection()) {
        return false;
    }
    let mut all = Habits::default();
    words.iter().for_each(|word| all.add(word));
    // Words of which some take or answer what none of the others does are endpoints of their own.
    let mut traits = Vec::with_capacity(words.len());
    for word in words {
        let (of_traits, of_proportions) = likeness(word, &all, common);
        if of_traits < TRAITS_MIN || of_proportions < PROPORTIONS_MIN {
            return false;
        }
        traits.push(of_traits);
    }
    traits.sort_by(f64::total_cmp);
    traits.get(words.len() / 2).is_some_and(|usual| *usual >= TRAITS_USUAL_MIN)
}
