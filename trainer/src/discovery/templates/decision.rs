//! Which children of a node are values of its parameter.

use std::collections::BTreeMap;

use apiward_detector::observation::ValueType;

use crate::discovery::corrections::PlaceCorrection;
use crate::discovery::graph::Node;
use crate::discovery::limits;
use crate::discovery::summary::ValueSummary;

use super::Folder;
use super::enumerated::leave_out_enumerated;
use super::evidence::{Followers, Following, Symbol, following, has_literals, same_distribution};
use super::mixed::{MixedGroup, mixed_groups};
use super::mixed_words::word_groups;
use super::view::{View, established_callers, visits_of};

/// Callers that a literal needs to be taken for one.
const LITERAL_CALLERS_MIN: usize = 3;
/// Weight of looks among the evidence.
const LOOKS_WEIGHT: f64 = 0.8;
/// Evidence for values: the word was handed out by a response before.
const HANDED_OUT: f64 = 1.5;
/// Too few callers for a literal.
const UNSUPPORTED: f64 = 2.0;
/// … and what many such words, by many callers, add for each e-fold above this number.
const UNSUPPORTED_CROWD: f64 = 8.0;
const CROWD_MAX: f64 = 3.0;
/// The same for children that are followed by quite the same, above this number.
const LIKES_USUAL: f64 = 10.0;
const LIKES_WEIGHT: f64 = 1.5;
/// A word that many use is a literal unless something speaks for the contrary: the more, by this for each e-fold of callers
/// (as far as they are remembered) above what a literal needs.
const SUPPORTED: f64 = -1.0;
const SUPPORTED_FOLD: f64 = -0.8;
/// Evidence that a group of words needs, all members together, where no other values are beside it.
const GROUP_EVIDENCE_MIN: f64 = 3.0;
/// Rounds after which the assignment is taken as it is.
const ROUNDS_MAX: usize = 8;
/// Different values of one strict type beside which a word of another type is no value.
const STRICT_VALUES_MIN: usize = 6;
/// Share of the words' visits that the values beside them need to count.
const TYPED_SHARE_MIN: f64 = 0.02;
/// Most that the numbers of values and literals at a place say about one more.
const PREVALENCE_MAX: f64 = 2.5;
/// Share of a group's visits that a value usually stays below, and what being far from it says at most.
const VISITS_SHARE: f64 = 0.125;
const VISITS_MAX: f64 = 2.0;
const VISITS_MIN: f64 = -10.0;
/// What carries most of the traffic at a place is a literal.
const MOST_VISITS: f64 = -10.0;
/// Members of a group before their visits say anything.
const VISITS_MEMBERS_MIN: usize = 5;

/// The children of a node, sorted out.
#[derive(Default)]
pub struct Decided<'g> {
    pub literals: BTreeMap<&'g str, Vec<&'g Node>>,
    pub mixed: Vec<MixedGroup<'g>>,
    pub values: Vec<&'g Node>,
    /// 0..1.
    pub confidence: f32,
}

/// A word with everything that is known of it here.
struct Candidate<'g> {
    word: &'g str,
    nodes: Vec<&'g Node>,
    visits: u64,
    is_supported: bool,
    following: Following<'g>,
    /// Evidence that does not depend on the group.
    own_evidence: f64,
    is_value: bool,
    is_fixed: bool,
    evidence: f64,
}

pub fn decide<'g>(folder: &Folder<'_>, view: &View<'g>, correction: Option<&PlaceCorrection>) -> Decided<'g> {
    let mut values = view.values();
    let mut words = view.words();
    leave_out_enumerated(&mut words, &mut values, folder.conducts);
    let followers = Followers::of(words.values().chain(values.values()).collect::<Vec<_>>().into_iter());
    let mut candidates: Vec<Candidate<'g>> = words
        .into_iter()
        .map(|(word, nodes)| {
            let following = following(&nodes, folder.words, &followers);
            candidate(folder, word, nodes, following, correction)
        })
        .collect();
    let of_words: u64 = candidates.iter().map(|candidate| candidate.visits).sum();
    let mut typed = TypedValues::of(&values);
    // What hardly anybody uses says nothing about the words beside it; a scanner may have left it.
    if typed.visits as f64 <= TYPED_SHARE_MIN * of_words as f64 {
        typed = TypedValues::default();
    }
    let mut beside: Following<'g> = BTreeMap::new();
    for nodes in values.values().filter(|_| typed.distinct > 0) {
        add(&mut beside, &following(nodes, folder.words, &followers), 4.0);
    }
    if folder.evidence.graph {
        assign(folder, &mut candidates, &typed, &beside);
    } else {
        let is_crowd = candidates.len() > limits::PART_WORDS_MAX * 3;
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
            candidate.is_value = candidate.own_evidence > 0.0 || is_crowd;
        }
    }
    let mut decided = Decided { confidence: confidence(&candidates, &typed), ..Decided::default() };
    let mut valued: BTreeMap<&'g str, Vec<&'g Node>> = BTreeMap::new();
    for candidate in candidates {
        let into = if candidate.is_value { &mut valued } else { &mut decided.literals };
        into.insert(candidate.word, candidate.nodes);
    }
    let kept = |word: &str| correction.is_some_and(|correction| correction.literals.contains(word));
    let of_words = word_groups(folder, &mut decided.literals, &mut valued, kept);
    (decided.mixed, decided.values) = mixed_groups(values, valued, of_words, folder.conducts);
    decided
}

fn candidate<'g>(
    folder: &Folder<'_>,
    word: &'g str,
    nodes: Vec<&'g Node>,
    following: Following<'g>,
    correction: Option<&PlaceCorrection>,
) -> Candidate<'g> {
    let looks = LOOKS_WEIGHT * f64::from(folder.words.of(word));
    let mut own_evidence = if folder.evidence.looks { looks } else { 0.0 };
    let callers = established_callers(&nodes, folder.conducts);
    let is_supported = callers >= LITERAL_CALLERS_MIN;
    let remembered = callers.min(limits::CALLERS_KEPT) as f64 / LITERAL_CALLERS_MIN as f64;
    if folder.evidence.graph {
        let handed_out: u64 = nodes.iter().map(|node| node.handed_out).sum();
        own_evidence += if handed_out * 2 > visits_of(&nodes) { HANDED_OUT } else { 0.0 };
        own_evidence += if is_supported { SUPPORTED + SUPPORTED_FOLD * remembered.ln() } else { UNSUPPORTED };
    }
    let is_kept = correction.is_some_and(|correction| correction.literals.contains(word));
    let is_folded = correction.is_some_and(|correction| correction.fold) && !is_kept;
    Candidate {
        is_supported,
        visits: visits_of(&nodes),
        following,
        word,
        nodes,
        own_evidence,
        is_value: is_folded,
        is_fixed: is_kept || is_folded,
        evidence: 0.0,
    }
}

/// Assigns words to the group of values until nothing changes.
fn assign(folder: &Folder<'_>, candidates: &mut [Candidate<'_>], typed: &TypedValues, beside: &Following<'_>) {
    let crowd = candidates.iter().filter(|candidate| !candidate.is_supported).count() as f64;
    let of_crowd = (crowd / UNSUPPORTED_CROWD).max(1.0).ln().min(CROWD_MAX);
    candidates.iter_mut().filter(|candidate| !candidate.is_supported).for_each(|one| one.own_evidence += of_crowd);
    add_evidence_of_likes(candidates);
    let all_visits = typed.visits + candidates.iter().map(|candidate| candidate.visits).sum::<u64>();
    for candidate in candidates.iter_mut().filter(|candidate| candidate.is_supported) {
        candidate.own_evidence += if candidate.visits * 2 > all_visits { MOST_VISITS } else { 0.0 };
    }
    let all = sum_of(candidates, beside, |_| true);
    let typed_members = if has_literals(beside) { typed.distinct } else { 0 };
    let all_members = candidates.len().saturating_sub(1) + typed_members;
    for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
        let others = without(&all, &candidate.following);
        let similar = same_distribution(&candidate.following, &others, all_members, folder.words);
        candidate.is_value = candidate.own_evidence > 0.0 || similar + candidate.own_evidence > 1.0;
    }
    for _ in 0..ROUNDS_MAX {
        let group = sum_of(candidates, beside, |candidate| candidate.is_value);
        let place = Place::of(candidates, typed);
        let mut changed = false;
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
            let was_value = candidate.is_value;
            let group = if was_value { without(&group, &candidate.following) } else { group.clone() };
            let others = place.members - usize::from(was_value);
            candidate.evidence = candidate.own_evidence
                + same_distribution(&candidate.following, &group, others + typed_members, folder.words)
                + typed.evidence_beside(candidate.word, others)
                + place.prevalence(was_value)
                + place.visits_evidence(candidate.visits, was_value);
            candidate.is_value = candidate.evidence > 0.0;
            changed |= candidate.is_value != was_value;
        }
        if !changed {
            break;
        }
    }
    let members: Vec<&Candidate<'_>> = candidates.iter().filter(|candidate| candidate.is_value).collect();
    let evidence: f64 = members.iter().map(|candidate| candidate.evidence).sum();
    let is_fixed = members.iter().any(|candidate| candidate.is_fixed);
    if !is_fixed && typed.distinct == 0 && (members.len() < 2 || evidence < GROUP_EVIDENCE_MIN) {
        let fallback = |candidate: &&mut Candidate<'_>| !candidate.is_fixed;
        candidates.iter_mut().filter(fallback).for_each(|candidate| candidate.is_value = false);
    }
}

/// How many values and literals a place has, as assigned so far.
struct Place {
    /// Words that are values.
    members: usize,
    /// All different values.
    values: usize,
    literals: usize,
    /// Visits of all values.
    visits: u64,
}

impl Place {
    fn of(candidates: &[Candidate<'_>], typed: &TypedValues) -> Self {
        let members = candidates.iter().filter(|candidate| candidate.is_value).count();
        let of_words: u64 =
            candidates.iter().filter(|candidate| candidate.is_value).map(|candidate| candidate.visits).sum();
        Self {
            members,
            values: members + typed.distinct,
            literals: candidates.len() - members,
            visits: of_words + typed.visits,
        }
    }

    /// Where most children are values, one more is likely to be one too.
    fn prevalence(&self, is_member: bool) -> f64 {
        let values = (self.values - usize::from(is_member)) as f64;
        let literals = (self.literals - usize::from(!is_member)) as f64;
        ((values + 1.0) / (literals + 1.0)).ln().clamp(-PREVALENCE_MAX, PREVALENCE_MAX)
    }

    /// A value is one of many and visited like them; a literal is an endpoint of its own, as busy as all values together.
    fn visits_evidence(&self, visits: u64, is_member: bool) -> f64 {
        let others = self.visits - if is_member { visits.min(self.visits) } else { 0 };
        if others == 0 {
            return 0.0;
        }
        let share = visits as f64 / others as f64;
        // Busier than all values together is hardly one of them.
        let busiest = -2.0 * share.max(1.0).ln();
        let usual = if self.values < VISITS_MEMBERS_MIN { 0.0 } else { -0.7 * (share.min(1.0) / VISITS_SHARE).ln() };
        (busiest + usual).clamp(VISITS_MIN, VISITS_MAX)
    }
}

/// Dozens of children that are followed by quite the same are hardly all literals.
fn add_evidence_of_likes(candidates: &mut [Candidate<'_>]) {
    let mut likes: BTreeMap<Vec<Symbol<'_>>, f64> = BTreeMap::new();
    for candidate in candidates.iter() {
        *likes.entry(candidate.following.keys().copied().collect()).or_default() += 1.0;
    }
    for candidate in candidates.iter_mut() {
        let symbols: Vec<Symbol<'_>> = candidate.following.keys().copied().collect();
        let alike = likes.get(&symbols).copied().unwrap_or(1.0);
        candidate.own_evidence += (LIKES_WEIGHT * (alike / LIKES_USUAL).max(1.0).ln()).min(CROWD_MAX);
    }
}

fn sum_of<'g>(
    candidates: &[Candidate<'g>],
    beside: &Following<'g>,
    which: impl Fn(&Candidate<'g>) -> bool,
) -> Following<'g> {
    let mut sum = beside.clone();
    for candidate in candidates.iter().filter(|candidate| which(candidate)) {
        add(&mut sum, &candidate.following, 1.0);
    }
    sum
}

fn add<'g>(sum: &mut Following<'g>, counts: &Following<'g>, weight: f64) {
    for (symbol, count) in counts {
        *sum.entry(*symbol).or_default() += count * weight;
    }
}

fn without<'g>(sum: &Following<'g>, counts: &Following<'g>) -> Following<'g> {
    let mut rest = sum.clone();
    for (symbol, count) in counts {
        if let Some(left) = rest.get_mut(symbol) {
            *left = (*left - count).max(0.0);
        }
    }
    rest
}

/// The children that are no words.
#[derive(Default)]
struct TypedValues {
    /// Different values, as far as they are counted.
    distinct: usize,
    visits: u64,
    /// Types that make up more than a twentieth.
    usual: Vec<ValueType>,
    /// All usual types are strict ones.
    is_strict: bool,
}

impl TypedValues {
    fn of(values: &BTreeMap<&str, Vec<&Node>>) -> Self {
        let mut summary = ValueSummary::default();
        values.values().flatten().for_each(|node| summary.merge(&node.values_seen));
        let total: u64 = summary.types.values().sum();
        let mut usual: Vec<ValueType> = summary
            .types
            .iter()
            .filter(|(_, count)| **count * 20 > total)
            .map(|((_, value_type), _)| *value_type)
            .collect();
        usual.sort_unstable();
        usual.dedup();
        let is_strict = !usual.is_empty() && usual.iter().all(|usual| is_strict(*usual));
        Self { distinct: summary.distinct.len(), visits: total, usual, is_strict }
    }

    /// What the values beside it say of a word, when `others` words are values too.
    fn evidence_beside(&self, word: &str, others: usize) -> f64 {
        if self.distinct == 0 {
            return 0.0;
        }
        if self.is_strict && self.distinct >= STRICT_VALUES_MIN && others * 5 < self.distinct {
            return if self.usual.contains(&ValueType::of(word)) { 1.0 } else { -20.0 };
        }
        ((others as f64 + 1.0) / (self.distinct as f64 + others as f64 + 2.0)).ln().max(-3.0) + 0.7
    }
}

/// Types that no word is written in.
fn is_strict(value_type: ValueType) -> bool {
    matches!(
        value_type,
        ValueType::Integer
            | ValueType::Decimal
            | ValueType::Uuid
            | ValueType::Hex
            | ValueType::Date
            | ValueType::DateTime
            | ValueType::PrefixedId
            | ValueType::Coordinates
            | ValueType::Ip
            | ValueType::Email
    )
}

/// Typed values leave no doubt; words are as sure as the least sure of them, roughly.
fn confidence(candidates: &[Candidate<'_>], typed: &TypedValues) -> f32 {
    let members: Vec<f64> =
        candidates.iter().filter(|candidate| candidate.is_value).map(|candidate| candidate.evidence).collect();
    if members.is_empty() || candidates.iter().any(|candidate| candidate.is_value && candidate.is_fixed) {
        return 1.0;
    }
    let mean = members.iter().sum::<f64>() / members.len() as f64;
    let certain = typed.distinct as f64;
    let doubtful = members.len() as f64;
    ((certain + doubtful / (1.0 + (-mean).exp())) / (certain + doubtful)) as f32
}
