use std::sync::Arc;
use std::time::Duration;

use apiward_trainer::storage;
use apiward_trainer::training_runs::runs::{self, Ending, RunCause};
use apiward_trainer::training_runs::schedule::enqueue_due;
use serde_json::{Value, json};
use sqlx::PgPool;

use crate::harness::{OPERATOR, TestDatabase, Trainer, VIEWER};
use crate::records::{batch, exchange, normal_traffic, now_ms, record};
use crate::telemetry::send;

/// Trains and gives the finished run.
pub async fn train(trainer: &Trainer) -> Value {
    let started = trainer.post(OPERATOR, "/v1/training-runs", &json!({})).await.expect(202);
    let path = started.header("location").to_owned();
    // The stream ends with the run.
    trainer.get(VIEWER, &format!("{path}/events")).await.expect(200);
    trainer.get(VIEWER, &path).await.expect(200).json()
}

async fn pool() -> (PgPool, TestDatabase) {
    let database = TestDatabase::create().await;
    (storage::connect(database.options.clone()).await.unwrap(), database)
}

#[tokio::test]
async fn a_run_without_records_fails_and_says_why() {
    let trainer = Trainer::start().await;
    let run = train(&trainer).await;
    assert_eq!(run["state"], json!("failed"));
    assert!(run["error"].as_str().unwrap().contains("no records"), "{run}");
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn a_proxy_that_invents_callers_has_at_most_half_a_say() {
    let trainer = Trainer::start().await;
    for _ in 0..2 {
        send(&trainer, &batch(normal_traffic(300))).await.expect(200);
    }
    let invented = (1_000..3_000).map(|caller| record(&exchange(caller, now_ms(), "/api/invented", 200)));
    send(&trainer, &batch(invented.collect())).await.expect(200);
    let run = train(&trainer).await;
    assert_eq!(run["state"], json!("succeeded"), "{run}");
    assert_eq!(run["report"]["records"], json!(300 + 300 + 1_300), "half of 2,600: {run}");
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn events_tell_the_run_to_its_end() {
    let trainer = Trainer::start().await;
    send(&trainer, &batch(normal_traffic(20))).await.expect(200);
    let started = trainer.post(OPERATOR, "/v1/training-runs", &json!({})).await.expect(202);
    let events = trainer.get(VIEWER, &format!("{}/events", started.header("location"))).await.expect(200);
    assert!(events.header("content-type").starts_with("text/event-stream"));
    let text = String::from_utf8(events.body).unwrap();
    let last = text.trim_end().rsplit("data: ").next().unwrap();
    let last: Value = serde_json::from_str(last).unwrap();
    assert_eq!(last["state"], json!("failed"), "{text}");
    trainer.stop().await.unwrap();
}

#[tokio::test]
async fn two_workers_never_get_the_same_run() {
    let (pool, _database) = pool().await;
    for scope in 0..20 {
        runs::enqueue(&pool, &format!("scope-{scope}"), RunCause::Request, false).await.unwrap();
    }
    let pool = Arc::new(pool);
    let workers: Vec<_> = (0..4)
        .map(|_| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                while let Some(claim) = runs::claim(&pool).await.unwrap() {
                    claimed.push(claim.id);
                }
                claimed
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    claimed.sort_unstable();
    assert_eq!(claimed, (1..=20).collect::<Vec<i64>>());
}

#[tokio::test]
async fn a_scope_trains_one_run_at_a_time_and_requests_join_the_waiting_one() {
    let (pool, _database) = pool().await;
    let first = runs::enqueue(&pool, "shop", RunCause::Request, false).await.unwrap();
    let claim = runs::claim(&pool).await.unwrap().unwrap();
    let second = runs::enqueue(&pool, "shop", RunCause::Request, false).await.unwrap();
    let joined = runs::enqueue(&pool, "shop", RunCause::Command, true).await.unwrap();
    assert_ne!(first.id, second.id);
    assert_eq!((second.id, joined.force), (joined.id, true));
    assert!(runs::claim(&pool).await.unwrap().is_none());
    let mut connection = pool.acquire().await.unwrap();
    assert!(runs::finish(&mut connection, &claim, &Ending::Failed { error: "x" }).await.unwrap());
    assert_eq!(runs::claim(&pool).await.unwrap().unwrap().id, second.id);
}

#[tokio::test]
async fn a_run_whose_trainer_went_away_is_tried_once_more_and_its_old_worker_is_fenced_off() {
    let (pool, _database) = pool().await;
    let run = runs::enqueue(&pool, "shop", RunCause::Request, false).await.unwrap();
    let lost = runs::claim(&pool).await.unwrap().unwrap();
    assert_eq!(runs::reclaim_stale(&pool).await.unwrap(), 0, "it is alive");
    let went_away = "update training_runs set heartbeat_at = now() - interval '1 hour' where state = 'running'";
    sqlx::query(went_away).execute(&pool).await.unwrap();
    assert_eq!(runs::reclaim_stale(&pool).await.unwrap(), 1);
    let again = runs::claim(&pool).await.unwrap().unwrap();
    assert_eq!(again.id, run.id);
    assert!(!runs::heartbeat(&pool, &lost, None).await.unwrap());
    let mut connection = pool.acquire().await.unwrap();
    assert!(!runs::finish(&mut connection, &lost, &Ending::Failed { error: "x" }).await.unwrap());
    assert!(runs::heartbeat(&pool, &again, Some(&json!({"stage": "routes"}))).await.unwrap());
    sqlx::query(went_away).execute(&pool).await.unwrap();
    assert_eq!(runs::reclaim_stale(&pool).await.unwrap(), 1);
    assert_eq!(runs::find(&pool, run.id).await.unwrap().unwrap().state, "failed");
    assert!(runs::claim(&pool).await.unwrap().is_none());
}

#[tokio::test]
async fn an_interrupted_run_goes_back_to_the_queue() {
    let (pool, _database) = pool().await;
    let run = runs::enqueue(&pool, "shop", RunCause::Request, false).await.unwrap();
    let claim = runs::claim(&pool).await.unwrap().unwrap();
    runs::release(&pool, &claim).await.unwrap();
    let queued = runs::find(&pool, run.id).await.unwrap().unwrap();
    assert_eq!((queued.state.as_str(), queued.attempts), ("queued", 0));
}

#[tokio::test]
async fn the_schedule_trains_scopes_with_new_traffic_and_no_others() {
    let trainer = Trainer::start().await;
    let pool = &trainer.service.pool;
    let hour = Duration::from_secs(3600);
    assert_eq!(enqueue_due(pool, hour, 10).await.unwrap(), 0, "there is no traffic");
    send(&trainer, &batch(normal_traffic(40))).await.expect(200);
    assert_eq!(enqueue_due(pool, hour, 41).await.unwrap(), 0, "there is too little traffic");
    assert_eq!(enqueue_due(pool, hour, 40).await.unwrap(), 1);
    trainer.until("select bool_and(state in ('failed', 'succeeded', 'rejected')) from training_runs").await;
    assert_eq!(enqueue_due(pool, hour, 1).await.unwrap(), 0, "it was trained within the interval");
    sqlx::query("update training_runs set created_at = created_at - interval '2 hours'").execute(pool).await.unwrap();
    assert_eq!(enqueue_due(pool, hour, 40).await.unwrap(), 1);
    trainer.stop().await.unwrap();
}
