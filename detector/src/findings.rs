//! What is odd about an exchange in the light of a route table and a profile, before any calibration.
//!
//! The trainer runs this over its records in time order to find out what such findings are worth; the filter runs it to
//! judge. It is the same code so that they mean the same.

use crate::calibration::Calibration;
use crate::exchange::Phase;
use crate::hashing::stable_hash;
use crate::observation::{Location, Observation, ObservedField, PathComponent, ValueEncoding};
use crate::profile::{EndpointProfile, Novelty, OddityText, Vocabulary};
use crate::verdict::FindingKind;

/// Findings looked at per exchange; more are counted as the last.
const ODD_MAX: usize = 96;
/// Fields whose findings are summed into the statistic.
const SUBJECTS_SUMMED_MAX: usize = 4;
/// Weight of every further finding of the same field: they are seldom independent.
const FURTHER_WEIGHT: f32 = 0.25;
/// Further findings of the same field that count.
const FURTHER_MAX: usize = 6;

/// One oddity of an exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Odd {
    pub kind: FindingKind,
    pub novelty: Novelty,
    pub extent: u8,
    pub phase: Phase,
    /// See [`crate::verdict::Finding::key`].
    pub key: u64,
    /// The field it is about; `None` for the exchange as a whole.
    pub subject: Option<(Location, String)>,
    pub words: OddWords,
}

/// The words of a reason, put together only when needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OddWords {
    Field(OddityText),
    /// A complete reason.
    Whole(String),
}

impl Odd {
    /// The reason as a person reads it.
    pub fn reason(&self, endpoint: &str) -> String {
        match (&self.words, &self.subject) {
            (OddWords::Whole(reason), _) => reason.clone(),
            (OddWords::Field(text), Some((location, name))) if name.is_empty() => {
                format!(
                    "{} on {endpoint} {}",
                    if *location == Location::Body { "body" } else { location.noun() },
                    text.words()
                )
            }
            (OddWords::Field(text), Some((location, name))) => {
                format!("{} {name:?} on {endpoint} {}", location.noun(), text.words())
            }
            (OddWords::Field(text), None) => format!("{endpoint} {}", text.words()),
        }
    }
}

/// Everything odd about an exchange of a known endpoint. `parameters` are the path parameters with their component's position.
pub fn odd_in_profile(
    endpoint_id: u64,
    endpoint: &str,
    profile: &EndpointProfile,
    vocabulary: &Vocabulary,
    observation: &Observation,
    parameters: &[(&str, usize)],
) -> Vec<Odd> {
    let mut odd = Vec::new();
    let id = endpoint_id.to_le_bytes();
    for (name, position) in parameters {
        if let Some(component) = observation.components.get(*position) {
            check_field(&id, endpoint, profile, vocabulary, &path_field(name, component), &mut odd);
        }
    }
    for field in &observation.fields {
        check_field(&id, endpoint, profile, vocabulary, field, &mut odd);
    }
    check_presence(&id, endpoint, profile, observation, &mut odd);
    check_caller(&id, endpoint, profile, observation, &mut odd);
    check_whole(&id, endpoint, profile, observation, &mut odd);
    odd
}

/// A path parameter as a field.
pub fn path_field(name: &str, component: &PathComponent) -> ObservedField {
    ObservedField {
        location: Location::Path,
        name: name.to_owned(),
        encoding: ValueEncoding::Text,
        shape: component.shape.clone(),
    }
}

/// An endpoint or method that is not in the route table.
pub fn odd_route(kind: FindingKind, novelty: Novelty, observation: &Observation, path: &str, reason: String) -> Odd {
    let parts: &[&[u8]] =
        &[b"route", observation.host.as_bytes(), observation.method.as_bytes(), path.as_bytes(), &[kind as u8]];
    Odd {
        kind,
        novelty,
        extent: 0,
        phase: Phase::Headers,
        key: stable_hash(parts),
        subject: None,
        words: OddWords::Whole(reason),
    }
}

/// The statistic over the findings of one detector: per field the strongest surprise −ln(rate) plus a quarter of the next
/// ones, summed over the four strongest fields. 0 without findings.
pub fn rule_statistic<'o>(odd: impl Iterator<Item = &'o Odd>, calibration: &Calibration) -> f32 {
    type Surprises = Vec<f32>;
    let mut subjects: Vec<(&Option<(Location, String)>, Surprises)> = Vec::new();
    for finding in odd {
        let surprise = -calibration.rate(finding.kind, finding.novelty, finding.extent).ln();
        let subject = &finding.subject;
        match subjects.iter_mut().find(|(known, _)| *known == subject) {
            Some((_, surprises)) => surprises.push(surprise),
            None => subjects.push((subject, vec![surprise])),
        }
    }
    let mut sums: Vec<f32> = subjects
        .into_iter()
        .map(|(_, mut surprises)| {
            surprises.sort_by(|one, other| other.total_cmp(one));
            let strongest = surprises.first().copied().unwrap_or(0.0);
            strongest + FURTHER_WEIGHT * surprises.iter().skip(1).take(FURTHER_MAX).sum::<f32>()
        })
        .collect();
    sums.sort_by(|one, other| other.total_cmp(one));
    sums.into_iter().take(SUBJECTS_SUMMED_MAX).sum()
}

fn check_field(
    id: &[u8; 8],
    endpoint: &str,
    profile: &EndpointProfile,
    vocabulary: &Vocabulary,
    field: &ObservedField,
    odd: &mut Vec<Odd>,
) {
    if odd.len() >= ODD_MAX {
        return;
    }
    let subject = (field.location, field.name.clone());
    let Some(known) = profile.profile_of(field) else {
        let already =
            odd.iter().any(|odd| odd.kind == FindingKind::UnknownField && odd.subject.as_ref() == Some(&subject));
        if !already && !has_unknown_parent(profile, field) {
            odd.push(Odd {
                kind: FindingKind::UnknownField,
                novelty: profile.unknown_field,
                extent: 0,
                phase: field.location.phase(),
                key: key(id, FindingKind::UnknownField, Some(&subject), 0),
                words: OddWords::Whole(format!("{} {:?} never seen on {endpoint}", field.location.noun(), field.name)),
                subject: Some(subject),
            });
        }
        return;
    };
    let mut oddities = Vec::new();
    known.check(field, |oddity| oddities.push(oddity));
    vocabulary.weigh(field, &mut oddities);
    for oddity in oddities.into_iter().take(ODD_MAX - odd.len()) {
        // How far out tells apart a little longer from far longer, so that supporting the one does not excuse the other.
        let property = oddity.property.wrapping_mul(4).wrapping_add(u64::from(oddity.extent));
        odd.push(Odd {
            kind: oddity.kind,
            novelty: known.novelty_of(oddity.kind),
            extent: oddity.extent,
            phase: field.location.phase(),
            key: key(id, oddity.kind, Some(&subject), property),
            subject: Some(subject.clone()),
            words: OddWords::Field(oddity.text),
        });
    }
}

/// Members of an unknown object are not reported one by one.
fn has_unknown_parent(profile: &EndpointProfile, field: &ObservedField) -> bool {
    let parent = match (field.name.rfind('.'), field.name.strip_suffix("[]")) {
        (_, Some(list)) => Some(list),
        (Some(dot), None) => field.name.get(..dot),
        (None, None) => None,
    };
    parent.is_some_and(|parent| !parent.is_empty() && profile.field(field.location, parent).is_none())
}

/// Required fields that are missing, and names repeated more often than ever.
fn check_presence(
    id: &[u8; 8],
    endpoint: &str,
    profile: &EndpointProfile,
    observation: &Observation,
    odd: &mut Vec<Odd>,
) {
    for known in &profile.fields {
        let judged =
            known.location != Location::Path && known.location.phase() <= observation.phase && !observation.incomplete;
        if !judged || odd.len() >= ODD_MAX || (observation.body.cut && known.location.phase() == Phase::Body) {
            continue;
        }
        let repeats = observation
            .fields
            .iter()
            .filter(|field| field.location == known.location && field.name == known.name)
            .count();
        let subject = (known.location, known.name.clone());
        let noun = known.location.noun();
        let name = &known.name;
        if repeats == 0 && known.required {
            let reason = if name.is_empty() {
                format!("body that every earlier {endpoint} had is missing")
            } else {
                format!("{noun} {name:?}, which every earlier {endpoint} had, is missing")
            };
            odd.push(Odd {
                kind: FindingKind::MissingField,
                novelty: known.novelty_of(FindingKind::MissingField),
                extent: 0,
                phase: known.location.phase(),
                key: key(id, FindingKind::MissingField, Some(&subject), 0),
                subject: Some(subject),
                words: OddWords::Whole(reason),
            });
        } else if repeats > usize::from(known.repeats_max) && !known.name.contains("[]") {
            odd.push(Odd {
                kind: FindingKind::RepeatedField,
                novelty: profile.unknown_field,
                extent: 0,
                phase: known.location.phase(),
                key: key(id, FindingKind::RepeatedField, Some(&subject), 0),
                subject: Some(subject),
                words: OddWords::Whole(format!("{noun} {name:?} given {repeats} times on {endpoint}")),
            });
        }
    }
}

/// A caller of a kind that never uses the endpoint.
fn check_caller(
    id: &[u8; 8],
    endpoint: &str,
    profile: &EndpointProfile,
    observation: &Observation,
    odd: &mut Vec<Odd>,
) {
    let kinds = &observation.caller_kinds;
    if profile.is_used_by(kinds) {
        return;
    }
    let answered = observation.response.is_some_and(|response| response.is_answer());
    let property = stable_hash(&kinds.iter().map(String::as_bytes).collect::<Vec<_>>());
    odd.push(Odd {
        kind: FindingKind::CallerKind,
        novelty: profile.unknown_caller_kind,
        extent: EndpointProfile::caller_extent(kinds, answered),
        phase: if answered { Phase::Response } else { Phase::Headers },
        key: key(id, FindingKind::CallerKind, None, property),
        subject: None,
        words: OddWords::Whole(profile.unused_by(kinds, endpoint)),
    });
}

/// What is odd about the exchange besides its fields.
fn check_whole(id: &[u8; 8], endpoint: &str, profile: &EndpointProfile, observation: &Observation, odd: &mut Vec<Odd>) {
    let mut add = |kind, novelty, phase, property, reason: String| {
        odd.push(Odd {
            kind,
            novelty,
            extent: 0,
            phase,
            key: key(id, kind, None, property),
            subject: None,
            words: OddWords::Whole(reason),
        });
    };
    let marks = &observation.path_marks;
    let path_oddities = [
        (marks.dots, "path with dot segments"),
        (marks.encoded_twice, "path encoded more than once"),
        (marks.encoded_separator, "path with an encoded slash, backslash or NUL"),
        (marks.empty_component, "path with an empty component"),
        (marks.truncated, "path longer than is looked at"),
    ];
    for (property, (present, what)) in (0_u64..).zip(path_oddities) {
        if present {
            add(
                FindingKind::PathOddity,
                profile.unknown_field,
                Phase::Headers,
                property,
                format!("{what} on {endpoint}"),
            );
        }
    }
    if observation.body.malformed {
        let reason = match observation.body.problem {
            Some(problem) => format!("body on {endpoint} {}", problem.words()),
            None => format!("body on {endpoint} is no valid {}", observation.request_content.noun()),
        };
        add(FindingKind::Malformed, profile.unknown_field, Phase::Body, 0, reason);
    }
    if let Some(response) = &observation.response
        && let Some(status) = response.status
        && !response.is_server_failure()
        && profile.statuses.binary_search(&status).is_err()
        && !profile.statuses.is_empty()
    {
        let reason = format!("status {status} never seen on {endpoint}");
        add(FindingKind::Status, profile.unknown_status, Phase::Response, u64::from(status), reason);
    }
}

fn key(id: &[u8; 8], kind: FindingKind, subject: Option<&(Location, String)>, property: u64) -> u64 {
    let (location, name) = subject.map_or((u8::MAX, ""), |(location, name)| (*location as u8, name.as_str()));
    stable_hash(&[id, &[kind as u8, location], name.as_bytes(), &property.to_le_bytes()])
}
