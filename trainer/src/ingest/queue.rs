//! The bounded queue between the route and the database.

use std::sync::Arc;

use apiward_detector::telemetry::Batch;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::metrics::Metrics;

use super::write::{Receipt, write};

/// Most batches of one transaction.
const TRANSACTION_BATCHES_MAX: usize = 32;
/// No further batch joins a transaction that has this many records.
const TRANSACTION_RECORDS_MAX: usize = 16_384;

/// A place in the queue. It is taken before the body is read, so that a full queue costs no memory.
#[derive(Debug)]
pub struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// Where accepted batches wait for the writer.
#[derive(Debug, Clone)]
pub struct IngestQueue {
    sender: mpsc::Sender<Job>,
    slots: Arc<Semaphore>,
    metrics: Metrics,
}

/// The writer's end.
#[derive(Debug)]
pub struct IngestWriter {
    receiver: mpsc::Receiver<Job>,
    pool: PgPool,
    metrics: Metrics,
}

#[derive(Debug)]
struct Job {
    batch: Batch,
    answer: oneshot::Sender<anyhow::Result<Receipt>>,
    _slot: Slot,
}

/// A queue of that many places and its writer.
pub fn queue(places: usize, pool: PgPool, metrics: Metrics) -> (IngestQueue, IngestWriter) {
    let places = places.max(1);
    let (sender, receiver) = mpsc::channel(places);
    let queue = IngestQueue { sender, slots: Arc::new(Semaphore::new(places)), metrics: metrics.clone() };
    (queue, IngestWriter { receiver, pool, metrics })
}

impl IngestQueue {
    /// A place, or `None` when the queue is full.
    pub fn slot(&self) -> Option<Slot> {
        let permit = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Hands a batch to the writer and waits until it is committed.
    ///
    /// # Errors
    /// When the database refused it or the trainer stops.
    pub async fn store(&self, batch: Batch, slot: Slot) -> anyhow::Result<Receipt> {
        let (answer, answered) = oneshot::channel();
        self.metrics.ingest_queue_batches.inc();
        let sent = self.sender.send(Job { batch, answer, _slot: slot }).await;
        if sent.is_err() {
            self.metrics.ingest_queue_batches.dec();
            anyhow::bail!("the writer has stopped");
        }
        answered.await.unwrap_or_else(|_| Err(anyhow::anyhow!("the writer stopped before the batch was stored")))
    }
}

impl IngestWriter {
    /// Writes until every sender of the queue is gone and the queue is empty.
    pub fn spawn(self) -> JoinHandle<()> {
        tokio::spawn(self.run())
    }

    async fn run(mut self) {
        while let Some(first) = self.receiver.recv().await {
            let mut records = first.batch.records.len();
            let mut jobs = vec![first];
            while jobs.len() < TRANSACTION_BATCHES_MAX && records < TRANSACTION_RECORDS_MAX {
                let Ok(job) = self.receiver.try_recv() else { break };
                records += job.batch.records.len();
                jobs.push(job);
            }
            self.write_together(jobs).await;
        }
    }

    /// One transaction for all; where that fails, each batch gets its own, so that one cannot hold the others up.
    async fn write_together(&self, mut jobs: Vec<Job>) {
        // In one order everywhere: trainers that got the same batches wait for each other and never deadlock.
        jobs.sort_by(|one, other| key(&one.batch).cmp(&key(&other.batch)));
        let timer = self.metrics.ingest_transaction_seconds.start_timer();
        let batches: Vec<&Batch> = jobs.iter().map(|job| &job.batch).collect();
        let written = write(&self.pool, &batches, OffsetDateTime::now_utc()).await;
        timer.observe_duration();
        match written {
            Ok(receipts) => {
                for (job, receipt) in jobs.into_iter().zip(receipts) {
                    self.answer(job, Ok(receipt));
                }
            }
            Err(error) if jobs.len() == 1 => {
                for job in jobs {
                    self.answer(job, Err(anyhow::anyhow!("{error:#}")));
                }
            }
            Err(error) => {
                tracing::warn!(error = format!("{error:#}"), batches = jobs.len(), "storing batches one by one");
                for job in jobs {
                    let receipt = write(&self.pool, &[&job.batch], OffsetDateTime::now_utc())
                        .await
                        .and_then(|mut receipts| receipts.pop().ok_or_else(|| anyhow::anyhow!("no receipt")));
                    self.answer(job, receipt);
                }
            }
        }
    }

    fn answer(&self, job: Job, receipt: anyhow::Result<Receipt>) {
        self.metrics.ingest_queue_batches.dec();
        self.metrics.count_receipt(&job.batch, receipt.as_ref().ok());
        // Nobody waits any more when the caller hung up; it will repeat the batch.
        let _ = job.answer.send(receipt);
    }
}

fn key(batch: &Batch) -> (&str, &str, u64) {
    (&batch.scope, &batch.sender, batch.sequence)
}
