//! The cluster's folder.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use apiward_detector::hashing::stable_hash;
use nix::unistd::Uid;

use super::account::Account;
use crate::secret::random_hex;

/// Where clusters go whose data directory the server's account cannot enter.
const REACHABLE: [&str; 2] = ["/var/lib", "/tmp"];
/// Bytes of a Unix socket's path, as Linux limits it.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// What PostgreSQL calls its socket at the port that is never changed here.
const SOCKET_FILE: &str = ".s.PGSQL.5432.lock";

/// Folders and files of a cluster.
#[derive(Debug)]
pub struct Place {
    pub base: PathBuf,
    pub cluster: PathBuf,
    pub socket: PathBuf,
    pub log: PathBuf,
    password: PathBuf,
}

impl Place {
    /// Finds a place that the server's account can enter and makes the folders in it.
    pub fn prepare(data_dir: &Path, account: Option<&Account>) -> anyhow::Result<Self> {
        let data_dir = fs::canonicalize(data_dir).with_context(|| format!("find {}", data_dir.display()))?;
        let base = reachable_base(&data_dir, account)?;
        make_private(&base, account)?;
        let socket = socket_folder(&base, &data_dir);
        make_private(&socket, account)?;
        let place = Self {
            cluster: base.join("cluster"),
            log: base.join("postgres.log"),
            password: base.join("password"),
            socket,
            base,
        };
        if !place.password.exists() {
            place.write_password(account)?;
        }
        Ok(place)
    }

    /// Major version of the server that made the cluster; `None` before it is made.
    pub fn version(&self) -> anyhow::Result<Option<String>> {
        match fs::read_to_string(self.cluster.join("PG_VERSION")) {
            Ok(version) => Ok(Some(version.trim().to_owned())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("read the version of {}", self.cluster.display())),
        }
    }

    pub fn password_file(&self) -> &Path {
        &self.password
    }

    pub fn password(&self) -> anyhow::Result<String> {
        let password = fs::read_to_string(&self.password)
            .with_context(|| format!("read the cluster's password from {}", self.password.display()))?;
        Ok(password.trim().to_owned())
    }

    fn write_password(&self, account: Option<&Account>) -> anyhow::Result<()> {
        let path = &self.password;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("create {}", path.display()))?;
        writeln!(file, "{}", random_hex::<24>()?).with_context(|| format!("write {}", path.display()))?;
        give(path, account)
    }
}

fn reachable_base(data_dir: &Path, account: Option<&Account>) -> anyhow::Result<PathBuf> {
    let wanted = data_dir.join("postgres");
    let Some(account) = account else {
        return Ok(wanted);
    };
    if account.reaches(&wanted) {
        return Ok(wanted);
    }
    let name = format!("apiward-{:016x}", stable_hash(&[data_dir.as_os_str().as_encoded_bytes()]));
    for folder in REACHABLE {
        let base = Path::new(folder).join(&name);
        if Path::new(folder).is_dir() && account.reaches(&base) {
            tracing::warn!(
                wanted = %wanted.display(),
                used = %base.display(),
                account = account.name,
                "PostgreSQL's account cannot enter the data directory, so the database is kept elsewhere"
            );
            return Ok(base);
        }
    }
    bail!(
        "the account {} can enter neither {} nor {}: choose another data directory or set DATABASE_URL",
        account.name,
        wanted.display(),
        REACHABLE.join(" nor ")
    )
}

/// The socket's folder: beside the cluster, unless that path is too long for a socket.
fn socket_folder(base: &Path, data_dir: &Path) -> PathBuf {
    let beside = base.join("socket");
    if beside.join(SOCKET_FILE).as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return beside;
    }
    let name = format!("apiward-socket-{:016x}", stable_hash(&[data_dir.as_os_str().as_encoded_bytes()]));
    Path::new("/tmp").join(name)
}

/// A folder for the server's account alone. One that is there must belong to it (or to the trainer, which then gives it
/// away): in a shared folder anybody may have made it first.
fn make_private(folder: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Ok(()) => return give(folder, account),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error).with_context(|| format!("create {}", folder.display())),
    }
    let metadata = fs::symlink_metadata(folder).with_context(|| format!("look at {}", folder.display()))?;
    if !metadata.is_dir() {
        bail!("{} is in the way: remove it", folder.display());
    }
    if account.is_some_and(|account| account.owns(&metadata)) {
        return Ok(());
    }
    if metadata.uid() != Uid::effective().as_raw() {
        bail!("{} belongs to another account: remove it or choose another data directory", folder.display());
    }
    give(folder, account)
}

fn give(path: &Path, account: Option<&Account>) -> anyhow::Result<()> {
    let Some(account) = account else {
        return Ok(());
    };
    chown(path, Some(account.uid.as_raw()), Some(account.gid.as_raw()))
        .with_context(|| format!("give {} to the account {}", path.display(), account.name))
}
