//! Log lines of the service.

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use super::settings::LogFormat;

/// Begins to log to standard error; does nothing when logging has begun already.
///
/// # Errors
/// When the filter is malformed.
pub fn begin(format: LogFormat, filter: &str) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(filter).context("--log or APIWARD_LOG")?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    // A second call, as in tests with several services in one process, keeps the first.
    let _ = match format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    Ok(())
}
