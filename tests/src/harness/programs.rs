//! Where the programs are that set-up brings and the build makes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// The filter's module.
///
/// # Errors
/// When it was not built.
pub fn filter_module() -> anyhow::Result<PathBuf> {
    of_environment("APIWARD_FILTER_WASM")
}

pub fn envoy() -> anyhow::Result<PathBuf> {
    of_environment("APIWARD_ENVOY")
}

/// `apiward`, beside the running program or above it, where cargo puts both.
pub fn apiward() -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe().context("find the running program")?;
    here.ancestors()
        .skip(1)
        .map(|folder| folder.join("apiward"))
        .find(|program| program.is_file())
        .with_context(|| format!("there is no apiward program near {}: run make build", here.display()))
}

fn of_environment(variable: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os(variable)
        .map(PathBuf::from)
        .with_context(|| format!("{variable} is not set: run through make, or source .cache/env first"))?;
    exists(&path).with_context(|| format!("{variable} names a file that is not there, run make build"))?;
    Ok(path)
}

fn exists(path: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(path.is_file(), "{} is no file", path.display());
    Ok(())
}
