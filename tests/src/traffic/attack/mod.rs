//! Attackers: customers with a valid login who try what honest customers never do.

mod behaviour;
mod oversized;
mod privilege;
mod probing;
mod tampering;
mod typing;

use axum::http::StatusCode;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use serde_json::Value;

use super::draft::Draft;
use super::request::{ExchangeKind, ShopClient};
use super::visit::{Pace, Visit, VisitEnd};
use crate::shop::{Endpoint, Release};

/// Attack requests of one visit.
const VISIT_ATTACKS: std::ops::RangeInclusive<usize> = 5..=9;

/// What attackers do, by the way it differs from honest traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
#[value(rename_all = "snake_case")]
pub enum AttackKind {
    /// Body fields or query parameters that the endpoint does not have (mass assignment).
    UnknownParameter,
    /// Injection, traversal, negative and huge values in known fields.
    TamperedValue,
    /// Paths that do not exist (forced browsing).
    UnknownPath,
    /// Known paths with methods that nobody uses there.
    UnknownMethod,
    /// A string where a number belongs, an array where an object belongs, nesting, null.
    WrongType,
    /// Huge texts, thousands of fields or items.
    OversizedBody,
    /// An ordinary-looking request that is answered with everybody's orders.
    OutsizedResponse,
    /// A forgotten endpoint that exists and answers 200.
    HiddenEndpoint,
    /// What administrators send, sent by a customer (broken function-level authorisation); most of it is answered.
    Privilege,
    /// An order without what leads to it.
    SkippedSteps,
    /// A purchase in another order.
    ShuffledFlow,
    /// The second halves of what others were doing.
    SplicedUsers,
    /// Object ids one after the other.
    Enumeration,
    /// The whole catalogue, fast.
    Scraping,
    /// Stolen passwords from one address, at once.
    StuffingFast,
    /// The same, one attempt a minute.
    StuffingSlow,
    /// The same from many addresses, a few attempts each.
    StuffingDistributed,
    /// One token, used from many networks.
    AccountSharing,
    /// Everything exported, again and again.
    Exfiltration,
}

impl AttackKind {
    /// Each request by itself differs from honest ones.
    pub const OF_EXCHANGES: [Self; 9] = [
        Self::UnknownParameter,
        Self::TamperedValue,
        Self::UnknownPath,
        Self::UnknownMethod,
        Self::WrongType,
        Self::OversizedBody,
        Self::OutsizedResponse,
        Self::HiddenEndpoint,
        Self::Privilege,
    ];

    /// Only the session differs: the order of its requests, or how many there are.
    pub const OF_SESSIONS: [Self; 10] = [
        Self::SkippedSteps,
        Self::ShuffledFlow,
        Self::SplicedUsers,
        Self::Enumeration,
        Self::Scraping,
        Self::StuffingFast,
        Self::StuffingSlow,
        Self::StuffingDistributed,
        Self::AccountSharing,
        Self::Exfiltration,
    ];

    /// The label in exchange JSONL.
    pub fn name(self) -> &'static str {
        match self {
            Self::UnknownParameter => "unknown_parameter",
            Self::TamperedValue => "tampered_value",
            Self::UnknownPath => "unknown_path",
            Self::UnknownMethod => "unknown_method",
            Self::WrongType => "wrong_type",
            Self::OversizedBody => "oversized_body",
            Self::OutsizedResponse => "outsized_response",
            Self::HiddenEndpoint => "hidden_endpoint",
            Self::Privilege => "privilege",
            Self::SkippedSteps => "skipped_steps",
            Self::ShuffledFlow => "shuffled_flow",
            Self::SplicedUsers => "spliced_users",
            Self::Enumeration => "enumeration",
            Self::Scraping => "scraping",
            Self::StuffingFast => "stuffing_fast",
            Self::StuffingSlow => "stuffing_slow",
            Self::StuffingDistributed => "stuffing_distributed",
            Self::AccountSharing => "account_sharing",
            Self::Exfiltration => "exfiltration",
        }
    }

    /// For people.
    pub fn display_name(self) -> &'static str {
        match self {
            Self::UnknownParameter => "unknown parameter",
            Self::TamperedValue => "tampered value",
            Self::UnknownPath => "unknown path",
            Self::UnknownMethod => "unknown method",
            Self::WrongType => "wrong type",
            Self::OversizedBody => "oversized body",
            Self::OutsizedResponse => "outsized response",
            Self::HiddenEndpoint => "hidden endpoint",
            Self::Privilege => "privilege of others",
            Self::SkippedSteps => "skipped steps",
            Self::ShuffledFlow => "shuffled flow",
            Self::SplicedUsers => "spliced users",
            Self::Enumeration => "enumeration",
            Self::Scraping => "scraping",
            Self::StuffingFast => "credential stuffing, fast",
            Self::StuffingSlow => "credential stuffing, slow",
            Self::StuffingDistributed => "credential stuffing, distributed",
            Self::AccountSharing => "account sharing",
            Self::Exfiltration => "exfiltration",
        }
    }

    fn needs_login(self) -> bool {
        let without = [
            Self::UnknownPath,
            Self::HiddenEndpoint,
            Self::StuffingFast,
            Self::StuffingSlow,
            Self::StuffingDistributed,
        ];
        !without.contains(&self)
    }

    fn needs_cart(self) -> bool {
        matches!(self, Self::UnknownParameter | Self::TamperedValue | Self::WrongType)
    }
}

/// Attacks fill the cart; beyond this the attacker buys, or the cart would look like nobody else's.
const CART_LINES_MAX: usize = 3;

/// What an attacker has found out by looking around.
struct Target {
    /// The attacker's own user id.
    user_id: String,
    email: String,
    /// A line in the attacker's own cart.
    cart_line: u64,
    /// An order of the attacker's own.
    order_id: String,
    product_id: u32,
}

/// One visit: signs in and looks around like a customer, then attacks.
///
/// # Errors
/// Whatever ends the visit early.
pub(super) async fn visit<C: ShopClient>(
    visit: &mut Visit<'_, C>,
    kind: AttackKind,
    release: Release,
) -> Result<(), VisitEnd> {
    let target = reconnoitre(visit, kind, release).await?;
    for _ in 0..visit.rng.random_range(VISIT_ATTACKS) {
        let Some(draft) = draft(kind, &target, &mut visit.rng) else {
            return behaviour::visit(visit, kind, &target).await;
        };
        visit.wait(Pace::Click).await;
        let response = visit.exchange(ExchangeKind::Attack(kind), &draft).await?;
        if response.status == StatusCode::SERVICE_UNAVAILABLE {
            return Err(VisitEnd::GaveUp);
        }
    }
    Ok(())
}

/// What the attacker does here is what customers do, in requests as well as in answers.
async fn reconnoitre<C: ShopClient>(
    visit: &mut Visit<'_, C>,
    kind: AttackKind,
    release: Release,
) -> Result<Target, VisitEnd> {
    let mut target = Target {
        user_id: visit.persona.account.id.clone(),
        email: visit.persona.account.email.clone(),
        cart_line: 1,
        order_id: String::new(),
        product_id: visit.rng.random_range(1..20),
    };
    if !kind.needs_login() {
        return Ok(target);
    }
    visit.sign_in().await?;
    if kind.needs_cart() {
        let mut cart = visit.send(Pace::Click, Draft::to(Endpoint::GetCart)).await?.json();
        if cart["items"].as_array().is_some_and(|items| items.len() > CART_LINES_MAX) {
            visit.check_out(release).await?;
            cart = Value::Null;
        }
        if cart["items"][0].is_null() {
            visit.add_to_cart(target.product_id).await?;
            cart = visit.send(Pace::Click, Draft::to(Endpoint::GetCart)).await?.json();
        }
        target.cart_line = cart["items"][0]["id"].as_u64().unwrap_or(1);
    }
    let orders = visit.send(Pace::Click, Draft::to(Endpoint::ListOrders)).await?.json();
    target.order_id = orders["orders"][0]["id"].as_str().unwrap_or_default().to_owned();
    Ok(target)
}

/// One request of an attack that single requests make; `None` for what takes a session.
fn draft(kind: AttackKind, target: &Target, rng: &mut ChaCha8Rng) -> Option<Draft> {
    Some(match kind {
        AttackKind::UnknownParameter => tampering::unknown_parameter(target, rng),
        AttackKind::TamperedValue => tampering::tampered_value(target, rng),
        AttackKind::UnknownPath => probing::unknown_path(rng),
        AttackKind::UnknownMethod => probing::unknown_method(target, rng),
        AttackKind::WrongType => typing::wrong_type(target, rng),
        AttackKind::OversizedBody => oversized::oversized_body(target, rng),
        AttackKind::OutsizedResponse => oversized::outsized_response(rng),
        AttackKind::HiddenEndpoint => probing::hidden_endpoint(rng),
        AttackKind::Privilege => privilege::privilege(rng),
        _ => return None,
    })
}

fn pick<T: Clone>(choices: &[T], rng: &mut ChaCha8Rng) -> T {
    choices[rng.random_range(0..choices.len())].clone()
}
