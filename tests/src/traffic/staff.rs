//! What administrators and uptime probes do.

use rand::RngExt;
use serde_json::json;

use super::draft::Draft;
use super::free_text;
use super::request::ShopClient;
use super::scenario::Scenario;
use super::visit::{Pace, Visit, VisitEnd};
use crate::shop::{ADMINS, Endpoint};

/// One spell of work of an administrator.
///
/// # Errors
/// Whatever ends the visit early.
pub(super) async fn administer<C: ShopClient>(visit: &mut Visit<'_, C>) -> Result<(), VisitEnd> {
    visit.sign_in().await?;
    for _ in 0..visit.rng.random_range(1..4) {
        let query = visit.chance(0.45).then(|| free_text::last_name(&mut visit.rng));
        let page = visit.chance(0.3).then(|| visit.rng.random_range(2..6));
        let draft = Draft::to(Endpoint::AdminListUsers).query_if("q", query).query_if("page", page);
        visit.send(Pace::Read, draft).await?;
        if visit.chance(0.7) {
            visit.change_user().await?;
        }
    }
    Ok(())
}

impl<C: ShopClient> Visit<'_, C> {
    async fn change_user(&mut self) -> Result<(), VisitEnd> {
        let block = self.chance(0.35);
        let customer = if block {
            let dormant = Scenario::CUSTOMERS_MAX;
            self.rng.random_range(dormant..dormant + Scenario::DORMANT_CUSTOMERS)
        } else {
            self.rng.random_range(0..Scenario::CUSTOMERS_MAX)
        };
        let user = format!("u-{}", ADMINS as usize + 1 + customer);
        let mut change = json!({"note": free_text::admin_note(&mut self.rng)});
        if block {
            change["blocked"] = json!(true);
        }
        if self.chance(0.4) {
            change["role"] = json!("customer");
        }
        let draft = Draft::at(Endpoint::AdminUpdateUser, &user).json(&change);
        self.send(Pace::Type, draft).await?;
        if block {
            let undo = Draft::at(Endpoint::AdminUpdateUser, &user).json(&json!({"blocked": false}));
            self.send(Pace::Program, undo).await?;
        }
        Ok(())
    }
}

/// One round of an uptime probe.
///
/// # Errors
/// Whatever ends the visit early.
pub(super) async fn probe<C: ShopClient>(visit: &mut Visit<'_, C>) -> Result<(), VisitEnd> {
    visit.send(Pace::Program, Draft::to(Endpoint::Health)).await?;
    if visit.chance(0.3) {
        visit.send(Pace::Program, Draft::to(Endpoint::ListProducts)).await?;
    }
    Ok(())
}
