//! A running trainer with a database of its own, and a client for it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use apiward_trainer::secret::random_hex;
use apiward_trainer::serve::{Running, ServeArgs, Service};
use apiward_trainer::storage::cluster::{ClusterSettings, PrivateCluster};
use clap::Parser;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

pub const FILTER: &str = "filter-token-of-scope-shop";
pub const OTHER_FILTER: &str = "filter-token-of-another-scope";
pub const VIEWER: &str = "viewer-token-of-scope-shop";
pub const OPERATOR: &str = "operator-token-of-scope-shop";
pub const ADMIN: &str = "operator-token-of-all-scopes";
/// The scope of all tokens but those of another one and of all.
pub const SCOPE: &str = "shop";

/// Nothing of these tests takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// The tests' cluster, shared by those that run at the same time and stopped with the last of them.
static CLUSTER: Mutex<Weak<SharedCluster>> = Mutex::new(Weak::new());
/// Only one test at a time starts it.
static STARTING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

struct SharedCluster {
    cluster: PrivateCluster,
    /// The server's process is looked after by this runtime, which outlives the test that started it.
    _runtime: Option<tokio::runtime::Runtime>,
}

impl Drop for SharedCluster {
    fn drop(&mut self) {
        if let Some(runtime) = self._runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn shared_cluster() -> Arc<SharedCluster> {
    let _starting = STARTING.lock().await;
    let running = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
    if let Some(cluster) = running {
        return cluster;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let settings = ClusterSettings {
        data_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("service-tests"),
        programs: std::env::var_os("APIWARD_PG_BIN").map(Into::into),
    };
    let cluster = runtime.spawn(async move { PrivateCluster::start(&settings).await.unwrap() }).await.unwrap();
    drop_leftovers(&cluster).await;
    let shared = Arc::new(SharedCluster { cluster, _runtime: Some(runtime) });
    *CLUSTER.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&shared);
    shared
}

/// Databases of tests that failed or were ended.
async fn drop_leftovers(cluster: &PrivateCluster) {
    let mut connection = cluster.connect_options().connect().await.unwrap();
    let names: Vec<String> = sqlx::query_scalar("select datname from pg_database where datname like 'test\\_%'")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    for name in names {
        sqlx::query(AssertSqlSafe(format!("drop database {name} with (force)")))
            .execute(&mut connection)
            .await
            .unwrap();
    }
    connection.close().await.unwrap();
}

/// A database of one test.
pub struct TestDatabase {
    pub options: PgConnectOptions,
    _cluster: Arc<SharedCluster>,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let cluster = shared_cluster().await;
        let name = format!("test_{}", random_hex::<8>().unwrap());
        let mut connection = cluster.cluster.connect_options().connect().await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        Self { options: cluster.cluster.connect_options().database(&name), _cluster: cluster }
    }

    pub fn url(&self) -> String {
        self.options.to_url_lossy().to_string()
    }
}

#[derive(Parser)]
struct CommandLine {
    #[command(flatten)]
    serve: ServeArgs,
}

/// The arguments of `apiward serve` with these flags.
pub fn serve_args(flags: &[&str]) -> ServeArgs {
    CommandLine::parse_from(std::iter::once("apiward").chain(flags.iter().copied())).serve
}

/// A trainer that listens on a port of its own.
pub struct Trainer {
    pub service: Service,
    pub database: TestDatabase,
    base: String,
    stopping: CancellationToken,
    running: tokio::task::JoinHandle<anyhow::Result<()>>,
    _data: TempDir,
}

impl Trainer {
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further flags of `apiward serve`.
    pub async fn start_with(flags: &[&str]) -> Self {
        Self::start_on(TestDatabase::create().await, flags).await
    }

    pub async fn start_on(database: TestDatabase, flags: &[&str]) -> Self {
        let data = tempfile::tempdir().unwrap();
        let tokens = format!(
            "filter:{SCOPE}:{FILTER},filter:other:{OTHER_FILTER},viewer:{SCOPE}:{VIEWER},operator:{SCOPE}:{OPERATOR},operator:*:{ADMIN}"
        );
        let url = database.url();
        let mut all = vec!["--listen", "127.0.0.1:0", "--train-interval", "off", "--tokens", &tokens];
        all.extend(["--database-url", &url, "--data-dir", data.path().to_str().unwrap()]);
        all.extend(flags);
        let stopping = CancellationToken::new();
        let running = Running::start(&serve_args(&all), stopping.clone()).await.unwrap();
        let base = format!("http://{}", running.address);
        let service = running.service.clone();
        Self { service, database, base, stopping, running: tokio::spawn(running.until_stopped()), _data: data }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn get(&self, token: &str, path: &str) -> Answer {
        self.get_with(token, path, &[]).await
    }

    pub async fn get_with(&self, token: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = agent().get(self.url(path)).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        blocking(move || request.call()).await
    }

    pub async fn post(&self, token: &str, path: &str, json: &serde_json::Value) -> Answer {
        self.send(token, path, &[("content-type", "application/json")], json.to_string().into_bytes()).await
    }

    pub async fn send(&self, token: &str, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> Answer {
        let mut request = agent().post(self.url(path)).header("authorization", format!("Bearer {token}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        blocking(move || request.send(&body[..])).await
    }

    pub async fn delete(&self, token: &str, path: &str) -> Answer {
        let request = agent().delete(self.url(path)).header("authorization", format!("Bearer {token}"));
        blocking(move || request.call()).await
    }

    /// Waits until a query gives true: for what happens in the background.
    pub async fn until(&self, query: &'static str) {
        let reached = async {
            while !sqlx::query_scalar::<_, bool>(query).fetch_one(&self.service.pool).await.unwrap() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("never true: {query}"));
    }

    pub async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(&self.service.pool).await.unwrap()
    }

    /// Stops it as a signal would.
    pub async fn stop(self) -> anyhow::Result<()> {
        self.stopping.cancel();
        drop(self.service);
        self.running.await.unwrap()
    }

    /// Stops it; the database can be used by another one.
    pub async fn stop_and_keep_database(self) -> TestDatabase {
        self.stopping.cancel();
        drop(self.service);
        self.running.await.unwrap().unwrap();
        self.database
    }
}

/// What a trainer answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {:?}", String::from_utf8_lossy(&self.body)))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body, when the status is the expected one.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", String::from_utf8_lossy(&self.body));
        self
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

async fn blocking(
    call: impl FnOnce() -> Result<ureq::http::Response<ureq::Body>, ureq::Error> + Send + 'static,
) -> Answer {
    tokio::task::spawn_blocking(move || {
        let mut response = call().unwrap();
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().unwrap();
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), body }
    })
    .await
    .unwrap()
}
