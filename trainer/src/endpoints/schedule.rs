//! Keeps the URL graphs up to date, so that an answer waits for few records, and nothing is missed that retention drops.

use std::time::{Duration, Instant};

use crate::discovery::inventory::EndpointState;
use crate::serve::Service;

use super::Known;

/// How often new records are read.
const UPDATE: Duration = Duration::from_secs(30);
/// How often changed graphs are written to the store, and endpoints are counted.
const STORE: Duration = Duration::from_secs(5 * 60);

/// Reads until the trainer stops; then what was read is written to the store.
pub async fn run(service: Service) {
    let mut stored: Option<Instant> = None;
    loop {
        if let Err(error) = service.scope_graphs.update_all().await {
            tracing::warn!(error = format!("{error:#}"), "discovery could not read new records, it is tried again");
        }
        if stored.is_none_or(|stored| stored.elapsed() >= STORE) {
            stored = Some(Instant::now());
            store(&service).await;
            count(&service).await;
        }
        tokio::select! {
            () = service.stopping.cancelled() => break,
            () = tokio::time::sleep(UPDATE) => {}
        }
    }
    store(&service).await;
}

async fn store(service: &Service) {
    if let Err(error) = service.scope_graphs.store_all().await {
        tracing::warn!(error = format!("{error:#}"), "what was discovered could not be stored, it is tried again");
    }
}

/// Counts the endpoints of the scopes in memory, by state, for the metrics.
pub async fn count(service: &Service) {
    let mut counts = [EndpointState::New, EndpointState::Active, EndpointState::Stale].map(|state| (state, 0));
    for scope in service.scope_graphs.scopes() {
        match Known::of(service, &scope).await {
            Ok(known) => {
                for endpoint in known.inventory(service).endpoints {
                    counts.iter_mut().filter(|(state, _)| *state == endpoint.state).for_each(|(_, count)| *count += 1);
                }
            }
            Err(error) => tracing::warn!(scope, %error, "the endpoints of a scope could not be counted"),
        }
    }
    for (state, count) in counts {
        service.metrics.endpoints.with_label_values(&[state.noun()]).set(count);
    }
}
