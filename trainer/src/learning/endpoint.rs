//! Learning one endpoint's fields, one exchange after the other.

use std::collections::{BTreeSet, HashSet};

use apiward_detector::findings::{Odd, path_field};
use apiward_detector::hashing::stable_hash;
use apiward_detector::observation::{CharacterClasses, Location, Observation, ObservedField};
use apiward_detector::profile::{
    EndpointProfile, FIELD_KINDS, FieldProfile, PATTERNS_MAX, VALUES_ENUMERATED_MAX, fold_pattern,
};
use apiward_detector::verdict::FindingKind;

use super::callers::{has_caller_news, is_answered};
use super::novelty::NoveltyCounter;

/// Share of an endpoint's exchanges that carry a field which counts as required.
const REQUIRED_SHARE: f64 = 0.995;
/// Exchanges of an endpoint before any field counts as required.
const REQUIRED_EXCHANGES_MIN: u32 = 30;
/// Occurrences per different value that make a field an enumeration.
const ENUMERATED_OCCURRENCES_MIN: u32 = 20;
/// Fields of one endpoint; more can only be noise.
const FIELDS_MAX: usize = 512;

/// A field as the exchange names it.
pub type FieldKey = (Location, String);

/// The growing profile of an endpoint, with what is needed to keep it growing.
pub struct EndpointLearner {
    pub profile: EndpointProfile,
    fields: Vec<FieldState>,
    unknown_field: NoveltyCounter,
    unknown_status: NoveltyCounter,
    pub unknown_caller_kind: NoveltyCounter,
}

/// One per field of the profile, in the same order.
#[derive(Default)]
struct FieldState {
    novelty: [NoveltyCounter; FIELD_KINDS.len()],
    values: HashSet<u64>,
    occurrences: u32,
}

impl EndpointLearner {
    pub fn new(profile: EndpointProfile) -> Self {
        Self {
            profile,
            fields: Vec::new(),
            unknown_field: NoveltyCounter::default(),
            unknown_status: NoveltyCounter::default(),
            unknown_caller_kind: NoveltyCounter::default(),
        }
    }

    /// Takes in an exchange; `odd` is what the profile found odd about it before. Fields and kinds of callers that are not
    /// admitted are skipped.
    pub fn learn(
        &mut self,
        observation: &Observation,
        parameters: &[(&str, usize)],
        odd: &[Odd],
        admitted: impl Fn(&FieldKey) -> bool,
        admitted_kinds: &BTreeSet<String>,
    ) {
        self.profile.exchanges = self.profile.exchanges.saturating_add(1);
        let is_admitted_novelty = |odd: &Odd| {
            odd.kind == FindingKind::UnknownField && odd.subject.as_ref().is_some_and(&admitted)
                || odd.kind == FindingKind::RepeatedField
        };
        self.unknown_field.count(odd.iter().any(is_admitted_novelty));
        self.profile.unknown_field = self.unknown_field.novelty();
        self.learn_status(observation);
        self.learn_caller(observation, odd, admitted_kinds);
        for (profile, state) in self.profile.fields.iter_mut().zip(&mut self.fields) {
            state.count_novelty(profile, odd, observation);
        }
        let mut carried: Vec<FieldKey> = Vec::new();
        let path_fields = parameters.iter().filter_map(|(name, position)| {
            observation.components.get(*position).map(|component| path_field(name, component))
        });
        for field in path_fields {
            self.learn_value(&field, &mut carried);
        }
        for field in &observation.fields {
            let key = (field.location, field.name.clone());
            if admitted(&key) {
                self.learn_value(field, &mut carried);
            }
        }
        self.learn_presence(&carried, observation);
    }

    fn learn_status(&mut self, observation: &Observation) {
        let Some(status) = observation.response.and_then(|response| response.status) else {
            return;
        };
        let place = self.profile.statuses.binary_search(&status);
        self.unknown_status.count(place.is_err());
        if let Err(place) = place {
            self.profile.statuses.insert(place, status);
        }
        self.profile.unknown_status = self.unknown_status.novelty();
    }

    fn learn_caller(&mut self, observation: &Observation, odd: &[Odd], admitted: &BTreeSet<String>) {
        if observation.caller_kinds.is_empty() {
            return;
        }
        if self.profile.tells_callers() {
            self.unknown_caller_kind.count(has_caller_news(observation, odd, admitted));
        }
        if is_answered(observation) {
            for kind in observation.caller_kinds.iter().filter(|kind| admitted.contains(*kind)) {
                insert_sorted(&mut self.profile.caller_kinds, kind.clone());
            }
        }
    }

    fn learn_value(&mut self, field: &ObservedField, carried: &mut Vec<FieldKey>) {
        let order = |profile: &FieldProfile| {
            (profile.location, profile.name.as_str()).cmp(&(field.location, field.name.as_str()))
        };
        let place = match self.profile.fields.binary_search_by(order) {
            Ok(place) => place,
            Err(_) if self.profile.fields.len() >= FIELDS_MAX => return,
            Err(place) => {
                self.profile.fields.insert(place, first_profile(field));
                self.fields.insert(place, FieldState::default());
                place
            }
        };
        let profile = &mut self.profile.fields[place];
        widen(profile, field);
        self.fields[place].enumerate(profile, field);
        let key = (field.location, field.name.clone());
        carried.push(key);
    }

    fn learn_presence(&mut self, carried: &[FieldKey], observation: &Observation) {
        let exchanges = self.profile.exchanges;
        for profile in &mut self.profile.fields {
            let times = carried
                .iter()
                .filter(|(location, name)| *location == profile.location && *name == profile.name)
                .count();
            if times > 0 {
                profile.exchanges = profile.exchanges.saturating_add(1);
                profile.repeats_max = profile.repeats_max.max(u16::try_from(times).unwrap_or(u16::MAX));
            }
            let share = f64::from(profile.exchanges) / f64::from(exchanges);
            profile.required = exchanges >= REQUIRED_EXCHANGES_MIN
                && share >= REQUIRED_SHARE
                && !profile.name.contains("[]")
                && !observation.incomplete;
        }
    }
}

impl FieldState {
    /// Counts, per kind, whether this exchange showed something new.
    fn count_novelty(&mut self, profile: &mut FieldProfile, odd: &[Odd], observation: &Observation) {
        let is_about = |odd: &&Odd| {
            odd.subject.as_ref().is_some_and(|(location, name)| *location == profile.location && *name == profile.name)
        };
        let mine: Vec<FindingKind> = odd.iter().filter(is_about).map(|odd| odd.kind).collect();
        let present = profile.location == Location::Path
            || observation.fields.iter().any(|field| field.location == profile.location && field.name == profile.name);
        for ((kind, counter), novelty) in FIELD_KINDS.iter().zip(&mut self.novelty).zip(&mut profile.novelty) {
            // A field that is absent shows nothing but its absence.
            if present || *kind == FindingKind::MissingField {
                counter.count(mine.contains(kind));
                *novelty = counter.novelty();
            }
        }
    }

    fn enumerate(&mut self, profile: &mut FieldProfile, field: &ObservedField) {
        self.occurrences = self.occurrences.saturating_add(1);
        if field.encoding.is_container() || self.values.len() > VALUES_ENUMERATED_MAX {
            profile.enumeration = None;
            return;
        }
        let is_new = self.values.insert(field.shape.hash);
        let different = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        let is_enumeration = self.values.len() <= VALUES_ENUMERATED_MAX
            && self.occurrences >= different.saturating_mul(ENUMERATED_OCCURRENCES_MIN);
        if !is_enumeration {
            profile.enumeration = None;
        } else if is_new || profile.enumeration.is_none() {
            let mut values: Vec<u64> = self.values.iter().copied().collect();
            values.sort_unstable();
            profile.enumeration = Some(values);
        }
    }
}

pub fn first_profile(field: &ObservedField) -> FieldProfile {
    FieldProfile {
        location: field.location,
        name: field.name.clone(),
        exchanges: 0,
        required: false,
        types: Vec::new(),
        classes: CharacterClasses(0),
        punctuation: Vec::new(),
        length_min: field.shape.length,
        length_max: field.shape.length,
        magnitude: None,
        patterns: Some(Vec::new()),
        enumeration: None,
        repeats_max: 1,
        novelty: Default::default(),
    }
}

/// Widens the profile so that the value is no longer odd.
pub fn widen(profile: &mut FieldProfile, field: &ObservedField) {
    let shape = &field.shape;
    insert_sorted(&mut profile.types, (field.encoding, shape.value_type));
    profile.classes.0 |= shape.classes.0;
    for (character, count) in &shape.punctuation {
        match profile.punctuation.binary_search_by_key(character, |(known, _)| *known) {
            Ok(place) => profile.punctuation[place].1 = profile.punctuation[place].1.max(*count),
            Err(place) => profile.punctuation.insert(place, (*character, *count)),
        }
    }
    profile.length_min = profile.length_min.min(shape.length);
    profile.length_max = profile.length_max.max(shape.length);
    if let Some(magnitude) = shape.magnitude {
        let (least, most) = profile.magnitude.unwrap_or((magnitude, magnitude));
        profile.magnitude = Some((least.min(magnitude), most.max(magnitude)));
    }
    if let Some(patterns) = &mut profile.patterns {
        insert_sorted(patterns, stable_hash(&[b"pattern", fold_pattern(&shape.pattern).as_bytes()]));
        if patterns.len() > PATTERNS_MAX {
            profile.patterns = None;
        }
    }
}

fn insert_sorted<T: Ord>(sorted: &mut Vec<T>, item: T) {
    if let Err(place) = sorted.binary_search(&item) {
        sorted.insert(place, item);
    }
}
