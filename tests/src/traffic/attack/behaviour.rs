//! Attacks of which every request by itself is ordinary: only who sends them, in which order and how many gives them away.

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::json;
use time::Duration;

use super::{AttackKind, Target};
use crate::shop::{self, Endpoint, PRODUCTS};
use crate::traffic::draft::Draft;
use crate::traffic::free_text;
use crate::traffic::persona::address;
use crate::traffic::request::{ExchangeKind, ShopClient};
use crate::traffic::visit::{Pace, Visit, VisitEnd};

/// Objects that an enumeration walks through.
const ENUMERATED: u32 = 60;
/// Pages and products that a scraper fetches.
const SCRAPED: u32 = 150;
/// Attempts with stolen passwords: at once, one a minute, one from each address.
const ATTEMPTS_FAST: u32 = 40;
const ATTEMPTS_SLOW: u32 = 90;
const ATTEMPTS_DISTRIBUTED: u32 = 120;
/// Networks from which one token is used.
const SHARED_NETWORKS: usize = 14;
/// Exports of everything.
const EXPORTS: u32 = 30;
/// Where the addresses of a botnet begin.
const BOTNET_NETWORKS: usize = 340;
const BOTNET_SIZE: usize = 60;

/// One visit, after the attacker has signed in and looked around.
///
/// # Errors
/// Whatever ends the visit early.
pub(super) async fn visit<C: ShopClient>(
    visit: &mut Visit<'_, C>,
    kind: AttackKind,
    target: &Target,
) -> Result<(), VisitEnd> {
    match kind {
        AttackKind::SkippedSteps => send_all(visit, kind, Pace::Type, skipped_steps(target)).await,
        AttackKind::ShuffledFlow => {
            let mut flow = purchase(target);
            flow.shuffle(&mut visit.rng);
            // Whatever the shuffling gives: it begins where an honest purchase ends.
            flow.insert(0, check_out());
            send_all(visit, kind, Pace::Click, flow).await
        }
        AttackKind::SplicedUsers => {
            let rest = spliced(target, visit);
            send_all(visit, kind, Pace::Click, rest).await
        }
        AttackKind::Enumeration => {
            let first = visit.rng.random_range(1..PRODUCTS - ENUMERATED);
            let walk = (first..first + ENUMERATED).map(|id| Draft::at(Endpoint::GetProduct, id));
            send_all(visit, kind, Pace::Click, walk.collect()).await
        }
        AttackKind::Scraping => {
            let pages = (1..=SCRAPED).map(|number| match number % 3 {
                0 => Draft::to(Endpoint::ListProducts).query("page", number / 3 + 1),
                1 => Draft::at(Endpoint::GetProduct, number),
                _ => Draft::at(Endpoint::ListReviews, number - 1),
            });
            send_all(visit, kind, Pace::Program, pages.collect()).await
        }
        AttackKind::StuffingFast => {
            let attempts = attempts(visit, ATTEMPTS_FAST);
            send_all(visit, kind, Pace::Program, attempts).await
        }
        AttackKind::StuffingSlow => {
            for attempt in attempts(visit, ATTEMPTS_SLOW) {
                visit.now += Duration::seconds(57);
                visit.wait(Pace::Click).await;
                visit.exchange(ExchangeKind::Attack(kind), &attempt).await?;
            }
            Ok(())
        }
        AttackKind::StuffingDistributed => {
            for (number, attempt) in attempts(visit, ATTEMPTS_DISTRIBUTED).iter().enumerate() {
                let network = BOTNET_NETWORKS + number % BOTNET_SIZE;
                visit.device().address = address(network, 20, false);
                visit.wait(Pace::Click).await;
                visit.exchange(ExchangeKind::Attack(kind), attempt).await?;
            }
            Ok(())
        }
        AttackKind::AccountSharing => {
            for number in 0..4 * SHARED_NETWORKS {
                visit.device().address = address(BOTNET_NETWORKS + number % SHARED_NETWORKS, 40, false);
                let draft = match number % 2 {
                    0 => Draft::at(Endpoint::GetProduct, visit.rng.random_range(1..=PRODUCTS)),
                    _ => Draft::to(Endpoint::GetProfile),
                };
                visit.wait(Pace::Read).await;
                visit.exchange(ExchangeKind::Attack(kind), &draft).await?;
            }
            Ok(())
        }
        AttackKind::Exfiltration => {
            let exports = (0..EXPORTS).map(|_| Draft::to(Endpoint::Export));
            send_all(visit, kind, Pace::Program, exports.collect()).await
        }
        _ => Ok(()),
    }
}

async fn send_all<C: ShopClient>(
    visit: &mut Visit<'_, C>,
    kind: AttackKind,
    pace: Pace,
    drafts: Vec<Draft>,
) -> Result<(), VisitEnd> {
    for draft in drafts {
        visit.wait(pace).await;
        visit.exchange(ExchangeKind::Attack(kind), &draft).await?;
    }
    Ok(())
}

fn check_out() -> Draft {
    Draft::to(Endpoint::Checkout).json(&json!({"address_id": 1, "payment": {"method": "invoice"}}))
}

/// To the order without anything that leads to it.
fn skipped_steps(target: &Target) -> Vec<Draft> {
    let mut steps = vec![check_out(), check_out()];
    if !target.order_id.is_empty() {
        steps.push(Draft::at(Endpoint::GetOrder, &target.order_id));
    }
    steps
}

/// What a purchase consists of, its end excepted.
fn purchase(target: &Target) -> Vec<Draft> {
    vec![
        Draft::to(Endpoint::ListProducts),
        Draft::at(Endpoint::GetProduct, target.product_id),
        Draft::to(Endpoint::AddCartItem).json(&json!({"product_id": target.product_id, "quantity": 1})),
        Draft::to(Endpoint::GetCart),
        Draft::at(Endpoint::UpdateCartItem, target.cart_line).json(&json!({"quantity": 2})),
        Draft::at(Endpoint::RemoveCartItem, target.cart_line),
        Draft::to(Endpoint::ListOrders),
    ]
}

/// The second halves of what three others were doing.
fn spliced<C: ShopClient>(target: &Target, visit: &mut Visit<'_, C>) -> Vec<Draft> {
    let product = visit.rng.random_range(1..=PRODUCTS);
    let (city, zip, country) = free_text::city(&mut visit.rng);
    let street = free_text::street(&mut visit.rng);
    let home = json!({"label": "home", "street": street, "zip": zip, "city": city, "country": country});
    let review = json!({"rating": visit.rng.random_range(1..=5), "text": free_text::review(&mut visit.rng)});
    let mut halves = [
        vec![Draft::at(Endpoint::UpdateCartItem, target.cart_line).json(&json!({"quantity": 3})), check_out()],
        vec![Draft::at(Endpoint::PostReview, product).json(&review)],
        vec![Draft::at(Endpoint::AddAddress, &target.user_id).json(&home)],
    ];
    halves.shuffle(&mut visit.rng);
    halves.concat()
}

/// Logins of others with passwords from elsewhere; the attacker has no token for them.
fn attempts<C: ShopClient>(visit: &mut Visit<'_, C>, count: u32) -> Vec<Draft> {
    visit.device().token = None;
    let accounts = shop::accounts();
    (0..count)
        .map(|_| {
            let [account, other] = [0, 1].map(|_| &accounts[visit.rng.random_range(0..accounts.len())]);
            Draft::to(Endpoint::Login).json(&json!({"email": account.email, "password": other.password}))
        })
        .collect()
}
