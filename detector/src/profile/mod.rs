//! What is usual for an endpoint: its fields, and its exchanges as a whole.

mod caller_kinds;
mod field;
mod measures;
mod standardise;
mod vocabulary;

use serde::{Deserialize, Serialize};

pub use field::{
    FIELD_KINDS, FieldProfile, Novelty, Oddity, OddityText, PATTERNS_MAX, VALUES_ENUMERATED_MAX, fold_pattern,
};
pub use measures::{FEATURES, Feature, FeatureUnit, feature_count, features_of, visible_in};
pub use standardise::{ErrorScale, FeatureScale, QUANTILE_LEVELS, Quantiles, STANDARDISED_MAX, baseline_statistic};
pub use vocabulary::{Vocabulary, own_name};

use crate::observation::{Location, ObservedField};

/// Everything known of one endpoint.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EndpointProfile {
    /// Exchanges it was learned from.
    pub exchanges: u32,
    /// Sorted by location and name.
    pub fields: Vec<FieldProfile>,
    /// How often a field is new here, see [`Novelty`].
    pub unknown_field: Novelty,
    /// Response statuses seen, sorted.
    pub statuses: Vec<u16>,
    pub unknown_status: Novelty,
    /// Kinds of callers that use it, sorted: those that explain who does, not all that a caller has. See
    /// [`crate::observation::Observation::caller_kinds`]. Empty where nothing is known.
    pub caller_kinds: Vec<String>,
    /// How often only kinds were seen that had not been before: here, or at all endpoints where that is more often.
    pub unknown_caller_kind: Novelty,
    /// One per feature of [`FEATURES`].
    pub features: Vec<FeatureScale>,
    /// Logarithm of the reconstruction error per phase.
    pub errors: [ErrorScale; 3],
    /// The same for the baseline's statistic.
    pub baseline_errors: [ErrorScale; 3],
}

impl EndpointProfile {
    pub fn field(&self, location: Location, name: &str) -> Option<&FieldProfile> {
        self.fields
            .binary_search_by(|profile| (profile.location, profile.name.as_str()).cmp(&(location, name)))
            .ok()
            .and_then(|found| self.fields.get(found))
    }

    /// The profile of an observed field.
    pub fn profile_of(&self, field: &ObservedField) -> Option<&FieldProfile> {
        self.field(field.location, &field.name)
    }
}
