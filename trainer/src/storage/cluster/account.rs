//! The account that the server runs as.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use nix::unistd::{Gid, Uid, User};

/// Accounts without rights that a system has, the first is preferred.
const UNPRIVILEGED: [&str; 2] = ["postgres", "nobody"];

/// An unprivileged account.
#[derive(Debug, Clone)]
pub struct Account {
    pub name: &'static str,
    pub uid: Uid,
    pub gid: Gid,
}

/// `None` when the trainer itself may run the server, else the account to run it as.
pub fn for_server() -> anyhow::Result<Option<Account>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    for name in UNPRIVILEGED {
        if let Some(user) = User::from_name(name).with_context(|| format!("look up the account {name}"))? {
            return Ok(Some(Account { name, uid: user.uid, gid: user.gid }));
        }
    }
    bail!(
        "PostgreSQL does not run as root and there is neither an account postgres nor nobody: create one or set DATABASE_URL"
    )
}

impl Account {
    /// Whether the account can enter every folder on the way to `path`, `path` itself left out.
    pub fn reaches(&self, path: &Path) -> bool {
        path.ancestors()
            .skip(1)
            .filter(|folder| !folder.as_os_str().is_empty())
            .all(|folder| std::fs::metadata(folder).is_ok_and(|metadata| self.enters(&metadata)))
    }

    fn enters(&self, folder: &Metadata) -> bool {
        let mode = folder.mode();
        if folder.uid() == self.uid.as_raw() {
            mode & 0o100 != 0
        } else if folder.gid() == self.gid.as_raw() {
            mode & 0o010 != 0
        } else {
            mode & 0o001 != 0
        }
    }

    pub fn owns(&self, metadata: &Metadata) -> bool {
        metadata.uid() == self.uid.as_raw()
    }
}
