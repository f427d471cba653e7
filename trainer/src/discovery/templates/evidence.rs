//! What follows a component: values of one parameter are followed by the same, literals each by their own.

use std::collections::BTreeMap;

use crate::discovery::graph::Node;

use super::words::WordOdds;

/// Which evidence decides; all of it, but for the ablation that is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The graph: what follows, identifiers handed out, numbers of values.
    pub graph: bool,
    /// Looks of words.
    pub looks: bool,
}

impl Default for Evidence {
    fn default() -> Self {
        Self { graph: true, looks: true }
    }
}

/// What can come after a component.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Symbol<'g> {
    /// The path ends with a call of this method.
    Call(&'g str),
    /// A literal that follows several of the components that are compared.
    Word(&'g str),
    /// A word that follows only few of them, by how it is written.
    Unshared(Spelling),
    Value,
    /// A literal after a value.
    BelowValue(&'g str),
}

/// How a word is written, as far as values of one parameter are often written alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Spelling {
    /// Lower case without digits, of one or several parts.
    Plain,
    /// `API_KEY`
    Capitals,
    /// `postMessage`
    MixedCase,
    /// `web-1`
    WithDigits,
}

impl Spelling {
    fn of(word: &str) -> Self {
        let has_upper = word.bytes().any(|byte| byte.is_ascii_uppercase());
        let has_lower = word.bytes().any(|byte| byte.is_ascii_lowercase());
        match () {
            () if word.bytes().any(|byte| byte.is_ascii_digit()) => Self::WithDigits,
            () if has_upper && has_lower => Self::MixedCase,
            () if has_upper => Self::Capitals,
            () => Self::Plain,
        }
    }
}

/// How often each symbol follows; the same one several times says little more than once.
pub type Following<'g> = BTreeMap<Symbol<'g>, f64>;

/// Most that one symbol counts for one component.
const REPEATS_MAX: f64 = 2.0;
/// Most that different words of one spelling count for one component.
const UNSHARED_MAX: f64 = 6.0;
/// Most observations that a group's distribution rests on: no two values are used in quite the same way.
const GROUP_WEIGHT_MAX: f64 = 60.0;
/// Concentration of the prior over what follows.
const CONCENTRATION: f64 = 2.0;
/// The evidence of what follows is cut at ± this.
const FOLLOWING_MAX: f64 = 8.0;

/// Words that follow the components of one place, with how many of these they follow.
#[derive(Debug, Default)]
pub struct Followers<'g> {
    counts: BTreeMap<&'g str, usize>,
    components: usize,
    shared_min: usize,
}

const COMMON_MIN: usize = 5;
const COMMON_SHARE: f64 = 0.3;

/// Share of the components at a place that a word has to follow to be a literal that they have in common.
const SHARED_SHARE: f64 = 0.04;

impl<'g> Followers<'g> {
    pub fn of<'c>(components: impl ExactSizeIterator<Item = &'c Vec<&'g Node>>) -> Self
    where
        'g: 'c,
    {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let all = components.len();
        let shared_min = ((components.len() as f64 * SHARED_SHARE).ceil() as usize).max(2);
        for nodes in components {
            let words: std::collections::BTreeSet<&str> =
                nodes.iter().flat_map(|node| node.words.keys()).map(Box::as_ref).collect();
            for word in words {
                *counts.entry(word).or_default() += 1;
            }
        }
        Self { counts, components: all, shared_min }
    }

    /// Follows so many that it is a literal whatever it looks like.
    fn is_common(&self, word: &str) -> bool {
        let count = self.counts.get(word).copied().unwrap_or(0);
        count >= COMMON_MIN && count as f64 >= COMMON_SHARE * self.components as f64
    }

    fn is_shared(&self, word: &str) -> bool {
        self.counts.get(word).is_some_and(|count| *count >= self.shared_min)
    }
}

fn below_value<'g>(value: &'g Node, words: &WordOdds, counts: &mut Following<'g>) {
    for (word, child) in value.words.iter().filter(|(word, _)| words.of(word) < BELOW_ODDS_MAX) {
        *counts.entry(Symbol::BelowValue(word)).or_default() += child.support.visits as f64;
    }
}

/// What comes after a value is a value too, unless it looks quite like a literal.
const BELOW_ODDS_MAX: f32 = -1.5;

/// Children of a component that are so many, and so many of them values, that a word among them is hardly a literal unless it
/// is a busy one.
struct Crowd {
    visits: u64,
    is_crowd: bool,
}

const CROWD_MIN: usize = 16;
const CROWD_VALUES_SHARE: f64 = 0.4;
const CROWD_BUSY_SHARE: f64 = 0.05;

impl Crowd {
    fn of(nodes: &[&Node], words: &WordOdds) -> Self {
        let mut different: BTreeMap<&str, u64> = BTreeMap::new();
        let mut typed = 0;
        let mut visits = 0;
        for node in nodes {
            for (word, child) in &node.words {
                *different.entry(word).or_default() += child.support.visits;
                visits += child.support.visits;
            }
            for child in node.values.values() {
                typed += child.values_seen.distinct.len();
                visits += child.support.visits;
            }
        }
        let rare = |word: &str, of_word: u64| words.of(word) > 0.0 || of_word < 3;
        let values = typed + different.iter().filter(|(word, of_word)| rare(word, **of_word)).count();
        let all = typed + different.len();
        Self { visits, is_crowd: all >= CROWD_MIN && values as f64 >= CROWD_VALUES_SHARE * all as f64 }
    }

    fn hides(&self, child: &Node) -> bool {
        self.is_crowd && (child.support.visits as f64) < CROWD_BUSY_SHARE * self.visits as f64
    }
}

pub fn following<'g>(nodes: &[&'g Node], words: &WordOdds, followers: &Followers<'g>) -> Following<'g> {
    let mut counts: Following<'g> = BTreeMap::new();
    let mut unshared: BTreeMap<Spelling, usize> = BTreeMap::new();
    let crowd = Crowd::of(nodes, words);
    for node in nodes {
        for ((method, _), call) in &node.calls {
            *counts.entry(Symbol::Call(method)).or_default() += call.support.visits as f64;
        }
        for (word, child) in &node.words {
            let symbol = match () {
                () if crowd.hides(child) => Symbol::Value,
                () if followers.is_common(word) => Symbol::Word(word),
                () if words.of(word) > 0.0 => Symbol::Value,
                () if followers.is_shared(word) => Symbol::Word(word),
                () => {
                    *unshared.entry(Spelling::of(word)).or_default() += 1;
                    continue;
                }
            };
            *counts.entry(symbol).or_default() += child.support.visits as f64;
            if symbol == Symbol::Value {
                below_value(child, words, &mut counts);
            }
        }
        for child in node.values.values() {
            *counts.entry(Symbol::Value).or_default() += child.support.visits as f64;
            below_value(child, words, &mut counts);
        }
    }
    counts.values_mut().for_each(|count| *count = count.min(REPEATS_MAX));
    for (spelling, different) in unshared {
        counts.insert(Symbol::Unshared(spelling), (different as f64).min(UNSHARED_MAX));
    }
    counts
}

/// What follows a group, with the sums that each comparison needs.
#[derive(Debug, Clone, Default)]
pub struct GroupFollowing<'g> {
    counts: Following<'g>,
    total: f64,
    /// Of what does not follow everywhere.
    special_total: f64,
}

impl<'g> GroupFollowing<'g> {
    pub fn add(&mut self, following: &Following<'g>, weight: f64) {
        for (symbol, count) in following {
            *self.counts.entry(*symbol).or_default() += count * weight;
            self.total += count * weight;
            self.special_total += if is_special(symbol) { count * weight } else { 0.0 };
        }
    }

    /// Whether anything follows by which values can be known.
    pub fn has_literals(&self) -> bool {
        self.counts.keys().any(is_special)
    }
}

/// ln of how much likelier it is that what follows comes from the distribution of a group of `members` than from one of its
/// own (Dirichlet-multinomial), cut at −[`FOLLOWING_MAX`]. `is_member` tells that what follows is in `group`, and is to be left out.
///
/// Every collection is followed by calls and values; that these follow here as well says nothing, only that they do not.
pub fn same_distribution<'g>(
    own: &Following<'g>,
    group: &GroupFollowing<'g>,
    is_member: bool,
    members: usize,
    words: &WordOdds,
) -> f64 {
    let compared = Compared { own, group, is_member, words };
    let together = compared.likelier_in_group(group.total, |_| true);
    let of_literals = compared.likelier_in_group(group.special_total, is_special);
    // Few members are too few to know what they have in common.
    let most = (3.0 * (1.0 + members as f64).ln()).min(FOLLOWING_MAX);
    together.min(of_literals.max(0.0)).clamp(-FOLLOWING_MAX, most)
}

/// Whether it does not follow everywhere.
fn is_special(symbol: &Symbol<'_>) -> bool {
    match symbol {
        Symbol::Word(_) | Symbol::BelowValue(_) => true,
        Symbol::Unshared(spelling) => *spelling != Spelling::Plain,
        Symbol::Call(_) | Symbol::Value => false,
    }
}

struct Compared<'c, 'g> {
    own: &'c Following<'g>,
    group: &'c GroupFollowing<'g>,
    is_member: bool,
    words: &'c WordOdds,
}

impl Compared<'_, '_> {
    /// By the symbols that count, of which the group has that many.
    fn likelier_in_group(&self, total: f64, counts: impl Fn(&Symbol<'_>) -> bool) -> f64 {
        let own = || self.own.iter().filter(|(symbol, _)| counts(symbol));
        let left_out = if self.is_member { own().map(|(_, count)| count).sum() } else { 0.0 };
        let total = total - left_out;
        let shrink = if total > 0.0 { (GROUP_WEIGHT_MAX / total).min(1.0) } else { 0.0 };
        let (mut drawn, mut sum) = (0.0, 0.0);
        for (symbol, count) in own() {
            let of_group = self.group.counts.get(symbol).copied().unwrap_or(0.0);
            let of_others = if self.is_member { (of_group - count).max(0.0) } else { of_group };
            let alone = CONCENTRATION * prior_share(symbol, self.words);
            let together = alone + of_others * shrink;
            let mut of_symbol = 0.0;
            while of_symbol < *count {
                let likelier = (together + of_symbol) * (CONCENTRATION + drawn)
                    / ((alone + of_symbol) * (CONCENTRATION + total * shrink + drawn));
                sum += likelier.ln();
                of_symbol += 1.0;
                drawn += 1.0;
            }
        }
        sum
    }
}

/// Share of a symbol before anything was seen: calls and values are common everywhere, each word is rare.
fn prior_share(symbol: &Symbol<'_>, words: &WordOdds) -> f64 {
    match symbol {
        Symbol::Call("GET") => 0.3,
        Symbol::Call(_) => 0.1,
        Symbol::Value | Symbol::Unshared(Spelling::Plain) => 0.15,
        Symbol::Unshared(_) => 0.03,
        Symbol::Word(_) | Symbol::BelowValue(_) => 0.25 / (words.len() as f64).max(30.0),
    }
}
