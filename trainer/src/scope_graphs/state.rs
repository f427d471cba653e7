//! A scope's graph as the store keeps it between runs of the trainer.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};

use anyhow::Context as _;
use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use serde::Serialize;
use sqlx::PgPool;

use crate::discovery::graph::HostGraph;
use crate::discovery::{UrlGraph, side_by_side};
use crate::storage::new_records::Snapshot;

/// Version of the format, which the types of the graph and of its summaries are: count it up when any of them changes.
const STATE_VERSION: i16 = 3;
/// Bytes of a graph before compression; a larger one is built again from the records after a restart.
const STATE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes of it compressed, well below what PostgreSQL takes for a value.
const COMPRESSED_BYTES_MAX: usize = 256 * 1024 * 1024;

/// A graph with how much of the store is in it.
#[derive(Debug)]
pub struct ScopeGraph {
    pub graph: UrlGraph,
    /// The records that this shows are in it, and no others.
    pub seen: Snapshot,
}

impl ScopeGraph {
    /// Without any record.
    pub fn empty(window_ms: i64) -> Self {
        Self { graph: UrlGraph::new(window_ms), seen: Snapshot::default() }
    }

    /// Nodes of all hosts.
    pub fn nodes(&self) -> usize {
        self.graph.hosts.values().map(|host| host.root.count_nodes()).sum()
    }

    /// MessagePack in several gzip members, which are one stream to who reads them: the graph without its hosts, their number, and
    /// each host with its name. Hosts are written side by side.
    ///
    /// # Errors
    /// When it is larger than the store takes.
    pub fn encode(&self) -> anyhow::Result<Vec<u8>> {
        let (mut bytes, mut size) = compressed(&(&self.graph, self.graph.hosts.len()))?;
        let hosts: Vec<(&String, &HostGraph)> = self.graph.hosts.iter().collect();
        for host in side_by_side(&hosts, compressed) {
            let (of_host, size_of_host) = host?;
            bytes.extend_from_slice(&of_host);
            size += size_of_host;
        }
        anyhow::ensure!(size <= STATE_BYTES_MAX, "the graph has {size} bytes");
        anyhow::ensure!(bytes.len() <= COMPRESSED_BYTES_MAX, "the graph has {} bytes compressed", bytes.len());
        Ok(bytes)
    }

    /// Reads what [`ScopeGraph::encode`] wrote.
    ///
    /// # Errors
    /// When the bytes are broken or of another version.
    pub fn decode(bytes: &[u8], seen: Snapshot) -> anyhow::Result<Self> {
        let decoder = MultiGzDecoder::new(bytes).take(STATE_BYTES_MAX);
        let mut reader = io::BufReader::with_capacity(64 * 1024, decoder);
        let read = |reader: &mut _| -> Result<UrlGraph, rmp_serde::decode::Error> {
            let (mut graph, hosts): (UrlGraph, usize) = rmp_serde::from_read(&mut *reader)?;
            let hosts = (0..hosts).map(|_| rmp_serde::from_read::<_, (String, HostGraph)>(&mut *reader));
            graph.hosts = hosts.collect::<Result<BTreeMap<_, _>, _>>()?;
            Ok(graph)
        };
        let graph = read(&mut reader).context("the stored graph cannot be read")?;
        Ok(Self { graph, seen })
    }
}

/// MessagePack as one gzip member, with its bytes before compression.
fn compressed(item: &impl Serialize) -> anyhow::Result<(Vec<u8>, u64)> {
    let limited = Limited { inner: GzEncoder::new(Vec::new(), Compression::fast()), room: STATE_BYTES_MAX };
    let mut writer = io::BufWriter::with_capacity(64 * 1024, limited);
    rmp_serde::encode::write(&mut writer, item).context("encode the graph")?;
    let limited = writer.into_inner().map_err(io::IntoInnerError::into_error).context("compress the graph")?;
    let size = STATE_BYTES_MAX - limited.room;
    Ok((limited.inner.finish().context("compress the graph")?, size))
}

/// What the store has of a scope.
#[derive(Debug)]
pub struct StoredGraph {
    pub seen: Snapshot,
    bytes: Vec<u8>,
}

impl StoredGraph {
    /// # Errors
    /// As [`ScopeGraph::decode`].
    pub fn decode(self) -> anyhow::Result<ScopeGraph> {
        ScopeGraph::decode(&self.bytes, self.seen)
    }
}

/// The stored graph of a scope; `None` when there is none of this version.
///
/// # Errors
/// When the database fails.
pub async fn load(pool: &PgPool, scope: &str) -> anyhow::Result<Option<StoredGraph>> {
    let row: Option<(String, Vec<u8>)> =
        sqlx::query_as("select snapshot::text, graph from scope_graphs where scope = $1 and version = $2")
            .bind(scope)
            .bind(STATE_VERSION)
            .fetch_optional(pool)
            .await?;
    row.map(|(snapshot, bytes)| Ok(StoredGraph { seen: snapshot.parse()?, bytes })).transpose()
}

/// The records that are in the stored graph; none when there is none of this version.
///
/// # Errors
/// When the database fails.
pub async fn seen(pool: &PgPool, scope: &str) -> anyhow::Result<Snapshot> {
    let snapshot: Option<String> =
        sqlx::query_scalar("select snapshot::text from scope_graphs where scope = $1 and version = $2")
            .bind(scope)
            .bind(STATE_VERSION)
            .fetch_optional(pool)
            .await?;
    snapshot.map_or_else(|| Ok(Snapshot::default()), |snapshot| Ok(snapshot.parse()?))
}

/// Keeps an encoded graph unless there is a newer one. Of several trainers each has a copy of its own, and each copy tells by its
/// snapshot what is in it: so no lock is needed, and whoever starts from the newest one has the least to read.
///
/// # Errors
/// When the database fails.
pub async fn store(pool: &PgPool, scope: &str, seen: &Snapshot, exchanges: u64, bytes: &[u8]) -> sqlx::Result<()> {
    sqlx::query(
        "insert into scope_graphs as stored (scope, version, snapshot, exchanges, graph)
         values ($1, $2, $3::text::pg_snapshot, $4, $5)
         on conflict (scope) do update set version = excluded.version, snapshot = excluded.snapshot,
             exchanges = excluded.exchanges, graph = excluded.graph, written_at = now()
         where stored.version <> excluded.version
             or pg_snapshot_xmax(stored.snapshot) <= pg_snapshot_xmax(excluded.snapshot)",
    )
    .bind(scope)
    .bind(STATE_VERSION)
    .bind(seen.to_string())
    .bind(i64::try_from(exchanges).unwrap_or(i64::MAX))
    .bind(bytes)
    .execute(pool)
    .await?;
    Ok(())
}

/// Forgets the stored graph of a scope.
///
/// # Errors
/// When the database fails.
pub async fn forget(pool: &PgPool, scope: &str) -> sqlx::Result<()> {
    sqlx::query("delete from scope_graphs where scope = $1").bind(scope).execute(pool).await?;
    Ok(())
}

/// Fails once more than so many bytes are written.
struct Limited<W> {
    inner: W,
    room: u64,
}

impl<W: Write> Write for Limited<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.room = self
            .room
            .checked_sub(written as u64)
            .ok_or_else(|| io::Error::new(io::ErrorKind::FileTooLarge, "the graph is larger than the store takes"))?;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
