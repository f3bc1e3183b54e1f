//! `doctor`: what is wrong with the set-up, and what cures it.

use std::path::Path;

use super::{Done, Format, Outcome};
use crate::{
    clock,
    doctor::{self, Finding, Ground, State},
    settings::Settings,
};

/// Looks at everything; exit 1 on a fault. A configuration that cannot be read is the first of them.
pub(super) async fn run(format: Format, file: Option<&Path>, settings: Result<Settings, String>) -> Outcome {
    let findings = match settings {
        Err(problems) => problems.lines().map(|problem| {
            let place = file.map_or("a file of your own (--config FILE)".to_owned(), |f| f.display().to_string());
            Finding::fault("configuration", problem, format!("set it in {place} or by its variable, BANDPASS__SECTION__KEY; config/default.toml documents every key"))
        }).collect(),
        Ok(settings) => Ground::new(settings, clock::system(), None).await?.findings().await,
    };
    let worst = doctor::worst(&findings);
    match format {
        Format::Json => super::say(&serde_json::json!({ "version": env!("CARGO_PKG_VERSION"), "state": worst, "findings": findings })),
        _ => super::say(&doctor::text(&findings)),
    }
    Ok(if worst == State::Fault { Done::No } else { Done::Yes })
}
