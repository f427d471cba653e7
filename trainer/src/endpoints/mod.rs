//! `/v1/endpoints` and `/v1/openapi…`: the API inventory of a scope, and what people decide about it.

pub mod corrections;
mod list;
mod openapi;
pub mod schedule;

use std::sync::Arc;

use apiward_detector::bundle::Bundle;
use time::OffsetDateTime;

use crate::discovery::inventory::Inventory;
use crate::models::registry;
use crate::problem::Problem;
use crate::scope_graphs::{Basis, Discovered};
use crate::serve::{ApiRouter, Service};

pub fn router() -> ApiRouter {
    ApiRouter::new().merge(list::router()).merge(corrections::router()).merge(openapi::router())
}

/// What is known of a scope's endpoints now.
struct Known {
    discovered: Arc<Discovered>,
    /// What was stored until then is in it.
    as_of: OffsetDateTime,
    /// The active model.
    model: Option<Bundle>,
}

impl Known {
    async fn of(service: &Service, scope: &str) -> Result<Self, Problem> {
        let model = registry::active(&mut *service.pool.acquire().await?, scope).await?;
        let basis = Basis {
            corrections: corrections::of_scope(&service.pool, scope).await?,
            known: model.iter().flat_map(|model| &model.routes.endpoints).map(|endpoint| endpoint.id).collect(),
            callers: service.settings.learning.promotion.callers,
        };
        let current = service.scope_graphs.current(scope, basis).await?;
        let current =
            current.ok_or(Problem::Unavailable("the stored records are being read, try again in a minute"))?;
        Ok(Self { discovered: current.discovered, as_of: current.as_of, model })
    }

    fn inventory(&self, service: &Service) -> Inventory {
        let timeframe = self.discovered.timeframe(OffsetDateTime::now_utc());
        Inventory::of(&self.discovered.endpoints, &timeframe, &service.settings.endpoint_states)
    }
}
