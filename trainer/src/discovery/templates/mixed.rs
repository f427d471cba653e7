//! Values with literals in them: which components of a group are of one mixed form.

use std::collections::{BTreeMap, BTreeSet};

use apiward_detector::observation::ValueType;
use apiward_detector::route::{MixedComponent, MixedPart, MixedPartKind};

use crate::discovery::graph::{Conducts, JOINING_SIGNS, Node, VALUE};
use crate::discovery::summary::DistinctValues;

use super::mixed_words::is_extension;
use super::parameter_name;
use super::view::{calls_of, established_callers, visits_of};

/// Callers that a mixed form needs, beside other values, to be told from a value that happens to have punctuation in it.
const FORM_CALLERS_MIN: usize = 2;
/// Share of a group's visits in which a separator or a literal has to be the same.
const CONSTANT_SHARE: f64 = 0.9;
/// Forms that differ in one literal only, above which that literal is a value.
pub const SIBLING_FORMS_MAX: usize = 12;
/// Endings of one name up to which each of them is an endpoint of its own; with more the ending is a parameter.
pub const REPRESENTATIONS_MAX: usize = 2;
/// Share of visits with an ending below which it belongs to the value, unless nearly all calls have one: some names do, `node.js`.
const REPRESENTATIONS_SHARE: f64 = 0.2;

/// Separators that join two values, where all values have them.
const PAIR_SIGNS: [&str; 2] = ["@", ","];

/// How much comes by some components, and how much of it ends there.
#[derive(Debug, Clone, Copy, Default)]
pub struct Traffic {
    visits: u64,
    calls: u64,
}

impl Traffic {
    pub fn of<'n, 'g: 'n>(components: impl Iterator<Item = &'n Vec<&'g Node>>) -> Self {
        components.fold(Self::default(), |sum, nodes| Self {
            visits: sum.visits + visits_of(nodes),
            calls: sum.calls + calls_of(nodes),
        })
    }

    /// Whether an ending that has so much of `all` chooses a representation, and is not part of names.
    pub fn is_of_representations(self, all: Self) -> bool {
        self.visits as f64 >= REPRESENTATIONS_SHARE * all.visits as f64
            || self.calls as f64 >= CONSTANT_SHARE * all.calls as f64 && self.calls > 0
    }
}

/// Components of one mixed form.
pub struct MixedGroup<'g> {
    pub parts: Vec<FormPart>,
    pub nodes: Vec<&'g Node>,
}

/// Separator, and a literal or nothing for a value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FormPart {
    separator: String,
    literal: Option<String>,
}

impl FormPart {
    pub fn literal(separator: &str, literal: &str) -> Self {
        Self { separator: separator.to_owned(), literal: Some(literal.to_owned()) }
    }

    pub fn value(separator: &str) -> Self {
        Self { separator: separator.to_owned(), literal: None }
    }
}

/// Groups of the same form put together.
fn joined(groups: Vec<MixedGroup<'_>>) -> Vec<MixedGroup<'_>> {
    let mut by_form: BTreeMap<Vec<FormPart>, Vec<&Node>> = BTreeMap::new();
    for group in groups {
        by_form.entry(group.parts).or_default().extend(group.nodes);
    }
    by_form.into_iter().map(|(parts, nodes)| MixedGroup { parts, nodes }).collect()
}

impl MixedGroup<'_> {
    /// Whether it is a value before one literal, and these parts end in it too: their value has punctuation in it.
    fn ends_like(&self, parts: &[FormPart]) -> bool {
        match &self.parts[..] {
            [value, ending] => {
                value.literal.is_none() && ending.literal.is_some() && parts.len() > 1 && parts.last() == Some(ending)
            }
            _ => false,
        }
    }

    /// The component for a route table. `parameters` is how many the template has before.
    pub fn component(&self, parameters: usize) -> MixedComponent {
        let mut template = String::new();
        let mut names = parameters;
        let parts = self
            .parts
            .iter()
            .map(|part| {
                template.push_str(&part.separator);
                let kind = match &part.literal {
                    Some(literal) => {
                        template.push_str(literal);
                        MixedPartKind::Literal(literal.clone())
                    }
                    None => {
                        let name = parameter_name(names);
                        names += 1;
                        template.push_str(&format!("{{{name}}}"));
                        MixedPartKind::Value { name, types: value_types() }
                    }
                };
                MixedPart { separator: part.separator.clone(), kind }
            })
            .collect();
        MixedComponent { template, parts }
    }
}

/// The literals and separators are what a mixed component is told by; its values may be anything but nothing.
fn value_types() -> Vec<ValueType> {
    let mut types = vec![
        ValueType::Integer,
        ValueType::Decimal,
        ValueType::Boolean,
        ValueType::Uuid,
        ValueType::Hex,
        ValueType::Date,
        ValueType::DateTime,
        ValueType::Email,
        ValueType::Ip,
        ValueType::Version,
        ValueType::FileName,
        ValueType::Locale,
        ValueType::Coordinates,
        ValueType::PrefixedId,
        ValueType::Word,
        ValueType::Slug,
        ValueType::Token,
        ValueType::Text,
    ];
    types.sort_unstable();
    types
}

type Members<'g> = Vec<(Vec<FormPart>, Vec<&'g Node>)>;

/// Parts the values of a node (by form, and words) into groups of one mixed form each, beside those that are known already, and
/// the others.
pub fn mixed_groups<'g>(
    values: BTreeMap<&'g str, Vec<&'g Node>>,
    words: BTreeMap<&'g str, Vec<&'g Node>>,
    known: Vec<MixedGroup<'g>>,
    conducts: &Conducts,
) -> (Vec<MixedGroup<'g>>, Vec<&'g Node>) {
    let mut members: Members<'g> = values.into_iter().map(|(form, nodes)| (parts_of_form(form), nodes)).collect();
    members.extend(words.into_iter().map(|(word, nodes)| (parts_of_word(word), nodes)));
    let (mut groups, rest) = by_common_separators(members);
    groups.extend(known);
    let mut plain: Members<'g> = Vec::new();
    let mut siblings: BTreeMap<Vec<String>, BTreeSet<Vec<FormPart>>> = BTreeMap::new();
    for (parts, _) in rest.iter().filter(|(parts, _)| is_mixed(parts)) {
        siblings.entry(separators(parts)).or_default().insert(parts.clone());
    }
    let all = Traffic::of(rest.iter().map(|(_, nodes)| nodes));
    let endings = || rest.iter().filter(|(parts, _)| ends_in_extension(parts));
    let with_extension: u64 = endings().map(|(_, nodes)| calls_of(nodes)).sum();
    let are_usual = Traffic::of(endings().map(|(_, nodes)| nodes)).is_of_representations(all);
    // Where words have endings too, these are names of files.
    let of_names: u64 = rest
        .iter()
        .filter(|(parts, _)| !is_mixed(parts) && has_extension(parts))
        .map(|(_, nodes)| calls_of(nodes))
        .sum();
    let are_representations = are_usual && of_names * 5 < with_extension;
    for (parts, nodes) in rest {
        let forms = siblings.get(&separators(&parts)).map_or(0, BTreeSet::len);
        let mut different = DistinctValues::default();
        nodes.iter().for_each(|node| different.merge(&node.values_seen.distinct));
        let distinct = different.len();
        let supported = established_callers(&nodes, conducts) >= FORM_CALLERS_MIN;
        match () {
            // One thing in several representations.
            () if !are_representations && ends_in_extension(&parts) => plain.push((parts, nodes)),
            () if forms > REPRESENTATIONS_MAX && ends_in_extension(&parts) => {
                let last = parts.len() - 1;
                let open = parts.into_iter().enumerate().map(|(place, part)| match place {
                    place if place == last => FormPart { literal: None, ..part },
                    _ => part,
                });
                groups.push(MixedGroup { parts: open.collect(), nodes });
            }
            () if is_handle(&parts) && distinct > 1 && supported => {
                let sign = parts.first().map_or("", |first| first.separator.as_str());
                groups.push(MixedGroup { parts: vec![FormPart::value(sign)], nodes });
            }
            () if is_joined(&parts) && distinct > 1 && supported => groups.push(MixedGroup { parts, nodes }),
            () if is_mixed(&parts)
                && is_told_apart(&parts)
                && (forms <= SIBLING_FORMS_MAX || has_arguments(&parts))
                && distinct > 1
                && supported =>
            {
                groups.push(MixedGroup { parts, nodes });
            }
            () => plain.push((parts, nodes)),
        }
    }
    let mut groups = joined(groups);
    let mut values = Vec::new();
    for (parts, nodes) in plain {
        match groups.iter_mut().find(|group| group.ends_like(&parts)) {
            Some(group) => group.nodes.extend(nodes),
            None => values.extend(nodes),
        }
    }
    (groups, values)
}

fn separators(parts: &[FormPart]) -> Vec<String> {
    parts.iter().map(|part| part.separator.clone()).collect()
}

/// Signs before a name that say of what kind it is: `@anna`, `~anna`.
pub const HANDLE_SIGNS: [&str; 2] = ["@", "~"];

fn is_handle(parts: &[FormPart]) -> bool {
    parts.first().is_some_and(|first| HANDLE_SIGNS.contains(&first.separator.as_str()))
        && parts.iter().all(|part| part.literal.is_none())
}

/// Two values joined by a sign that names hardly have.
fn is_joined(parts: &[FormPart]) -> bool {
    matches!(parts, [first, second]
        if first.separator.is_empty() && JOINING_SIGNS.contains(&second.separator.as_str())
            && first.literal.is_none() && second.literal.is_none())
}

/// `Orders(·)`: what is before a bracket is the name of an entity set or a function, however many there are.
fn has_arguments(parts: &[FormPart]) -> bool {
    parts.first().is_some_and(|first| first.literal.is_some())
        && parts.get(1).is_some_and(|second| second.separator.starts_with('('))
}

/// A point alone tells nothing: names have one too.
fn is_told_apart(parts: &[FormPart]) -> bool {
    ends_in_extension(parts) || parts.iter().skip(1).any(|part| part.separator != ".")
}

fn ends_in_extension(parts: &[FormPart]) -> bool {
    is_mixed(parts) && has_extension(parts)
}

fn has_extension(parts: &[FormPart]) -> bool {
    parts.last().is_some_and(|last| last.separator == "." && last.literal.as_deref().is_some_and(is_extension))
}

fn is_mixed(parts: &[FormPart]) -> bool {
    parts.iter().any(|part| part.literal.is_some()) && parts.iter().any(|part| part.literal.is_none())
}

/// Where nearly all values have the same long separators (`..`, `...`) or begin with one (`@`), or the same literal at one
/// end, this is the form of all of them.
fn by_common_separators(members: Members<'_>) -> (Vec<MixedGroup<'_>>, Members<'_>) {
    let total: u64 = members.iter().map(|(_, nodes)| visits_of(nodes)).sum();
    let mut shares: BTreeMap<String, u64> = BTreeMap::new();
    for (parts, nodes) in &members {
        let separators: BTreeSet<&String> =
            parts.iter().map(|part| &part.separator).filter(|separator| !separator.is_empty()).collect();
        for separator in separators {
            *shares.entry(separator.clone()).or_default() += visits_of(nodes);
        }
    }
    let constant: Vec<String> = shares
        .into_iter()
        .filter(|(_, visits)| *visits as f64 >= CONSTANT_SHARE * total as f64)
        .map(|(separator, _)| separator)
        .collect();
    if constant.is_empty() || total == 0 {
        return (Vec::new(), members);
    }
    let reduced: Vec<(Vec<ReducedPart>, Vec<&Node>)> =
        members.iter().map(|(parts, nodes)| (reduce(parts, &constant), nodes.clone())).collect();
    let Some(shape) = common_shape(&reduced, total) else {
        return (Vec::new(), members);
    };
    let literals = common_literals(&reduced, &shape, total);
    let starts_with_separator = shape.first().is_some_and(|first| !first.is_empty());
    let has_long_separator =
        shape.iter().any(|separator| separator.len() > 1 || PAIR_SIGNS.contains(&separator.as_str()));
    let has_literal = literals.iter().any(Option::is_some);
    let has_value = literals.iter().any(Option::is_none);
    if !has_value || !(has_literal || starts_with_separator || has_long_separator) {
        return (Vec::new(), members);
    }
    let parts: Vec<FormPart> = shape
        .iter()
        .zip(literals)
        .map(|(separator, literal)| FormPart { separator: separator.clone(), literal })
        .collect();
    let mut nodes = Vec::new();
    let mut rest = Vec::new();
    for (member, (own, _)) in members.into_iter().zip(&reduced) {
        if fits(own, &parts) { nodes.extend(member.1) } else { rest.push(member) }
    }
    (vec![MixedGroup { parts, nodes }], rest)
}

/// A part between constant separators: the literal if it is one, or nothing.
type ReducedPart = (String, Option<String>);

/// Joins what stands between separators that are not constant into one value.
fn reduce(parts: &[FormPart], constant: &[String]) -> Vec<ReducedPart> {
    let mut reduced: Vec<ReducedPart> = Vec::new();
    for part in parts {
        if reduced.is_empty() || constant.contains(&part.separator) {
            reduced.push((part.separator.clone(), part.literal.clone()));
        } else if let Some(last) = reduced.last_mut() {
            last.1 = None;
        }
    }
    reduced
}

fn common_shape(reduced: &[(Vec<ReducedPart>, Vec<&Node>)], total: u64) -> Option<Vec<String>> {
    let mut shapes: BTreeMap<Vec<String>, u64> = BTreeMap::new();
    for (parts, nodes) in reduced {
        *shapes.entry(parts.iter().map(|(separator, _)| separator.clone()).collect()).or_default() += visits_of(nodes);
    }
    shapes
        .into_iter()
        .find(|(shape, visits)| shape.len() > 1 && *visits as f64 >= CONSTANT_SHARE * total as f64)
        .map(|(shape, _)| shape)
}

fn common_literals(reduced: &[(Vec<ReducedPart>, Vec<&Node>)], shape: &[String], total: u64) -> Vec<Option<String>> {
    (0..shape.len())
        .map(|place| {
            let mut words: BTreeMap<&Option<String>, u64> = BTreeMap::new();
            for (parts, nodes) in reduced.iter().filter(|(parts, _)| parts.len() == shape.len()) {
                if let Some((_, literal)) = parts.get(place) {
                    *words.entry(literal).or_default() += visits_of(nodes);
                }
            }
            let most = words.into_iter().max_by_key(|(_, visits)| *visits);
            most.filter(|(_, visits)| *visits as f64 >= CONSTANT_SHARE * total as f64)
                .and_then(|(literal, _)| literal.clone())
        })
        .collect()
}

fn fits(parts: &[ReducedPart], form: &[FormPart]) -> bool {
    parts.len() == form.len()
        && parts.iter().zip(form).all(|((separator, literal), part)| {
            *separator == part.separator && (part.literal.is_none() || part.literal == *literal)
        })
}

fn parts_of_form(form: &str) -> Vec<FormPart> {
    parts_of(form)
        .into_iter()
        .map(|(separator, text)| FormPart {
            separator: separator.to_owned(),
            literal: (text != VALUE).then(|| text.to_owned()),
        })
        .collect()
}

fn parts_of_word(word: &str) -> Vec<FormPart> {
    parts_of(word)
        .into_iter()
        .map(|(separator, text)| FormPart { separator: separator.to_owned(), literal: Some(text.to_owned()) })
        .collect()
}

/// Separators with what follows them; a value behind a literal without a separator is a part of its own.
pub fn parts_of(text: &str) -> Vec<(&str, &str)> {
    if let Some(prefix) = text.strip_suffix(VALUE)
        && !prefix.is_empty()
        && prefix.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        return vec![("", prefix), ("", VALUE)];
    }
    let is_sign = |sign: char| sign.is_alphanumeric() || matches!(sign, '-' | '_' | '·');
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (separator, after) = rest.split_at(rest.find(is_sign).unwrap_or(rest.len()));
        let (part, next) = after.split_at(after.find(|sign| !is_sign(sign)).unwrap_or(after.len()));
        parts.push((separator, part));
        rest = next;
    }
    parts
}
