//! Works on queued runs, one at a time: training takes every core it gets.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use apiward_detector::bundle::Bundle;
use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::endpoints::corrections;
use crate::learning::{self, LearnedModel, LearningError, LearningReport, LearningSettings};
use crate::models::{self, Cause, Publication, registry};
use crate::payload_exceptions;
use crate::serve::Service;
use crate::storage::records::{self, LatestRecords};

use super::runs::{self, Claim, Ending};

/// How often the queue is looked at for runs that other trainers were asked for.
const LOOK: Duration = Duration::from_secs(2);
/// How often a run at work shows that it is alive.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// Works until the trainer stops.
pub async fn run(service: Service) {
    while !service.stopping.is_cancelled() {
        match next(&service).await {
            Ok(true) => continue,
            Ok(false) => {}
            Err(error) => tracing::warn!(error = format!("{error:#}"), "the queue of training runs cannot be used"),
        }
        tokio::select! {
            () = service.stopping.cancelled() => return,
            () = service.runs_waiting.notified() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Works on the next run; `false` when there is none.
async fn next(service: &Service) -> anyhow::Result<bool> {
    runs::reclaim_stale(&service.pool).await?;
    let Some(claim) = runs::claim(&service.pool).await? else {
        return Ok(false);
    };
    let started = Instant::now();
    tracing::info!(run = claim.id, scope = claim.scope, "training began");
    let state = match work(service, &claim).await {
        Ok(Some(ending)) => ending,
        Ok(None) => {
            runs::release(&service.pool, &claim).await?;
            "interrupted"
        }
        Err(error) => {
            let error = format!("{error:#}");
            tracing::warn!(run = claim.id, scope = claim.scope, error, "training failed");
            let mut connection = service.pool.acquire().await?;
            runs::finish(&mut connection, &claim, &Ending::Failed { error: &error }).await?;
            "failed"
        }
    };
    let seconds = started.elapsed().as_secs_f64();
    service.metrics.training_runs.with_label_values(&[state]).inc();
    service.metrics.training_seconds.observe(seconds);
    tracing::info!(run = claim.id, scope = claim.scope, state, seconds, "training ended");
    Ok(true)
}

/// What a run tells about its model, and about the records that it had.
#[derive(Serialize)]
struct RunReport<'a> {
    #[serde(flatten)]
    learning: &'a LearningReport,
    /// Records of senders beyond their share, which were not learned from.
    over_sender_share: u64,
}

/// From records to a stored and, if the gate lets it out, published model. `None` when it was interrupted.
async fn work(service: &Service, claim: &Claim) -> anyhow::Result<Option<&'static str>> {
    let alive = KeptAlive::start(service, claim);
    let latest = records::latest(&service.pool, &claim.scope, service.settings.train_records_max)
        .await
        .context("load the records")?;
    if latest.over_sender_share > 0 {
        let records = latest.over_sender_share;
        tracing::warn!(
            scope = claim.scope,
            records,
            "a sender has more than its share, what is beyond is not learned from"
        );
    }
    anyhow::ensure!(!latest.records.is_empty(), "scope {:?} has no records to learn from", claim.scope);
    let parent = registry::active(&mut *service.pool.acquire().await?, &claim.scope).await?;
    let over_sender_share = latest.over_sender_share;
    let Some(learned) = learn(service, claim, &alive, latest, parent).await? else {
        return Ok(None);
    };
    let report = RunReport { learning: &learned.report, over_sender_share };
    let report = serde_json::to_value(&report).context("write the learning report")?;
    let (bundle, refusal) = tokio::task::spawn_blocking(move || {
        let refusal = models::refusal(&learned.bundle, &learned.report);
        (learned.bundle, refusal)
    })
    .await
    .context("check the model")?;
    let ending = conclude(service, claim, &bundle, &report, refusal).await?;
    drop(alive);
    Ok(ending)
}

/// Stores and publishes the model and ends the run, all or nothing.
async fn conclude(
    service: &Service,
    claim: &Claim,
    bundle: &Bundle,
    report: &serde_json::Value,
    refusal: Option<models::Refusal>,
) -> anyhow::Result<Option<&'static str>> {
    let rejected = refusal.filter(|refusal| !(claim.force && refusal.may_be_forced)).map(|refusal| refusal.reason);
    let model = bundle.manifest.model.as_str();
    let mut transaction = service.pool.begin().await?;
    let new = registry::NewModel { content: bundle, report, rejected: rejected.as_deref() };
    registry::insert(&mut transaction, &new).await?;
    let mut publication: Option<Publication> = None;
    if rejected.is_none() {
        publication = Some(service.publisher.publish(&mut transaction, bundle.clone(), Cause::Training).await?);
    }
    let ending = match &rejected {
        Some(reason) => Ending::Rejected { model, report, reason },
        None => Ending::Succeeded { model, report },
    };
    if !runs::finish(&mut transaction, claim, &ending).await? {
        transaction.rollback().await?;
        tracing::warn!(run = claim.id, "another trainer took the run over, its model is dropped here");
        return Ok(Some("failed"));
    }
    transaction.commit().await.context("store the model")?;
    match (&publication, &rejected) {
        (Some(publication), _) => {
            service.metrics.publications.inc();
            tracing::info!(scope = claim.scope, model, serial = publication.serial, "published a model");
        }
        (None, Some(reason)) => tracing::warn!(scope = claim.scope, model, reason, "the model was rejected"),
        (None, None) => {}
    }
    Ok(Some(ending.state()))
}

async fn learn(
    service: &Service,
    claim: &Claim,
    alive: &KeptAlive,
    latest: LatestRecords,
    parent: Option<Bundle>,
) -> anyhow::Result<Option<LearnedModel>> {
    let now_ms = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
    let settings = LearningSettings {
        scope: claim.scope.clone(),
        hash_key_id: latest.hash_key_id,
        now_ms: i64::try_from(now_ms).context("the clock is far off")?,
        corrections: corrections::of_scope(&service.pool, &claim.scope).await.context("load the corrections")?,
        payload_exceptions: payload_exceptions::of_scope(&mut *service.pool.acquire().await?, &claim.scope).await?,
        threshold_step_max: service.settings.learning.threshold_step_max.filter(|_| !claim.force),
        ..service.settings.learning.clone()
    };
    let stop = Arc::clone(&alive.stop);
    let shown = alive.progress.clone();
    let learned = tokio::task::spawn_blocking(move || {
        learning::learn(latest.records, parent.as_ref(), &settings, &mut |progress| {
            shown.send_replace(serde_json::to_value(&progress).ok());
            if stop.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    })
    .await
    .context("the learning thread ended")?;
    match learned {
        Ok(learned) => Ok(Some(learned)),
        Err(LearningError::Cancelled) if service.stopping.is_cancelled() => Ok(None),
        Err(error) => Err(error).context("learn"),
    }
}

/// Sends heartbeats with the latest progress until it is dropped. Sets `stop` when the trainer stops or the claim is lost.
struct KeptAlive {
    stop: Arc<AtomicBool>,
    progress: watch::Sender<Option<serde_json::Value>>,
    task: tokio::task::JoinHandle<()>,
}

impl KeptAlive {
    fn start(service: &Service, claim: &Claim) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (progress, shown) = watch::channel(None);
        let beating = beat(service.pool.clone(), claim.clone(), shown, Arc::clone(&stop));
        let stopping = service.stopping.clone();
        let interrupted = Arc::clone(&stop);
        let task = tokio::spawn(async move {
            tokio::select! {
                () = beating => {}
                () = stopping.cancelled() => interrupted.store(true, Ordering::Relaxed),
            }
        });
        Self { stop, progress, task }
    }
}

impl Drop for KeptAlive {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn beat(pool: PgPool, claim: Claim, shown: watch::Receiver<Option<serde_json::Value>>, stop: Arc<AtomicBool>) {
    loop {
        let progress = shown.borrow().clone();
        match runs::heartbeat(&pool, &claim, progress.as_ref()).await {
            Ok(true) => {}
            Ok(false) => {
                stop.store(true, Ordering::Relaxed);
                return;
            }
            Err(error) => tracing::warn!(%error, run = claim.id, "no heartbeat"),
        }
        tokio::time::sleep(HEARTBEAT).await;
    }
}
