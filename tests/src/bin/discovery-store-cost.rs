//! What discovery from a full store costs, in seconds and bytes.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result};
use apiward_e2e::discovery::read_operations;
use apiward_e2e::store_cost::{Cost, Measured, fill};
use apiward_trainer::storage;
use apiward_trainer::storage::cluster::{ClusterSettings, PrivateCluster};
use clap::{Parser, Subcommand};
use comfy_table::Table;
use comfy_table::presets::NOTHING;
use sqlx::ConnectOptions as _;

const MIB: f64 = 1024.0 * 1024.0;
const DATABASE: &str = "APIWARD_COST_DATABASE";

/// Fills a PostgreSQL of its own with records, discovers them in another process, adds some more and discovers again.
#[derive(Parser)]
struct Arguments {
    /// Tab-separated API, method and template
    #[arg(long, default_value = "tests/data/discovery/operations.tsv")]
    operations: PathBuf,
    /// Records to discover
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// Records that are added then
    #[arg(long, default_value_t = 10_000)]
    more: u64,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Subcommand)]
enum Part {
    /// Discovers at each line of standard input
    #[command(hide = true)]
    Discover,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
    match arguments.part {
        None => runtime.block_on(run(&arguments)),
        Some(Part::Discover) => runtime.block_on(discover()),
    }
}

async fn run(arguments: &Arguments) -> Result<()> {
    let apis = read_operations(&arguments.operations)
        .with_context(|| format!("the operations in {} cannot be used", arguments.operations.display()))?;
    let folder = tempfile::tempdir().context("make a folder for the database")?;
    // PostgreSQL's account must be able to enter it when this runs as root.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o711))?;
    let cluster = PrivateCluster::start(&settings(folder.path())).await.context("start PostgreSQL")?;
    let measured = async {
        let pool = storage::connect(cluster.connect_options()).await?;
        let filled = fill(&pool, &apis, arguments.records, 1).await?;
        eprintln!("{} records of {} operations are stored", filled.records, filled.operations);
        let mut discovering = Discovering::start(cluster.connect_options().to_url_lossy().as_str())?;
        let first = discovering.measure()?;
        let added = fill(&pool, &apis, arguments.more, 2).await?;
        let second = discovering.measure()?;
        pool.close().await;
        anyhow::ensure!(first.records == filled.records, "{} records were read", first.records);
        anyhow::ensure!(second.records == filled.records + added.records, "{} records were read", second.records);
        println!("{}", table(&[("at once", filled.records, first), ("added", added.records, second)]));
        println!("{} endpoints, {} nodes", second.endpoints, second.nodes);
        println!("targets for a million at once: 30 s on 2 cores, 500 MiB; for 10,000 more: 1 s to read and find");
        Ok(())
    };
    let measured: Result<()> = measured.await;
    cluster.stop().await.context("stop PostgreSQL")?;
    measured
}

fn settings(folder: &Path) -> ClusterSettings {
    ClusterSettings {
        data_dir: folder.join("database"),
        programs: std::env::var_os("APIWARD_PG_BIN").map(PathBuf::from),
    }
}

/// The process that discovers.
struct Discovering {
    child: Child,
    answers: std::io::Lines<BufReader<std::process::ChildStdout>>,
}

impl Discovering {
    fn start(database: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("discover")
            .env(DATABASE, database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("start the process that discovers")?;
        let output = child.stdout.take().context("its output is not there")?;
        Ok(Self { child, answers: BufReader::new(output).lines() })
    }

    fn measure(&mut self) -> Result<Cost> {
        writeln!(self.child.stdin.as_mut().context("its input is closed")?).context("ask for a discovery")?;
        let answer = self.answers.next().context("the process that discovers ended")??;
        serde_json::from_str(&answer).context("read what it cost")
    }
}

impl Drop for Discovering {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

async fn discover() -> Result<()> {
    let database = std::env::var(DATABASE).context("the database to discover in is not named")?;
    let pool = storage::connect(database.parse()?).await?;
    let measured = Measured::new(pool.clone())?;
    for line in std::io::stdin().lock().lines() {
        line?;
        println!("{}", serde_json::to_string(&measured.discover().await?)?);
    }
    pool.close().await;
    Ok(())
}

fn table(costs: &[(&str, u64, Cost)]) -> Table {
    let mut table = Table::new();
    table.load_preset(NOTHING).set_header(["", "records", "", "seconds", "CPU seconds", "peak MiB"]);
    for (name, records, cost) in costs {
        for (part, of_part) in [("reading", cost.reading), ("finding", cost.finding), ("storing", cost.storing)] {
            table.add_row([
                (*name).to_owned(),
                records.to_string(),
                part.to_owned(),
                format!("{:.2}", of_part.seconds),
                format!("{:.2}", of_part.cpu_seconds),
                format!("{:.0}", of_part.peak_bytes as f64 / MIB),
            ]);
        }
    }
    table
}
