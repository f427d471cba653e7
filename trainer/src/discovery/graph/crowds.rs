//! Which words may be given up when memory runs out: those of places so crowded that they are values of a parameter.

use std::collections::{BTreeMap, HashMap, HashSet};

use apiward_detector::observation::ValueType;

use super::conduct::Conducts;
use super::node::Node;

/// Different words of a place above which it is crowded; the fewer, the more memory is needed.
pub const CROWDS: [usize; 3] = [128, 64, 32];

/// Turns words with fewer visits into values at every crowded place below `places`, which are one place of several parents:
/// below the values of a parameter the same words follow, and are looked at together; a literal has few visits below each of them.
/// Words of callers whose requests mostly fail make no crowd.
pub fn fold_crowds(places: Vec<&mut Node>, conducts: &Conducts, crowd: usize, visits_min: u64) {
    let is_used = |node: &Node| {
        let callers = node.support.callers();
        node.support.mostly_callerless().is_some() || callers.iter().any(|caller| conducts.is_established(*caller))
    };
    let used = places.iter().flat_map(|place| &place.words).filter(|(_, node)| is_used(node));
    let is_crowded = used.map(|(word, _)| word).collect::<HashSet<_>>().len() > crowd
        || places.iter().flat_map(|place| place.values.values()).any(|values| are_names(values));
    let mut visits: HashMap<Box<str>, u64> = HashMap::new();
    if is_crowded {
        for (word, node) in places.iter().flat_map(|place| &place.words) {
            *visits.entry(word.clone()).or_default() += node.support.visits;
        }
    }
    let mut below: BTreeMap<(bool, Box<str>), Vec<&mut Node>> = BTreeMap::new();
    for place in places {
        if is_crowded {
            place.fold_words(|word, _| visits.get(word).is_some_and(|visits| *visits < visits_min));
        }
        let words = place.words.iter_mut().map(|(word, node)| ((true, word), node));
        let values = place.values.iter_mut().map(|(form, node)| ((false, form), node));
        for ((is_word, text), node) in words.chain(values) {
            let key = if is_crowded { (false, Box::default()) } else { (is_word, text.clone()) };
            below.entry(key).or_default().push(node.as_mut());
        }
    }
    below.into_values().for_each(|places| fold_crowds(places, conducts, crowd, visits_min));
}

/// Whether values are many, and mostly names: words that were given up before, or that were never kept.
fn are_names(values: &Node) -> bool {
    let seen = &values.values_seen;
    let of_names = seen.types.iter().filter(|((_, value_type), _)| is_name(*value_type)).map(|(_, count)| count);
    seen.distinct.is_full() && of_names.sum::<u64>() * 2 > seen.types.values().sum()
}

fn is_name(value_type: ValueType) -> bool {
    matches!(value_type, ValueType::Word | ValueType::Slug)
}
