//! How a component is used: which calls follow it, in what proportions, and what these carry. All values of a parameter lead to the
//! same code, which takes the same fields and answers alike; siblings that are literals each have their own.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};

use litemap::LiteMap;

use crate::discovery::graph::{Call, Node};

use super::words::WordOdds;

/// Something that a call carries or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trait<'g> {
    /// Status of a success.
    Status(u16),
    /// Query parameter, or field of a body.
    Field(&'g str),
    /// Field of a response.
    Answer(&'g str),
}

/// A call below a component: the method, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place<'g> {
    Here,
    Word(&'g str),
    Value,
    BelowValue(&'g str),
}

type CallPlace<'g> = (Place<'g>, &'g str);

type Traits<'g> = LiteMap<Trait<'g>, f64>;

#[derive(Debug, Clone, Default)]
struct Use<'g> {
    calls: f64,
    traits: Traits<'g>,
}

/// What follows components, with numbers of calls.
#[derive(Debug, Clone, Default)]
pub struct Habits<'g> {
    uses: BTreeMap<CallPlace<'g>, Use<'g>>,
}

/// Odds below which a word counts as a literal here.
const LITERAL_ODDS_MAX: f32 = -1.5;
/// Traits of a call that are looked at, of each kind.
const TRAITS_MAX: usize = 32;
/// Calls that what an endpoint carries rests on at most, of a component and of a group: no two values are used in quite the same way.
const TRAITS_CALLS_MAX: f64 = 20.0;
/// The evidence of one trait, and of all together, is cut at these.
const TRAIT_EVIDENCE_MAX: f64 = 4.0;
const TRAITS_FOR_MAX: f64 = 4.0;
const TRAITS_AGAINST_MAX: f64 = 6.0;
/// A trait that at least this share of an endpoint's calls carry is one of the endpoint.
const TRAIT_SHARE_MIN: f64 = 0.1;
/// Share of endpoints that are taken to have a trait that was hardly seen, and bounds of what is told from those that were.
const TRAIT_COMMON: f64 = 0.05;
const TRAIT_COMMON_BOUNDS: (f64, f64) = (0.02, 0.98);
/// The same for proportions of calls.
const PROPORTIONS_CALLS_MAX: f64 = 30.0;
const PROPORTIONS_WEIGHT: f64 = 0.5;
const PROPORTIONS_EVIDENCE_MAX: f64 = 1.0;
/// How alike the proportions of a parameter's values are, as a concentration, with a floor for calls that a group lacks; and that of
/// an endpoint's own proportions.
const LIKENESS: f64 = 10.0;
const LIKENESS_FLOOR: f64 = 0.1;
const CONCENTRATION: f64 = 0.5;
/// Share of a host's endpoints above which a trait that siblings have in common is nothing special.
const TELLING_SHARE_MAX: f64 = 0.5;

impl<'g> Habits<'g> {
    pub fn of(nodes: &[&'g Node], words: &WordOdds) -> Self {
        let mut habits = Self::default();
        for node in nodes {
            habits.count(Place::Here, node);
            for (word, child) in &node.words {
                if words.of(word) < LITERAL_ODDS_MAX {
                    habits.count(Place::Word(word), child);
                } else {
                    habits.count_value(child, words);
                }
            }
            node.values.values().for_each(|child| habits.count_value(child, words));
        }
        habits
    }

    fn count_value(&mut self, value: &'g Node, words: &WordOdds) {
        self.count(Place::Value, value);
        for (word, child) in value.words.iter().filter(|(word, _)| words.of(word) < LITERAL_ODDS_MAX) {
            self.count(Place::BelowValue(word), child);
        }
    }

    fn count(&mut self, place: Place<'g>, node: &'g Node) {
        for ((method, _), call) in &node.calls {
            let used = self.uses.entry((place, method)).or_default();
            used.calls += call.support.visits as f64;
            for (of_call, count) in traits_of(call) {
                *used.traits.entry(of_call).or_default() += count as f64;
            }
        }
    }

    pub fn add(&mut self, other: &Self) {
        for (place, of_other) in &other.uses {
            let own = self.uses.entry(*place).or_default();
            own.calls += of_other.calls;
            for (name, count) in &of_other.traits {
                *own.traits.entry(*name).or_default() += count;
            }
        }
    }

    /// Whether no call changes anything.
    pub fn only_reads(&self) -> bool {
        self.uses.keys().all(|(_, method)| matches!(*method, "GET" | "HEAD"))
    }

    /// Whether it is called itself, and values below it are.
    pub fn is_collection(&self) -> bool {
        let is_at = |wanted: Place<'_>| self.uses.keys().any(|(place, _)| *place == wanted);
        is_at(Place::Here) && is_at(Place::Value)
    }

    fn calls(&self) -> f64 {
        self.uses.values().map(|used| used.calls).sum()
    }
}

fn traits_of(call: &Call) -> impl Iterator<Item = (Trait<'_>, u64)> {
    let is_told = |status: u16| (200..400).contains(&status) && status != 304;
    let statuses = call.summary.statuses.iter().filter(move |(status, _)| is_told(**status));
    let fields = call.summary.fields.iter().map(|((_, name), field)| (Trait::Field(name), field.exchanges));
    let answers = call.summary.response_fields.iter().map(|(name, field)| (Trait::Answer(name), field.exchanges));
    statuses
        .map(|(status, count)| (Trait::Status(*status), *count))
        .chain(fields.take(TRAITS_MAX))
        .chain(answers.take(TRAITS_MAX))
}

/// How common each trait is among the endpoints of a host.
#[derive(Debug, Default)]
pub struct CommonTraits<'g> {
    shares: HashMap<(&'g str, Trait<'g>), f64>,
}

impl<'g> CommonTraits<'g> {
    /// What hangs on the same literal and method is about the same endpoint.
    pub fn of(root: &'g Node, words: &WordOdds) -> Self {
        let mut endpoints: BTreeMap<(&str, &str), Use<'g>> = BTreeMap::new();
        gather(root, "", words, &mut endpoints);
        let mut all: HashMap<&str, f64> = HashMap::new();
        let mut having: HashMap<(&'g str, Trait<'g>), f64> = HashMap::new();
        for ((_, method), used) in &endpoints {
            *all.entry(method).or_default() += 1.0;
            for (name, count) in &used.traits {
                if *count > used.calls * TRAIT_SHARE_MIN {
                    *having.entry((method, *name)).or_default() += 1.0;
                }
            }
        }
        let shares = having
            .into_iter()
            .map(|((method, name), count)| {
                let all = all.get(method).copied().unwrap_or(0.0);
                ((method, name), (count + 0.5) / (all + 1.0))
            })
            .collect();
        Self { shares }
    }

    fn of_trait(&self, method: &'g str, name: Trait<'g>) -> f64 {
        self.shares
            .get(&(method, name))
            .copied()
            .unwrap_or(TRAIT_COMMON)
            .clamp(TRAIT_COMMON_BOUNDS.0, TRAIT_COMMON_BOUNDS.1)
    }
}

fn gather<'g>(
    node: &'g Node,
    literal: &'g str,
    words: &WordOdds,
    endpoints: &mut BTreeMap<(&'g str, &'g str), Use<'g>>,
) {
    for ((method, _), call) in &node.calls {
        let used = endpoints.entry((literal, method)).or_default();
        used.calls += call.support.visits as f64;
        for (name, count) in traits_of(call) {
            *used.traits.entry(name).or_default() += count as f64;
        }
    }
    for (word, child) in &node.words {
        let literal = if words.of(word) < LITERAL_ODDS_MAX { word } else { literal };
        gather(child, literal, words, endpoints);
    }
    node.values.values().for_each(|child| gather(child, literal, words, endpoints));
}

/// Log-odds that a component is a value of a group by its habits, cut so that neither of their two kinds decides alone. `is_member`
/// tells that `group` has those of the component in it.
pub fn same_habits<'g>(own: &Habits<'g>, group: &Habits<'g>, is_member: bool, common: &CommonTraits<'g>) -> f64 {
    let compared = Compared { own, group, is_member };
    compared.same_traits(common, 1.0).clamp(-TRAITS_AGAINST_MAX, TRAITS_FOR_MAX)
        + (PROPORTIONS_WEIGHT * compared.same_proportions()).clamp(-PROPORTIONS_EVIDENCE_MAX, PROPORTIONS_EVIDENCE_MAX)
}

/// Log-odds that a member of a group takes and answers what the others do, and that it is called in their proportions; each uncut.
/// What most endpoints of the host have does not speak for it.
pub fn likeness<'g>(own: &Habits<'g>, group: &Habits<'g>, common: &CommonTraits<'g>) -> (f64, f64) {
    let compared = Compared { own, group, is_member: true };
    (compared.same_traits(common, TELLING_SHARE_MAX), compared.same_proportions())
}

/// A component beside a group, from which it is left out where it is in it.
struct Compared<'c, 'g> {
    own: &'c Habits<'g>,
    group: &'c Habits<'g>,
    is_member: bool,
}

impl<'g> Compared<'_, 'g> {
    /// What of `of_group` is the others'.
    fn of_others(&self, of_group: f64, of_own: f64) -> f64 {
        if self.is_member { (of_group - of_own).max(0.0) } else { of_group }
    }

    /// ln of how much likelier the numbers of calls by place are as values of one parameter than as endpoints of their own
    /// (Dirichlet-multinomial).
    fn same_proportions(&self) -> f64 {
        let of_own = self.own.calls();
        let of_others = self.of_others(self.group.calls(), of_own);
        if of_own == 0.0 || of_others == 0.0 {
            return 0.0;
        }
        let scale = (PROPORTIONS_CALLS_MAX / of_own).min(1.0);
        let mut places = self.group.uses.len();
        let (mut together, mut alone) = (0.0, 0.0);
        // Places that the component lacks count for the weights alone.
        for (place, used) in &self.own.uses {
            let of_group = self.group.uses.get(place).map(|used| used.calls);
            places += usize::from(of_group.is_none());
            let calls = scale * used.calls;
            let others = self.of_others(of_group.unwrap_or(0.0), used.calls);
            let of_place = LIKENESS * others / of_others + LIKENESS_FLOOR;
            together += ln_gamma(of_place + calls) - ln_gamma(of_place);
            alone += ln_gamma(CONCENTRATION + calls) - ln_gamma(CONCENTRATION);
        }
        let weight_together = LIKENESS + LIKENESS_FLOOR * places as f64;
        let weight_alone = CONCENTRATION * places as f64;
        let calls = scale * of_own;
        together += ln_gamma(weight_together) - ln_gamma(weight_together + calls);
        alone += ln_gamma(weight_alone) - ln_gamma(weight_alone + calls);
        together - alone
    }

    /// ln of how much likelier what the calls carry is as values of one parameter than as endpoints of their own (beta-binomial).
    /// Traits that more than a share of all endpoints have only speak against it.
    fn same_traits(&self, common: &CommonTraits<'g>, telling_share_max: f64) -> f64 {
        let mut sum = 0.0;
        for (place, of_own) in &self.own.uses {
            let Some(of_group) = self.group.uses.get(place) else {
                continue;
            };
            let group_calls = self.of_others(of_group.calls, of_own.calls);
            if group_calls < 1.0 {
                continue;
            }
            let (own_parts, group_parts) = (Parts::of(of_own.calls), Parts::of(group_calls));
            let (mut of_place, mut number) = (0.0, 0_usize);
            for (name, own_count, group_count) in both(&of_own.traits, &of_group.traits) {
                let (having, lacking) = own_parts.with(own_count);
                let (group_having, group_lacking) = group_parts.with(self.of_others(group_count, own_count));
                let share = common.of_trait(place.1, name);
                let together =
                    log_beta_binomial(having, lacking, group_having + 0.5 * share.max(0.1), group_lacking + 0.3);
                // An endpoint of its own never carries it, or more or less always.
                let never = log_beta_binomial(having, lacking, 0.05, 5.0).exp();
                let always = log_beta_binomial(having, lacking, 1.0, 0.5).exp();
                let alone = ((1.0 - share) * never + share * always).ln();
                let most = if share > telling_share_max { 0.0 } else { TRAIT_EVIDENCE_MAX };
                of_place += (together - alone).clamp(-TRAIT_EVIDENCE_MAX, most);
                number += 1;
            }
            // Traits of one call come together: many say less than each of them does.
            sum += of_place / (number.max(1) as f64).sqrt();
        }
        sum
    }
}

/// Calls, as far as they count, by whether they carry something.
struct Parts {
    all: f64,
    calls: f64,
}

impl Parts {
    fn of(all: f64) -> Self {
        Self { all: all.max(1.0), calls: all.min(TRAITS_CALLS_MAX) }
    }

    /// Those that carry what `count` of all do, and those that do not.
    fn with(&self, count: f64) -> (f64, f64) {
        let share = (count / self.all).min(1.0);
        (self.calls * share, self.calls * (1.0 - share))
    }
}

/// The traits of two calls in order, with the counts of each.
fn both<'t, 'g>(own: &'t Traits<'g>, group: &'t Traits<'g>) -> impl Iterator<Item = (Trait<'g>, f64, f64)> {
    let (mut own, mut group) = (own.iter().peekable(), group.iter().peekable());
    std::iter::from_fn(move || {
        let order = match (own.peek(), group.peek()) {
            (Some((own, _)), Some((group, _))) => own.cmp(group),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => return None,
        };
        let of_own = if order.is_le() { own.next() } else { None };
        let of_group = if order.is_ge() { group.next() } else { None };
        let (name, _) = of_own.or(of_group)?;
        let count = |of: Option<(&Trait<'g>, &f64)>| of.map_or(0.0, |(_, count)| *count);
        Some((*name, count(of_own), count(of_group)))
    })
}

fn log_beta_binomial(having: f64, lacking: f64, a: f64, b: f64) -> f64 {
    log_beta(having + a, lacking + b) - log_beta(a, b)
}

fn log_beta(a: f64, b: f64) -> f64 {
    ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b)
}

/// Stirling's series, after moving the argument to where it is accurate to 1e-9.
fn ln_gamma(x: f64) -> f64 {
    let mut shifted = x;
    let mut product = 1.0;
    while shifted < 8.0 {
        product *= shifted;
        shifted += 1.0;
    }
    let inverse = 1.0 / (shifted * shifted);
    let series = (1.0 / 12.0 - inverse * (1.0 / 360.0 - inverse / 1260.0)) / shifted;
    (shifted - 0.5) * shifted.ln() - shifted + 0.5 * (2.0 * std::f64::consts::PI).ln() + series - product.ln()
}
