//! What the number and use of values and literals at a place say about one more word there.

use super::typed_values::TypedValues;

/// Share of a group's visits that a value usually stays below, and what being far from it says at most.
const VISITS_SHARE: f64 = 0.125;
const VISITS_MAX: f64 = 2.0;
const VISITS_MIN: f64 = -10.0;
/// Members of a group before their visits say anything.
const VISITS_MEMBERS_MIN: usize = 5;
/// Evidence of its own from which on a word is surely a value, and below which it is surely a literal.
const SURE_VALUE: f64 = 0.5;
const SURE_LITERAL: f64 = -1.5;
/// Most that the numbers of sure values and literals at a place say about one more word.
const ANCHORS_MAX: f64 = 4.0;

/// Words that are known for values or literals by evidence of their own, whatever is beside them. The others follow these (a mixture
/// whose weights are estimated from its unambiguous members), and not each other: a few probed words cannot draw literals that only
/// resemble one another into a group.
#[derive(Debug, Clone, Copy)]
pub struct Anchors {
    values: usize,
    literals: usize,
}

impl Anchors {
    /// `evidence` is that of each word.
    pub fn of(evidence: impl Iterator<Item = f64>) -> Self {
        let mut anchors = Self { values: 0, literals: 0 };
        for evidence in evidence {
            anchors.values += usize::from(evidence > SURE_VALUE);
            anchors.literals += usize::from(evidence < SURE_LITERAL);
        }
        anchors
    }

    /// Other words that are surely values.
    pub fn values_beside(self, own_evidence: f64) -> usize {
        self.values - usize::from(own_evidence > SURE_VALUE).min(self.values)
    }

    /// Log-odds that a word is a value by the number of its kind; `own_evidence` tells whether it is counted itself.
    pub fn evidence_beside(self, own_evidence: f64) -> f64 {
        let values = self.values_beside(own_evidence);
        let literals = self.literals - usize::from(own_evidence < SURE_LITERAL).min(self.literals);
        ((values as f64 + 1.0) / (literals as f64 + 1.0)).ln().clamp(-ANCHORS_MAX, ANCHORS_MAX)
    }
}

/// The values that a place has, as assigned so far.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// Words that are values.
    pub members: usize,
    /// All different values.
    values: usize,
    /// Visits of all values.
    visits: u64,
}

impl Place {
    /// `words` are their visits, and whether they are values.
    pub fn of(words: impl Iterator<Item = (u64, bool)>, typed: &TypedValues) -> Self {
        let mut place = Self { members: 0, values: typed.distinct, visits: typed.visits };
        for (visits, _) in words.filter(|(_, is_value)| *is_value) {
            place.members += 1;
            place.values += 1;
            place.visits += visits;
        }
        place
    }

    /// A value is one of many and visited like them; a literal is an endpoint of its own, as busy as all values together.
    pub fn visits_evidence(&self, visits: u64, is_member: bool) -> f64 {
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
