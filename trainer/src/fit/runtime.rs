//! ONNX Runtime, loaded from a shared library when it is first needed.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock, PoisonError},
};

use ort::{
    environment::Environment,
    logging::LogLevel,
    session::{Session, builder::GraphOptimizationLevel},
};
use thiserror::Error;

/// The environment variable that names the library.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// Why ONNX Runtime is not available.
#[derive(Debug, Error)]
pub enum RuntimeError {
    /// Neither a path nor the environment variable was given.
    #[error("the path of libonnxruntime is not known; set {LIBRARY_VARIABLE} to the shared library's file")]
    NotConfigured,
    /// The configured path leads to nothing.
    #[error("libonnxruntime cannot be read at {path}; correct the path or {LIBRARY_VARIABLE}")]
    NotFound { path: PathBuf, source: std::io::Error },
    /// The file is not a usable ONNX Runtime.
    #[error("libonnxruntime cannot be loaded: {0}")]
    Load(#[from] ort::LoadDynamicError),
    /// The library was loaded but failed to start.
    #[error("onnx runtime failed to start: {0}")]
    Start(#[from] ort::Error),
}

static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();
static LOADING: Mutex<()> = Mutex::new(());

/// Loads ONNX Runtime from `library`, or from where [`LIBRARY_VARIABLE`] points, once per process: a later call
/// returns what is loaded, whatever its path. After a failure it may be tried again.
pub fn load(library: Option<&Path>) -> Result<&'static Environment, RuntimeError> {
    let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    let path = library_path(library, std::env::var_os(LIBRARY_VARIABLE))?;
    let environment = ort::init_from(path)?.with_name("apiward").with_telemetry(false).build()?;
    environment.set_log_level(LogLevel::Error);
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

fn library_path(given: Option<&Path>, variable: Option<OsString>) -> Result<PathBuf, RuntimeError> {
    let configured = match given {
        Some(path) => path.to_path_buf(),
        None => variable.filter(|path| !path.is_empty()).ok_or(RuntimeError::NotConfigured)?.into(),
    };
    // Absolute, since the loader would look for a relative path beside the executable first.
    configured.canonicalize().map_err(|source| RuntimeError::NotFound { path: configured, source })
}

/// Opens a model on one thread, so that the same inputs give the same bits.
pub(crate) fn open_session(environment: &Environment, onnx: &[u8]) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::All)?
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_deterministic_compute(true)?
        .commit_from_memory(onnx)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_library_is_reported_with_what_to_set() {
        for variable in [None, Some(OsString::new())] {
            let error = library_path(None, variable).unwrap_err();
            assert!(matches!(error, RuntimeError::NotConfigured));
            assert!(error.to_string().contains(LIBRARY_VARIABLE));
        }
        let folder = tempfile::tempdir().unwrap();
        let absent = folder.path().join("libonnxruntime.so");
        let error = library_path(Some(&absent), None).unwrap_err();
        assert!(error.to_string().contains("libonnxruntime.so"), "{error}");
    }

    #[test]
    fn a_given_path_goes_before_the_variable() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = library_path(Some(file.path()), Some("/absent".into())).unwrap();
        assert_eq!(path, file.path().canonicalize().unwrap());
    }
}
