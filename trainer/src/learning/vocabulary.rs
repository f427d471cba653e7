//! Learning what fields hold across endpoints.

use std::collections::{BTreeMap, HashSet};

use apiward_detector::observation::{Location, ObservedField};
use apiward_detector::profile::{Vocabulary, own_name};

use super::endpoint::{first_profile, widen};

/// Names that are kept; more can only be noise.
const NAMES_MAX: usize = 20_000;

/// The growing vocabulary.
#[derive(Default)]
pub struct VocabularyLearner {
    pub vocabulary: Vocabulary,
    endpoints: BTreeMap<String, HashSet<usize>>,
}

impl VocabularyLearner {
    /// Takes in a value of a field of an endpoint.
    pub fn learn(&mut self, endpoint: usize, field: &ObservedField) {
        let [low, high] = &mut self.vocabulary.punctuation;
        for (character, _) in &field.shape.punctuation {
            match character {
                0..64 => *low |= 1 << character,
                64..128 => *high |= 1 << (character - 64),
                _ => {}
            }
        }
        let own = own_name(&field.name);
        // Path parameters and nameless documents have nothing in common but that.
        if field.location == Location::Path || own.is_empty() {
            return;
        }
        let fields = &mut self.vocabulary.fields;
        let place = match fields.binary_search_by(|profile| profile.name.as_str().cmp(own)) {
            Ok(place) => place,
            Err(_) if fields.len() >= NAMES_MAX => return,
            Err(place) => {
                let mut profile = first_profile(field);
                profile.name = own.to_owned();
                fields.insert(place, profile);
                place
            }
        };
        widen(&mut fields[place], field);
        let endpoints = self.endpoints.entry(own.to_owned()).or_default();
        if endpoints.len() < 2 {
            endpoints.insert(endpoint);
        }
    }

    /// The vocabulary without the names of a single endpoint, of which its own profile knows as much.
    pub fn finish(mut self) -> Vocabulary {
        let shared = |name: &str| self.endpoints.get(name).is_some_and(|endpoints| endpoints.len() > 1);
        self.vocabulary.fields.retain(|profile| shared(&profile.name));
        self.vocabulary
    }
}
