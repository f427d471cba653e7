//! Public tools that find path templates too. `tests/discovery/` has a program around each, with the settings it runs with.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;

use super::discoverer::Discoverer;

/// Names the interpreter that has the tools installed.
const PYTHON: &str = "APIWARD_COMPARISON_PYTHON";
const TOOLS: [(&str, &str); 2] =
    [("Drain3", "drain3_templates.py"), ("mitmproxy2swagger", "mitmproxy2swagger_templates.py")];

/// The tools as discoverers: they read the same files and print the same JSON.
///
/// # Errors
/// When the interpreter is not named.
pub fn public_tools(time_limit: Duration) -> anyhow::Result<Vec<Discoverer>> {
    let python = std::env::var(PYTHON).with_context(|| {
        format!("{PYTHON} is not set: run make discovery-figures, or name what scripts/comparison-env prints")
    })?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("discovery");
    let tool = |(name, script): (&str, &str)| {
        let script = folder.join(script).to_string_lossy().into_owned();
        Discoverer::of_words(name, vec![python.clone(), script], time_limit)
    };
    Ok(TOOLS.map(tool).into())
}
