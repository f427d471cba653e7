//! `GET /v1/training-runs/{id}/events`: a run as it goes, as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use futures_util::stream::unfold;

use crate::auth::ViewerToken;
use crate::problem::Problem;
use crate::problem::extract::Path;
use crate::serve::Service;

use super::runs::{self, TrainingRun};

/// How often the run is looked at. It may be at work in another trainer, so the database is asked.
const LOOK: Duration = Duration::from_millis(500);

struct Watch {
    service: Service,
    id: i64,
    shown: Option<TrainingRun>,
}

/// An event `run` with the whole run whenever something about it changed; the stream ends when the run is over.
pub async fn events(
    ViewerToken(token): ViewerToken,
    State(service): State<Service>,
    Path(id): Path<i64>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let run = runs::find(&service.pool, id).await?.filter(|run| token.reaches(&run.scope));
    if run.is_none() {
        return Err(super::unknown(id));
    }
    let stream = unfold(Watch { service, id, shown: None }, |mut watch| async move {
        let event = watch.next().await?;
        Some((Ok(event), watch))
    });
    Ok(Sse::new(stream).keep_alive(KeepAlive::default()))
}

impl Watch {
    async fn next(&mut self) -> Option<Event> {
        while !self.shown.as_ref().is_some_and(TrainingRun::is_over) {
            match runs::find(&self.service.pool, self.id).await {
                Ok(Some(run)) if self.shown.as_ref() != Some(&run) => {
                    let event = Event::default().event("run").json_data(&run).ok()?;
                    self.shown = Some(run);
                    return Some(event);
                }
                Ok(Some(_)) => {}
                Ok(None) => return None,
                Err(error) => tracing::warn!(%error, run = self.id, "a watched run could not be looked at"),
            }
            tokio::select! {
                () = self.service.stopping.cancelled() => return None,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        None
    }
}
