//! Bundles as files, and the judge that is made of one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use apiward_detector::bundle::{Bundle, Manifest, PublicKey, open};
use apiward_detector::calls::CallContext;
use apiward_detector::detector::{Detector, JudgedExchange};
use apiward_detector::exchange::Exchange;
use apiward_detector::hashing::KeyedHasher;
use apiward_detector::limits::BUNDLE_BYTES_MAX;
use apiward_detector::observation::Observer;
use apiward_detector::session::MemorySessions;
use apiward_detector::telemetry::CallerRecord;

use super::hash_key::HashKeyArgs;

/// Callers, and addresses, whose history is kept while files are judged.
const SESSIONS_MAX: usize = 1_000_000;

/// Which bundle to judge by.
#[derive(Debug, clap::Args)]
pub struct BundleArgs {
    /// The bundle to judge by
    #[arg(long, short, value_name = "BUNDLE")]
    bundle: PathBuf,
    /// File with the public key, or keys, that the bundle may be signed by [default: BUNDLE.pub]
    #[arg(long, value_name = "FILE")]
    public_key: Option<PathBuf>,
    #[command(flatten)]
    hash_key: HashKeyArgs,
}

/// A loaded bundle with the hash key it was made with.
pub struct Judge {
    detector: Detector,
    hasher: KeyedHasher,
    /// What the callers of the lines so far did.
    sessions: MemorySessions,
}

impl BundleArgs {
    /// Checks the bundle as a filter would and loads it.
    ///
    /// # Errors
    /// When a file cannot be read, the bundle would be refused by a filter, or the hash key is another.
    pub fn load(&self) -> anyhow::Result<Judge> {
        let path = &self.bundle;
        let bundle = self.open().with_context(|| format!("bundle {}", path.display()))?;
        let hasher = self.hash_key.hasher()?;
        ensure!(
            bundle.is_starter() || bundle.manifest.hash_key_id == hasher.key_id(),
            "bundle {} was made with hash key {}, not with {}: give that key with --hash-key-file",
            path.display(),
            bundle.manifest.hash_key_id,
            hasher.key_id()
        );
        let detector = Detector::load(bundle).with_context(|| format!("bundle {}", path.display()))?;
        Ok(Judge { detector, hasher, sessions: MemorySessions::new(SESSIONS_MAX) })
    }

    fn open(&self) -> anyhow::Result<Bundle> {
        let size = std::fs::metadata(&self.bundle)?.len();
        ensure!(size <= BUNDLE_BYTES_MAX as u64, "it has {size} bytes, at most {BUNDLE_BYTES_MAX} are accepted");
        let bytes = std::fs::read(&self.bundle)?;
        Ok(open(&bytes, &self.trusted_keys()?)?)
    }

    fn trusted_keys(&self) -> anyhow::Result<Vec<PublicKey>> {
        if let Some(file) = &self.public_key {
            return read_public_keys(file);
        }
        let beside = public_key_beside(&self.bundle);
        if !beside.exists() {
            bail!(
                "its signature cannot be checked: give the public key with --public-key, or put it into {}",
                beside.display()
            );
        }
        read_public_keys(&beside)
    }
}

impl Judge {
    pub fn manifest(&self) -> &Manifest {
        self.detector.manifest()
    }

    /// Judges an exchange, after those judged before it.
    pub fn judge(&mut self, exchange: &Exchange) -> JudgedExchange {
        let scorer = self.detector.payload_scorer();
        let observation = Observer::observe_scored(exchange, &self.hasher, scorer);
        let caller = CallerRecord::of(&exchange.caller, &self.hasher);
        let context = CallContext { caller, at_ms: exchange.at_ms, weight: 1.0 };
        self.detector.judge_exchange_of(&observation, context, &mut self.sessions)
    }
}

/// Where `apiward train` puts the public key of a bundle: its name with `.pub` added.
pub fn public_key_beside(bundle: &Path) -> PathBuf {
    with_suffix(bundle, ".pub")
}

/// The path with something added to its file name.
pub fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    PathBuf::from(name)
}

/// Reads public keys, one a line; empty lines and lines that begin with `#` are passed over.
fn read_public_keys(file: &Path) -> anyhow::Result<Vec<PublicKey>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("read the public key {}", file.display()))?;
    let keys = text
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(str::parse)
        .collect::<Result<Vec<PublicKey>, _>>()
        .with_context(|| format!("{} is no public key", file.display()))?;
    ensure!(!keys.is_empty(), "{} has no public key in it", file.display());
    Ok(keys)
}
