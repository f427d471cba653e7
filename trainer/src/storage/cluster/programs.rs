//! The installed server programs.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

/// Oldest major version that the schema needs.
const VERSION_MIN: u32 = 13;

/// `initdb` and `postgres` of one version.
#[derive(Debug, Clone)]
pub struct Programs {
    pub initdb: PathBuf,
    pub postgres: PathBuf,
    /// Major version, as in `PG_VERSION`.
    pub version: String,
}

/// The programs in `folder`, or else the newest installed; of exactly the cluster's version where there is a cluster.
pub fn find(folder: Option<&Path>, cluster_version: Option<&str>) -> anyhow::Result<Programs> {
    let candidates = match folder {
        Some(folder) => vec![folder.to_owned()],
        None => installed(),
    };
    let mut found: Vec<Programs> = candidates.iter().filter_map(|folder| programs_in(folder)).collect();
    if found.is_empty() {
        match folder {
            Some(folder) => bail!("there is no initdb and postgres in {} (APIWARD_PG_BIN)", folder.display()),
            None => bail!(
                "no PostgreSQL server programs found: install them (Debian: postgresql), name their folder in \
                 APIWARD_PG_BIN, or set DATABASE_URL"
            ),
        }
    }
    if let Some(version) = cluster_version {
        found.retain(|programs| programs.version == version);
        if found.is_empty() {
            bail!(
                "the private cluster was made by PostgreSQL {version}, whose programs are not installed: install them, \
                 name their folder in APIWARD_PG_BIN, or upgrade the cluster with pg_upgrade"
            );
        }
    }
    found.sort_by_key(|programs| programs.version.parse::<u32>().unwrap_or(0));
    match found.pop() {
        Some(programs) if programs.version.parse::<u32>().is_ok_and(|version| version >= VERSION_MIN) => Ok(programs),
        Some(programs) => bail!("PostgreSQL {} is too old, {VERSION_MIN} or newer is needed", programs.version),
        None => bail!("no PostgreSQL server programs found"),
    }
}

fn installed() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    if let Some(folder) = output("pg_config", "--bindir") {
        folders.push(PathBuf::from(folder));
    }
    if let Ok(versions) = std::fs::read_dir("/usr/lib/postgresql") {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    folders
}

fn programs_in(folder: &Path) -> Option<Programs> {
    // A link to the programs elsewhere is followed: they look for their share folder from where they are.
    let initdb = std::fs::canonicalize(folder.join("initdb")).ok()?;
    let postgres = std::fs::canonicalize(folder.join("postgres")).ok()?;
    let version = major_version(&output(&postgres, "--version")?)?;
    Some(Programs { initdb, postgres, version })
}

/// `15` of `postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)`.
fn major_version(text: &str) -> Option<String> {
    let full = text.split_whitespace().nth(2)?;
    let digits: String = full.chars().take_while(char::is_ascii_digit).collect();
    (!digits.is_empty()).then_some(digits)
}

fn output(program: impl AsRef<std::ffi::OsStr>, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read_from_what_postgres_says() {
        let check = |text, expected: Option<&str>| assert_eq!(major_version(text).as_deref(), expected);
        check("postgres (PostgreSQL) 15.17 (Debian 15.17-0+deb12u1)", Some("15"));
        check("postgres (PostgreSQL) 18beta1", Some("18"));
        check("postgres", None);
    }

    #[test]
    fn a_folder_without_the_programs_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(folder.path()), None).unwrap_err().to_string();
        assert!(error.contains(&folder.path().display().to_string()), "{error}");
    }
}
