//! `apiward import`: recorded traffic into the store of a service.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::telemetry::ExchangeRecord;
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::runtime::Runtime;

use super::extraction::{Extractor, LABELLED_ATTACK};
use super::hash_key::hasher_of_file;
use super::reading::for_each_exchange;
use crate::evaluation::attack_of;
use crate::learning::LearningSettings;
use crate::storage::cluster::ClusterSettings;
use crate::storage::records;
use crate::storage::{Database, DatabaseSource};
use crate::traffic::Format;

/// Records that are held before they are stored.
const CHUNK_RECORDS: usize = 4096;
/// Oldest exchange that is taken; each day gets a partition of its own, so that wild times would make many.
const AGE_MAX: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// Newest exchange that is taken, after now: clocks differ.
const AHEAD_MAX: Duration = Duration::from_secs(5 * 60);

/// Put recorded traffic into the store of a service, to be learned from
///
/// Extracts the same records that filters report: shapes and keyed hashes, no values. The service may be running or not.
/// Exchanges without a time get the time of the import, in the order of the file; those older than a service keeps records
/// (--retention-days) are dropped by it again. Exchanges labelled as attacks are left out.
#[derive(Debug, clap::Args)]
pub struct ImportArgs {
    /// Traffic to import, plain or gzip; `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// File with the hash key of the filters that report to this service: the `hash_key` of their configuration
    #[arg(long, env = "APIWARD_HASH_KEY_FILE", value_name = "FILE")]
    hash_key_file: PathBuf,
    /// Scope that the traffic belongs to
    #[arg(long, env = "APIWARD_SCOPE", value_name = "SCOPE", default_value_t = LearningSettings::default().scope)]
    scope: String,
    /// PostgreSQL of the service; without one, the private cluster in its data directory is used
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
    /// Data directory of the service
    #[arg(long, env = "APIWARD_DATA_DIR", value_name = "DIR", default_value = "apiward-data")]
    data_dir: PathBuf,
    /// Folder of PostgreSQL's server programs, for a private cluster that does not run
    #[arg(long, env = "APIWARD_PG_BIN", value_name = "DIR")]
    pg_bin: Option<PathBuf>,
    /// How the traffic was recorded
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub fn run(args: &ImportArgs) -> anyhow::Result<()> {
    ensure!(crate::auth::is_scope(&args.scope), "{:?} cannot be a scope", args.scope);
    let hasher = hasher_of_file(&args.hash_key_file)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    let database = runtime.block_on(Database::open_shared(&args.source()?))?;
    let imported = import(args, hasher, &runtime, &database.pool);
    // Also after a failure, so that a private cluster is never left running.
    let closed = runtime.block_on(database.close());
    let imported = imported?;
    closed.context("close the database")?;
    println!("{} exchanges imported into scope {}", imported.stored, args.scope);
    for (count, what) in [
        (imported.attacks, LABELLED_ATTACK),
        (imported.out_of_time, "exchanges are more than a year old or in the future and were left out"),
        (imported.skipped_lines, "lines could not be read and were skipped"),
    ] {
        if count > 0 {
            println!("{count} {what}");
        }
    }
    Ok(())
}

impl ImportArgs {
    fn source(&self) -> anyhow::Result<DatabaseSource> {
        if let Some(url) = &self.database_url {
            return Ok(DatabaseSource::Url(url.clone()));
        }
        if !self.data_dir.is_dir() {
            bail!(
                "there is no data directory {}: name that of the service with --data-dir, or its database with --database-url",
                self.data_dir.display()
            );
        }
        let settings = ClusterSettings { data_dir: self.data_dir.clone(), programs: self.pg_bin.clone() };
        Ok(DatabaseSource::Private(settings))
    }
}

#[derive(Debug, Default)]
struct Imported {
    stored: u64,
    attacks: u64,
    out_of_time: u64,
    skipped_lines: u64,
}

fn import(args: &ImportArgs, hasher: KeyedHasher, runtime: &Runtime, pool: &PgPool) -> anyhow::Result<Imported> {
    let extractor = Extractor::new(hasher)?;
    runtime.block_on(refuse_other_hash_key(pool, &args.scope, extractor.hash_key_id()))?;
    let now = OffsetDateTime::now_utc();
    let accepted_ms = milliseconds(now - AGE_MAX)..=milliseconds(now + AHEAD_MAX);
    let mut imported = Imported::default();
    let mut chunk: Vec<ExchangeRecord> = Vec::with_capacity(CHUNK_RECORDS);
    let store = |chunk: &mut Vec<ExchangeRecord>, stored: &mut u64| -> anyhow::Result<()> {
        // Later chunks without times come after earlier ones.
        let from = now + Duration::from_micros(*stored);
        *stored += runtime.block_on(records::import(pool, &args.scope, extractor.hash_key_id(), chunk, from))?;
        chunk.clear();
        Ok(())
    };
    let counts = for_each_exchange(&args.files, args.format, "importing", |labelled| {
        if attack_of(labelled.label.as_deref()).is_some() {
            imported.attacks += 1;
            return Ok(());
        }
        if labelled.exchange.at_ms.is_some_and(|at_ms| !accepted_ms.contains(&at_ms)) {
            imported.out_of_time += 1;
            return Ok(());
        }
        chunk.push(extractor.record(&labelled.exchange));
        if chunk.len() >= CHUNK_RECORDS {
            store(&mut chunk, &mut imported.stored)?;
        }
        Ok(())
    })?;
    store(&mut chunk, &mut imported.stored)?;
    imported.skipped_lines = counts.skipped_lines;
    Ok(imported)
}

/// A training run learns only from records of one hash key: with another one, either these or the filters' would be lost to it.
async fn refuse_other_hash_key(pool: &PgPool, scope: &str, hash_key_id: &str) -> anyhow::Result<()> {
    let newest = records::latest(pool, scope, 1).await?.hash_key_id;
    ensure!(
        newest.is_empty() || newest == hash_key_id,
        "the records of scope {scope:?} are hashed with key {newest}, the given one is {hash_key_id}: they could not be learned from together"
    );
    Ok(())
}

fn milliseconds(time: OffsetDateTime) -> i64 {
    time.unix_timestamp() * 1000
}
