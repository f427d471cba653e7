//! The objects that an API's requests are about. The same `{owner}` and `{repo}` come back in all templates that name them,
//! nested objects belong to their parents, and a few are asked for far more often than the rest.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt};
use rand_distr::{Distribution, Zipf};

use super::operations::Api;
use super::parameter::{ObjectKind, value_kind};
use super::seeds::Seed;
use super::template::{Piece, Template};
use super::values::ValueKind;

/// How uneven the popularity of objects is.
const POPULARITY_EXPONENT: f64 = 0.8;
/// Share of a pool that exists already when the traffic begins; the rest comes up during it.
const SHARE_AT_BEGIN: f64 = 0.6;
/// Where two ways to name an object are taken, the share of the first one.
const FIRST_ALTERNATIVE: f64 = 0.75;
/// Members that a parent has of objects that also stand alone, such as the users of an organisation.
const MEMBERS_MAX: u64 = 40;

/// An object, as its children know it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Object(Seed);

/// Which object a request is about; `progress` from 0 to 1 says how much of the time has passed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wanted {
    /// One that is there, popular ones more often.
    Popular { progress: f64 },
    /// The one that was created last.
    Newest { progress: f64 },
}

/// A parameter of a template.
#[derive(Debug)]
pub(super) struct Slot {
    alternatives: Vec<ObjectKind>,
}

/// How objects are named, for one API.
#[derive(Debug)]
pub(super) struct Objects {
    seed: Seed,
    kinds: BTreeMap<ObjectKind, ValueKind>,
    /// Kinds that some template names without a parent.
    independent: BTreeSet<ObjectKind>,
}

impl Slot {
    /// The parameters of a template, in order.
    pub fn of(template: &Template) -> Vec<Self> {
        named_parameters(template)
            .map(|(name, literal)| Self { alternatives: ObjectKind::alternatives(name, literal) })
            .collect()
    }
}

/// Every parameter with the last literal before it.
fn named_parameters(template: &Template) -> impl Iterator<Item = (&str, &str)> {
    let mut literal = "";
    template.components().iter().flat_map(|component| component.pieces()).filter_map(move |piece| match piece {
        // Separators between parameters name nothing.
        Piece::Literal(text) if text.chars().any(char::is_alphabetic) && !text.starts_with('.') => {
            literal = text;
            None
        }
        Piece::Literal(_) => None,
        Piece::Parameter(name) => Some((name.as_str(), literal)),
    })
}

impl Objects {
    pub fn of(api: &Api, seed: Seed) -> Self {
        let mut literals: BTreeMap<ObjectKind, &str> = BTreeMap::new();
        let mut independent = BTreeSet::new();
        for operation in &api.operations {
            for (position, (name, literal)) in named_parameters(&operation.template).enumerate() {
                for kind in ObjectKind::alternatives(name, literal) {
                    if position == 0 {
                        independent.insert(kind.clone());
                    }
                    literals.entry(kind).or_insert(literal);
                }
            }
        }
        // What most ids look like is the house style of whoever made the API.
        let dominant = literals.keys().fold(seed.with("house style"), |style, kind| style.with(kind.text()));
        let kinds = literals.into_iter().map(|(kind, literal)| {
            let values = value_kind(&kind, literal, dominant, seed);
            (kind, values)
        });
        Self { seed, kinds: kinds.collect(), independent }
    }

    /// One value per slot, and the last object. `progress` from 0 to 1 says how much of the time has passed.
    pub fn draw(&self, slots: &[Slot], progress: f64, rng: &mut impl Rng) -> (Vec<String>, Option<Object>) {
        let mut last = None;
        let mut values = Vec::with_capacity(slots.len());
        for slot in slots {
            let (value, object) = self.draw_below(last, slot, Wanted::Popular { progress }, rng);
            values.push(value);
            last = Some(object);
        }
        (values, last)
    }

    /// An object below another one.
    pub fn draw_below(
        &self,
        parent: Option<Object>,
        slot: &Slot,
        wanted: Wanted,
        rng: &mut impl Rng,
    ) -> (String, Object) {
        let second = slot.alternatives.len() > 1 && !rng.random_bool(FIRST_ALTERNATIVE);
        let kind = &slot.alternatives[usize::from(second)];
        let value_kind = &self.kinds[kind];
        let family = self.seed.with(kind.text());
        let owner = parent.filter(|_| !self.independent.contains(kind));
        let home = owner.map_or(Seed::new(0), |owner| owner.0.with(kind.text()));
        let size = value_kind.pool_size(owner.is_some(), home);
        let index = match parent {
            // One of the parent's members, which are some of all.
            Some(parent) if owner.is_none() => {
                let member = popular(1 + parent.0.with("members").below(MEMBERS_MAX), rng);
                parent.0.with(kind.text()).with_number(member).below(size)
            }
            _ => wanted.index(value_kind, size, rng),
        };
        let object = if owner.is_some() { home } else { family }.with_number(index);
        (value_kind.value(index, home, object), Object(object))
    }
}

/// A number in `0..count`; low ones come more often.
fn popular(count: u64, rng: &mut impl Rng) -> u64 {
    let rank = Zipf::new(count as f64, POPULARITY_EXPONENT).map_or(1, |distribution| distribution.sample(rng) as u64);
    rank.clamp(1, count) - 1
}

impl Wanted {
    /// Which of at most `size` objects, of those that there are by now.
    fn index(self, kind: &ValueKind, size: u64, rng: &mut impl Rng) -> u64 {
        let (Self::Popular { progress } | Self::Newest { progress }) = self;
        let share = SHARE_AT_BEGIN + (1.0 - SHARE_AT_BEGIN) * progress;
        let count = ((size as f64 * share).ceil() as u64).clamp(1, size);
        match self {
            Self::Newest { .. } => count - 1,
            Self::Popular { .. } => {
                let newest_share = if kind.prefers_newest() { 0.8 } else { 0.25 };
                let rank = popular(count, rng);
                if rng.random_bool(newest_share) { count - 1 - rank } else { rank }
            }
        }
    }
}
