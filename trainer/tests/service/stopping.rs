use nix::sys::signal::Signal;

use crate::cluster::open_folder;
use crate::harness::{FILTER, Trainer};
use crate::program::Program;
use crate::records::{batch, normal_traffic};

#[tokio::test]
async fn what_was_accepted_is_stored_before_the_trainer_stops() {
    let trainer = Trainer::start().await;
    let pool = trainer.service.pool.clone();
    let mut blocker = pool.begin().await.unwrap();
    sqlx::query("lock table telemetry_batches in access exclusive mode").execute(&mut *blocker).await.unwrap();
    let body = batch(normal_traffic(30)).encode().unwrap();
    let url = trainer.url("/v1/telemetry");
    let sent = tokio::task::spawn_blocking(move || {
        ureq::post(url)
            .header("authorization", format!("Bearer {FILTER}"))
            .header("content-type", "application/msgpack")
            .send(&body[..])
            .unwrap()
            .status()
            .as_u16()
    });
    trainer.until("select exists (select from pg_stat_activity where wait_event_type = 'Lock')").await;
    let options = trainer.database.options.clone();
    let stopping = tokio::spawn(trainer.stop());
    blocker.commit().await.unwrap();
    assert_eq!(sent.await.unwrap(), 200);
    stopping.await.unwrap().unwrap();
    let after = sqlx::PgPool::connect_with(options).await;
    // The database goes with the test's cluster when no other test uses it.
    if let Ok(after) = after {
        let stored: i64 = sqlx::query_scalar("select count(*) from exchange_records").fetch_one(&after).await.unwrap();
        assert_eq!(stored, 30);
    }
}

#[test]
fn a_signal_ends_the_program_and_its_database_with_exit_code_0() {
    let folder = open_folder();
    let data_dir = folder.path().join("data");
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut program = Program::start(&data_dir);
        assert_eq!(program.get("/readyz"), "ok\n");
        program.signal(signal);
        program.wait_for("the private PostgreSQL stopped");
        program.wait_for("stopped");
        assert_eq!(program.exit_code(), Some(0));
    }
    assert!(data_dir.join("tokens").exists() && data_dir.join("signing.key").exists());
}

#[test]
fn a_killed_program_leaves_a_server_that_the_next_one_takes_over_with_its_data() {
    let folder = open_folder();
    let mut killed = Program::start(folder.path());
    let models = killed.post("/v1/training-runs", "{\"scope\": \"shop\"}");
    assert!(models.contains("\"scope\":\"shop\""), "{models}");
    killed.signal(Signal::SIGKILL);
    killed.exit_code();
    let mut next = Program::start(folder.path());
    assert!(next.said("a PostgreSQL server was left behind by an earlier trainer, stopping it"));
    assert!(next.get("/v1/training-runs").contains("\"scope\":\"shop\""));
    next.signal(Signal::SIGTERM);
    assert_eq!(next.exit_code(), Some(0));
}
