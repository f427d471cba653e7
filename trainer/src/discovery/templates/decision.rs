//! Which children of a node are values of its parameter.

use std::collections::BTreeMap;

use apiward_detector::observation::ContentClass;

use crate::discovery::corrections::PlaceCorrection;
use crate::discovery::graph::Node;
use crate::discovery::limits;

use super::Folder;
use super::alike::are_alike;
use super::enumerated::leave_out_enumerated;
use super::evidence::{Followers, Following, GroupFollowing, Symbol, following, same_distribution};
use super::habits::{Habits, same_habits};
use super::mixed::{MixedGroup, mixed_groups};
use super::mixed_words::word_groups;
use super::place::{Anchors, Place};
use super::typed_values::TypedValues;
use super::view::{View, established_callers, visits_of};

/// Callers that a literal needs to be taken for one.
const LITERAL_CALLERS_MIN: usize = 3;
/// Weight of looks among the evidence.
const LOOKS_WEIGHT: f64 = 0.8;
/// Evidence for values: the word was handed out by a response before.
const HANDED_OUT: f64 = 1.5;
/// Too few callers for a literal.
const UNSUPPORTED: f64 = 2.0;
/// Children that are followed by quite the same, above this number, are the likelier values, by this for each e-fold.
const LIKES_USUAL: f64 = 10.0;
const LIKES_WEIGHT: f64 = 1.5;
const LIKES_MAX: f64 = 3.0;
/// A word that many use is a literal unless something speaks for the contrary: the more, by this for each e-fold of callers
/// (as far as they are remembered) above what a literal needs.
const SUPPORTED: f64 = -1.0;
const SUPPORTED_FOLD: f64 = -0.8;
/// Evidence that a group of words needs, all members together, where no other values are beside it.
const GROUP_EVIDENCE_MIN: f64 = 3.0;
/// As many words of which it is not sure that they are values count as one of which it is.
const UNSURE_COUNT: usize = 3;
/// Rounds after which the assignment is taken as it is.
const ROUNDS_MAX: usize = 8;
/// Share of the words' visits that the values beside them need to count.
const TYPED_SHARE_MIN: f64 = 0.02;
/// How many words a form of values weighs as in what follows a group.
const TYPED_WEIGHT: f64 = 4.0;
/// What carries most of the traffic at a place is a literal.
const MOST_VISITS: f64 = -10.0;

/// The children of a node, sorted out.
#[derive(Default)]
pub struct Decided<'g> {
    pub literals: BTreeMap<&'g str, Vec<&'g Node>>,
    pub mixed: Vec<MixedGroup<'g>>,
    pub values: Vec<&'g Node>,
    /// 0..1.
    pub confidence: f32,
    /// Whether the values are those of a closed enumeration.
    pub is_enumeration: bool,
}

/// What is before a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    Nothing,
    Literal,
    /// A parameter of which there is an open set of values.
    Object,
    Enumeration,
}

/// A word with everything that is known of it here.
struct Candidate<'g> {
    word: &'g str,
    nodes: Vec<&'g Node>,
    visits: u64,
    is_supported: bool,
    following: Following<'g>,
    habits: Habits<'g>,
    /// Whether it says anything about the words beside it: what fewer callers than a literal needs made up, all of it together,
    /// does not.
    tells: bool,
    /// Evidence that does not depend on the group.
    own_evidence: f64,
    is_value: bool,
    is_fixed: bool,
    evidence: f64,
}

impl Candidate<'_> {
    fn is_telling_value(&self) -> bool {
        self.is_value && self.tells
    }
}

/// Values of the same place that are no words.
struct Beside<'g> {
    typed: TypedValues,
    following: GroupFollowing<'g>,
    habits: Habits<'g>,
}

impl<'g> Beside<'g> {
    fn of(
        values: &BTreeMap<&'g str, Vec<&'g Node>>,
        visits_of_words: u64,
        folder: &Folder<'g>,
        followers: &Followers<'g>,
    ) -> Self {
        let typed = TypedValues::of(values);
        let mut beside = Self { typed, following: GroupFollowing::default(), habits: Habits::default() };
        // What hardly anybody uses says nothing about the words beside it; a scanner may have left it.
        if beside.typed.visits as f64 <= TYPED_SHARE_MIN * visits_of_words as f64 {
            beside.typed = TypedValues::default();
            return beside;
        }
        for nodes in values.values() {
            beside.following.add(&following(nodes, folder.words, followers), TYPED_WEIGHT);
            beside.habits.add(&Habits::of(nodes, folder.words));
        }
        beside
    }
}

pub fn decide<'g>(
    folder: &Folder<'g>,
    view: &View<'g>,
    before: Before,
    correction: Option<&PlaceCorrection>,
) -> Decided<'g> {
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
    let beside = Beside::of(&values, of_words, folder, &followers);
    let mut is_enumeration = false;
    if folder.evidence.graph {
        assign(folder, &mut candidates, &beside);
        is_enumeration = fold_enumeration(folder, &mut candidates, &beside.typed, before);
    } else {
        let is_crowd = folder.evidence.looks && candidates.len() > limits::PART_WORDS_MAX * 3;
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
            candidate.is_value = candidate.own_evidence > 0.0 || is_crowd;
        }
    }
    let confidence = confidence(&candidates, &beside.typed);
    let mut decided = Decided { confidence, is_enumeration, ..Decided::default() };
    let mut valued: BTreeMap<&'g str, Vec<&'g Node>> = BTreeMap::new();
    for candidate in candidates {
        let into = if candidate.is_value { &mut valued } else { &mut decided.literals };
        into.insert(candidate.word, candidate.nodes);
    }
    let kept = |word: &str| correction.is_some_and(|correction| correction.literals.contains(word));
    let of_words = word_groups(folder, &mut decided.literals, &mut valued, &kept);
    (decided.mixed, decided.values) = mixed_groups(values, valued, of_words, folder.conducts);
    decided
}

fn candidate<'g>(
    folder: &Folder<'g>,
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
    let is_kept = is_grpc(&nodes) || correction.is_some_and(|correction| correction.literals.contains(word));
    let is_folded = correction.is_some_and(|correction| correction.fold) && !is_kept;
    Candidate {
        is_supported,
        visits: visits_of(&nodes),
        following,
        habits: Habits::of(&nodes, folder.words),
        word,
        nodes,
        tells: true,
        own_evidence,
        is_value: is_folded,
        is_fixed: is_kept || is_folded,
        evidence: 0.0,
    }
}

/// Whether most calls are gRPC's, whose paths are a service and a method: literals, both of them.
fn is_grpc(nodes: &[&Node]) -> bool {
    let below = nodes.iter().flat_map(|node| node.words.values()).flat_map(|child| child.calls.values());
    let (mut of_grpc, mut all) = (0, 0);
    for call in nodes.iter().flat_map(|node| node.calls.values()).chain(below) {
        of_grpc += call.summary.requests_of(ContentClass::Grpc);
        all += call.summary.succeeded;
    }
    of_grpc * 2 > all
}

/// Assigns words to the group of values until nothing changes.
fn assign<'g>(folder: &Folder<'g>, candidates: &mut [Candidate<'g>], beside: &Beside<'g>) {
    mute_lone_crowd(folder, candidates);
    add_evidence_of_likes(candidates);
    let typed = &beside.typed;
    let all_visits = typed.visits + candidates.iter().map(|candidate| candidate.visits).sum::<u64>();
    for candidate in candidates.iter_mut().filter(|candidate| candidate.is_supported) {
        candidate.own_evidence += if candidate.visits * 2 > all_visits { MOST_VISITS } else { 0.0 };
    }
    let all = sum_of(candidates, &beside.following, |candidate| candidate.tells);
    let typed_members = if beside.following.has_literals() { typed.distinct } else { 0 };
    let telling = candidates.iter().filter(|candidate| candidate.tells).count();
    let all_members = telling.saturating_sub(1) + typed_members;
    for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
        let similar = same_distribution(&candidate.following, &all, candidate.tells, all_members, folder.words);
        candidate.is_value = candidate.own_evidence > 0.0 || similar + candidate.own_evidence > 1.0;
    }
    let of_telling = candidates.iter().filter(|candidate| candidate.tells);
    let anchors = Anchors::of(of_telling.map(|candidate| candidate.own_evidence));
    for _ in 0..ROUNDS_MAX {
        let group = sum_of(candidates, &beside.following, Candidate::is_telling_value);
        let mut habits = beside.habits.clone();
        let members = candidates.iter().filter(|candidate| candidate.is_telling_value());
        members.for_each(|candidate| habits.add(&candidate.habits));
        let place =
            Place::of(candidates.iter().map(|candidate| (candidate.visits, candidate.is_telling_value())), typed);
        let mut changed = false;
        for candidate in candidates.iter_mut().filter(|candidate| !candidate.is_fixed) {
            let was_value = candidate.is_value;
            let was_member = candidate.is_telling_value();
            let others = place.members - usize::from(was_member);
            // What only resembles the rest says less of what they have in common than what is surely a value.
            let alike =
                anchors.values_beside(candidate.own_evidence).max(others.div_ceil(UNSURE_COUNT)) + typed_members;
            candidate.evidence = candidate.own_evidence
                + same_distribution(&candidate.following, &group, was_member, alike, folder.words)
                + same_habits(&candidate.habits, &habits, was_member, folder.common)
                + typed.evidence_beside(candidate.word, others)
                + anchors.evidence_beside(candidate.own_evidence)
                + place.visits_evidence(candidate.visits, was_member);
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

/// Makes values of all words where they are an enumeration, and tells whether they are.
fn fold_enumeration(
    folder: &Folder<'_>,
    candidates: &mut [Candidate<'_>],
    typed: &TypedValues,
    before: Before,
) -> bool {
    let of_words: u64 = candidates.iter().map(|candidate| candidate.visits).sum();
    // At the root and beside values of clear types, words are literals.
    if before == Before::Nothing || typed.visits * 2 > of_words {
        return false;
    }
    let words: Vec<&Habits<'_>> = candidates
        .iter()
        .filter(|candidate| candidate.is_supported && candidate.tells && !candidate.is_fixed)
        .map(|candidate| &candidate.habits)
        .collect();
    let is_enumeration = are_alike(&words, before == Before::Object, folder.common);
    if is_enumeration {
        let folded = candidates.iter_mut().filter(|candidate| candidate.tells && !candidate.is_fixed);
        folded.for_each(|candidate| candidate.is_value = true);
    }
    is_enumeration
}

/// The values of a parameter have few callers each and many together. Where all words that few use are the work of those few, they
/// are made up.
fn mute_lone_crowd(folder: &Folder<'_>, candidates: &mut [Candidate<'_>]) {
    let crowd: Vec<&Node> = candidates
        .iter()
        .filter(|candidate| !candidate.is_supported)
        .flat_map(|candidate| candidate.nodes.iter().copied())
        .collect();
    if established_callers(&crowd, folder.conducts) < LITERAL_CALLERS_MIN {
        candidates.iter_mut().for_each(|candidate| candidate.tells = candidate.is_supported);
    }
}

/// Dozens of children that are followed by quite the same are hardly all literals.
fn add_evidence_of_likes(candidates: &mut [Candidate<'_>]) {
    let mut likes: BTreeMap<Vec<Symbol<'_>>, f64> = BTreeMap::new();
    for candidate in candidates.iter().filter(|candidate| candidate.tells) {
        *likes.entry(candidate.following.keys().copied().collect()).or_default() += 1.0;
    }
    for candidate in candidates.iter_mut() {
        let symbols: Vec<Symbol<'_>> = candidate.following.keys().copied().collect();
        let alike = likes.get(&symbols).copied().unwrap_or(1.0);
        candidate.own_evidence += (LIKES_WEIGHT * (alike / LIKES_USUAL).max(1.0).ln()).min(LIKES_MAX);
    }
}

fn sum_of<'g>(
    candidates: &[Candidate<'g>],
    beside: &GroupFollowing<'g>,
    which: impl Fn(&Candidate<'g>) -> bool,
) -> GroupFollowing<'g> {
    let mut sum = beside.clone();
    candidates.iter().filter(|candidate| which(candidate)).for_each(|candidate| sum.add(&candidate.following, 1.0));
    sum
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
