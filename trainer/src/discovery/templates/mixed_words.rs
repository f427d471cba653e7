//! Words of a mixed form: names with a verb or an ending behind them (`web-1:resize`), and one name with several endings
//! (`export.csv`).

use std::collections::{BTreeMap, BTreeSet};

use crate::discovery::graph::Node;

use super::Folder;
use super::mixed::{FormPart, HANDLE_SIGNS, MixedGroup, REPRESENTATIONS_MAX, SIBLING_FORMS_MAX, Traffic, parts_of};
use super::view::established_callers;

/// Endings by which the form of a representation is chosen.
const EXTENSIONS: [&str; 40] = [
    "atom", "avif", "css", "csv", "docx", "geojson", "gif", "gpx", "gz", "htm", "html", "ics", "jpeg", "jpg", "js",
    "json", "jsonl", "kml", "md", "mp3", "mp4", "ndjson", "ogg", "parquet", "pbf", "pdf", "png", "rss", "svg", "tar",
    "tsv", "txt", "vcf", "wav", "webm", "webp", "xlsx", "xml", "yaml", "zip",
];
/// Evidence that names before the same ending need, all together.
const NAMES_EVIDENCE_MIN: f64 = 1.0;
/// A name that is a value on its own beside it.
const ALSO_ALONE: f64 = 2.0;
const FEW_CALLERS: f64 = 1.0;
const MANY_CALLERS: f64 = -0.5;
/// A name behind a kind that few ask for: verbs have more callers.
const NAME_OF_FEW: f64 = 2.0;
const CALLERS_MANY: usize = 3;

/// What stands between a kind and a name: `v1:tasks`.
const KIND_SIGN: &str = ":";
/// Different names behind the same beginning, at least.
const NAMES_BEHIND_MIN: usize = 3;
/// Kinds of one place; with more of them they are names that have a version or a tag behind them.
const KINDS_MAX: usize = 4;

/// Whether a part is the ending of a file name.
pub fn is_extension(part: &str) -> bool {
    EXTENSIONS.binary_search(&part).is_ok()
}

type Words<'g> = BTreeMap<&'g str, Vec<&'g Node>>;

/// Takes words of mixed forms out of literals and values. `kept` names words that are literals by decision.
pub fn word_groups<'g>(
    folder: &Folder<'_>,
    literals: &mut Words<'g>,
    values: &mut Words<'g>,
    kept: &impl Fn(&str) -> bool,
) -> Vec<MixedGroup<'g>> {
    let mut by_ending: BTreeMap<(&str, &str), Vec<(&str, &'g str)>> = BTreeMap::new();
    let mut by_name: BTreeMap<(&str, &str), BTreeSet<&'g str>> = BTreeMap::new();
    for word in literals.keys().chain(values.keys()).copied().filter(|word| !kept(word)) {
        if let [("", name), (separator, ending)] = parts_of(word)[..]
            && !name.is_empty()
            && !ending.is_empty()
        {
            by_ending.entry((separator, ending)).or_default().push((name, word));
            if separator == "." && is_extension(ending) {
                by_name.entry((name, separator)).or_default().insert(word);
            }
        }
    }
    let mut endings: BTreeMap<&str, usize> = BTreeMap::new();
    for (separator, _) in by_ending.keys() {
        *endings.entry(separator).or_default() += 1;
    }
    let all = Traffic::of(values.values().chain(literals.values()));
    let mut groups = Vec::new();
    for ((separator, ending), names) in by_ending {
        let nodes = names.iter().filter_map(|(_, word)| literals.get(word).or_else(|| values.get(word)));
        if separator == "." && !Traffic::of(nodes).is_of_representations(all) {
            continue;
        }
        // First and last names have a point between them too, and what there is a lot of is no verb.
        let is_one_of_many = endings.get(separator).is_some_and(|endings| *endings > SIBLING_FORMS_MAX);
        if !is_extension(ending) && (separator == "." || is_one_of_many) {
            continue;
        }
        let evidence: f64 = names.iter().map(|(name, word)| evidence_of(folder, name, word, literals, values)).sum();
        if names.len() > 1 && evidence > NAMES_EVIDENCE_MIN {
            let parts = vec![FormPart::value(""), FormPart::literal(separator, ending)];
            let words = names.into_iter().map(|(_, word)| word);
            groups.push(MixedGroup { parts, nodes: take(words, literals, values) });
        }
    }
    groups.extend(groups_by_beginning(folder, literals, values, kept));
    for ((name, separator), words) in by_name {
        let left: Vec<&'g str> = words.into_iter().filter(|word| literals.contains_key(word)).collect();
        if left.len() > REPRESENTATIONS_MAX && folder.evidence.graph {
            let parts = vec![FormPart::literal("", name), FormPart::value(separator)];
            groups.push(MixedGroup { parts, nodes: take(left.into_iter(), literals, values) });
        }
    }
    groups
}

/// Names behind a sign (`@anna`), and behind a word that says of what kind they are (`v1:tasks`, `node:engine`).
fn groups_by_beginning<'g>(
    folder: &Folder<'_>,
    literals: &mut Words<'g>,
    values: &mut Words<'g>,
    kept: &impl Fn(&str) -> bool,
) -> Vec<MixedGroup<'g>> {
    let mut by_beginning: BTreeMap<(&str, &str), Vec<&'g str>> = BTreeMap::new();
    for word in literals.keys().chain(values.keys()).copied().filter(|word| !kept(word)) {
        match parts_of(word)[..] {
            [(sign, _), ..] if HANDLE_SIGNS.contains(&sign) => by_beginning.entry(("", sign)).or_default().push(word),
            [("", kind), (KIND_SIGN, _), ..] if folder.words.of(kind) < 0.0 => {
                by_beginning.entry((kind, KIND_SIGN)).or_default().push(word);
            }
            _ => {}
        }
    }
    let kinds = by_beginning.keys().filter(|(_, sign)| *sign == KIND_SIGN).count();
    let mut groups = Vec::new();
    for ((kind, sign), words) in by_beginning {
        if words.len() < NAMES_BEHIND_MIN || sign == KIND_SIGN && kinds > KINDS_MAX {
            continue;
        }
        if sign == KIND_SIGN && !are_open(folder, &words, literals, values) {
            continue;
        }
        let mut parts = vec![FormPart::value(sign)];
        if sign == KIND_SIGN {
            parts.insert(0, FormPart::literal("", kind));
        }
        groups.push(MixedGroup { parts, nodes: take(words.into_iter(), literals, values) });
    }
    groups
}

/// Whether what stands behind a kind are names; verbs of one collection (`documents:commit`) are words of an API, used by many.
fn are_open(folder: &Folder<'_>, words: &[&str], literals: &Words<'_>, values: &Words<'_>) -> bool {
    let evidence = words.iter().map(|word| {
        let name = parts_of(word).get(1).map_or("", |(_, name)| *name);
        let callers = established_callers(nodes_of(word, literals, values), folder.conducts);
        let of_callers = if callers < CALLERS_MANY { NAME_OF_FEW } else { MANY_CALLERS };
        looks(folder, name) + of_callers
    });
    evidence.sum::<f64>() > 0.0
}

fn looks(folder: &Folder<'_>, name: &str) -> f64 {
    if folder.evidence.looks { f64::from(folder.words.of(name)) } else { 0.0 }
}

fn nodes_of<'n, 'g>(word: &str, literals: &'n Words<'g>, values: &'n Words<'g>) -> &'n [&'g Node] {
    literals.get(word).or_else(|| values.get(word)).map(Vec::as_slice).unwrap_or_default()
}

fn evidence_of(folder: &Folder<'_>, name: &str, word: &str, literals: &Words<'_>, values: &Words<'_>) -> f64 {
    let few = established_callers(nodes_of(word, literals, values), folder.conducts) < CALLERS_MANY;
    let callers = if few { FEW_CALLERS } else { MANY_CALLERS };
    let alone = match () {
        () if values.contains_key(name) => ALSO_ALONE,
        () if literals.contains_key(name) => -ALSO_ALONE,
        () => 0.0,
    };
    looks(folder, name) + callers + alone
}

fn take<'g>(words: impl Iterator<Item = &'g str>, literals: &mut Words<'g>, values: &mut Words<'g>) -> Vec<&'g Node> {
    words.flat_map(|word| literals.remove(word).or_else(|| values.remove(word)).unwrap_or_default()).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn endings_are_sorted() {
        assert!(super::EXTENSIONS.is_sorted());
    }
}
