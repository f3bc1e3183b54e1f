//! Logs: tracing as text or JSON, to standard error; in colour on a terminal only.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt, prelude::*};

/// Starts logging. A second call changes nothing, so that tests may start several services.
///
/// # Errors
/// A sentence when the level cannot be read.
pub fn start(format: &str, level: &str) -> Result<(), String> {
    let filter = EnvFilter::try_new(level).map_err(|e| format!("`log.level` is `{level}`: {e}"))?;
    let layer = match format {
        "json" => fmt::layer().json().flatten_event(true).with_writer(std::io::stderr).boxed(),
        "text" => fmt::layer().with_target(false).with_ansi(std::io::stderr().is_terminal()).with_writer(std::io::stderr).boxed(),
        other => return Err(format!("`log.format` is `{other}`; expected `text` or `json`")),
    };
    let _ = tracing_subscriber::registry().with(filter).with(layer).try_init();
    Ok(())
}
