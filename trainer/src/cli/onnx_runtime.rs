//! Where ONNX Runtime is found when nobody says where.

use std::path::PathBuf;

use anyhow::Context as _;

use crate::fit::runtime::{LIBRARY_VARIABLE, load};

const LIBRARY: &str = "libonnxruntime.so";

/// Loads the library that lies beside this program, or in `../lib`, unless the environment names another one.
///
/// # Errors
/// When there is one and it cannot be used. It is no error that there is none: only training needs it.
pub fn load_from_beside_the_program() -> anyhow::Result<()> {
    if std::env::var_os(LIBRARY_VARIABLE).is_some_and(|path| !path.is_empty()) {
        return Ok(());
    }
    if let Some(library) = beside_the_program() {
        load(Some(&library)).with_context(|| format!("load {}", library.display()))?;
    }
    Ok(())
}

fn beside_the_program() -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    let folder = program.parent()?;
    [folder.join(LIBRARY), folder.join("../lib").join(LIBRARY)].into_iter().find(|library| library.is_file())
}
