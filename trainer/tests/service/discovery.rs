//! Discovery from the store: every record once, in whatever order transactions are committed.

use apiward_detector::telemetry::ExchangeRecord;
use apiward_trainer::discovery::UrlGraph;
use apiward_trainer::metrics::Metrics;
use apiward_trainer::scope_graphs::state::{self, ScopeGraph};
use apiward_trainer::scope_graphs::{Basis, ScopeGraphs};
use apiward_trainer::serve::look_after;
use apiward_trainer::storage::new_records::Snapshot;
use apiward_trainer::storage::records::{self, StoredRecord, copy_records};
use apiward_trainer::storage::{self, partitions};
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use tokio_util::sync::CancellationToken;

use crate::harness::{SCOPE, TestDatabase, Trainer, serve_args};
use crate::records::{exchange, hasher, normal_traffic, now_ms, record};

const WINDOW_MS: i64 = 3_600_000;

async fn pool() -> (PgPool, TestDatabase) {
    let database = TestDatabase::create().await;
    (storage::connect(database.options.clone()).await.unwrap(), database)
}

fn graphs(pool: &PgPool) -> ScopeGraphs {
    ScopeGraphs::new(pool.clone(), Metrics::new().unwrap(), WINDOW_MS, CancellationToken::new())
}

async fn import(pool: &PgPool, records: &[ExchangeRecord]) {
    records::import(pool, SCOPE, hasher().key_id(), records, OffsetDateTime::now_utc()).await.unwrap();
}

/// Copies in a transaction of the test's own.
async fn copy(connection: &mut PgConnection, records: &[ExchangeRecord]) {
    let (key, hasher) = (hasher(), records.iter());
    let stored = hasher.map(|record| StoredRecord {
        scope: SCOPE,
        hash_key_id: key.key_id(),
        at: records::time_of(record).unwrap(),
        record,
        sender: None,
    });
    copy_records(connection, stored).await.unwrap();
}

/// What is known after reading all that is new.
async fn stored_graph(pool: &PgPool, graphs: &ScopeGraphs) -> UrlGraph {
    graphs.update(SCOPE).await.unwrap();
    graphs.store_all().await.unwrap();
    state::load(pool, SCOPE).await.unwrap().unwrap().decode().unwrap().graph
}

async fn exchanges(graphs: &ScopeGraphs) -> u64 {
    graphs.discover(SCOPE, Basis::default()).await.unwrap().discovered.exchanges
}

#[tokio::test]
async fn a_graph_that_grew_is_the_graph_that_is_built_at_once() {
    let (pool, _database) = pool().await;
    let traffic = normal_traffic(1200);
    let growing = graphs(&pool);
    for part in traffic.chunks(500) {
        import(&pool, part).await;
        assert!(stored_graph(&pool, &growing).await.exchanges > 0);
        // One that goes on from what is stored, as after a restart.
        assert_eq!(stored_graph(&pool, &graphs(&pool)).await, stored_graph(&pool, &growing).await);
    }
    let grown = stored_graph(&pool, &growing).await;
    state::forget(&pool, SCOPE).await.unwrap();
    let rebuilt = stored_graph(&pool, &graphs(&pool)).await;
    assert_eq!(rebuilt, grown);
    assert_eq!(rebuilt.exchanges, 1200);
    let mut direct = UrlGraph::new(WINDOW_MS);
    traffic.iter().for_each(|record| direct.add(record));
    assert_eq!(direct, grown);
}

#[tokio::test]
async fn records_that_are_committed_late_are_not_missed() {
    let (pool, _database) = pool().await;
    partitions::create(&pool, &partitions::days_around(OffsetDateTime::now_utc())).await.unwrap();
    let graphs = graphs(&pool);
    let at = |caller| [record(&exchange(caller, now_ms(), "/api/cart", 200))];
    let mut early = pool.begin().await.unwrap();
    copy(&mut early, &at(1)).await;
    let mut late = pool.begin().await.unwrap();
    copy(&mut late, &at(2)).await;
    late.commit().await.unwrap();
    assert_eq!(exchanges(&graphs).await, 1);
    // As after a restart: what was running is remembered.
    graphs.store_all().await.unwrap();
    let graphs = self::graphs(&pool);
    assert_eq!(exchanges(&graphs).await, 1);
    early.commit().await.unwrap();
    assert_eq!(exchanges(&graphs).await, 2);
    let mut given_up = pool.begin().await.unwrap();
    copy(&mut given_up, &at(3)).await;
    import(&pool, &at(4)).await;
    given_up.rollback().await.unwrap();
    assert_eq!(exchanges(&graphs).await, 3);
    assert_eq!(exchanges(&graphs).await, 3);
}

#[tokio::test]
async fn a_graph_outlives_its_records_and_a_broken_or_foreign_one_is_built_again() {
    let (pool, _database) = pool().await;
    let old = now_ms() - 20 * 24 * 3_600_000;
    let traffic: Vec<_> = (0..30).map(|caller| record(&exchange(caller, old, "/api/old", 200))).collect();
    import(&pool, &traffic).await;
    let first = graphs(&pool);
    stored_graph(&pool, &first).await;
    let settings = serve_args(&["--retention-days", "14"]).settings();
    look_after(&pool, &settings, &Metrics::new().unwrap(), OffsetDateTime::now_utc()).await.unwrap();
    import(&pool, &[record(&exchange(1, now_ms(), "/api/cart", 200))]).await;
    let records: i64 = sqlx::query_scalar("select count(*) from exchange_records").fetch_one(&pool).await.unwrap();
    assert_eq!(records, 1);
    assert_eq!(exchanges(&first).await, 31);
    assert_eq!(stored_graph(&pool, &graphs(&pool)).await.exchanges, 31);

    for broken in [
        "update scope_graphs set graph = '\\x1f8b00'",
        "update scope_graphs set version = version + 1",
        // A restored database whose server counts transactions from lower numbers than the one of the dump.
        "update scope_graphs set snapshot = '1000000000:1000000000:'",
        "update exchange_records set transaction = '1000000000'",
    ] {
        sqlx::query(broken).execute(&pool).await.unwrap();
        let again = graphs(&pool);
        assert_eq!(exchanges(&again).await, 1, "{broken}");
        stored_graph(&pool, &again).await;
    }
}

#[tokio::test]
async fn an_unreadable_record_is_counted_and_passed_over() {
    let (pool, _database) = pool().await;
    import(&pool, &normal_traffic(20)).await;
    sqlx::query("update exchange_records set record = '\\x00' where ctid = (select min(ctid) from exchange_records)")
        .execute(&pool)
        .await
        .unwrap();
    let metrics = Metrics::new().unwrap();
    let graphs = ScopeGraphs::new(pool.clone(), metrics.clone(), WINDOW_MS, CancellationToken::new());
    let read = exchanges(&graphs).await;
    let unreadable: i64 = sqlx::query_scalar("select count(*) from exchange_records where record = '\\x00'")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert!(unreadable > 0);
    assert_eq!(read, 20 - u64::try_from(unreadable).unwrap());
    let text = metrics.text().unwrap();
    assert!(
        text.contains(&format!("apiward_discovery_records_total{{outcome=\"unreadable\"}} {unreadable}")),
        "{text}"
    );
}

#[tokio::test]
async fn what_was_discovered_is_stored_when_the_trainer_stops() {
    let trainer = Trainer::start().await;
    let pool = trainer.service.pool.clone();
    import(&pool, &normal_traffic(200)).await;
    trainer.service.scope_graphs.update_all().await.unwrap();
    let options = trainer.database.options.clone();
    let database = trainer.stop_and_keep_database().await;
    let pool = storage::connect(options).await.unwrap();
    let stored = state::load(&pool, SCOPE).await.unwrap().unwrap().decode().unwrap();
    assert_eq!(stored.graph.exchanges, 200);
    drop(database);
}

#[tokio::test]
async fn the_newest_of_several_trainers_graphs_is_kept() {
    let (pool, _database) = pool().await;
    import(&pool, &normal_traffic(50)).await;
    let (one, other) = (graphs(&pool), graphs(&pool));
    one.update(SCOPE).await.unwrap();
    import(&pool, &normal_traffic(70)).await;
    other.update(SCOPE).await.unwrap();
    other.store_all().await.unwrap();
    one.store_all().await.unwrap();
    assert_eq!(state::load(&pool, SCOPE).await.unwrap().unwrap().decode().unwrap().graph.exchanges, 120);
    one.update_all().await.unwrap();
    assert_eq!(exchanges(&one).await, 120);
}

/// The format is that of these types: when this fails, count `STATE_VERSION` up and put the new number here.
#[test]
fn stored_graphs_have_the_format_of_their_version() {
    let mut graph = UrlGraph::new(WINDOW_MS);
    for target in ["/api/products/17?page=2", "/api/reports/2026.json", "/api/users/me"] {
        graph.add(&record(&exchange(7, 1_790_000_000_000, target, 200)));
    }
    let bytes = rmp_serde::to_vec(&(&graph, &graph.hosts)).unwrap();
    assert_eq!(
        apiward_detector::hashing::stable_hash(&[&bytes]),
        9_526_981_420_328_396_035,
        "the stored form of a graph changed"
    );
    let encoded = ScopeGraph { graph, seen: Snapshot::default() }.encode().unwrap();
    assert_eq!(ScopeGraph::decode(&encoded, Snapshot::default()).unwrap().graph.exchanges, 3);
    assert!(ScopeGraph::decode(&encoded[..encoded.len() / 2], Snapshot::default()).is_err());
}
